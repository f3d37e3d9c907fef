//! What is logged, changed while the gateway runs.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value as Json, json};
use upsert_server::{Telemetry, install_telemetry};
use upsert_settings::LogForm;
use upsert_tests::{Answered, Plan, World};

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

async fn put(world: &World, body: &Json) -> Answered {
    world.send(Method::PUT, "/v1/logs", Some(body), &[]).await
}

#[tokio::test]
async fn a_filter_is_changed_over_the_api_and_goes_back_when_its_time_is_over() {
    start_log(LogForm::Json);
    let world = World::start().await;
    let usual = json!({ "filter": "info", "configured": "info", "until": null });
    assert_eq!(world.get("/v1/logs").await.body, usual);
    assert!(!logs_debug());

    let changed = put(&world, &json!({ "filter": "info,upsert_app=debug", "for": "2s" })).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(changed.body["filter"], "info,upsert_app=debug");
    assert!(
        changed.body["until"].as_str().unwrap().ends_with('Z'),
        "{}",
        changed.text
    );
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
        let refused = put(&world, &body).await;
        assert_eq!(
            (refused.status, refused.code()),
            (422, "validation_failed"),
            "{}",
            refused.text
        );
        assert_eq!(refused.body["errors"][0]["pointer"], pointer);
    }
    assert_eq!(world.get("/v1/logs").await.body, usual, "nothing has changed");
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
    let world = World::start().await;
    assert_eq!(world.get("/v1/logs").await.status, 404);
    assert_eq!(put(&world, &json!({ "filter": "debug" })).await.status, 404);
}
