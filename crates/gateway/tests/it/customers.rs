//! `customers show`: found in any notation, with links and history.

use crate::demo::Demo;
use crate::operator::{answer, assert_fits_a_terminal, dead_letters, refused_by_a_vendor, said, say, until, upsert};
use crate::process::{gateway, run, stderr};

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
    assert_eq!(said(&demo, 0, &["customers", "show", &id, "--merchant", "acme"]), text);

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
fn several_that_are_found_are_listed_and_nobody_is_a_failure() {
    let demo = Demo::start(&[]);
    upsert(&demo, 1);
    let mut other = gateway(&["upsert"]);
    let other = other
        .env("UPSERT_GATEWAY_URL", demo.url())
        .env("UPSERT_GATEWAY_KEY", demo.key());
    run(
        other,
        r#"{"reference":"TWIN","given_name":"Joe","family_name":"Roe","email":"joe@example.com","phone":"+12025550121"}"#,
    );
    let text = said(&demo, 0, &["customers", "show", "--phone", "+1 202 555 0121"]);
    assert_fits_a_terminal(&text);
    for wanted in ["2 customers have it", "CUST-1", "TWIN", "joe@example.com"] {
        assert!(text.contains(wanted), "no `{wanted}` in:\n{text}");
    }
    let output = say(&demo, &["customers", "show", "--email", "nobody@example.com"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "no customer of the merchant has it\n");
    let output = say(&demo, &["customers", "show", "--phone", "12"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("phone"), "{}", stderr(&output));
}
