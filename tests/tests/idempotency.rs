//! A key is used once, however often it is sent.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use std::time::Duration;

use serde_json::{Value as Json, json};
use upsert_simulators::{Answer, Effect, Fault};
use upsert_tests::{Plan, World};

fn ann() -> Json {
    json!({ "reference": "ann", "given_name": "Ann", "email": "ann@x.example", "phone": "2025550123" })
}

async fn world() -> World {
    World::with(Plan {
        only: vec!["rotor"],
        ..Plan::default()
    })
    .await
}

#[tokio::test]
async fn the_same_key_and_request_get_the_same_answer_to_the_letter() {
    let mut world = world().await;
    let first = world.upsert_with(&ann(), &[("idempotency-key", "k-1")]).await;
    assert_eq!(first.status, 201, "{}", first.text);
    assert_eq!(first.header("idempotent-replayed"), None);
    world.upsert(&json!({ "reference": "ann", "notes": "later" })).await;
    world.restart().await;
    let reordered = json!({ "phone": "2025550123", "email": "ann@x.example", "reference": "ann", "given_name": "Ann" });
    for (key, body) in [("k-1", ann()), ("\"k-1\"", reordered)] {
        let again = world.upsert_with(&body, &[("idempotency-key", key)]).await;
        assert_eq!(
            (again.status, again.header("idempotent-replayed")),
            (201, Some("true")),
            "{}",
            again.text
        );
        assert_eq!(again.text, first.text);
        assert_eq!(again.header("location"), first.header("location"));
    }
    assert_eq!(world.rotor.journal().counts().received, 2);
}

#[tokio::test]
async fn the_same_key_with_another_request_is_422() {
    let world = world().await;
    world.upsert_with(&ann(), &[("idempotency-key", "k-1")]).await;
    let mut other = ann();
    other["given_name"] = json!("Bob");
    let refused = world.upsert_with(&other, &[("idempotency-key", "k-1")]).await;
    assert_eq!((refused.status, refused.code()), (422, "idempotency_key_reused"));
}

#[tokio::test]
async fn a_request_that_was_refused_before_the_commit_leaves_its_key_free() {
    let world = world().await;
    let refused = world
        .upsert_with(&json!({ "email": "nobody" }), &[("idempotency-key", "k-1")])
        .await;
    assert_eq!(refused.status, 422);
    assert_eq!(
        world.upsert_with(&ann(), &[("idempotency-key", "k-1")]).await.status,
        201
    );
}

#[tokio::test]
async fn while_the_first_is_being_answered_the_second_is_told_to_wait() {
    let world = world().await;
    world.rotor.faults().add(Fault::once(Effect::Delay { millis: 2_000 }));
    let headers = [("idempotency-key", "k-1")];
    let body = ann();
    let slow = world.upsert_with(&body, &headers);
    let quick = async {
        while world.rotor.journal().counts().received == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        world.upsert_with(&body, &headers).await
    };
    let (first, second) = tokio::join!(slow, quick);
    assert_eq!(first.status, 201, "{}", first.text);
    assert_eq!((second.status, second.code()), (409, "idempotency_in_progress"));
    assert!(second.header("retry-after").is_some());
}

#[tokio::test]
async fn fifty_at_once_make_one_write() {
    let world = world().await;
    for round in 0..10 {
        let body =
            json!({ "reference": format!("r{round}"), "given_name": "A", "phone": format!("20255501{round:02}") });
        let key = format!("k-{round}");
        let headers = [("idempotency-key", key.as_str())];
        let all = futures_util::future::join_all((0..50).map(|_| world.upsert_with(&body, &headers))).await;
        let done = all.iter().filter(|answered| answered.status == 201).count();
        assert!(done >= 1);
        for answered in &all {
            assert!(
                answered.status == 201 || answered.code() == "idempotency_in_progress",
                "{} {}",
                answered.status,
                answered.text
            );
        }
    }
    let counts = world.rotor.journal().counts();
    assert_eq!((counts.received, world.rotor.records().len()), (10, 10));
}

#[tokio::test]
async fn an_answer_of_202_becomes_the_final_one_and_stays() {
    let world = World::with(Plan {
        only: vec!["rotor"],
        merchant: "sync_deadline = \"100ms\"".to_owned(),
        rotor: "retry = { base = \"50ms\", cap = \"100ms\" }".to_owned(),
        ..Plan::default()
    })
    .await;
    world
        .rotor
        .faults()
        .set(vec![Fault::always(Effect::Answer(Answer::new(503)))]);
    let headers = [("idempotency-key", "k-1")];
    let first = world.upsert_with(&ann(), &headers).await;
    assert_eq!(first.status, 202, "{}", first.text);
    let again = world.upsert_with(&ann(), &headers).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (202, Some("true")));
    assert_eq!(again.body["upsert_id"], first.body["upsert_id"]);
    world.rotor.faults().clear();
    let path = format!("/v1/upserts/{}", first.body["upsert_id"].as_str().unwrap());
    world
        .until(&path, Duration::from_secs(20), |upsert| {
            upsert.body["state"] == "succeeded"
        })
        .await;
    let done = world.upsert_with(&ann(), &headers).await;
    assert_eq!(done.status, 201, "{}", done.text);
    world.upsert(&json!({ "reference": "ann", "notes": "later" })).await;
    assert_eq!(world.upsert_with(&ann(), &headers).await.text, done.text);
}

#[tokio::test]
async fn a_key_that_is_no_key_is_400() {
    let world = world().await;
    for key in ["", "\"\"", "with space", &"x".repeat(256)] {
        let refused = world.upsert_with(&ann(), &[("idempotency-key", key)]).await;
        assert_eq!((refused.status, refused.code()), (400, "invalid_header"), "{key:?}");
    }
}
