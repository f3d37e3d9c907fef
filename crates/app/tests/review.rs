//! What the rules say where several upserts of one customer meet: rollback, joining, and what is known afterwards.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Act, House, Vendor, body, connection};
use serde_json::json;
use upsert_core::Repeat;

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
    assert_eq!(renamed.unwrap_err().code.as_str(), "business_key_change");
    vendor.usually(Act::Accept);
    tokio::time::sleep(Duration::from_secs(2 * 3_600)).await;
    assert_eq!(house.look(&unseen).await["state"], "succeeded");
    assert_eq!(vendor.record("other"), json!(null), "no second record");
}
