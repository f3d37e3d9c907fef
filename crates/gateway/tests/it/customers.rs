//! `customers show`: found in any notation, with links and history.

use serde_json::json;

use crate::demo::Demo;
use crate::operator::{answer, assert_fits_a_terminal, dead_letters, refused_by_a_vendor, said, say, until, upsert};
use crate::process::{gateway, run, stderr, stdout};
use crate::scripted::{CUSTOMER, Scripted, customer};

#[test]
fn a_customer_is_found_by_a_phone_in_another_notation_with_its_history() {
    let demo = Demo::start(&[]);
    refused_by_a_vendor(&demo, 1);
    let mut change = gateway(&["upsert"]);
    let change = change
        .env("UPSERT_GATEWAY_URL", demo.url())
        .env("UPSERT_GATEWAY_KEY", demo.key());
    let changed = run(change, r#"{"reference":"CUST-0","given_name":"Janet"}"#);
    assert_eq!(changed.status.code(), Some(0), "{}", stderr(&changed));
    upsert(&demo, 1);

    let by_phone = ["customers", "show", "--phone", "(202) 555-0120"];
    let text = said(&demo, 0, &by_phone);
    assert_fits_a_terminal(&text);
    for wanted in ["of acme, version 2", "Janet", "+12025550120", "in_sync"] {
        assert!(text.contains(wanted), "no `{wanted}` in:\n{text}");
    }
    let id = text.split_whitespace().next().unwrap().to_owned();
    let by_id = said(&demo, 0, &["customers", "show", &id, "--merchant", "acme"]);
    assert!(by_id.starts_with(&id) && by_id.contains("+12025550120"), "{by_id}");

    let text = said(&demo, 0, &[&by_phone[..], &["--history"]].concat());
    for wanted in [
        "version 2 by demo",
        "/given_name: \"Jane\" -> \"Janet\"",
        "version 1 by demo",
        "/email: nothing -> \"jane0@example.com\"",
        "payments: failed",
        "rejected",
    ] {
        assert!(text.contains(wanted), "no `{wanted}` in:\n{text}");
    }
    let shown = answer(&demo, &[&by_phone[..], &["--history", "--all", "--json"]].concat());
    assert_eq!(shown["id"], id.as_str());
    assert_eq!(shown["history"]["data"].as_array().unwrap().len(), 2);
    assert_eq!(shown["upserts"]["data"][1]["deliveries"].as_array().unwrap().len(), 3);
}

#[test]
fn a_replay_stands_in_the_history_as_an_upsert_without_a_version() {
    let demo = Demo::start(&[]);
    refused_by_a_vendor(&demo, 1);
    let failed = dead_letters(&demo);
    said(&demo, 0, &["deliveries", "replay", &failed[0]]);
    until("the replay succeeded", || {
        let text = said(&demo, 0, &["customers", "show", "--reference", "CUST-0", "--history"]);
        text.contains("no new version by demo") && text.contains("payments: succeeded")
    });
}

#[test]
fn several_that_are_found_are_listed() {
    const OTHER: &str = "cus_06GZW88GRDSBF772HB0WJ89TJR";
    let found = json!({ "next_cursor": null, "data": [
        customer(json!({ "reference": "A-1", "given_name": "Jane", "email": "jane@example.com" })),
        customer(json!({ "id": OTHER, "organisation_name": "Twins Ltd", "phone": "+12025550121" })),
    ] });
    let scripted = Scripted::start(vec![(200, found)]);
    let arguments = [
        "customers",
        "show",
        "--phone",
        "1",
        "--url",
        &scripted.url,
        "--key",
        "k",
    ];
    let output = run(&mut gateway(&arguments), "");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert_fits_a_terminal(&text);
    for wanted in [
        "2 customers have it",
        CUSTOMER,
        OTHER,
        "A-1",
        "Twins Ltd",
        "+12025550121",
    ] {
        assert!(text.contains(wanted), "no `{wanted}` in:\n{text}");
    }
}

#[test]
fn nobody_that_is_found_is_a_failure_and_a_phone_that_is_none_is_refused() {
    let demo = Demo::start(&[]);
    let output = say(&demo, &["customers", "show", "--email", "nobody@example.com"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "no customer of the merchant has it\n");
    let output = say(&demo, &["customers", "show", "--phone", "12"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("phone"), "{}", stderr(&output));
}
