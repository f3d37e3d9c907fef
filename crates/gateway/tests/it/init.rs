//! `init`: what leads from the demo to `serve`; and what a shell and its user read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::process::{Started, gateway, run, stderr, stdout};
use crate::serve::ready;

fn init(folder: &Path, more: &[&str]) -> std::process::Output {
    run(gateway(&["init", folder.to_str().unwrap()]).args(more), "")
}

fn answer(folder: &Path, more: &[&str]) -> Value {
    let output = init(folder, &[more, &["--json"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn what_it_writes_is_checked_and_serves_the_key_that_it_prints() {
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("config");
    let store = format!("sqlite:{}", outside.path().join("gateway.db").display());
    let more = [
        "--merchant",
        "acme",
        "--provider",
        "rotor",
        "--provider",
        "april",
        "--provider",
        "add-update",
    ];
    let more = [
        &more[..],
        &["--region", "US", "--setting", "add-update.merchant_id=m-1"],
    ]
    .concat();
    let shown = answer(
        &folder,
        &[&more[..], &["--bind", "127.0.0.1:0", "--store", &store]].concat(),
    );
    assert_eq!(shown["problems"], Value::Array(Vec::new()), "{shown}");
    let variables = ["ACME_ROTOR_API_KEY", "ACME_APRIL_SECRET_KEY", "ACME_ADD_UPDATE_API_KEY"];
    assert_eq!(shown["variables"], serde_json::json!(variables));
    for file in shown["files"].as_array().unwrap() {
        let mode = fs::metadata(file.as_str().unwrap()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let with_secrets = |arguments: &[&str]| {
        let mut command = gateway(arguments);
        command.envs(variables.map(|name| (name, "secret")));
        command
    };
    let place = folder.to_str().unwrap();
    let checked = run(&mut with_secrets(&["check", "--config", place]), "");
    assert!(checked.status.success(), "{}{}", stdout(&checked), stderr(&checked));
    let mut served = Started::new(&mut with_secrets(&["serve", "--log", "json", "--config", place]));
    let (_, address) = ready(&mut served);
    let mut command = gateway(&["status", "--json"]);
    let key = shown["key"].as_str().unwrap();
    let status = run(
        command
            .env("UPSERT_GATEWAY_URL", format!("http://{address}"))
            .env("UPSERT_GATEWAY_KEY", key),
        "",
    );
    assert!(status.status.success(), "{}", stderr(&status));
    let status: Value = serde_json::from_str(&stdout(&status)).unwrap();
    assert_eq!(status["ready"]["encryption"], "on");
    assert_eq!(status["connections"]["data"].as_array().unwrap().len(), 3);
}

#[test]
fn what_is_still_missing_is_named_with_file_and_line() {
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("config");
    let output = init(&folder, &["--merchant", "acme", "--provider", "add-update"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(
        text.contains("Still to be put right in it:") && text.contains("acme.toml:"),
        "{text}"
    );
    assert!(
        text.contains("merchant_id") && text.contains("export ACME_ADD_UPDATE_API_KEY=..."),
        "{text}"
    );
}

#[test]
fn what_is_there_is_not_overwritten_and_what_cannot_be_asked_for_is_wrong_usage() {
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("config");
    fs::create_dir_all(folder.join("merchants")).unwrap();
    fs::write(folder.join("merchants/acme.toml"), "id = \"acme\"\n").unwrap();
    let output = init(&folder, &["--merchant", "acme", "--provider", "rotor"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("acme.toml is there already"),
        "{}",
        stderr(&output)
    );
    assert!(!folder.join("gateway.toml").exists() && !folder.join("secrets").exists());
    for wrong in [
        &[][..],
        &["--merchant", "acme"],
        &["--provider", "rotor"],
        &["--merchant", "Acme Plumbing", "--provider", "rotor"],
        &["--merchant", "acme", "--provider", "rotorr"],
        &["--merchant", "acme", "--provider", "rotor", "--provider", "rotor"],
        &["--merchant", "acme", "--provider", "rotor", "--region", "usa"],
        &[
            "--merchant",
            "acme",
            "--provider",
            "rotor",
            "--setting",
            "april.merchant_id=x",
        ],
        &[
            "--merchant",
            "acme",
            "--provider",
            "rotor",
            "--setting",
            "merchant_id=x",
        ],
    ] {
        let output = init(&outside.path().join("other"), wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", stderr(&output));
    }
}

#[test]
fn every_shell_completes_every_command_and_every_command_has_a_page() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&mut gateway(&["completions", shell]), "");
        assert!(
            output.status.success() && stdout(&output).contains("connections"),
            "{shell}"
        );
    }
    let outside = tempfile::tempdir().unwrap();
    let script = outside.path().join("completions");
    fs::write(&script, stdout(&run(&mut gateway(&["completions", "bash"]), ""))).unwrap();
    let checked = run(std::process::Command::new("bash").arg("-n").arg(&script), "");
    assert!(checked.status.success(), "{}", stderr(&checked));

    let page = stdout(&run(&mut gateway(&["man"]), ""));
    assert!(
        page.contains(".TH upsert\\-gateway") || page.contains(".TH upsert-gateway"),
        "{page}"
    );
    let folder = outside.path().join("man");
    let output = run(&mut gateway(&["man", "--out", folder.to_str().unwrap()]), "");
    assert!(output.status.success(), "{}", stderr(&output));
    for page in [
        "upsert-gateway.1",
        "upsert-gateway-connections-pause.1",
        "upsert-gateway-init.1",
    ] {
        assert!(folder.join(page).exists(), "{page}");
    }
}
