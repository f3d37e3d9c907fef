//! `serve`: from start to ready, and to its end.

use std::fs;
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Started, gateway, read_to, run, stderr};

/// A gateway on a free port with an empty store.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("gateway.db");
    let gateway = format!(
        "[server]\nbind = \"127.0.0.1:0\"\n[store]\nurl = \"sqlite:{}\"\n",
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
fn ready(started: &mut Started) -> (String, String) {
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
