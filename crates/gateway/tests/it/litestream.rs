//! Litestream beside a running gateway, as Operations has it: a real one copies the store, both are killed, and a gateway
//! goes on with the copy.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::own_gateway::{OwnGateway, Vendors};
use crate::process::{Started, run};

const CUSTOMERS: usize = 40;
/// It copies once a second.
const PATIENCE: Duration = Duration::from_secs(60);

fn litestream(arguments: &[&str]) -> Command {
    let mut command = Command::new("litestream");
    command.args(arguments);
    command
}

/// Writes the copy as a new file, if there is one yet.
fn restored(replica: &str, folder: &Path) -> Option<PathBuf> {
    let file = folder.join("gateway.db");
    let output = run(&mut litestream(&["restore", "-o", file.to_str().unwrap(), replica]), "");
    output.status.success().then_some(file)
}

fn started_on(folder: TempDir, file: &Path, vendors: &Vendors) -> OwnGateway {
    let (connections, secrets) = vendors.connections("");
    OwnGateway::start_on(folder, &format!("sqlite:{}", file.display()), &connections, &secrets)
}

fn upsert(gateway: &OwnGateway, number: usize) -> Json {
    let body = format!(
        "{{\"reference\": \"r-{number}\", \"email\": \"p{number}@example.com\", \"phone\": \"+1202555{number:04}\", \
         \"given_name\": \"Pat\", \"family_name\": \"Lee\"}}"
    );
    let (status, answer) = gateway.post("/v1/customers", "application/json", &body, &[]);
    assert!(status == 200 || status == 201, "{status}: {answer}");
    serde_json::from_str(&answer).unwrap()
}

#[test]
fn a_gateway_goes_on_with_what_litestream_copied_of_one_that_was_killed() {
    let version = litestream(&["version"]).output();
    assert!(version.is_ok(), "there is no litestream: scripts/test installs it");
    let (vendors, folder) = (Vendors::start(), tempfile::tempdir().unwrap());
    let (file, copies) = (folder.path().join("gateway.db"), tempfile::tempdir().unwrap());
    let replica = format!("file://{}", copies.path().display());
    let gateway = started_on(folder, &file, &vendors);
    let mut copying = Started::new(&mut litestream(&["replicate", file.to_str().unwrap(), &replica]));
    for number in 0..CUSTOMERS {
        upsert(&gateway, number);
    }
    gateway.until_all_is_delivered(PATIENCE);
    let mut expected = gateway.customers();
    let began = Instant::now();
    let again = loop {
        let folder = tempfile::tempdir().unwrap();
        let again = restored(&replica, folder.path()).map(|copy| started_on(folder, &copy, &vendors));
        match again {
            Some(again) if again.customers() == expected => break again,
            _ => assert!(
                began.elapsed() < PATIENCE,
                "the copy does not get to where the store is"
            ),
        }
    };
    drop(gateway.stop());
    copying.signal("KILL");
    copying.ended();
    // The same person, and nobody twice: here and at the vendors.
    let known = upsert(&again, 0);
    let id = known["customer"]["id"].as_str();
    assert!(expected.iter().any(|customer| customer["id"].as_str() == id), "{known}");
    upsert(&again, CUSTOMERS);
    expected = again.customers();
    assert_eq!(expected.len(), CUSTOMERS + 1);
    again.until_all_is_delivered(PATIENCE);
    for (_, records) in vendors.records() {
        assert_eq!(records.len(), CUSTOMERS + 1);
    }
}
