//! `serve`: from start to ready, and to its end.

use std::fs;
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Started, gateway, read_to, run, stderr, stdout};

/// A gateway on a free port with an empty store.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("gateway.db");
    let gateway = format!(
        "[server]\nbind = \"127.0.0.1:0\"\ndrain_delay = \"0s\"\n[store]\nurl = \"sqlite:{}\"\n",
        store.display()
    );
    fs::write(folder.path().join("gateway.toml"), gateway).unwrap();
    folder
}

fn serve(folder: &TempDir) -> Started {
    let path = folder.path().to_str().unwrap();
    Started::new(&mut gateway(&["serve", "--config", path, "--log", "json"]))
}

/// The log up to the line that says where it listens, and what that line says.
pub(crate) fn ready(started: &mut Started) -> (String, String) {
    let log = read_to(&mut started.stderr, "the gateway is ready");
    let line: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    let address = line["addr"].as_str().unwrap().to_owned();
    (log, address)
}

#[test]
fn it_says_where_it_is_warns_of_what_is_missing_and_ends_with_0_on_either_signal() {
    for signal in ["TERM", "INT"] {
        let folder = folder();
        let began = Instant::now();
        let mut started = serve(&folder);
        let (log, address) = ready(&mut started);
        // For whoever reads the output: a second is what it may take.
        println!("ready after {} ms, on an empty store", began.elapsed().as_millis());
        assert!(log.contains("no encryption key") && log.contains("no API key"), "{log}");
        let ready = run(
            &mut gateway(&["health", "--url", &format!("http://{address}/readyz")]),
            "",
        );
        assert_eq!(ready.status.code(), Some(0), "{}", stderr(&ready));
        started.signal(signal);
        assert_eq!(started.ended(), Some(0), "SIG{signal}");
        let gone = run(
            &mut gateway(&["health", "--url", &format!("http://{address}/readyz")]),
            "",
        );
        assert_eq!(gone.status.code(), Some(1));
    }
}

#[test]
fn told_by_sigterm_it_is_not_ready_and_still_takes_requests_for_a_while_and_told_by_sigint_it_ends() {
    let folder = folder();
    with_merchant(&folder);
    let file = folder.path().join("gateway.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("drain_delay = \"0s\"", "drain_delay = \"1h\"")).unwrap();
    let mut started = serve(&folder);
    let (_, address) = ready(&mut started);
    started.signal("TERM");
    read_to(&mut started.stderr, "requests are still taken");
    let health = run(
        &mut gateway(&["health", "--url", &format!("http://{address}/readyz")]),
        "",
    );
    assert_eq!(health.status.code(), Some(1));
    assert!(stderr(&health).contains("503"), "{}", stderr(&health));
    let taken: Value = serde_json::from_slice(&upsert(&address, "r-1").stdout).unwrap();
    assert!(taken["upsert_id"].is_string(), "{taken}");
    started.signal("TERM");
    assert_eq!(started.ended(), Some(1), "a second signal insists");

    let mut again = serve(&folder);
    ready(&mut again);
    again.signal("INT");
    assert_eq!(
        again.ended(),
        Some(0),
        "nobody at a terminal is kept waiting for an hour"
    );
}

#[test]
fn the_log_is_as_the_file_says_unless_it_was_asked_for_otherwise() {
    let folder = folder();
    let path = folder.path().to_str().unwrap();
    let file = folder.path().join("gateway.toml");
    let before = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        format!("{before}[telemetry]\nlog_format = \"json\"\nlog = \"info,upsert_server=error\"\n"),
    )
    .unwrap();
    let mut asked = Started::new(&mut gateway(&["serve", "--config", path, "--log-level", "info"]));
    // The form is the file's, the level the flag's.
    ready(&mut asked);
    asked.signal("TERM");
    assert_eq!(asked.ended(), Some(0));
    fs::write(&file, format!("{before}[telemetry]\nlog = \"inof\"\n")).unwrap();
    let output = run(&mut gateway(&["serve", "--config", path]), "");
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("gateway.toml:7:7: telemetry.log: "), "{said}");
    let output = run(&mut gateway(&["check", "--config", path]), "");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn an_address_that_is_taken_is_told_once() {
    let (first, second) = (folder(), folder());
    let mut started = serve(&first);
    let (_, address) = ready(&mut started);
    let file = second.path().join("gateway.toml");
    let taken = fs::read_to_string(&file).unwrap().replace("127.0.0.1:0", &address);
    fs::write(&file, taken).unwrap();
    let output = run(
        &mut gateway(&[
            "serve",
            "--config",
            second.path().to_str().unwrap(),
            "--log-level",
            "off",
        ]),
        "",
    );
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains(&format!("cannot listen on {address}: ")), "{said}");
    assert_eq!(said.matches("in use").count(), 1, "{said}");
}

#[test]
fn an_unhealthy_answer_is_a_failure_of_health() {
    let folder = folder();
    let mut started = serve(&folder);
    let (_, address) = ready(&mut started);
    let output = run(
        &mut gateway(&["health", "--url", &format!("http://{address}/nothing-here")]),
        "",
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("404"), "{}", stderr(&output));
}

#[test]
fn a_wrong_configuration_and_a_taken_address_exit_with_1_and_say_why() {
    let folder = folder();
    let mut first = serve(&folder);
    let (_, address) = ready(&mut first);
    let other = self::folder();
    let mut second = gateway(&["serve", "--config", other.path().to_str().unwrap()]);
    let output = run(second.env("UPSERT_GATEWAY__SERVER__BIND", &address), "");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&address), "{}", stderr(&output));

    fs::write(other.path().join("gateway.toml"), "[sever]\n").unwrap();
    let output = run(&mut gateway(&["serve", "--config", other.path().to_str().unwrap()]), "");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("gateway.toml:1:"), "{}", stderr(&output));
}

/// A merchant whose vendor is away, and a key for it.
fn with_merchant(folder: &TempDir) {
    let hash = data_encoding::HEXLOWER.encode(&<sha2::Sha256 as sha2::Digest>::digest("the-key"));
    let key = format!(
        "[[api_keys]]\nname = \"t\"\nkey_sha256 = \"{hash}\"\nmerchants = [\"acme\"]\n\
         scopes = [\"customers:read\", \"customers:write\"]\n"
    );
    let path = folder.path().join("gateway.toml");
    fs::write(&path, fs::read_to_string(&path).unwrap() + &key).unwrap();
    fs::write(folder.path().join("wallet.secret"), "sim-key").unwrap();
    let merchant = "id = \"acme\"\n[[connections]]\nname = \"wallet\"\nprovider = \"add-update\"\n\
                    base_url = \"http://127.0.0.1:1\"\ncredentials = { api_key = { file = \"wallet.secret\" } }\n\
                    settings = { merchant_id = \"m-1\" }\n";
    fs::create_dir_all(folder.path().join("merchants")).unwrap();
    fs::write(folder.path().join("merchants/acme.toml"), merchant).unwrap();
}

fn upsert(address: &str, reference: &str) -> std::process::Output {
    let body = format!(
        "{{\"reference\":\"{reference}\",\"given_name\":\"A\",\"family_name\":\"B\",\"email\":\"{reference}@x.example\",\
         \"phone\":\"+12025550101\",\"notes\":\"{}\"}}",
        "n".repeat(2_000)
    );
    let url = format!("http://{address}/v1/customers");
    let arguments = ["-sS", "-m", "20", "-H", "Authorization: Bearer the-key", "-H"];
    std::process::Command::new("curl")
        .args(arguments)
        .args([
            "Content-Type: application/json",
            "-H",
            "Prefer: respond-async",
            "-d",
            &body,
            &url,
        ])
        .output()
        .unwrap()
}

/// The process runs with a limit on the size of its files, so that a commit fails in earnest.
#[cfg(unix)]
#[test]
fn a_store_that_failed_ends_the_process_with_1_and_what_was_answered_is_there_at_the_next_start() {
    let folder = folder();
    with_merchant(&folder);
    let path = folder.path().to_str().unwrap().to_owned();
    let mut limited = std::process::Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 12000; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_upsert-gateway"))
        .args([
            "serve",
            "--config",
            &path,
            "--log",
            "json",
            "--log-level",
            "upsert_server=info,error",
        ]);
    let mut first = Started::new(&mut limited);
    let (_, address) = ready(&mut first);
    let mut taken = Vec::new();
    for number in 0..5_000 {
        let answered = upsert(&address, &format!("r-{number}"));
        let body: Value = serde_json::from_slice(&answered.stdout).unwrap_or_default();
        match body["upsert_id"].as_str() {
            Some(id) => taken.push(id.to_owned()),
            None => break,
        }
    }
    assert_eq!(first.ended(), Some(1), "after {} upserts", taken.len());
    assert!(taken.len() > 20);
    let mut second = Started::new(&mut gateway(&["serve", "--config", &path, "--log", "json"]));
    let (_, address) = ready(&mut second);
    for id in [&taken[0], &taken[taken.len() / 2], &taken[taken.len() - 1]] {
        let url = format!("http://{address}/v1/upserts/{id}");
        let found = std::process::Command::new("curl")
            .args(["-sS", "-H", "Authorization: Bearer the-key", &url])
            .output()
            .unwrap();
        assert!(stdout(&found).contains(id.as_str()), "{}", stdout(&found));
    }
}
