//! What is forgotten, and what is not, under a paused clock.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::events::{ageless, event, source};
use common::{Act, House, TokioClock, Vendor, all_of_it, body, connection, customer_of, merchant, named, upsert_of};
use jiff::SignedDuration;
use serde_json::{Value as Json, json};

use upsert_api::{DeliveryFilter, DeliveryState, UpsertFilter, Visibility};
use upsert_app::{Answer, Caller, Merchant, Retention};
use upsert_core::{CustomerId, Repeat};
use upsert_store::{CustomerStore as _, DeliveryStore as _, HistoryPage, UpsertStore as _};
use upsert_testkit::MemoryStore;

const DAY: Duration = Duration::from_secs(24 * 3_600);

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// Upserts are kept for 90 days.
async fn house(vendor: &Arc<Vendor>, history: Option<SignedDuration>) -> House {
    let store = Arc::new(MemoryStore::new());
    let retention = Retention {
        upserts: Some(days(90)),
        attempts: Some(days(30)),
        history,
        audit: None,
    };
    let merchant = merchant(vec![connection("v", vendor)]);
    let house = House::keeping(store.clone(), store, TokioClock::new(), merchant, retention).await;
    house.gateway.run_background();
    house
}

/// So many days later, when the background pass has gone round.
async fn later(days: u32) {
    tokio::time::advance(DAY * days).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
}

async fn is_there(house: &House, answer: &Answer) -> bool {
    let found = house.store.upsert("acme", upsert_of(answer)).await.unwrap();
    let delivery: Option<Json> = body(answer)["deliveries"].as_array().unwrap().first().cloned();
    if let Some(delivery) = delivery {
        let id = delivery["id"].as_str().unwrap().parse().unwrap();
        let of_it = house.store.delivery("acme", id).await.unwrap();
        let attempts = house.store.attempts("acme", id).await.unwrap();
        assert_eq!(of_it.is_some(), found.is_some());
        assert!(found.is_some() || attempts.is_empty());
    }
    found.is_some()
}

async fn history(house: &House, customer: CustomerId) -> HistoryPage {
    house.store.history("acme", customer, None, 100).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_ended_long_ago_is_forgotten_and_its_versions_stay_in_the_history() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = house(&vendor, None).await;
    vendor.then([Act::Down]);
    let first = named(&house, "r", "A").await;
    let unchanged = named(&house, "r", "A").await;
    later(60).await;
    let second = named(&house, "r", "B").await;
    let before = history(&house, customer_of(&first)).await;
    assert_eq!(before.entries.len(), 2);
    assert!(is_there(&house, &first).await && is_there(&house, &unchanged).await);

    later(31).await;
    assert!(!is_there(&house, &first).await && !is_there(&house, &unchanged).await);
    assert!(is_there(&house, &second).await, "it is 31 days old");
    assert_eq!(history(&house, customer_of(&first)).await, before, "no version is lost");
    let filter = UpsertFilter {
        merchant: "acme".to_owned(),
        ..UpsertFilter::default()
    };
    let listed = house.gateway.queries;
    let listed = listed
        .list_upserts(&filter, &all_of_it(), Visibility::Whole)
        .await
        .unwrap();
    assert_eq!(listed.data.len(), 1, "the second one");
}

#[tokio::test(start_paused = true)]
async fn the_customer_goes_on_as_if_nothing_had_been_forgotten() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = house(&vendor, None).await;
    let first = named(&house, "r", "A").await;
    named(&house, "r", "B").await;
    later(91).await;
    assert!(!is_there(&house, &first).await);
    let calls = vendor.calls();
    assert_eq!(named(&house, "r", "B").await.status, 200);
    assert_eq!(vendor.calls(), calls, "the vendor has it");
    // A version that is refused goes back to one of which only the history knows.
    vendor.then([Act::Reject]);
    let refused = named(&house, "r", "C").await;
    assert_eq!(body(&refused)["rolled_back"], true, "{}", refused.body);
    let third = named(&house, "r", "D").await;
    assert_eq!(body(&third)["customer"]["version"], 3);
    let entries = history(&house, customer_of(&first)).await.entries;
    let versions: Vec<_> = entries.iter().map(|entry| (entry.version, entry.refused)).collect();
    assert_eq!(versions, [(3, false), (3, true), (2, false), (1, false)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_open_or_a_dead_letter_stays_and_so_does_what_it_went_in_the_place_of() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = house(&vendor, None).await;
    named(&house, "dead", "A").await;
    vendor.then([Act::Reject]);
    let dead = named(&house, "dead", "B").await;
    let paused = house.gateway.operations.pause(&house.merchant, "v", "tests").await;
    paused.unwrap();
    let replaced = named(&house, "open", "A").await;
    let open = named(&house, "open", "B").await;
    later(200).await;
    for answer in [&dead, &replaced, &open] {
        assert!(is_there(&house, answer).await, "{}", answer.body);
    }
    let resumed = house.gateway.operations.resume(&house.merchant, "v", "tests").await;
    resumed.unwrap();
    let failed = DeliveryFilter {
        state: [DeliveryState::Failed].into(),
        ..DeliveryFilter::default()
    };
    let dead_letters = house.store.deliveries(&failed, None, 10).await.unwrap().entries;
    let operator = Caller {
        name: "tests".to_owned(),
    };
    for delivery in dead_letters {
        let operations = &house.gateway.operations;
        let discarded = operations.discard_delivery(&operator, None, delivery.id, Visibility::Whole);
        discarded.await.unwrap();
    }
    // What is delivered is as old as it was made, and goes with the next walk.
    later(1).await;
    for answer in [&dead, &replaced, &open] {
        assert!(!is_there(&house, answer).await, "{}", answer.body);
    }
}

#[tokio::test(start_paused = true)]
async fn history_goes_back_as_long_as_it_is_kept_and_to_the_two_newest_versions_at_least() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = house(&vendor, Some(days(365))).await;
    let first = named(&house, "r", "A").await;
    for name in ["B", "C", "D"] {
        named(&house, "r", name).await;
    }
    let versions = async || {
        let entries = history(&house, customer_of(&first)).await.entries;
        entries.iter().map(|entry| entry.version).collect::<Vec<_>>()
    };
    later(100).await;
    assert_eq!(versions().await, [4, 3, 2, 1]);
    later(266).await;
    assert_eq!(versions().await, [4, 3]);
    vendor.then([Act::Reject]);
    let refused = named(&house, "r", "E").await;
    assert_eq!(body(&refused)["rolled_back"], true);
    let known = house
        .store
        .customer("acme", customer_of(&first))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(known.record.version, 4);
}

#[tokio::test(start_paused = true)]
async fn attempts_go_before_their_deliveries() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = house(&vendor, None).await;
    vendor.then([Act::Down]);
    let answer = named(&house, "r", "A").await;
    let id = body(&answer)["deliveries"][0]["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(house.store.attempts("acme", id).await.unwrap().len(), 2);
    later(29).await;
    let before = house.store.delivery("acme", id).await.unwrap().unwrap();
    assert_eq!(house.store.attempts("acme", id).await.unwrap().len(), 2);
    later(2).await;
    assert_eq!(house.store.attempts("acme", id).await.unwrap(), []);
    let after = house.store.delivery("acme", id).await.unwrap().unwrap();
    assert_eq!(
        (after.attempts(), after.success()),
        (2, before.success()),
        "all else is known"
    );
    assert!(is_there(&house, &answer).await);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_nothing_dates_is_known_for_good_and_takes_no_name_back_when_it_is_played_again() {
    let vendor = Vendor::new(Repeat::Safe);
    let store = Arc::new(MemoryStore::new());
    let merchant = Merchant {
        sources: vec![Arc::new(ageless("list")), Arc::new(source("shop", None))],
        ..merchant(vec![connection("v", &vendor)])
    };
    let house = House::of(store, TokioClock::new(), merchant).await;
    house.gateway.run_background();
    let says = |id: &str, at, name: &str| event(id, at, &json!({ "ref": "r", "first": name }));
    for (number, name) in [(1, "Ann"), (2, "Anna")] {
        assert_eq!(
            house.told("list", &says(&format!("e{number}"), 0, name)).await,
            "accepted"
        );
    }
    assert_eq!(house.told("shop", &says("s1", 1, "Bea")).await, "accepted");
    for _ in 0..4 {
        later(100).await;
        assert_eq!(house.told("list", &says("e1", 0, "Ann")).await, "repeated");
    }
    // Where an order tells that it is old, its id need not be known.
    assert_eq!(house.told("shop", &says("s2", 2, "Annabel")).await, "accepted");
    later(8).await;
    assert_eq!(house.told("shop", &says("s1", 1, "Bea")).await, "outdated");
    later(1).await;
    assert_eq!(vendor.record("r")["first"], "Annabel");
}
