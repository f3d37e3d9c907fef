//! `check`: the shipped configuration is right; a broken one is refused with file and line.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::process::{gateway, run, stderr, stdout, workspace};

fn check(folder: &str, more: &[&str]) -> Command {
    let mut command = gateway(&["check", "--config", folder]);
    command.args(more);
    command
}

fn shipped() -> String {
    workspace("config").display().to_string()
}

#[test]
fn the_shipped_configuration_is_right_with_its_secrets_and_without_them_offline() {
    let mut with_secrets = check(&shipped(), &[]);
    for name in ["ACME_ROTOR", "ACME_WALLET", "GLOBEX_ROTOR", "SOLO_WALLET"] {
        with_secrets.env(format!("{name}_API_KEY"), "k");
    }
    for name in ["ACME", "GLOBEX"] {
        with_secrets.env(format!("{name}_APRIL_SECRET_KEY"), "sandbox_sk_k");
    }
    let output = run(&mut with_secrets, "");
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(
        stdout(&output).ends_with(": 3 merchants, 6 connections: no problem\n"),
        "{}",
        stdout(&output)
    );
    assert!(
        stdout(&output).contains("warning: "),
        "it has no API key, which deserves a warning"
    );

    let output = run(&mut check(&shipped(), &["--offline"]), "");
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
}

#[test]
fn a_missing_secret_is_a_problem_unless_offline() {
    let output = run(check(&shipped(), &[]).env_remove("ACME_ROTOR_API_KEY"), "");
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("merchants/acme.toml:"), "{}", stdout(&output));
    assert!(stdout(&output).contains("ACME_ROTOR_API_KEY"), "{}", stdout(&output));
}

const BROKEN: &str = "id = \"acme\"\n\n[[connections]]\nname = \"rotor\"\nprovider = \"rotor\"\ntimout = \"1s\"\n";

#[test]
fn every_problem_names_its_file_and_line_and_the_nearest_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("merchants")).unwrap();
    fs::write(folder.path().join("gateway.toml"), "[server]\nworkers = \"many\"\n").unwrap();
    fs::write(folder.path().join("merchants/acme.toml"), BROKEN).unwrap();
    let path = folder.path().display().to_string();

    let output = run(&mut check(&path, &[]), "");
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("gateway.toml:2:"), "{text}");
    assert!(
        text.contains("merchants/acme.toml:6:") && text.contains("timeout"),
        "{text}"
    );
    assert!(text.ends_with("2 problems\n"), "{text}");

    let output = run(&mut check(&path, &["--json"]), "");
    let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((output.status.code(), &answer["ok"]), (Some(1), &Value::Bool(false)));
    let lines: Vec<_> = answer["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| &problem["line"])
        .collect();
    assert_eq!(lines, [2, 6]);
}

#[test]
fn what_only_the_provider_can_judge_is_judged_too() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("merchants")).unwrap();
    fs::write(folder.path().join("gateway.toml"), "").unwrap();
    let merchant = "id = \"acme\"\n[[connections]]\nname = \"a\"\nprovider = \"rotr\"\n";
    fs::write(folder.path().join("merchants/acme.toml"), merchant).unwrap();
    let output = run(&mut check(&folder.path().display().to_string(), &[]), "");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("merchants/acme.toml:4:"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_folder_that_is_not_there_is_a_problem() {
    let output = run(&mut check("/nowhere/at/all", &[]), "");
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("/nowhere/at/all"), "{}", stdout(&output));
}
