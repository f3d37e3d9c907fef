//! An operator at a demo: commands with its URL and key, and vendors that refuse.

use std::fs;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::demo::{Demo, on_a_runtime};
use crate::process::{gateway, run, stderr, stdout};

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Says something to the demo's gateway as whoever has the key.
pub(crate) fn say_as(demo: &Demo, key: &str, arguments: &[&str]) -> Output {
    let mut command = gateway(arguments);
    run(
        command
            .env("UPSERT_GATEWAY_URL", demo.url())
            .env("UPSERT_GATEWAY_KEY", key),
        "",
    )
}

pub(crate) fn say(demo: &Demo, arguments: &[&str]) -> Output {
    say_as(demo, &demo.key(), arguments)
}

/// Standard output of what ends with this exit code.
pub(crate) fn said(demo: &Demo, code: i32, arguments: &[&str]) -> String {
    let output = say(demo, arguments);
    let (out, err) = (stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {out}{err}");
    out
}

pub(crate) fn answer(demo: &Demo, arguments: &[&str]) -> Value {
    let text = said(demo, 0, arguments);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A customer whose reference, email and phone have the number in them.
pub(crate) fn upsert(demo: &Demo, number: usize) {
    let body = format!(
        r#"{{"reference":"CUST-{number}","given_name":"Jane","family_name":"Roe","email":"jane{number}@example.com","phone":"+1202555012{number}"}}"#
    );
    let mut command = gateway(&["upsert"]);
    let output = run(
        command
            .env("UPSERT_GATEWAY_URL", demo.url())
            .env("UPSERT_GATEWAY_KEY", demo.key()),
        &body,
    );
    assert!(output.status.code().is_some_and(|code| code < 2), "{}", stderr(&output));
}

/// So many customers whose data the second connection's vendor refuses.
pub(crate) fn refused_by_a_vendor(demo: &Demo, count: usize) {
    demo.set_faults(&format!(
        r#"[{{"effect":{{"kind":"answer","status":422}},"times":{count}}}]"#
    ));
    (0..count).for_each(|number| upsert(demo, number));
}

/// A request of the API for which there is no command.
pub(crate) fn post(demo: &Demo, path: &str) {
    let client = reqwest::Client::builder().build().unwrap();
    let request = client.post(format!("{}{path}", demo.url())).bearer_auth(demo.key());
    let status = on_a_runtime(async { request.send().await.unwrap().status() });
    assert!(status.is_success(), "{path}: {status}");
}

/// Lets `gateway.toml` end with this too.
pub(crate) fn configure(demo: &Demo, more: &str) {
    let path = demo.folder.join("gateway.toml");
    fs::write(&path, fs::read_to_string(&path).unwrap() + more).unwrap();
}

/// Asks until it is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Ids of the deliveries that have failed.
pub(crate) fn dead_letters(demo: &Demo) -> Vec<String> {
    let page = answer(demo, &["deliveries", "list", "--state", "failed", "--json"]);
    let entries = page["data"].as_array().unwrap().iter();
    entries.map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn assert_fits_a_terminal(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "wider than 80: {line}\n{text}");
    }
}
