//! Sentences of the rules that cross a vendor's edge: keys, links, what was accepted, what is told.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use std::time::Duration;

use serde_json::{Value as Json, json};
use upsert_simulators::{Answer, Cut, Effect, Fault};
use upsert_tests::{Plan, World};

async fn rotor_alone(more: &str) -> World {
    World::with(Plan {
        only: vec!["rotor"],
        rotor: more.to_owned(),
        ..Plan::default()
    })
    .await
}

fn once(status: u16) -> Fault {
    Fault::once(Effect::Answer(Answer::new(status)))
}

#[tokio::test]
async fn a_record_that_was_shared_goes_on_when_sharing_is_not_allowed_any_more() {
    let mut world = rotor_alone("on_collision = \"proceed\"").await;
    for reference in ["a", "b"] {
        let made = world
            .upsert(&json!({ "reference": reference, "phone": "2025550101" }))
            .await;
        assert_eq!(made.status, 201, "{}", made.text);
    }
    let file = world.folder().join("merchants").join("acme.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("proceed", "refuse")).unwrap();
    world.restart().await;
    let change = json!({ "reference": "a", "notes": "n" });
    let changed = tokio::time::timeout(Duration::from_secs(5), world.upsert(&change)).await;
    let changed = changed.expect("it is answered");
    assert_eq!(changed.status, 200, "{}", changed.text);
}

#[tokio::test]
async fn a_first_answer_that_names_another_record_than_was_asked_for_is_a_broken_contract() {
    let world = World::with(Plan {
        only: vec!["wallet"],
        ..Plan::default()
    })
    .await;
    let body = r#"{"externalId":"somebody-else"}"#;
    let answer = Answer::new(200).body(body);
    world.wallet.faults().add(Fault::once(Effect::Answer(answer)));
    let failed = world
        .upsert(&json!({ "reference": "a", "given_name": "A", "family_name": "B", "email": "a@x.example" }))
        .await;
    assert_eq!(
        (failed.status, failed.code()),
        (502, "provider_failed"),
        "{}",
        failed.text
    );
    let error = &failed.delivery("wallet")["error"];
    assert_eq!(error["kind"], "broken_contract");
    let detail = error["detail"].as_str().unwrap();
    assert!(detail.contains("somebody-else"), "{detail}");
}

#[tokio::test]
async fn a_customer_without_a_link_never_overwrites_one_that_took_its_phone_meanwhile() {
    let world = rotor_alone("retry = { attempts = 1, base = \"10ms\", cap = \"4s\" }").await;
    let a = world
        .upsert(&json!({ "reference": "a", "phone": "2025550101", "given_name": "A" }))
        .await;
    assert_eq!(a.status, 201, "{}", a.text);
    world.rotor.faults().add(once(503));
    let b = world
        .upsert_with(
            &json!({ "reference": "b", "phone": "2025550102", "given_name": "B" }),
            &[("prefer", "respond-async")],
        )
        .await;
    let path = format!("/v1/upserts/{}", b.body["upsert_id"].as_str().unwrap());
    world
        .until(&path, Duration::from_secs(5), |upsert| {
            upsert.delivery("rotor")["state"] == "retrying"
        })
        .await;
    let moved = world.upsert(&json!({ "reference": "a", "phone": "2025550102" })).await;
    assert_eq!(moved.status, 200, "{}", moved.text);
    let ended = world
        .until(&path, Duration::from_secs(20), |upsert| {
            upsert.body["state"] != "pending"
        })
        .await;
    assert_eq!(world.rotor.records()[0].fields["first_name"], "A");
    assert_eq!(
        ended.delivery("rotor")["error"]["code"],
        "match_key_collision",
        "{}",
        ended.text
    );
}

#[tokio::test]
async fn a_field_of_unknown_outcome_that_was_cleared_since_is_warned_of() {
    let world = rotor_alone("retry = { attempts = 1, base = \"1s\", cap = \"1h\" }").await;
    world.upsert(&json!({ "reference": "a", "phone": "2025550101" })).await;
    world
        .rotor
        .faults()
        .add(Fault::once(Effect::Cut { at: Cut::AfterWrite }));
    let unseen = world.upsert(&json!({ "reference": "a", "notes": "n" })).await;
    assert_eq!(unseen.status, 202, "{}", unseen.text);
    let planned = world.plan(&json!({ "reference": "a", "notes": null })).await;
    let warning = &planned.body["connections"][0]["warnings"][0];
    assert_eq!(
        (&warning["code"], &warning["pointer"]),
        (&json!("cannot_clear"), &json!("/notes")),
        "{}",
        planned.text
    );
}

#[tokio::test]
async fn a_used_key_is_answered_at_once_however_many_ask_at_the_same_time() {
    let world = rotor_alone("").await;
    let body = json!({ "reference": "a", "phone": "2025550101" });
    let headers = [("idempotency-key", "k")];
    let first = world.upsert_with(&body, &headers).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let again = futures_util::future::join_all((0..50).map(|_| world.upsert_with(&body, &headers))).await;
    for answered in again {
        assert_eq!((answered.status, &answered.text), (201, &first.text));
    }
}

#[tokio::test]
async fn what_was_answered_with_success_is_not_taken_back_because_an_optional_connection_refused() {
    let world = World::with(Plan {
        only: vec!["rotor", "april"],
        april: "required = false".to_owned(),
        ..Plan::default()
    })
    .await;
    let ann = json!({ "reference": "a", "given_name": "A", "family_name": "B", "email": "a@x.example",
        "phone": "2025550101" });
    let made = world.upsert(&ann).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let path = format!("/v1/upserts/{}", made.body["upsert_id"].as_str().unwrap());
    let done = |upsert: &upsert_tests::Answered| upsert.body["state"] != "pending";
    world.until(&path, Duration::from_secs(5), done).await;
    world.april.faults().add(once(422));
    let changed = world
        .upsert(&json!({ "reference": "a", "metadata": { "plan": "gold" } }))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let path = format!("/v1/upserts/{}", changed.body["upsert_id"].as_str().unwrap());
    let ended = world.until(&path, Duration::from_secs(5), done).await;
    assert_eq!(ended.body["state"], "partially_failed", "{}", ended.text);
    let shown = world.get(&format!("/v1/customers/{}", made.customer_id())).await;
    assert_eq!(
        (&shown.body["version"], &shown.body["metadata"]["plan"]),
        (&json!(2), &json!("gold"))
    );
}

#[tokio::test]
async fn every_problem_of_a_request_is_reported_at_once_whatever_part_it_is_in() {
    let world = rotor_alone("").await;
    let refused = world
        .upsert(&json!({ "email": "no address", "phone": "1", "provider_fields": { "nobody": {} } }))
        .await;
    let mut pointers: Vec<&Json> = refused.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["pointer"])
        .collect();
    pointers.sort_by_key(ToString::to_string);
    assert_eq!(
        pointers,
        ["/email", "/phone", "/provider_fields/nobody"],
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn a_passed_through_field_that_was_taken_back_is_warned_of_by_its_own_pointer() {
    let world = World::with(Plan {
        only: vec!["april"],
        ..Plan::default()
    })
    .await;
    let made = world
        .upsert(
            &json!({ "reference": "o", "kind": "organisation", "organisation_name": "O", "tax_id": "51824753556",
            "email": "o@x.example", "provider_fields": { "april": { "organisationCreditChecked": true } } }),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let pointer = json!("/provider_fields/april/organisationCreditChecked");
    let unconfirmed = made.delivery("april")["fields"]["unconfirmed"].as_array().unwrap();
    assert!(unconfirmed.contains(&pointer), "{}", made.text);
    let taken = world
        .upsert(&json!({ "reference": "o", "provider_fields": { "april": { "organisationCreditChecked": null } } }))
        .await;
    let delivery = taken.delivery("april");
    assert_eq!(delivery["outcome"], "unchanged", "{}", taken.text);
    let warning = &delivery["warnings"][0];
    assert_eq!(
        (&warning["code"], &warning["pointer"]),
        (&json!("cannot_clear"), &pointer)
    );
}
