//! What is logged, changed while the gateway runs.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value as Json, json};
use upsert_server::{Telemetry, install_telemetry};
use upsert_settings::LogForm;
use upsert_tests::{Plan, World, api_key};

const PATIENCE: Duration = Duration::from_secs(20);

fn logs_debug() -> bool {
    tracing::enabled!(target: "upsert_app::anything", tracing::Level::DEBUG)
}

fn start_log(format: LogForm) {
    let (filter, is_fixed) = ("info".to_owned(), false);
    install_telemetry(&Telemetry {
        format,
        filter,
        is_fixed,
    })
    .unwrap();
}

/// The log is every merchant's: it takes a key for all of them.
const PLATFORM: &str = "a-key-of-the-platform";

fn plan() -> Plan {
    Plan {
        gateway: api_key("platform", PLATFORM, "*", "admin ops:read"),
        ..Plan::default()
    }
}

/// Status and body.
async fn put(world: &World, body: &Json) -> (u16, Json) {
    let request = reqwest::Client::builder()
        .build()
        .unwrap()
        .put(format!("{}/v1/logs", world.url()));
    let answer = request.bearer_auth(PLATFORM).json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_filter_is_changed_over_the_api_and_goes_back_when_its_time_is_over() {
    start_log(LogForm::Json);
    let world = World::with(plan()).await;
    let usual = json!({ "filter": "info", "configured": "info", "until": null });
    assert_eq!(world.get("/v1/logs").await.body, usual);
    assert!(!logs_debug());

    let change = json!({ "filter": "info,upsert_app=debug", "for": "2s" });
    let of_merchant = world.send(Method::PUT, "/v1/logs", Some(&change), &[]).await;
    assert_eq!((of_merchant.status, of_merchant.code()), (403, "merchant_forbidden"));
    assert_eq!(world.get("/v1/logs").await.body, usual);

    let (status, changed) = put(&world, &change).await;
    assert_eq!((status, &changed["filter"]), (200, &json!("info,upsert_app=debug")));
    assert!(changed["until"].as_str().unwrap().ends_with('Z'), "{changed}");
    assert!(logs_debug());
    world.until("/v1/logs", PATIENCE, |logs| logs.body == usual).await;
    assert!(!logs_debug());

    for (body, pointer) in [
        (json!({ "filter": "a=b=c" }), "/filter"),
        (json!({ "filter": "inof" }), "/filter"),
        (json!({ "filter": "info,upsert_ap=debug" }), "/filter"),
        (json!({ "filter": "info", "for": "soon" }), "/for"),
        (json!({ "filter": "info", "level": "info" }), "/level"),
    ] {
        let (status, refused) = put(&world, &body).await;
        assert_eq!(
            (status, &refused["code"]),
            (422, &json!("validation_failed")),
            "{refused}"
        );
        assert_eq!(refused["errors"][0]["pointer"], pointer);
    }
    assert_eq!(world.get("/v1/logs").await.body, usual, "nothing has changed");
    let audit = reqwest::Client::builder()
        .build()
        .unwrap()
        .get(format!("{}/v1/audit", world.url()));
    let audit: Json = audit.bearer_auth(PLATFORM).send().await.unwrap().json().await.unwrap();
    let entries = audit["data"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "what was refused was not done: {audit}");
    let entry = ["by", "action", "subject", "detail"].map(|name| entries[0][name].clone());
    let detail = json!({ "filter": "info,upsert_app=debug", "for_seconds": 2 });
    assert_eq!(json!(entry), json!(["platform", "logs.change", "logs", detail]));
}

#[tokio::test]
async fn a_changed_configuration_changes_the_filter_and_an_unreadable_one_is_refused() {
    start_log(LogForm::Text);
    let world = World::with(Plan {
        reloads: true,
        ..Plan::default()
    })
    .await;
    let file = world.folder().join("gateway.toml");
    let before = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        format!("{before}\n[telemetry]\nlog = \"warn,upsert_app=debug\"\n"),
    )
    .unwrap();
    world
        .until("/v1/logs", PATIENCE, |logs| {
            logs.body["configured"] == "warn,upsert_app=debug"
        })
        .await;
    assert!(logs_debug());
    std::fs::write(&file, format!("{before}\n[telemetry]\nlog = \"a=b=c\"\n")).unwrap();
    world
        .until("/readyz", PATIENCE, |ready| {
            ready.body["configuration"]["last_reading"] == "refused"
        })
        .await;
    assert_eq!(world.get("/v1/logs").await.body["filter"], "warn,upsert_app=debug");
}

#[tokio::test]
async fn a_process_that_logs_by_its_own_rules_has_no_filter_to_change() {
    let world = World::with(plan()).await;
    assert_eq!(world.get("/v1/logs").await.status, 404);
    assert_eq!(put(&world, &json!({ "filter": "debug" })).await.0, 404);
}
