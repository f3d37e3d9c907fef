//! `store copy`: a gateway goes on in PostgreSQL with all that it had in a file.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value as Json, json};
use upsert_core::crash_point as points;
use upsert_testkit::postgres::Database;

use crate::own_gateway::{OwnGateway, Vendors, write_configuration};
use crate::process::{gateway, run, stderr, stdout};

/// A copy with two rows in each transaction, from a file.
fn copy(from: &str, to: &str, more: &[&str]) -> std::process::Command {
    let mut arguments = vec!["store", "copy", "--from", from, "--batch", "2"];
    arguments.extend(more);
    let mut command = gateway(&arguments);
    command.env("UPSERT_GATEWAY_COPY_TO", to);
    command
}

/// All that the API tells of the customers and what is to be delivered.
fn told(gateway: &OwnGateway) -> Vec<Json> {
    let customers = gateway.customers();
    let mut all = vec![gateway.get("/v1/deliveries"), gateway.get("/v1/events/out")];
    for customer in &customers {
        let id = customer["id"].as_str().unwrap();
        for path in ["", "/history"] {
            all.push(gateway.get(&format!("/v1/customers/{id}{path}")));
        }
    }
    all.extend(customers);
    all
}

fn upsert(gateway: &OwnGateway, number: u32, name: &str) -> u16 {
    let body = json!({
        "reference": format!("r-{number}"),
        "email": format!("c{number}@example.com"),
        "phone": format!("+1202555010{number}"),
        "given_name": name,
        "family_name": "Lovelace",
    });
    let (status, answer) = gateway.post("/v1/customers", "application/json", &body.to_string(), &[]);
    assert!(status < 300, "{answer}");
    status
}

fn no_gateway_starts(folder: &Path, store: &str, connections: &str) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    // Where the secrets are.
    let config = folder.join("config-0");
    write_configuration(&config, address, store, connections);
    let output = run(&mut gateway(&["serve", "--config", config.to_str().unwrap()]), "");
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("store copy") && text.contains("has not ended"), "{text}");
}

#[test]
fn a_gateway_goes_on_in_postgresql_with_all_that_it_had_in_a_file_however_often_the_copy_was_killed() {
    let vendors = Vendors::start();
    let (connections, secrets) = vendors.connections("");
    let old = OwnGateway::start(&connections, &secrets);
    assert_eq!(upsert(&old, 0, "Ada"), 201);
    let paused = old.post("/v1/connections/acme/rotor/pause", "application/json", "{}", &[]);
    assert_eq!(paused.0, 200, "{}", paused.1);
    for number in 0..5 {
        // Only what is changed is delivered, and waits at one of three.
        assert_eq!(upsert(&old, number, "Augusta"), 202);
    }
    let expected = told(&old);
    let writes = vendors.records().map(|(writes, _)| writes);
    let from = format!("sqlite:{}", old.folder.path().join("gateway.db").display());

    let database = Database::new();
    let refused = run(&mut copy(&from, database.url(), &[]), "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("already open"), "{}", stderr(&refused));
    let folder = old.stop();

    for (point, time) in [
        (points::STORE_BEFORE_COMMIT, 1),
        (points::STORE_AFTER_COMMIT, 1),
        (points::STORE_BEFORE_COMMIT, 7),
        (points::STORE_AFTER_COMMIT, 5),
    ] {
        let mut killed = copy(&from, database.url(), &[]);
        killed.env(points::VARIABLE, format!("{point}@{time}"));
        assert_eq!(run(&mut killed, "").status.code(), None, "{point} kills it");
    }
    let other = tempfile::tempdir().unwrap();
    no_gateway_starts(other.path(), database.url(), "");
    let copied = run(&mut copy(&from, database.url(), &["--json"]), "");
    assert_eq!(copied.status.code(), Some(0), "{}", stderr(&copied));
    let answer: Json = serde_json::from_str(&stdout(&copied)).unwrap();
    assert_eq!(answer["same"], true);
    assert!(
        answer["rows_before"].as_u64() > Some(10) && answer["rows"].as_u64() > Some(0),
        "{answer:#}"
    );
    let things = answer["things"].as_array().unwrap();
    let count = |thing: &str| things.iter().find(|of| of["thing"] == thing).map(|of| of["to"].clone());
    assert_eq!(count("customers"), Some(json!(5)));
    assert_eq!(count("open deliveries"), Some(json!(5)));

    let once_more = run(&mut copy(&from, database.url(), &[]), "");
    assert_eq!(once_more.status.code(), Some(1));
    assert!(
        stderr(&once_more).contains("the target is complete"),
        "{}",
        stderr(&once_more)
    );
    drop(folder);

    let new = OwnGateway::start_on(tempfile::tempdir().unwrap(), database.url(), &connections, &secrets);
    assert_eq!(told(&new), expected);
    // It is found by what it was found by, and nothing has changed.
    assert_eq!(upsert(&new, 1, "Augusta"), 202);
    let resumed = new.post("/v1/connections/acme/rotor/resume", "application/json", "{}", &[]);
    assert_eq!(resumed.0, 200, "{}", resumed.1);
    new.until_all_is_delivered(Duration::from_secs(60));
    let [rotor, wallet, april] = vendors.records();
    assert_eq!(rotor.0, writes[0] + 5, "each of the waiting ones once");
    assert_eq!([wallet.0, april.0], writes[1..]);
    assert_eq!([rotor.1.len(), wallet.1.len(), april.1.len()], [5; 3]);
}

#[test]
fn it_says_what_is_wrong_and_never_repeats_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = format!("sqlite:{}", folder.path().join("nothing.db").display());
    let target = format!("sqlite:{}", folder.path().join("new.db").display());
    let missing = run(&mut copy(&nothing, &target, &[]), "");
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("there is no store at the source"));
    let secret = "postgres://gateway:canary@127.0.0.1:1/gateway";
    for (from, to, code) in [(secret, &*target, 1), ("mysql://gateway:canary@db/x", &target, 2)] {
        let output = run(&mut copy(from, to, &[]), "");
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        if code == 1 {
            assert!(!stderr(&output).contains("canary"), "{}", stderr(&output));
        }
    }
}
