//! What is refused before anything is stored or sent, so that no vendor mixes customers up.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use serde_json::json;
use upsert_tests::{Plan, World};

#[tokio::test]
async fn a_new_customer_that_rotor_would_take_for_another_one_is_refused() {
    let world = World::with(Plan {
        only: vec!["rotor"],
        ..Plan::default()
    })
    .await;
    let a = world
        .upsert(&json!({ "reference": "a", "phone": "2025550101", "given_name": "A" }))
        .await;
    assert_eq!(a.status, 201, "{}", a.text);
    let b = world
        .upsert(&json!({ "reference": "b", "phone": "2025550101", "given_name": "B" }))
        .await;
    assert_eq!((b.status, b.code()), (409, "match_key_collision"), "{}", b.text);
    let expected = json!([{ "customer_id": a.customer_id(), "pointer": "/phone", "connection": "rotor" }]);
    assert_eq!(b.body["conflicts"], expected);
    assert_eq!(world.rotor.records().len(), 1);
    assert_eq!(world.rotor.records()[0].fields["first_name"], "A");
    assert_eq!(
        world.get("/v1/customers?reference=b").await.body["data"],
        json!([]),
        "nothing is stored"
    );
}

#[tokio::test]
async fn with_on_collision_proceed_both_links_are_marked_as_shared() {
    let world = World::with(Plan {
        only: vec!["rotor"],
        rotor: "on_collision = \"proceed\"".to_owned(),
        ..Plan::default()
    })
    .await;
    let a = world
        .upsert(&json!({ "reference": "a", "phone": "2025550101", "given_name": "A" }))
        .await;
    let b = world
        .upsert(&json!({ "reference": "b", "phone": "2025550101", "given_name": "B" }))
        .await;
    assert_eq!(b.status, 201, "{}", b.text);
    assert_eq!(b.delivery("rotor")["outcome"], "updated");
    assert_eq!(b.delivery("rotor")["warnings"][0]["code"], "key_is_shared");
    for made in [&a, &b] {
        let shown = world.get(&format!("/v1/customers/{}", made.customer_id())).await;
        assert_eq!(shown.body["links"][0]["shared"], true, "{}", shown.text);
    }
}

#[tokio::test]
async fn a_changed_phone_updates_the_same_rotor_record_and_frees_the_old_one() {
    let world = World::with(Plan {
        only: vec!["rotor"],
        ..Plan::default()
    })
    .await;
    world
        .upsert(&json!({ "reference": "a", "phone": "2025550101", "given_name": "A" }))
        .await;
    let moved = world.upsert(&json!({ "reference": "a", "phone": "2025550102" })).await;
    assert_eq!(moved.status, 200, "{}", moved.text);
    assert_eq!(moved.delivery("rotor")["matched_by"], "id");
    assert_eq!(world.rotor.records().len(), 1);
    let other = world
        .upsert(&json!({ "reference": "b", "phone": "2025550101", "given_name": "B" }))
        .await;
    assert_eq!(
        other.status, 201,
        "the old number is free once Rotor has the new one: {}",
        other.text
    );
    assert_eq!(world.rotor.records().len(), 2);
}

#[tokio::test]
async fn a_cleared_phone_stays_reserved_since_rotor_keeps_it() {
    let world = World::with(Plan {
        only: vec!["rotor"],
        ..Plan::default()
    })
    .await;
    let body = json!({ "reference": "a", "phone": "2025550101", "email": "a@x.example", "given_name": "A" });
    world.upsert(&body).await;
    let cleared = world.upsert(&json!({ "reference": "a", "phone": null })).await;
    assert_eq!(cleared.status, 200);
    assert_eq!(
        cleared.delivery("rotor")["outcome"],
        "unchanged",
        "Rotor cannot clear: nothing to call for"
    );
    assert_eq!(cleared.delivery("rotor")["warnings"][0]["code"], "cannot_clear");
    assert_eq!(cleared.delivery("rotor")["warnings"][0]["pointer"], "/phone");
    let other = world
        .upsert(&json!({ "reference": "b", "phone": "2025550101", "given_name": "B" }))
        .await;
    assert_eq!((other.status, other.code()), (409, "match_key_collision"));
}

#[tokio::test]
async fn a_changed_email_of_an_april_person_is_refused_unless_a_new_record_may_be_made() {
    let person = |email: &str| json!({ "reference": "a", "email": email, "phone": "2025550101", "given_name": "A", "family_name": "B" });
    let world = World::with(Plan {
        only: vec!["april"],
        ..Plan::default()
    })
    .await;
    assert_eq!(world.upsert(&person("a@x.example")).await.status, 201);
    let refused = world.upsert(&person("b@x.example")).await;
    assert_eq!((refused.status, refused.code()), (409, "business_key_change"));
    assert_eq!(refused.body["conflicts"][0]["pointer"], "/email");
    assert_eq!(world.april.records().len(), 1);

    let april = "on_key_change = \"create_new\"".to_owned();
    let world = World::with(Plan {
        only: vec!["april"],
        april,
        ..Plan::default()
    })
    .await;
    let first = world.upsert(&person("a@x.example")).await;
    let second = world.upsert(&person("b@x.example")).await;
    assert_eq!(second.status, 200, "{}", second.text);
    assert_eq!(
        second.delivery("april")["warnings"][0]["code"],
        "new_record",
        "{}",
        second.text
    );
    assert_eq!(world.april.records().len(), 2);
    let links = world.get(&format!("/v1/customers/{}", first.customer_id())).await.body["links"].clone();
    assert_eq!(links[0]["state"], "in_sync");
    assert_eq!(links[1]["state"], "superseded");
    assert_ne!(links[0]["provider_customer_id"], links[1]["provider_customer_id"]);
}

#[tokio::test]
async fn a_reference_that_keys_a_live_link_cannot_be_cleared() {
    let world = World::with(Plan {
        only: vec!["wallet"],
        ..Plan::default()
    })
    .await;
    let made = world
        .upsert(&json!({ "reference": "a", "email": "a@x.example", "given_name": "A" }))
        .await;
    let answered = world
        .upsert(&json!({ "id": made.customer_id(), "reference": null }))
        .await;
    assert_eq!(
        (answered.status, answered.code()),
        (409, "business_key_change"),
        "{}",
        answered.text
    );
    assert_eq!(world.wallet.records().len(), 1);
}

#[tokio::test]
async fn what_a_required_vendor_asks_for_is_refused_with_its_pointer_and_connection() {
    let world = World::start().await;
    let answered = world.upsert(&json!({ "reference": "a" })).await;
    assert_eq!(
        (answered.status, answered.code()),
        (422, "validation_failed"),
        "{}",
        answered.text
    );
    let missing: Vec<(String, String)> = answered.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            (
                e["pointer"].as_str().unwrap().to_owned(),
                e["connection"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    for expected in [
        ("/phone", "rotor"),
        ("/given_name", "wallet"),
        ("/email", "april"),
        ("/family_name", "april"),
    ] {
        assert!(
            missing.contains(&(expected.0.to_owned(), expected.1.to_owned())),
            "{expected:?} not in {missing:?}"
        );
    }
    let calls = [&world.rotor, &world.wallet, &world.april].map(|vendor| vendor.journal().counts().received);
    assert_eq!(calls, [0, 0, 0]);
}

#[tokio::test]
async fn a_connection_that_is_not_required_refuses_on_its_own() {
    let world = World::with(Plan {
        april: "required = false".to_owned(),
        ..Plan::default()
    })
    .await;
    let answered = world
        .upsert(&json!({ "reference": "a", "phone": "2025550101", "given_name": "A" }))
        .await;
    assert_eq!(answered.status, 201, "{}", answered.text);
    assert_eq!(answered.body["state"], "partially_failed");
    assert_eq!(answered.delivery("april")["state"], "failed");
    assert_eq!(answered.delivery("april")["error"]["kind"], "rejected");
    assert_eq!(answered.delivery("april")["error"]["errors"][0]["pointer"], "/email");
    assert_eq!(answered.delivery("rotor")["state"], "succeeded");
}

#[tokio::test]
async fn provider_fields_pass_through_but_cannot_name_a_match_key_or_an_unknown_provider() {
    let world = World::with(Plan {
        only: vec!["april"],
        ..Plan::default()
    })
    .await;
    let organisation = |fields: serde_json::Value| {
        json!({ "reference": "o", "kind": "organisation", "organisation_name": "O", "tax_id": "51824753556",
            "email": "o@x.example", "provider_fields": fields })
    };
    let refused = world
        .upsert(&organisation(json!({ "april": { "referenceCustomerId": "other" } })))
        .await;
    assert_eq!((refused.status, refused.code()), (422, "validation_failed"));
    assert_eq!(
        refused.body["errors"][0]["pointer"],
        "/provider_fields/april/referenceCustomerId"
    );
    let refused = world.upsert(&organisation(json!({ "aprli": {} }))).await;
    assert_eq!(refused.body["errors"][0]["pointer"], "/provider_fields/aprli");
    let taken = world
        .upsert(&organisation(json!({ "april": { "organisationCreditChecked": true } })))
        .await;
    assert_eq!(taken.status, 201, "{}", taken.text);
    assert_eq!(world.april.records()[0].fields["organisationCreditChecked"], true);
}
