//! `upsert`: a table for people, JSON for programs, 1 for a refusal.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::demo::Demo;
use crate::process::{gateway, run, stderr, stdout};

const CUSTOMER: &str = r#"{"reference":"CUST-9","given_name":"Jane","family_name":"Roe","email":"jane@example.com","phone":"+12025550188","tax_id":"12-3456789"}"#;

fn upsert(demo: &Demo, more: &[&str]) -> Command {
    let mut command = gateway(&["upsert"]);
    command
        .env("UPSERT_GATEWAY_URL", demo.url())
        .env("UPSERT_GATEWAY_KEY", demo.key())
        .args(more);
    command
}

/// Every made-up part of an id as so many `x`, so that a table keeps its widths.
fn without_ids(text: &str) -> String {
    let mut shown = String::new();
    for word in text.split_inclusive([' ', '\n', '(', ')', '"', '/']) {
        let is_id =
            ["cus_", "ups_", "cust_"].iter().any(|prefix| word.starts_with(prefix)) || word.matches('-').count() == 4;
        let from = word.find('_').map_or(0, |at| at + 1);
        for (at, character) in word.char_indices() {
            let made_up = is_id && at >= from && character.is_ascii_alphanumeric();
            shown.push(if made_up { 'x' } else { character });
        }
    }
    shown
}

#[test]
fn it_prints_what_came_of_each_delivery() {
    let demo = Demo::start(&[]);
    let output = run(&mut upsert(&demo, &["--merchant", "acme"]), CUSTOMER);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    insta::assert_snapshot!("created", without_ids(&stdout(&output)));

    let file = demo.folder.join("customer.json");
    fs::write(&file, CUSTOMER).unwrap();
    let output = run(&mut upsert(&demo, &[file.to_str().unwrap()]), "");
    insta::assert_snapshot!("unchanged", without_ids(&stdout(&output)));

    let changed = r#"{"reference":"CUST-9","given_name":"Janet"}"#;
    let output = run(&mut upsert(&demo, &["--plan"]), changed);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    insta::assert_snapshot!("plan", without_ids(&stdout(&output)));

    let output = run(
        &mut upsert(&demo, &["--json", "--no-cache", "--idempotency-key", "k-1"]),
        CUSTOMER,
    );
    let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(answer["state"], "succeeded");
}

#[test]
fn a_refusal_is_told_with_its_pointers_and_exits_with_1() {
    let demo = Demo::start(&[]);
    let output = run(
        &mut upsert(&demo, &[]),
        r#"{"reference":"R","email":"no-at","phone":"12"}"#,
    );
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    insta::assert_snapshot!("refused", stderr(&output));

    let output = run(upsert(&demo, &["--json"]).env("UPSERT_GATEWAY_KEY", "wrong"), CUSTOMER);
    let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(
        (output.status.code(), &answer["code"]),
        (Some(1), &Value::from("unauthenticated"))
    );
}

#[test]
fn a_gateway_that_is_not_there_is_a_failure_that_names_it_and_not_the_key() {
    let mut command = gateway(&["upsert", "--url", "http://127.0.0.1:9", "--key", "ugk_canary"]);
    let output = run(&mut command, CUSTOMER);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("http://127.0.0.1:9"), "{}", stderr(&output));
    assert!(!stderr(&output).contains("canary"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let mut command = gateway(&["upsert", "/nowhere.json", "--url", "http://127.0.0.1:9", "--key", "k"]);
    let output = run(&mut command, "");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/nowhere.json"), "{}", stderr(&output));
}
