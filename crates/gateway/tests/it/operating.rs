//! What `status` names is a command: `connections`, `endpoints`, `events`.

use std::fs;

use serde_json::{Value, json};
use upsert_webhook::{SigningKey, sign};

use crate::demo::{Demo, on_a_runtime};
use crate::operator::{answer, assert_fits_a_terminal, said, say, until, upsert};
use crate::process::{stderr, stdout};
use crate::scripted::Scripted;

const SECRET: &str = "whsec_dGhlIHNlY3JldCBvZiBzb3VyY2VzIG9mIGV2ZW50cw==";

const SOURCE: &str = r#"
[[webhooks.in]]
source = "shop"
verify = { scheme = "standard-webhooks", secret = { file = "secrets/hook" } }
event_id = "/id"
handling = "strict"
map = { reference = "/reference", email = "/email", phone = "/phone", given_name = "/name", family_name = "/name" }
"#;

/// The demo's merchant has this too, once it is taken over.
fn more_of_the_merchant(demo: &Demo, more: &str) {
    fs::write(demo.folder.join("secrets/hook"), SECRET).unwrap();
    let path = demo.folder.join("merchants/acme.toml");
    let merchant = fs::read_to_string(&path).unwrap() + more;
    let generation = || answer(demo, &["status", "--json"])["ready"]["configuration"]["generation"].clone();
    let before = generation();
    fs::write(&path, merchant).unwrap();
    until("the configuration is taken over", || generation() != before);
}

/// An event of the shop's; the status.
fn event(demo: &Demo, id: &str, email: &str) -> u16 {
    let body =
        json!({ "id": id, "reference": format!("REF-{id}"), "email": email, "phone": "+12025550123", "name": "Roe" });
    let body = body.to_string();
    #[expect(clippy::disallowed_methods, reason = "the sender's clock is the machine's")]
    let at = jiff::Timestamp::now();
    let signature = sign(&[SigningKey::standard(SECRET).unwrap()], id, at, body.as_bytes());
    let client = reqwest::Client::builder().build().unwrap();
    let request = client
        .post(format!("{}/v1/webhooks/acme/shop", demo.url()))
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", at.as_second().to_string())
        .header("webhook-signature", signature)
        .body(body);
    on_a_runtime(async { request.send().await.unwrap().status().as_u16() })
}

fn ids(page: &Value) -> Vec<String> {
    let events = page["data"].as_array().unwrap().iter();
    events.map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn connections_are_paused_and_resumed_by_their_places() {
    let demo = Demo::start(&[]);
    let paused = said(&demo, 0, &["connections", "pause", "acme/rotor", "acme/wallet"]);
    assert_eq!(
        paused,
        "acme/rotor: paused by operator, 0 waiting\nacme/wallet: paused by operator, 0 waiting\n"
    );
    upsert(&demo, 1);
    let list = said(&demo, 0, &["connections", "list"]);
    assert_fits_a_terminal(&list);
    for part in ["acme/rotor", "acme/payments", "paused", "by operator"] {
        assert!(list.contains(part), "{part}: {list}");
    }
    let shown = answer(&demo, &["connections", "list", "--json", "--merchant", "acme"]);
    let states = shown["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["name"], &one["waiting"]));
    assert!(
        states.clone().any(|state| state == (&json!("rotor"), &json!(1))),
        "{shown}"
    );

    let resumed = answer(&demo, &["connections", "resume", "--json", "acme/rotor"]);
    assert_eq!(resumed["data"][0]["paused_by"], Value::Null);
    until("what waited is delivered", || {
        let shown = answer(&demo, &["deliveries", "list", "--connection", "rotor", "--json"]);
        shown["data"][0]["state"] == "succeeded"
    });

    // One that is not there keeps no other from being resumed.
    let output = say(&demo, &["connections", "resume", "acme/nobody", "acme/wallet"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("acme/nobody: 404 not_found"),
        "{}",
        stderr(&output)
    );
    assert!(!said(&demo, 0, &["connections", "list"]).contains("paused"));
    for wrong in [&["connections", "pause", "rotor"][..], &["connections", "pause"]] {
        assert_eq!(say(&demo, wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn a_connection_is_tried_and_the_vendors_answer_is_told_with_an_exit_code_for_it() {
    let demo = Demo::start(&[]);
    let tried = said(&demo, 0, &["connections", "try", "acme/rotor"]);
    assert!(tried.starts_with("acme/rotor: the vendor answers ("), "{tried}");

    fails_three_times(&demo, "WALLET_CONTROL=");
    let tried = said(&demo, 1, &["connections", "try", "acme/wallet"]);
    assert!(
        tried.starts_with("acme/wallet: the vendor fails (503, ") && tried.contains("its words: "),
        "{tried}"
    );
    let tried = said(&demo, 1, &["connections", "try", "acme/wallet", "--json"]);
    let tried: Value = serde_json::from_str(&tried).unwrap();
    assert_eq!(
        (
            &tried["data"][0]["error"]["vendor_status"],
            &tried["data"][0]["follows"]
        ),
        (&json!(503), &json!("waits"))
    );
    let resumed = said(&demo, 0, &["connections", "resume", "acme/wallet"]);
    assert!(resumed.contains("\n  the vendor fails (503, "), "{resumed}");

    said(&demo, 0, &["connections", "pause", "acme/wallet"]);
    let output = say(&demo, &["connections", "try", "acme/wallet", "acme/rotor"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("acme/wallet: 409 connection_paused"),
        "{}",
        stderr(&output)
    );
    assert!(stdout(&output).contains("acme/rotor: the vendor answers"));
}

/// The vendor whose control address the demo names so.
fn fails_three_times(demo: &Demo, control: &str) {
    let control = demo
        .guide
        .split_whitespace()
        .find_map(|word| word.strip_prefix(control));
    let client = reqwest::Client::builder().build().unwrap();
    let request = client.put(format!("{}/faults", control.unwrap()));
    let faults = json!([{ "effect": { "kind": "answer", "status": 503 }, "times": 3 }]);
    let status = on_a_runtime(async { request.json(&faults).send().await.unwrap().status() });
    assert!(status.is_success(), "{status}");
}

#[test]
fn an_endpoint_is_tested_enabled_and_listed_with_the_events_that_go_to_it() {
    let demo = Demo::start(&[]);
    let answers = [503, 200, 410].map(|status| (status, json!({})));
    let endpoint = Scripted::start(answers.to_vec());
    let table =
        "\n[[webhooks.out]]\nname = \"erp\"\nevents = [\"customer.upserted\"]\nsecret = { file = \"secrets/hook\" }\n";
    more_of_the_merchant(&demo, &format!("{table}url = \"{}/hook\"\n", endpoint.url));

    let tested = said(&demo, 1, &["endpoints", "test", "acme/erp"]);
    assert!(
        tested.starts_with("acme/erp: did not take the test event (503, "),
        "{tested}"
    );
    let tested = answer(&demo, &["endpoints", "test", "acme/erp", "--json"]);
    assert_eq!(
        (&tested["data"][0]["delivered"], &tested["data"][0]["status"]),
        (&json!(true), &json!(200))
    );

    upsert(&demo, 1);
    until("the endpoint is disabled", || {
        said(&demo, 0, &["endpoints", "list"]).contains("disabled")
    });
    assert_eq!(endpoint.bodies().len(), 3);
    let list = said(&demo, 0, &["endpoints", "list"]);
    assert_fits_a_terminal(&list);
    let shown = answer(&demo, &["endpoints", "list", "--json"]);
    assert_eq!(
        (&shown[0]["name"], &shown[0]["disabled_by"]),
        (&json!("erp"), &json!("endpoint"))
    );
    let enabled = said(&demo, 0, &["endpoints", "enable", "acme/erp"]);
    assert!(
        enabled.starts_with("acme/erp: ") && !enabled.contains("disabled"),
        "{enabled}"
    );

    let out = said(&demo, 0, &["events", "list", "out", "--endpoint", "erp"]);
    assert_fits_a_terminal(&out);
    assert!(out.contains("customer.upserted") && out.contains("acme/erp"), "{out}");
    let out = answer(
        &demo,
        &["events", "list", "out", "--type", "customer.upserted", "--json"],
    );
    let whole = answer(&demo, &["events", "show", "out", &ids(&out)[0]]);
    assert_eq!(whole["endpoint"], "erp");
}

#[test]
fn dead_letters_that_came_in_are_listed_shown_replayed_and_given_up() {
    let demo = Demo::start(&[]);
    more_of_the_merchant(&demo, SOURCE);
    for id in ["one", "two", "three"] {
        assert_eq!(event(&demo, id, "not an e-mail"), 422);
    }
    assert_eq!(event(&demo, "four", "jane@example.com"), 202);
    let list = said(&demo, 0, &["events", "list", "in", "--state", "failed"]);
    assert_fits_a_terminal(&list);
    assert!(list.contains("3 events") && list.contains("acme/shop"), "{list}");
    let failed = answer(
        &demo,
        &[
            "events", "list", "in", "--state", "failed", "--source", "shop", "--json",
        ],
    );
    let [three, two, one] = <[String; 3]>::try_from(ids(&failed)).unwrap();
    assert_eq!(answer(&demo, &["events", "show", "in", &one])["event_id"], "one");

    // What still cannot be taken stays, and says so; the others are done all the same.
    let replayed = say(&demo, &["events", "replay", "in", &one]);
    assert_eq!(replayed.status.code(), Some(1));
    assert!(
        stderr(&replayed).contains(&format!("{one}: 422 validation_failed")),
        "{}",
        stderr(&replayed)
    );
    let given_up = said(&demo, 0, &["events", "discard", "in", &one]);
    assert!(given_up.starts_with(&format!("{one} discarded")), "{given_up}");
    let counted = said(&demo, 0, &["events", "replay", "in", "--matching", "--dry-run"]);
    assert_eq!(counted, "2 dead letters match\n");
    let all = said(
        &demo,
        1,
        &["events", "replay", "in", "--matching", "--source", "shop", "--yes"],
    );
    assert!(
        all.starts_with("0 replayed, 2 refused") && all.contains(&two) && all.contains(&three),
        "{all}"
    );
    let all = answer(
        &demo,
        &[
            "events",
            "discard",
            "in",
            "--matching",
            "--source",
            "shop",
            "--yes",
            "--json",
        ],
    );
    assert_eq!((&all["done"], &all["refused"]), (&json!(2), &json!(0)));
    assert_eq!(
        said(&demo, 0, &["events", "list", "in", "--state", "failed"]),
        "No event matches.\n"
    );

    for wrong in [
        &["events", "list", "sideways"][..],
        &["events", "list", "in", "--endpoint", "erp"],
        &["events", "list", "out", "--customer", "cus_06GZW88GRDSBF772HB0WJ89TJW"],
        &["events", "list", "in", "--state", "lost"],
        &["events", "replay", "in"],
        &["events", "replay", "in", &one, "--source", "shop"],
        &["events", "replay", "in", "--matching"],
        &["events", "discard", "in", "--matching", "--yes"],
        &[
            "events",
            "discard",
            "in",
            &one,
            "--customer",
            "cus_06GZW88GRDSBF772HB0WJ89TJW",
        ],
    ] {
        let output = say(&demo, wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", stderr(&output));
    }
}
