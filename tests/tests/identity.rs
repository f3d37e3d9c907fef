//! Who a request is about: every row of the table in the semantics, over HTTP.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use serde_json::json;
use upsert_tests::{Plan, World};

/// One connection, which matches by reference: nothing else gets in the way of who is who.
async fn world() -> World {
    World::with(Plan {
        only: vec!["wallet"],
        ..Plan::default()
    })
    .await
}

#[tokio::test]
async fn an_id_that_nobody_has_is_404() {
    let world = world().await;
    let made = world
        .upsert(&json!({ "email": "a@x.example", "given_name": "A" }))
        .await;
    let id = made.customer_id();
    let other = format!("{}{}", &id[..id.len() - 1], if id.ends_with('0') { '4' } else { '0' });
    let answered = world.upsert(&json!({ "id": other, "given_name": "B" })).await;
    assert_eq!(
        (answered.status, answered.code()),
        (404, "not_found"),
        "{}",
        answered.text
    );
}

#[tokio::test]
async fn an_id_and_a_reference_of_two_customers_conflict() {
    let world = world().await;
    let a = world
        .upsert(&json!({ "reference": "a", "given_name": "A" }))
        .await
        .customer_id();
    let b = world
        .upsert(&json!({ "reference": "b", "given_name": "B" }))
        .await
        .customer_id();
    let answered = world
        .upsert(&json!({ "id": a, "reference": "b", "given_name": "C" }))
        .await;
    assert_eq!((answered.status, answered.code()), (409, "identity_conflict"));
    let named: Vec<&str> = answered.body["conflicts"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|c| c["customer_id"].as_str())
        .collect();
    assert_eq!(named, [a.as_str(), b.as_str()]);
    assert_eq!(
        world.get(&format!("/v1/customers/{a}")).await.body["given_name"],
        "A",
        "nothing is stored"
    );
}

#[tokio::test]
async fn an_id_with_a_new_reference_renames_unless_a_live_link_is_keyed_by_the_old_one() {
    let world = world().await;
    let keyed_by_reference = world
        .upsert(&json!({ "reference": "old", "given_name": "A" }))
        .await
        .customer_id();
    let answered = world
        .upsert(&json!({ "id": keyed_by_reference, "reference": "new" }))
        .await;
    assert_eq!(
        (answered.status, answered.code()),
        (409, "business_key_change"),
        "{}",
        answered.text
    );
    assert_eq!(answered.body["conflicts"][0]["connection"], "wallet");

    let keyed_by_id = world
        .upsert(&json!({ "email": "b@x.example", "given_name": "B" }))
        .await
        .customer_id();
    let answered = world.upsert(&json!({ "id": keyed_by_id, "reference": "b" })).await;
    assert_eq!(
        answered.status, 200,
        "a link that was made with the gateway's id goes on under it: {}",
        answered.text
    );
    assert_eq!(answered.body["customer"]["reference"], "b");
    assert_eq!(world.wallet.records().len(), 2);
}

#[tokio::test]
async fn a_known_reference_finds_its_customer_whatever_the_email() {
    let world = world().await;
    let first = world
        .upsert(&json!({ "reference": "r", "email": "a@x.example", "given_name": "A" }))
        .await;
    let again = world.upsert(&json!({ "reference": "r", "email": "b@x.example" })).await;
    assert_eq!((again.status, again.customer_id()), (200, first.customer_id()));
    assert_eq!(again.body["customer"]["version"], 2);
}

#[tokio::test]
async fn an_unknown_reference_is_taken_by_the_one_customer_without_a_reference_that_matches() {
    let world = world().await;
    let unnamed = world
        .upsert(&json!({ "email": "a@x.example", "given_name": "A" }))
        .await;
    let named = world.upsert(&json!({ "reference": "r", "email": "A@X.example" })).await;
    assert_eq!((named.status, named.customer_id()), (200, unnamed.customer_id()));
    let by_reference = world.upsert(&json!({ "reference": "r", "family_name": "Z" })).await;
    assert_eq!(by_reference.customer_id(), unnamed.customer_id());
}

#[tokio::test]
async fn an_unknown_reference_that_matches_two_customers_without_one_conflicts() {
    let world = world().await;
    world
        .upsert(&json!({ "email": "a@x.example", "given_name": "A" }))
        .await;
    world.upsert(&json!({ "phone": "2025550101", "given_name": "B" })).await;
    let body = json!({ "reference": "r", "email": "a@x.example", "phone": "+12025550101", "given_name": "C" });
    let answered = world.upsert(&body).await;
    assert_eq!((answered.status, answered.code()), (409, "identity_conflict"));
    let pointers: Vec<&str> = answered.body["conflicts"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|c| c["pointer"].as_str())
        .collect();
    assert_eq!(pointers, ["/email", "/phone"]);
}

#[tokio::test]
async fn an_unknown_reference_that_matches_only_customers_with_another_one_is_somebody_new() {
    let world = world().await;
    let one = world
        .upsert(&json!({ "reference": "one", "phone": "2025550101", "given_name": "A" }))
        .await;
    let two = world
        .upsert(&json!({ "reference": "two", "phone": "2025550101", "given_name": "B" }))
        .await;
    assert_eq!(two.status, 201, "couples share phones: {}", two.text);
    assert_ne!(one.customer_id(), two.customer_id());
}

#[tokio::test]
async fn without_id_and_reference_email_and_phone_have_to_agree() {
    let world = world().await;
    let a = world
        .upsert(&json!({ "email": "a@x.example", "given_name": "A" }))
        .await
        .customer_id();
    world.upsert(&json!({ "phone": "2025550101", "given_name": "B" })).await;
    let both = world
        .upsert(&json!({ "email": "a@x.example", "phone": "2025550101" }))
        .await;
    assert_eq!((both.status, both.code()), (409, "identity_conflict"));
    let one = world
        .upsert(&json!({ "email": "a@x.example", "phone": "2025550199" }))
        .await;
    assert_eq!((one.status, one.customer_id()), (200, a));
    let new = world
        .upsert(&json!({ "email": "new@x.example", "given_name": "N" }))
        .await;
    assert_eq!(new.status, 201);
    assert_eq!(
        new.header("location"),
        Some(format!("/v1/customers/{}", new.customer_id()).as_str())
    );
}

#[tokio::test]
async fn one_phone_of_several_customers_conflicts_without_a_reference() {
    let world = world().await;
    world
        .upsert(&json!({ "reference": "one", "phone": "2025550101", "given_name": "A" }))
        .await;
    world
        .upsert(&json!({ "reference": "two", "phone": "2025550101", "given_name": "B" }))
        .await;
    let answered = world.upsert(&json!({ "phone": "2025550101", "given_name": "C" })).await;
    assert_eq!((answered.status, answered.code()), (409, "identity_conflict"));
    assert_eq!(answered.body["conflicts"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_merchant_that_matches_on_nothing_makes_a_new_customer_each_time() {
    let world = World::with(Plan {
        only: vec!["wallet"],
        merchant: "match_on = []".to_owned(),
        ..Plan::default()
    })
    .await;
    let body = json!({ "email": "a@x.example", "given_name": "A" });
    let (one, two) = (world.upsert(&body).await, world.upsert(&body).await);
    assert_eq!((one.status, two.status), (201, 201));
    assert_ne!(one.customer_id(), two.customer_id());
}
