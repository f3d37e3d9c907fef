//! One gateway of several stops: what it leaves goes on at the others at once, and not when a lease ends.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

mod common;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::events::Listener;
use common::slow_store::SlowStore;
use common::{Act, House, TokioClock, Vendor, connection, merchant};
use serde_json::{Value as Json, json};
use tokio::time::{Instant, timeout};

use upsert_app::Answer;
use upsert_core::{ErrorKind, Repeat, StateAtVendor, UpsertProvider};
use upsert_policy::{ConnectionPolicy, InMemoryDayCount, Jitter, Outside, standard_stack};
use upsert_store::{AttemptRecord, DeliveryStore as _, EventStore as _, Store};
use upsert_testkit::MemoryStore;

/// How soon what is due is found, with some to spare; a lease is more than ten times as long.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Longer than any call may take.
const HANGS: Act = Act::Slow(Duration::from_hours(1));

async fn two(vendor: &Arc<Vendor>) -> [House; 2] {
    let store = Arc::new(MemoryStore::shared());
    let only = || vec![connection("v", vendor)];
    [
        House::on(store.clone(), TokioClock::new(), only()).await,
        House::on(store, TokioClock::new(), only()).await,
    ]
}

async fn send(house: &House, reference: &str, name: &str) -> Answer {
    let body = json!({ "reference": reference, "given_name": name });
    house
        .command(body, |command| command.respond_async = true)
        .await
        .unwrap()
}

/// The upsert's only delivery as others see it.
async fn delivery(house: &House, answer: &Answer) -> Json {
    house.look(answer).await["deliveries"][0].clone()
}

async fn attempts(house: &House, delivery: &Json) -> Vec<AttemptRecord> {
    let id = delivery["id"].as_str().unwrap().parse().unwrap();
    house.store.attempts("acme", id).await.unwrap()
}

/// As a process ends whose grace is over while calls are under way.
async fn stop_in_a_hurry(house: &House) {
    let ended = timeout(Duration::from_secs(1), house.gateway.shut_down()).await;
    assert!(ended.is_err(), "nothing was under way");
    house.gateway.cut_short();
    timeout(Duration::from_millis(10), house.gateway.shut_down())
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_a_call_of_a_gateway_that_stops_is_brought_by_another_at_once() {
    let vendor = Vendor::new(Repeat::Safe);
    let [one, other] = two(&vendor).await;
    let people: Vec<String> = (0..8).map(|number| format!("r{number}")).collect();
    vendor.then(people.iter().map(|_| Act::Slow(Duration::from_secs(4))));
    for name in ["a", "b"] {
        for person in &people {
            send(&one, person, name).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(vendor.calls(), 8, "the second ones wait behind the first");
    one.gateway.shut_down().await;
    assert_eq!(vendor.calls(), 8, "whoever stops begins nothing new");
    tokio::time::sleep(AT_ONCE).await;
    for person in &people {
        assert_eq!(vendor.record(person)["first"], "b", "{person}");
    }
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cut_short_is_of_unknown_outcome_and_another_gateway_repeats_it_at_once() {
    let vendor = Vendor::new(Repeat::Safe);
    let [one, other] = two(&vendor).await;
    vendor.then([HANGS]);
    let answer = send(&one, "r", "a").await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    stop_in_a_hurry(&one).await;

    let left = delivery(&other, &answer).await;
    let [first] = &attempts(&other, &left).await[..] else {
        unreachable!("one call was made")
    };
    let error = first.error.as_ref().unwrap();
    assert_eq!(
        (error.kind, error.state_at_vendor),
        (ErrorKind::Transient, StateAtVendor::Unknown)
    );
    assert!(first.ended_at.is_some(), "the end is on record");
    tokio::time::sleep(AT_ONCE).await;
    assert_eq!(delivery(&other, &answer).await["state"], "succeeded");
    assert_eq!((vendor.calls(), &vendor.record("r")["first"]), (2, &json!("a")));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cut_short_and_must_not_be_repeated_fails_and_says_why() {
    let vendor = Vendor::new(Repeat::Unsafe);
    let [one, other] = two(&vendor).await;
    vendor.then([HANGS]);
    let answer = send(&one, "r", "a").await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    stop_in_a_hurry(&one).await;
    tokio::time::sleep(AT_ONCE).await;
    let left = delivery(&other, &answer).await;
    assert_eq!((&left["state"], vendor.calls()), (&json!("failed"), 1));
    assert_eq!(left["error"]["state_at_vendor"], "unknown", "{left:#}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cut_short_before_its_turn_came_was_not_sent_and_goes_out_from_another_gateway_at_once() {
    let vendor = Vendor::new(Repeat::Unsafe);
    let store = Arc::new(MemoryStore::shared());
    let mut only = connection("v", &vendor);
    only.adapter = one_at_a_time(&vendor);
    let one = House::on(store.clone(), TokioClock::new(), vec![only]).await;
    let other = House::on(store, TokioClock::new(), vec![connection("v", &vendor)]).await;
    vendor.then([HANGS]);
    let (sent, waits) = (send(&one, "r", "a").await, send(&one, "s", "b").await);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(vendor.calls(), 1, "the second one waits for its turn");
    stop_in_a_hurry(&one).await;
    tokio::time::sleep(AT_ONCE).await;
    let (sent, waits) = (delivery(&other, &sent).await, delivery(&other, &waits).await);
    assert_eq!(
        (&sent["state"], &waits["state"]),
        (&json!("failed"), &json!("succeeded"))
    );
    assert_eq!((vendor.calls(), &waits["attempts"]), (2, &json!(1)));
}

/// The vendor behind the layers that calls go through, with one place.
fn one_at_a_time(vendor: &Arc<Vendor>) -> Arc<dyn UpsertProvider> {
    let policy = ConnectionPolicy {
        concurrency: NonZeroU32::MIN,
        ..ConnectionPolicy::default()
    };
    let outside = Outside {
        clock: TokioClock::new(),
        day_count: Arc::new(InMemoryDayCount::default()),
        jitter: Jitter::fair(),
        shared_rate: None,
    };
    standard_stack(vendor.clone(), None, &policy, "acme", "v", outside).provider
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_stops_waits_for_its_calls_and_records_them() {
    let vendor = Vendor::new(Repeat::Unsafe);
    let [one, other] = two(&vendor).await;
    vendor.then([Act::Slow(Duration::from_secs(5))]);
    let answer = send(&one, "r", "a").await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let began = Instant::now();
    one.gateway.shut_down().await;
    assert!(began.elapsed() > Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(delivery(&other, &answer).await["state"], "succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_result_that_was_lost_on_its_way_to_the_store_is_given_back_before_its_gateway_ends() {
    let (vendor, store) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::shared()));
    let slow = SlowStore::new(store.clone());
    let (seen, only): (Arc<dyn Store>, _) = (slow.clone(), merchant(vec![connection("v", &vendor)]));
    // Without a background pass, which would find it within a second: as if it stopped before that.
    let one = House::through(seen, store.clone(), TokioClock::new(), only).await;
    let other = House::on(store, TokioClock::new(), vec![connection("v", &vendor)]).await;
    vendor.then([Act::Slow(Duration::from_secs(1))]);
    let answer = send(&one, "r", "a").await;
    // As many as one result is tried.
    slow.fails_for.store(14, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(delivery(&other, &answer).await["state"], "in_flight");
    one.gateway.shut_down().await;
    tokio::time::sleep(AT_ONCE).await;
    assert_eq!(delivery(&other, &answer).await["state"], "succeeded");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_cut_short_is_sent_again_by_another_gateway_at_once() {
    let (vendor, listener) = (Vendor::new(Repeat::Safe), Listener::new());
    let store = Arc::new(MemoryStore::shared());
    let mut houses = Vec::new();
    for _ in 0..2 {
        let mut merchant = merchant(vec![connection("v", &vendor)]);
        merchant.endpoints = vec![Arc::new(listener.endpoint("hooks"))];
        houses.push(House::of(store.clone(), TokioClock::new(), merchant).await);
    }
    houses[0].gateway.run_background();
    listener.takes(Duration::from_hours(1));
    send(&houses[0], "r", "a").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(listener.got().len(), 1);
    stop_in_a_hurry(&houses[0]).await;
    listener.takes(Duration::ZERO);
    houses[1].gateway.run_background();
    tokio::time::sleep(AT_ONCE).await;
    let ids: Vec<String> = listener.got().into_iter().map(|got| got.id).collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "{ids:?}");
    let waiting = store.waiting_for_endpoint("acme", "hooks", None, 10).await.unwrap();
    assert!(waiting.is_empty(), "{waiting:?}");
}
