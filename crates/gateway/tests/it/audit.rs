//! `audit`: listed and verified at a running gateway, and what is on record after a process died.

use std::process::Output;

use serde_json::Value as Json;
use upsert_core::crash_point as points;
use upsert_testkit::postgres::Database;

use crate::own_gateway::{OwnGateway, Vendors};
use crate::process::{stderr, stdout};

#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let (out, err) = (stdout(output), stderr(output));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    out + &err
}

fn post(gateway: &OwnGateway, path: &str) {
    let (status, answer) = gateway.post(path, "application/json", "{}", &[]);
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn an_operator_lists_who_did_what_and_verifies_that_nothing_of_it_was_changed() {
    let vendors = Vendors::start();
    let (connections, secrets) = vendors.connections("");
    let database = Database::new();
    let folder = tempfile::tempdir().unwrap();
    let gateway = OwnGateway::start_on(folder, database.url(), &connections, &secrets);
    let verify = |more: &[&str]| gateway.run_by_platform(&[&["audit", "verify"], more].concat(), "");
    assert_eq!(said(&verify(&[]), 0), "The audit trail is empty.\n");
    assert_eq!(said(&gateway.run(&["audit", "list"]), 0), "No entry matches.\n");
    post(&gateway, "/v1/connections/acme/rotor/pause");
    post(&gateway, "/v1/connections/acme/rotor/resume");
    said(&gateway.run(&["export"]), 0);

    let list = said(&gateway.run(&["audit", "list"]), 0);
    let wanted = [
        "connection.pause connections/acme/rotor",
        "customers.export customers/acme",
        "tests",
        "3 entries",
    ];
    for part in wanted {
        assert!(list.contains(part), "{part}: {list}");
    }
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
    let filtered = [
        "audit",
        "list",
        "--action",
        "connection.pause",
        "--by",
        "tests",
        "--since",
        "1h",
        "--json",
    ];
    let page: Json = serde_json::from_str(&stdout(&gateway.run(&filtered))).unwrap();
    assert_eq!(page["data"].as_array().unwrap().len(), 1, "{page}");
    let of_merchant = gateway.run_by_platform(&["audit", "list", "--merchant", "gone"], "");
    assert_eq!(said(&of_merchant, 0), "No entry matches.\n");
    let none = gateway.run_by_platform(&["audit", "list", "--limit", "1"], "");
    assert!(said(&none, 0).contains("there are more"));
    said(&gateway.run(&["audit", "list", "--action", "connection.stop"]), 2);

    let fits = said(&verify(&[]), 0);
    assert!(fits.starts_with("3 entries fit; all are keyed."), "{fits}");
    let noted = fits.lines().last().unwrap();
    assert!(noted.starts_with("3:") && noted.len() == 66, "{noted}");
    said(&verify(&["--noted", noted]), 0);
    let file = gateway.folder.path().join("head");
    let keep = ["--keep", file.to_str().unwrap()];
    said(&verify(&keep), 0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{noted}\n"));
    let refused = said(&gateway.run(&["audit", "verify"]), 1);
    assert!(refused.contains("merchant_forbidden"), "{refused}");

    database.execute("UPDATE audit SET actor = 'nobody' WHERE number = 2");
    let changed = said(&verify(&keep), 1);
    assert!(changed.starts_with("Entry 2 does not fit (changed)"), "{changed}");
    let as_json: Json = serde_json::from_str(&stdout(&verify(&["--json"]))).unwrap();
    assert_eq!(
        (as_json["fits"].as_bool(), as_json["misfit"]["number"].as_u64()),
        (Some(false), Some(2))
    );
    database.execute("UPDATE audit SET actor = 'tests' WHERE number = 2; DELETE FROM audit WHERE number = 3");
    let cut = said(&verify(&[]), 1);
    assert!(
        cut.contains("Entry 3 does not fit (missing): entry 3 is missing: the end was cut off"),
        "{cut}"
    );
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        format!("{noted}\n"),
        "what does not fit is not noted"
    );
}

/// Point, request, whether the connection is paused then, and the actions on record.
const DEATHS: [(&str, &str, bool, &[&str]); 4] = [
    (points::PAUSE_BEFORE_COMMIT, "pause", false, &[]),
    (points::PAUSE_AFTER_COMMIT, "pause", true, &["connection.pause"]),
    (points::AUDIT_BEFORE_RECORD, "export", false, &[]),
    (points::AUDIT_AFTER_RECORD, "export", false, &["customers.export"]),
];

#[test]
fn what_a_process_died_over_is_done_and_on_record_or_neither() {
    let vendors = Vendors::start();
    let (connections, secrets) = vendors.connections("");
    for (point, request, is_paused, wanted) in DEATHS {
        let folder = tempfile::tempdir().unwrap();
        let store = format!("sqlite:{}", folder.path().join("gateway.db").display());
        // Once without an aim, for the schema and the secrets.
        let folder = OwnGateway::start_on(folder, &store, &connections, &secrets).stop();
        let aimed = OwnGateway::aimed(folder, &store, &connections, point);
        match request {
            "pause" => aimed.dies_of("POST", "/v1/connections/acme/rotor/pause", &[]),
            _ => aimed.dies_of("GET", "/v1/customers", &[("audit-as", "export")]),
        }
        let gateway = OwnGateway::start_on(aimed.stop(), &store, &connections, &secrets);
        let listed = gateway.get("/v1/audit");
        let actions: Vec<_> = listed["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| &entry["action"])
            .collect();
        assert_eq!(actions, wanted, "{point}");
        let states = gateway.get("/v1/connections");
        let rotor = states["data"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["name"] == "rotor")
            .unwrap();
        assert_eq!(rotor["state"] == "paused", is_paused, "{point}");
        let verified = said(&gateway.run_by_platform(&["audit", "verify"], ""), 0);
        assert!(
            verified.contains(if wanted.is_empty() { "empty" } else { "1 entries fit" }),
            "{point}: {verified}"
        );
    }
}
