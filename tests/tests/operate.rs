//! What operators do by hand.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value as Json, json};
use upsert_simulators::{Answer, Effect, Fault};
use upsert_tests::{Plan, World};

const PATIENCE: Duration = Duration::from_secs(20);

fn ann() -> Json {
    json!({ "reference": "ann", "given_name": "Ann", "phone": "2025550123" })
}

async fn rotor_alone() -> World {
    World::with(Plan {
        only: vec!["rotor"],
        ..Plan::default()
    })
    .await
}

#[tokio::test]
async fn a_connection_paused_by_hand_drops_nothing_and_goes_on_when_it_is_resumed() {
    let mut world = rotor_alone().await;
    let paused = world
        .send(Method::POST, "/v1/connections/acme/rotor/pause", None, &[])
        .await;
    assert_eq!(
        (paused.status, &paused.body["state"], &paused.body["paused_by"]),
        (200, &json!("paused"), &json!("operator"))
    );
    let accepted = world.upsert(&ann()).await;
    assert_eq!(
        (accepted.status, &accepted.delivery("rotor")["waiting_for"]),
        (202, &json!("paused")),
        "{}",
        accepted.text
    );
    world.restart().await;
    assert_eq!(
        world.get("/v1/connections").await.body["data"][0]["paused_by"],
        "operator",
        "it survives a restart"
    );
    assert_eq!(world.rotor.journal().counts().received, 0);
    let resumed = world
        .send(Method::POST, "/v1/connections/acme/rotor/resume", None, &[])
        .await;
    assert_eq!(
        (resumed.status, &resumed.body["state"]),
        (200, &json!("healthy")),
        "{}",
        resumed.text
    );
    let location = accepted.header("location").unwrap().to_owned();
    world
        .until(&location, PATIENCE, |upsert| upsert.body["state"] == "succeeded")
        .await;
    assert_eq!(world.rotor.records().len(), 1);
}

#[tokio::test]
async fn a_stale_link_is_forgotten_and_the_next_upsert_makes_the_record_anew() {
    let world = rotor_alone().await;
    let made = world.upsert(&ann()).await;
    assert!(
        world
            .rotor
            .forget(made.delivery("rotor")["provider_customer_id"].as_str().unwrap())
    );
    let stale = world.upsert(&json!({ "reference": "ann", "notes": "x" })).await;
    assert_eq!(stale.delivery("rotor")["error"]["code"], "link_stale", "{}", stale.text);
    let path = format!("/v1/customers/{}/links/rotor/unlink", made.customer_id());
    let unlinked = world.send(Method::POST, &path, None, &[]).await;
    assert_eq!(unlinked.status, 200, "{}", unlinked.text);
    assert_eq!(unlinked.body["links"][0]["provider_customer_id"], Json::Null);
    assert_eq!(
        world.send(Method::POST, &path, None, &[]).await.status,
        404,
        "there is no link any more"
    );
    let again = world.upsert(&json!({ "reference": "ann", "notes": "x" })).await;
    assert_eq!(
        (again.status, &again.delivery("rotor")["outcome"]),
        (200, &json!("created")),
        "{}",
        again.text
    );
    assert_eq!(
        world.rotor.records()[0].fields["first_name"],
        "Ann",
        "a new record gets everything"
    );
}

#[tokio::test]
async fn what_is_not_there_cannot_be_operated() {
    let world = rotor_alone().await;
    for path in [
        "/v1/connections/acme/nobody/pause",
        "/v1/connections/nobody/rotor/resume",
    ] {
        let answered = world.send(Method::POST, path, None, &[]).await;
        assert_eq!(
            (answered.status, answered.code()),
            (404, "not_found"),
            "{path}: {}",
            answered.text
        );
    }
}

#[tokio::test]
async fn a_resume_ends_what_the_vendor_said_of_waiting_and_what_waited_goes_out_at_once() {
    for status in [429, 503] {
        let world = rotor_alone().await;
        let wait = Answer::new(status).retry_after(3_600);
        world.rotor.faults().set(vec![Fault::always(Effect::Answer(wait))]);
        let mut waiting = Vec::new();
        // Enough to open the breaker of each process, where the vendor fails.
        for number in 0..12 * world.processes() {
            let person = json!({ "reference": format!("r-{number}"), "given_name": "A", "phone": format!("20255501{number:02}") });
            let accepted = world.upsert_with(&person, &[("prefer", "respond-async")]).await;
            waiting.push(accepted.header("location").unwrap().to_owned());
        }
        world
            .until("/v1/connections", PATIENCE, |shown| {
                matches!(shown.body["data"][0]["state"].as_str(), Some("throttled" | "open"))
            })
            .await;
        world.rotor.faults().clear();
        let resume = "/v1/connections/acme/rotor/resume";
        assert_eq!(world.send(Method::POST, resume, None, &[]).await.status, 200);
        for location in waiting {
            world
                .until(&location, PATIENCE, |upsert| upsert.body["state"] == "succeeded")
                .await;
        }
    }
}
