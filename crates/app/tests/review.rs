//! What the rules say where several upserts of one customer meet: rollback, joining, and what is known afterwards.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Act, House, Vendor, body, connection};
use serde_json::json;
use upsert_api::ProblemCode;
use upsert_core::{Field, Repeat};
use upsert_store::{CustomerFilter, CustomerRecord, CustomerStore as _, Lane, UpsertState, UpsertStore as _};

async fn customers(house: &House) -> Vec<CustomerRecord> {
    let all = CustomerFilter::default();
    house.store.customers("acme", &all, None, 10).await.unwrap().entries
}

async fn lane(house: &House, connection: &str) -> Lane {
    let id = customers(house).await[0].id;
    let known = house.store.customer("acme", id).await.unwrap().unwrap();
    known.lane(connection).unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_ended_unchanged_shows_no_error() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    let upsert = |name: &str| house.upsert(json!({ "reference": "r", "given_name": name }));
    upsert("A").await.unwrap();
    vendor.usually(Act::Down);
    upsert("B").await.unwrap();
    let back = upsert("A").await.unwrap();
    vendor.usually(Act::Accept);
    tokio::time::sleep(Duration::from_secs(2 * 3_600)).await;
    let delivery = house.look(&back).await["deliveries"][0].clone();
    assert_eq!(
        (&delivery["state"], &delivery["outcome"]),
        (&json!("succeeded"), &json!("unchanged"))
    );
    assert_eq!(delivery["error"], json!(null));
}

#[tokio::test(start_paused = true)]
async fn the_time_that_an_older_delivery_was_parked_is_no_credit_for_the_newer_one() {
    let vendor = Vendor::new(Repeat::Safe);
    let mut short = connection("v", &vendor);
    short.max_age = Duration::from_secs(3_600);
    let house = House::new(vec![short]).await;
    vendor.usually(Act::Unauthorised);
    house.upsert(json!({ "reference": "r" })).await.unwrap();
    tokio::time::sleep(Duration::from_secs(48 * 3_600)).await;
    let newer = house.upsert(json!({ "reference": "r", "notes": "n" })).await.unwrap();
    vendor.usually(Act::Down);
    tokio::time::sleep(Duration::from_secs(6 * 3_600)).await;
    assert_eq!(house.look(&newer).await["state"], "failed");
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_a_call_is_not_sent_to_a_connection_that_was_paused_meanwhile() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = Arc::new(House::new(vec![connection("v", &vendor)]).await);
    vendor.usually(Act::Unauthorised);
    vendor.then([Act::SlowlyReject(Duration::from_secs(2))]);
    let (behind, other) = (house.clone(), house.clone());
    let first = house.upsert(json!({ "reference": "r" }));
    let second = async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        behind.upsert(json!({ "reference": "r", "notes": "n" })).await
    };
    let third = async move {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        other.upsert(json!({ "reference": "other" })).await
    };
    let (first, second, third) = tokio::join!(first, second, third);
    assert_eq!((first.unwrap().status, third.unwrap().status), (422, 202));
    let second = second.unwrap();
    assert_eq!(second.status, 202);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(vendor.calls(), 2);
    assert_eq!(house.look(&second).await["deliveries"][0]["waiting_for"], "paused");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_a_record_may_have_been_made_with_cannot_change_before_that_is_known() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.usually(Act::AcceptUnseen);
    let unseen = house
        .upsert(json!({ "reference": "r", "given_name": "A" }))
        .await
        .unwrap();
    assert_eq!(unseen.status, 202);
    let id = body(&unseen)["customer"]["id"].clone();
    let renamed = house.upsert(json!({ "id": id, "reference": "other" })).await;
    assert_eq!(renamed.unwrap_err().code, ProblemCode::BusinessKeyChange);
    vendor.usually(Act::Accept);
    tokio::time::sleep(Duration::from_secs(2 * 3_600)).await;
    assert_eq!(house.look(&unseen).await["state"], "succeeded");
    assert_eq!(vendor.record("other"), json!(null), "no second record");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_reserved_behind_a_call_whose_process_died_is_not_taken_for_one_that_the_vendor_knows() {
    let vendor = Vendor::new(Repeat::Safe);
    let first = House::new(vec![connection("v", &vendor)]).await;
    vendor.then([Act::Slow(Duration::from_secs(3_600))]);
    let in_flight = first
        .command(json!({ "reference": "r", "given_name": "A" }), |command| {
            command.respond_async = true;
        })
        .await
        .unwrap();
    let id = body(&in_flight)["customer"]["id"].clone();
    first
        .command(json!({ "id": id, "reference": "other" }), |command| {
            command.respond_async = true;
        })
        .await
        .unwrap();
    first.kill().await;
    let next = House::on(first.store.clone(), first.clock.clone(), vec![connection("v", &vendor)]).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(vendor.record("other"), json!(null), "it may be a second record");
    assert_ne!(next.look(&in_flight).await["state"], "pending");
}

#[tokio::test(start_paused = true)]
async fn a_refused_new_customer_is_gone_even_if_the_same_was_asked_twice_at_once() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = Arc::new(House::new(vec![connection("v", &vendor)]).await);
    vendor.then([Act::SlowlyReject(Duration::from_secs(1)), Act::Reject]);
    let bad = json!({ "reference": "r", "given_name": "A" });
    let (other, again) = (house.clone(), bad.clone());
    let first = house.upsert(bad);
    let second = async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        other.upsert(again).await
    };
    let (first, second) = tokio::join!(first, second);
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!((first.status, second.status), (422, 422));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(customers(&house).await.is_empty(), "{}", second.body);
    for answer in [&first, &second] {
        assert_eq!(house.look(answer).await["customer"]["given_name"], "A");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_new_customer_is_gone_even_if_the_same_joined_it_while_it_waited() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    let bad = json!({ "reference": "r", "given_name": "A" });
    vendor.usually(Act::Down);
    house.upsert(bad.clone()).await.unwrap();
    house.upsert(bad).await.unwrap();
    vendor.usually(Act::Reject);
    tokio::time::sleep(Duration::from_secs(3 * 3_600)).await;
    assert!(customers(&house).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_new_customer_stays_if_the_vendor_took_it_the_second_time() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = Arc::new(House::new(vec![connection("v", &vendor)]).await);
    vendor.then([Act::SlowlyReject(Duration::from_secs(1)), Act::Accept]);
    let other = house.clone();
    let first = house.command(json!({ "reference": "r", "given_name": "A" }), |command| {
        command.idempotency_key = Some("k".to_owned());
    });
    let second = async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        other.upsert(json!({ "reference": "r", "given_name": "A" })).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.unwrap().status, second.unwrap().status), (422, 200));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(customers(&house).await.len(), 1);
    assert_eq!(lane(&house, "v").await.linked_to(), Some("rec-r"));
}

#[tokio::test(start_paused = true)]
async fn two_versions_that_every_vendor_refuses_one_behind_the_other_are_both_taken_back() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = Arc::new(House::new(vec![connection("v", &vendor)]).await);
    house.upsert(json!({ "reference": "r" })).await.unwrap();
    vendor.then([Act::SlowlyReject(Duration::from_secs(1)), Act::Reject]);
    let other = house.clone();
    let first = house.upsert(json!({ "reference": "r", "given_name": "bad" }));
    let second = async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        other.upsert(json!({ "reference": "r", "notes": "bad" })).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.unwrap().status, second.unwrap().status), (422, 422));
    tokio::time::sleep(Duration::from_secs(5)).await;
    let now = customers(&house).await.remove(0);
    assert_eq!(now.version, 1);
    assert_eq!(now.customer.text(Field::GivenName), None);
    assert!(!lane(&house, "v").await.failed());
}

#[tokio::test(start_paused = true)]
async fn a_link_that_had_failed_before_is_still_failed_after_a_rollback() {
    let (a, b) = (Vendor::new(Repeat::Safe), Vendor::new(Repeat::Safe));
    let mut optional = connection("b", &b);
    optional.required = false;
    let house = House::new(vec![connection("a", &a), optional]).await;
    b.usually(Act::Reject);
    let made = house
        .upsert(json!({ "reference": "r", "given_name": "A" }))
        .await
        .unwrap();
    assert_eq!(made.status, 201);
    a.then([Act::Reject]);
    let refused = house.upsert(json!({ "reference": "r", "notes": "bad" })).await.unwrap();
    assert_eq!(refused.status, 422);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(customers(&house).await[0].version, 1);
    assert!(!lane(&house, "a").await.failed());
    assert!(lane(&house, "b").await.failed(), "version 1 never reached it");
}

#[tokio::test(start_paused = true)]
async fn a_change_that_waited_is_delivered_though_a_newer_one_that_joined_it_was_refused() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    house.upsert(json!({ "reference": "r" })).await.unwrap();
    vendor.usually(Act::Down);
    let good = house
        .upsert(json!({ "reference": "r", "given_name": "A" }))
        .await
        .unwrap();
    let bad = house.upsert(json!({ "reference": "r", "notes": "bad" })).await.unwrap();
    assert_eq!((good.status, bad.status), (202, 202));
    vendor.usually(Act::Accept);
    vendor.then([Act::Reject]);
    tokio::time::sleep(Duration::from_secs(3 * 3_600)).await;
    assert_eq!(house.look(&bad).await["state"], "failed");
    assert_eq!(vendor.record("r"), json!({ "ref": "r", "first": "A" }));
    assert_eq!(house.look(&good).await["state"], "succeeded");
    assert_eq!(customers(&house).await[0].customer.text(Field::Notes), None);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_change_is_told_of_it_and_not_of_the_refused_one_that_joined_it() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = Arc::new(House::new(vec![connection("v", &vendor)]).await);
    house.upsert(json!({ "reference": "r" })).await.unwrap();
    vendor.then([Act::Down, Act::Reject]);
    let other = house.clone();
    let good = house.upsert(json!({ "reference": "r", "given_name": "A" }));
    let bad = async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        other.upsert(json!({ "reference": "r", "notes": "bad" })).await
    };
    let (good, bad) = tokio::join!(good, bad);
    let (good, bad) = (good.unwrap(), bad.unwrap());
    assert_eq!((good.status, bad.status), (200, 422), "{}", good.body);
    assert_eq!(vendor.record("r"), json!({ "ref": "r", "first": "A" }));
}

#[tokio::test(start_paused = true)]
async fn an_upsert_whose_delivery_gave_way_is_ended_durably_when_it_is_looked_at() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.usually(Act::Down);
    let older = house.upsert(json!({ "reference": "r" })).await.unwrap();
    house.upsert(json!({ "reference": "r", "notes": "n" })).await.unwrap();
    vendor.usually(Act::Accept);
    tokio::time::sleep(Duration::from_secs(2 * 3_600)).await;
    assert_eq!(house.look(&older).await["state"], "succeeded");
    let id = body(&older)["upsert_id"].as_str().unwrap().parse().unwrap();
    let (kept, _) = house.store.upsert("acme", id).await.unwrap().unwrap();
    assert_eq!(kept.state(), UpsertState::Succeeded);
    assert!(kept.ended_at().is_some());
}
