//! Events that come in: believed, done once, in order, and kept where they cannot be taken.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::events::{event, source};
use common::{Act, House, TokioClock, Vendor, connection, merchant};
use serde_json::{Value as Json, json};

use upsert_api::{EventResult, ProblemCode, Visibility};
use upsert_app::{DeadLetterAction, Merchant};
use upsert_core::Repeat;
use upsert_store::{CustomerFilter, CustomerRecord, CustomerStore as _};
use upsert_testkit::MemoryStore;

fn with_source(vendor: &Arc<Vendor>, connection_of: Option<&str>) -> Merchant {
    let mut merchant = merchant(vec![connection("v", vendor)]);
    merchant.sources = vec![Arc::new(source("shop", connection_of))];
    merchant
}

async fn house(vendor: &Arc<Vendor>, connection_of: Option<&str>) -> House {
    let store = Arc::new(MemoryStore::new());
    House::of(store, TokioClock::new(), with_source(vendor, connection_of)).await
}

async fn customers(house: &House) -> Vec<CustomerRecord> {
    let all = CustomerFilter::default();
    house.store.customers("acme", &all, None, 10).await.unwrap().entries
}

async fn shown(house: &House) -> Json {
    let all = customers(house).await;
    assert_eq!(all.len(), 1);
    Json::Object(all[0].customer.to_json(false))
}

async fn until_quiet() {
    tokio::time::sleep(Duration::from_secs(30)).await;
}

#[tokio::test(start_paused = true)]
async fn an_event_becomes_an_upsert_by_its_source() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = house(&vendor, None).await;
    let ann = event("e1", 1, &json!({ "ref": 7, "first": "Ann", "mail": "ANN@x.com" }));
    let intake = house.event("shop", &ann).await.unwrap();
    assert!(intake.is_new && intake.refusal.is_none());
    assert_eq!(intake.data[0].result, EventResult::Accepted);
    until_quiet().await;
    assert_eq!(
        vendor.record("7"),
        json!({ "ref": "7", "first": "Ann", "mail": "ann@x.com" })
    );
    let history = house
        .store
        .history("acme", customers(&house).await[0].id, None, 10)
        .await
        .unwrap();
    assert_eq!(history.entries[0].by, "shop");
}

#[tokio::test(start_paused = true)]
async fn the_same_event_twice_is_done_once() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = house(&vendor, None).await;
    let ann = event("e1", 1, &json!({ "ref": "r", "first": "Ann" }));
    assert_eq!(house.told("shop", &ann).await, "accepted");
    until_quiet().await;
    house
        .upsert(json!({ "reference": "r", "given_name": "Anna" }))
        .await
        .unwrap();
    for _repeat in 0..10 {
        let again = house.event("shop", &ann).await.unwrap();
        assert!(!again.is_new);
        assert_eq!(again.data[0].result, EventResult::Repeated);
    }
    assert_eq!(shown(&house).await["given_name"], "Anna");
    assert_eq!(vendor.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_same_event_at_the_same_moment_is_done_once() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = house(&vendor, None).await;
    let ann = event("e1", 1, &json!({ "ref": "r", "first": "Ann" }));
    let told = futures_util::future::join_all((0..20).map(|_| house.told("shop", &ann))).await;
    assert_eq!(told.iter().filter(|told| *told == "accepted").count(), 1);
    assert_eq!(told.iter().filter(|told| *told == "repeated").count(), 19);
    until_quiet().await;
    assert_eq!(vendor.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_older_event_never_overwrites_a_newer_one_and_still_fills_what_that_one_left_open() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = house(&vendor, None).await;
    let newer = event("e2", 2, &json!({ "ref": "r", "first": "New" }));
    let older = event(
        "e1",
        1,
        &json!({ "ref": "r", "first": "Old", "notes": "from the older one" }),
    );
    let oldest = event("e0", 0, &json!({ "ref": "r", "first": "Oldest" }));
    assert_eq!(house.told("shop", &newer).await, "accepted");
    assert_eq!(house.told("shop", &older).await, "accepted");
    assert_eq!(house.told("shop", &oldest).await, "outdated");
    assert_eq!(house.told("shop", &oldest).await, "repeated");
    let ann = shown(&house).await;
    assert_eq!(
        (&ann["given_name"], &ann["notes"]),
        (&json!("New"), &json!("from the older one"))
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_event_of_a_customer_puts_older_ones_behind_it_though_it_changed_nothing() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = house(&vendor, None).await;
    house
        .upsert(json!({ "reference": "r", "given_name": "New" }))
        .await
        .unwrap();
    let newer = event("e2", 2, &json!({ "ref": "r", "first": "New" }));
    let older = event("e1", 1, &json!({ "ref": "r", "first": "Old" }));
    assert_eq!(house.told("shop", &newer).await, "echo");
    assert_eq!(house.told("shop", &older).await, "outdated");
    assert_eq!(shown(&house).await["given_name"], "New");
}

#[tokio::test(start_paused = true)]
async fn whatever_order_events_come_in_the_newest_state_wins() {
    for turn in 0..6_usize {
        let vendor = Vendor::new(Repeat::Safe);
        let house = house(&vendor, None).await;
        let mut events: Vec<Json> = (0..6)
            .map(|n| {
                event(
                    &format!("e{n}"),
                    n,
                    &json!({ "ref": "r", "first": format!("N{n}"), "notes": format!("n{n}") }),
                )
            })
            .collect();
        events.rotate_left(turn);
        events.swap(0, (turn * 5) % 6);
        for event in &events {
            house.told("shop", event).await;
        }
        until_quiet().await;
        assert_eq!(shown(&house).await["given_name"], "N5");
        assert_eq!(vendor.record("r")["notes"], "n5");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_refused_is_a_dead_letter_until_it_can_be_taken() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = house(&vendor, None).await;
    let bad = event("e1", 1, &json!({ "ref": "r", "mail": "no address" }));
    let intake = house.event("shop", &bad).await.unwrap();
    let refusal = intake.refusal.unwrap();
    assert_eq!(refusal.errors[0].pointer, "/who/mail", "it points into the event");
    house.event("shop", &bad).await.unwrap();
    let letters = house.refused_events().await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0].tries, 2);
    let problem = letters[0].problem.as_ref().unwrap();
    assert_eq!(problem.errors[0].code, "invalid_email");
    let whole = house
        .gateway
        .queries
        .get_incoming(None, letters[0].id, Visibility::Whole)
        .await
        .unwrap();
    assert_eq!(whole.raw, Some(bad.to_string()));
    assert!(customers(&house).await.is_empty());
    // Under the same id its sender says something else: that is news. What could not be taken stays until somebody looks at it.
    let good = event("e1", 1, &json!({ "ref": "r", "mail": "ann@x.com" }));
    assert_eq!(house.told("shop", &good).await, "accepted");
    assert_eq!(house.told("shop", &good).await, "repeated");
    let letters = house.refused_events().await;
    assert_eq!(letters.len(), 1, "{letters:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_replayed_by_the_mapping_of_now_and_behind_what_is_newer() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = house(&vendor, None).await;
    let bad = event(
        "e1",
        1,
        &json!({ "ref": "r", "first": "Old", "mail": "no address", "notes": "kept" }),
    );
    let intake = house.event("shop", &bad).await.unwrap();
    let id = intake.data[0].id.unwrap();
    house
        .told("shop", &event("e2", 2, &json!({ "ref": "r", "first": "New" })))
        .await;
    let refused = async || {
        let replayed = house.by_hand(id, DeadLetterAction::Replay).await;
        replayed.map(drop).unwrap_err().code
    };
    assert_eq!(refused().await, ProblemCode::ValidationFailed);
    let mut mended = with_source(&vendor, None);
    let mut source = source("shop", None);
    source
        .mapping
        .rules
        .retain(|(target, _)| target.to_string() != "/email");
    mended.sources = vec![Arc::new(source)];
    house
        .gateway
        .operations
        .replace_directory(upsert_app::Directory::new([mended]));
    assert_eq!(house.replayed(id).await.result, EventResult::Accepted);
    let ann = shown(&house).await;
    assert_eq!((&ann["given_name"], &ann["notes"]), (&json!("New"), &json!("kept")));
    assert_eq!(refused().await, ProblemCode::ValidationFailed);
}

#[tokio::test(start_paused = true)]
async fn events_that_come_while_the_vendor_is_down_all_arrive_after_a_crash() {
    let vendor = Vendor::new(Repeat::Safe);
    let store = Arc::new(MemoryStore::new());
    let clock = TokioClock::new();
    let first = House::of(store.clone(), clock.clone(), with_source(&vendor, None)).await;
    first.gateway.run_background();
    vendor.usually(Act::Down);
    for n in 0..50 {
        let told = first
            .told(
                "shop",
                &event(&format!("e{n}"), n, &json!({ "ref": format!("r{n}"), "first": "Ann" })),
            )
            .await;
        assert_eq!(told, "accepted");
    }
    first.kill().await;
    vendor.usually(Act::Accept);
    let second = House::of(store, clock, with_source(&vendor, None)).await;
    second.gateway.run_background();
    tokio::time::sleep(Duration::from_secs(2 * 3_600)).await;
    for n in 0..50 {
        assert_eq!(vendor.record(&format!("r{n}"))["first"], "Ann");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_id_could_not_be_read_is_done_once_when_it_can_be() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = house(&vendor, None).await;
    let old = json!({ "key": "k1", "who": { "ref": "r", "first": "Old" } });
    let intake = house.event("shop", &old).await.unwrap();
    let id = intake.data[0].id.unwrap();
    assert_eq!(intake.data[0].result, EventResult::Refused);
    let mut mended = with_source(&vendor, None);
    let mut source = source("shop", None);
    source.mapping.event_id =
        upsert_webhook::mapping::EventId::Pointers(vec![upsert_webhook::mapping::Pointer::parse("/key").unwrap()]);
    mended.sources = vec![Arc::new(source)];
    house
        .gateway
        .operations
        .replace_directory(upsert_app::Directory::new([mended]));
    // Its sender is quicker than the operator, and goes on.
    assert_eq!(house.told("shop", &old).await, "accepted");
    let new = json!({ "key": "k2", "who": { "ref": "r", "first": "New" } });
    assert_eq!(house.told("shop", &new).await, "accepted");
    house.by_hand(id, DeadLetterAction::Replay).await.map(drop).unwrap();
    assert_eq!(shown(&house).await["given_name"], "New");
    assert!(house.refused_events().await.is_empty());
}
