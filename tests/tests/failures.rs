//! Vendors that refuse, fail, hang and lie: what the caller is told, what is kept, what happens next.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use std::time::Duration;

use serde_json::{Value as Json, json};
use upsert_simulators::{Answer, Cut, Effect, Fault, When};
use upsert_tests::{Answered, Plan, World};

const PATIENCE: Duration = Duration::from_secs(20);

fn ann() -> Json {
    json!({ "reference": "ann", "given_name": "Ann", "family_name": "Lee", "email": "ann@x.example", "phone": "2025550123" })
}

async fn rotor_alone(more: &str) -> World {
    World::with(Plan {
        only: vec!["rotor"],
        rotor: more.to_owned(),
        ..Plan::default()
    })
    .await
}

fn answers(status: u16) -> Fault {
    Fault::always(Effect::Answer(Answer::new(status)))
}

#[tokio::test]
async fn a_new_customer_that_every_vendor_refuses_is_gone_and_frees_its_identifiers() {
    let world = rotor_alone("").await;
    let body = r#"{"status":"error","message":"Validation failed","errors":[{"field":"email","message":"Invalid email format"}]}"#;
    world
        .rotor
        .faults()
        .add(Fault::once(Effect::Answer(Answer::new(400).body(body))));
    let refused = world.upsert(&ann()).await;
    assert_eq!(
        (refused.status, refused.code()),
        (422, "provider_rejected"),
        "{}",
        refused.text
    );
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    let error = &refused.delivery("rotor")["error"];
    assert_eq!(error["kind"], "rejected");
    assert_eq!(error["vendor_status"], 400);
    assert_eq!(error["errors"][0]["pointer"], "/email");
    assert_eq!(error["errors"][0]["vendor_field"], "email");
    assert_eq!(
        world
            .get(&format!("/v1/customers/{}", refused.customer_id()))
            .await
            .status,
        404
    );
    let upsert = world
        .get(&format!("/v1/upserts/{}", refused.body["upsert_id"].as_str().unwrap()))
        .await;
    assert_eq!(
        (upsert.status, &upsert.body["state"]),
        (200, &json!("failed")),
        "{}",
        upsert.text
    );
    let other = json!({ "reference": "bob", "given_name": "Bob", "phone": "2025550123" });
    assert_eq!(world.upsert(&other).await.status, 201, "the phone is free again");
}

#[tokio::test]
async fn a_change_that_every_vendor_refuses_is_taken_back_and_stays_in_the_history() {
    let world = rotor_alone("").await;
    let made = world.upsert(&ann()).await;
    world.rotor.faults().add(Fault::once(Effect::Answer(Answer::new(422))));
    let refused = world
        .upsert(&json!({ "reference": "ann", "email": "bad@x.example" }))
        .await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert_eq!(refused.body["rolled_back"], true);
    let shown = world.get(&format!("/v1/customers/{}", made.customer_id())).await;
    assert_eq!(
        (&shown.body["email"], &shown.body["version"]),
        (&json!("ann@x.example"), &json!(1))
    );
    assert_eq!(shown.body["links"][0]["state"], "in_sync");
    let history = world
        .get(&format!("/v1/customers/{}/history", made.customer_id()))
        .await;
    assert_eq!(history.body["data"][0]["refused"], true);
    assert_eq!(history.body["data"][0]["changes"][0]["to"], "bad@x.example");
    let next = world.upsert(&json!({ "reference": "ann", "notes": "fine" })).await;
    assert_eq!(
        (next.status, &next.body["customer"]["version"]),
        (200, &json!(2)),
        "bad data does not poison later upserts"
    );
    assert_eq!(next.body["customer"]["email"], "ann@x.example");
    let freed = world.get("/v1/customers?email=bad@x.example").await;
    assert_eq!(freed.body["data"], json!([]));
}

#[tokio::test]
async fn where_only_some_refuse_the_version_stays_and_the_difference_is_sent_again() {
    let world = World::start().await;
    let made = world.upsert(&ann()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    world.rotor.faults().add(Fault::once(Effect::Answer(Answer::new(400))));
    let refused = world.upsert(&json!({ "reference": "ann", "given_name": "Anna" })).await;
    assert_eq!((refused.status, &refused.body["state"]), (422, &json!("failed")));
    assert_eq!(refused.delivery("wallet")["state"], "succeeded");
    let shown = world.get(&format!("/v1/customers/{}", made.customer_id())).await;
    assert_eq!(
        (&shown.body["given_name"], &shown.body["version"]),
        (&json!("Anna"), &json!(2))
    );
    assert_eq!(
        shown.body["links"]
            .as_array()
            .unwrap()
            .iter()
            .find(|l| l["connection"] == "rotor")
            .unwrap()["state"],
        "failed"
    );
    let next = world
        .upsert(&json!({ "reference": "ann", "family_name": "Leigh" }))
        .await;
    assert_eq!(next.status, 200, "{}", next.text);
    assert_eq!(world.rotor.records()[0].fields["first_name"], "Anna");
}

#[tokio::test]
async fn a_vendor_that_fails_a_few_times_is_retried_within_the_request() {
    let world = rotor_alone("retry = { attempts = 4, base = \"10ms\", cap = \"50ms\" }").await;
    world
        .rotor
        .faults()
        .add(Fault::times(2, Effect::Answer(Answer::new(503))));
    let made = world.upsert(&ann()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.delivery("rotor")["attempts"], 3);
    assert_eq!(world.rotor.records().len(), 1);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_repeated_and_makes_no_second_record() {
    let world = rotor_alone("retry = { attempts = 4, base = \"10ms\", cap = \"50ms\" }").await;
    world
        .rotor
        .faults()
        .add(Fault::once(Effect::Cut { at: Cut::AfterWrite }));
    let made = world.upsert(&ann()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.delivery("rotor")["attempts"], 2);
    assert_eq!(world.rotor.records().len(), 1);
    assert_eq!(world.rotor.records()[0].writes, 2);
}

#[tokio::test]
async fn what_is_still_open_at_the_deadline_is_202_and_goes_on_by_itself() {
    let merchant = "sync_deadline = \"300ms\"".to_owned();
    let rotor = "retry = { attempts = 10, base = \"100ms\", cap = \"200ms\" }".to_owned();
    let world = World::with(Plan {
        only: vec!["rotor"],
        merchant,
        rotor,
        ..Plan::default()
    })
    .await;
    world.rotor.faults().set(vec![answers(503)]);
    let accepted = world.upsert(&ann()).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let location = accepted.header("location").unwrap().to_owned();
    assert!(accepted.header("retry-after").is_some());
    assert_eq!(
        location,
        format!("/v1/upserts/{}", accepted.body["upsert_id"].as_str().unwrap())
    );
    world.rotor.faults().clear();
    let done = world
        .until(&location, PATIENCE, |upsert| upsert.body["state"] == "succeeded")
        .await;
    assert_eq!(done.delivery("rotor")["outcome"], "created");
    assert_eq!(world.rotor.records().len(), 1);
}

#[tokio::test]
async fn respond_async_answers_202_and_the_upsert_ends_by_itself() {
    let world = World::start().await;
    let accepted = world.upsert_with(&ann(), &[("prefer", "respond-async")]).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    assert_eq!(accepted.header("preference-applied"), Some("respond-async"));
    let location = accepted.header("location").unwrap().to_owned();
    let done = world
        .until(&location, PATIENCE, |upsert| upsert.body["state"] == "succeeded")
        .await;
    assert_eq!(done.status, 200);
    assert_eq!(done.body["deliveries"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn newer_upserts_join_the_one_that_waits_and_one_call_brings_the_latest_state() {
    let merchant = "sync_deadline = \"200ms\"".to_owned();
    let world = World::with(Plan {
        only: vec!["rotor"],
        merchant,
        // Short delays, however often it was tried, and no open breaker: the test waits for the next try.
        rotor: "retry = { attempts = 20, base = \"50ms\", cap = \"200ms\" }\nbreaker = { min_calls = 1000 }".to_owned(),
        ..Plan::default()
    })
    .await;
    world.rotor.faults().set(vec![answers(503)]);
    let first = world.upsert(&ann()).await;
    assert_eq!(first.status, 202);
    let mut locations = vec![first.header("location").unwrap().to_owned()];
    for notes in ["one", "two", "three"] {
        let answered = world.upsert(&json!({ "reference": "ann", "notes": notes })).await;
        assert_eq!(answered.status, 202, "{}", answered.text);
        locations.push(answered.header("location").unwrap().to_owned());
    }
    let before = world.rotor.journal().counts().received;
    world.rotor.faults().clear();
    for location in &locations {
        let done = world
            .until(location, PATIENCE, |upsert| upsert.body["state"] == "succeeded")
            .await;
        assert_eq!(done.status, 200);
    }
    let superseded = world.get(&locations[0]).await;
    assert_eq!(superseded.delivery("rotor")["state"], "superseded");
    assert_eq!(world.rotor.records()[0].fields["notes"], "three");
    assert_eq!(
        world.rotor.journal().counts().received - before,
        1,
        "one call for all of them"
    );
}

#[tokio::test]
async fn refused_credentials_pause_the_connection_and_drop_nothing() {
    let world = rotor_alone("").await;
    world.rotor.faults().set(vec![answers(401)]);
    let accepted = world.upsert(&ann()).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    assert_eq!(accepted.delivery("rotor")["state"], "waiting");
    assert_eq!(accepted.delivery("rotor")["waiting_for"], "paused");
    world.until_all("/v1/connections", PATIENCE, is("paused")).await;
    let more = world
        .upsert(&json!({ "reference": "bob", "given_name": "Bob", "phone": "2025550177" }))
        .await;
    assert_eq!(more.status, 202);
    assert_eq!(
        world.rotor.journal().counts().received,
        1,
        "a paused connection is not called"
    );
    let connections = world.get("/v1/connections").await;
    let rotor = &connections.body["data"][0];
    assert_eq!(
        (&rotor["state"], &rotor["paused_by"], &rotor["waiting"]),
        (&json!("paused"), &json!("vendor"), &json!(2)),
        "{}",
        connections.text
    );
}

#[tokio::test]
async fn a_pause_survives_a_restart_and_ends_when_the_credentials_change() {
    let mut world = rotor_alone("").await;
    std::fs::write(world.folder().join("rotor.secret"), "rotor_wrong").unwrap();
    world.restart().await;
    let accepted = world.upsert(&ann()).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    world.restart().await;
    assert_eq!(world.get("/v1/connections").await.body["data"][0]["state"], "paused");
    std::fs::write(world.folder().join("rotor.secret"), "rotor_sim_secret").unwrap();
    world.restart().await;
    let location = accepted.header("location").unwrap().to_owned();
    world
        .until(&location, PATIENCE, |upsert| upsert.body["state"] == "succeeded")
        .await;
    assert_eq!(world.rotor.records().len(), 1);
}

#[tokio::test]
async fn a_throttled_connection_waits_as_long_as_it_was_told() {
    let world = rotor_alone("").await;
    world
        .rotor
        .faults()
        .add(Fault::once(Effect::Answer(Answer::new(429).retry_after(1))));
    let started = std::time::Instant::now();
    let made = world.upsert(&ann()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(world.rotor.journal().counts().received, 2);
}

#[tokio::test]
async fn a_spent_quota_parks_the_connection_and_no_call_is_wasted() {
    let world = rotor_alone("").await;
    let body = r#"{"status":"error","message":"Daily API key request limit of 1000 exceeded","error_code":"RATE_LIMIT_EXCEEDED"}"#;
    world
        .rotor
        .faults()
        .set(vec![Fault::always(Effect::Answer(Answer::new(429).body(body)))]);
    let accepted = world.upsert(&ann()).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    assert_eq!(accepted.delivery("rotor")["waiting_for"], "quota");
    world.until_all("/v1/connections", PATIENCE, is("quota_spent")).await;
    for n in 0..5 {
        let body = json!({ "reference": format!("q{n}"), "given_name": "Q", "phone": format!("202555020{n}") });
        assert_eq!(world.upsert(&body).await.status, 202);
    }
    assert_eq!(world.rotor.journal().counts().received, 1);
    world.until_all("/v1/connections", PATIENCE, is("quota_spent")).await;
}

/// Whether the first connection is in this state.
fn is(state: &str) -> impl Fn(&Answered) -> bool {
    move |connections| connections.body["data"][0]["state"] == state
}

#[tokio::test]
async fn our_own_count_of_the_day_holds_across_a_restart() {
    let mut world = rotor_alone("rate_limit = { per_day = 3, reserve = 0.0 }").await;
    for n in 0..2 {
        let body = json!({ "reference": format!("q{n}"), "given_name": "Q", "phone": format!("202555020{n}") });
        assert_eq!(world.upsert(&body).await.status, 201);
    }
    world.restart().await;
    let body = |n: u32| json!({ "reference": format!("q{n}"), "given_name": "Q", "phone": format!("202555020{n}") });
    assert_eq!(world.upsert(&body(2)).await.status, 201);
    let parked = world.upsert(&body(3)).await;
    assert_eq!(
        (parked.status, &parked.delivery("rotor")["waiting_for"]),
        (202, &json!("quota")),
        "{}",
        parked.text
    );
    assert_eq!(world.rotor.journal().counts().received, 3);
}

#[tokio::test]
async fn answers_that_cannot_be_understood_are_a_broken_contract() {
    for effect in [
        Effect::Garbage,
        Effect::EmptyObject,
        Effect::Html,
        Effect::Redirect {
            location: "http://127.0.0.1:9/elsewhere".to_owned(),
        },
        Effect::Huge { bytes: 3_000_000 },
    ] {
        let world = rotor_alone("").await;
        world.rotor.faults().set(vec![Fault::always(effect.clone())]);
        let failed = world.upsert(&ann()).await;
        assert_eq!(
            (failed.status, failed.code()),
            (502, "provider_failed"),
            "{effect:?}: {}",
            failed.text
        );
        let error = &failed.delivery("rotor")["error"];
        assert_eq!(
            (&error["kind"], &error["state_at_vendor"]),
            (&json!("broken_contract"), &json!("unknown")),
            "{effect:?}"
        );
        let shown = world.get(&format!("/v1/customers/{}", failed.customer_id())).await;
        assert_eq!(
            shown.status, 200,
            "whether it was written is not known, so the customer stays"
        );
        assert_eq!(shown.body["links"][0]["state"], "failed");
    }
}

#[tokio::test]
async fn a_vendor_that_writes_to_another_record_is_a_broken_contract_and_the_link_stays() {
    let world = rotor_alone("").await;
    let made = world.upsert(&ann()).await;
    let ours = made.delivery("rotor")["provider_customer_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let body = r#"{"id":"00000000-0000-4000-8000-000000000000","message":"Customer updated successfully"}"#;
    world
        .rotor
        .faults()
        .add(Fault::once(Effect::Answer(Answer::new(200).body(body))));
    let failed = world.upsert(&json!({ "reference": "ann", "notes": "x" })).await;
    assert_eq!(failed.status, 502, "{}", failed.text);
    let detail = failed.delivery("rotor")["error"]["detail"].as_str().unwrap();
    assert!(
        detail.contains(&ours) && detail.contains("00000000-0000-4000-8000-000000000000"),
        "{detail}"
    );
    let shown = world.get(&format!("/v1/customers/{}", made.customer_id())).await;
    assert_eq!(shown.body["links"][0]["provider_customer_id"], ours.as_str());
}

#[tokio::test]
async fn an_id_that_the_vendor_has_forgotten_is_a_stale_link_and_never_sent_without_it() {
    let world = rotor_alone("").await;
    let made = world.upsert(&ann()).await;
    assert!(
        world
            .rotor
            .forget(made.delivery("rotor")["provider_customer_id"].as_str().unwrap())
    );
    let refused = world.upsert(&json!({ "reference": "ann", "notes": "x" })).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert_eq!(refused.delivery("rotor")["error"]["code"], "link_stale");
    assert_eq!(world.rotor.records().len(), 0);
    assert_eq!(world.rotor.journal().counts().received, 2);
}

#[tokio::test]
async fn a_vendor_that_hangs_is_cut_off_and_the_others_are_delivered() {
    let merchant = "sync_deadline = \"700ms\"".to_owned();
    let world = World::with(Plan {
        merchant,
        rotor: "timeout = \"200ms\"".to_owned(),
        ..Plan::default()
    })
    .await;
    world.rotor.faults().set(vec![Fault::always(Effect::Hang {
        when: When::BeforeWrite,
    })]);
    let started = std::time::Instant::now();
    let accepted = world.upsert(&ann()).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(accepted.delivery("wallet")["state"], "succeeded");
    assert_eq!(accepted.delivery("april")["state"], "succeeded");
    assert_eq!(accepted.delivery("rotor")["error"]["state_at_vendor"], "unknown");
}

#[tokio::test]
async fn a_vendor_that_cannot_be_reached_at_all_left_nothing_there() {
    let world = World::with(Plan {
        only: vec!["rotor"],
        merchant: "sync_deadline = \"300ms\"".to_owned(),
        rotor: String::new(),
        ..Plan::default()
    })
    .await;
    world
        .rotor
        .faults()
        .set(vec![Fault::always(Effect::Cut { at: Cut::BeforeReading })]);
    let accepted = world.upsert(&ann()).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    assert_eq!(accepted.delivery("rotor")["error"]["kind"], "transient");
}
