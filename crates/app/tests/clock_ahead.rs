//! A clock was years ahead for a while, and is right again: what is new works and is in order, what was put off is done, and what
//! is kept is forgotten in its time.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::events::Listener;
use common::{Act, House, TokioClock, Vendor, connection, customer_of, merchant, named, upsert_of};
use jiff::SignedDuration;
use serde_json::json;

use upsert_app::{Answer, Merchant, Retention, SessionId};
use upsert_core::{Clock as _, CustomerId, Repeat};
use upsert_store::{CustomerStore as _, DeliveryState, DeliveryStore as _, UpsertStore as _};
use upsert_testkit::MemoryStore;

const YEARS: SignedDuration = SignedDuration::from_hours(5 * 365 * 24);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The versions of a customer, the newest first.
async fn versions(house: &House, customer: CustomerId) -> Vec<u64> {
    let page = house.store.history("acme", customer, None, 100).await.unwrap();
    page.entries.iter().map(|entry| entry.version).collect()
}

/// A process whose clock is years ahead, over this store.
async fn ahead(store: &Arc<MemoryStore>, merchant: Merchant) -> House {
    let house = House::of(store.clone(), TokioClock::ahead(YEARS), merchant).await;
    house.gateway.run_background();
    house
}

#[tokio::test(start_paused = true)]
async fn a_customer_goes_on_in_order_and_others_are_of_the_present_again_in_this_process_and_the_next() {
    let (vendor, store) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::new()));
    let of_vendor = || merchant(vec![connection("v", &vendor)]);
    let one = ahead(&store, of_vendor()).await;
    let ann = customer_of(&named(&one, "ann", "A1").await);
    one.clock.runs_ahead(SignedDuration::ZERO);
    named(&one, "ann", "A2").await;
    // Refused by all: it goes back to the one before, which was made later than now.
    vendor.then([Act::Reject]);
    named(&one, "ann", "A3").await;
    named(&one, "ann", "A4").await;
    let bob = named(&one, "bob", "B").await;
    assert!(upsert_of(&bob).made_at() <= one.clock.now());
    one.kill().await;

    let next = House::on(store.clone(), TokioClock::new(), vec![connection("v", &vendor)]).await;
    named(&next, "ann", "A5").await;
    let eve = named(&next, "eve", "E").await;
    assert!(upsert_of(&eve).made_at() <= next.clock.now());
    assert!(customer_of(&eve).made_at() <= next.clock.now());
    let found = versions(&next, ann).await;
    assert!(found.windows(2).all(|pair| pair[0] >= pair[1]), "{found:?}");
    assert_eq!(found.len(), 5, "{found:?}");
    let kept = next.store.customer("acme", ann).await.unwrap().unwrap();
    assert_eq!(
        (kept.record.version, vendor.record("ann")["first"].as_str()),
        (found[0], Some("A5"))
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_put_off_by_the_wrong_clock_is_done_now_in_this_process_and_the_next() {
    for restarts in [false, true] {
        let (vendor, store, listener) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::new()), Listener::new());
        let told = || Merchant {
            endpoints: vec![Arc::new(listener.endpoint("hooks"))],
            sync_deadline: Duration::from_secs(1),
            ..merchant(vec![connection("v", &vendor)])
        };
        let one = ahead(&store, told()).await;
        listener.usually(503);
        named(&one, "told", "T").await;
        vendor.usually(Act::Down);
        assert_eq!(named(&one, "late", "L").await.status, 202);
        tokio::time::sleep(Duration::from_secs(120)).await;
        vendor.usually(Act::Accept);
        listener.usually(200);
        let before = listener.got().len();
        let next = if restarts {
            one.kill().await;
            let next = House::of(store.clone(), TokioClock::new(), told()).await;
            next.gateway.run_background();
            next
        } else {
            one.clock.runs_ahead(SignedDuration::ZERO);
            one
        };
        tokio::time::sleep(Duration::from_hours(3)).await;
        assert_eq!(vendor.record("late")["first"], "L", "{restarts}");
        // The event that had failed, and that of the upsert that came through now.
        assert_eq!(listener.got().len(), before + 2, "{restarts}");
        drop(next);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_dead_process_holds_for_years_is_taken_back_by_the_next() {
    let (vendor, store) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::shared()));
    let one = ahead(&store, merchant(vec![connection("v", &vendor)])).await;
    vendor.then([Act::Slow(DAY)]);
    let asked = one.command(json!({ "reference": "r", "given_name": "A" }), |command| {
        command.respond_async = true;
    });
    assert_eq!(asked.await.unwrap().status, 202);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(vendor.calls(), 1);
    one.kill().await;
    let held = store.abandoned(None, 10).await.unwrap();
    assert_eq!(held.len(), 1);
    let next = House::quiet(store.clone(), TokioClock::new(), vec![connection("v", &vendor)]).await;
    let taken_back = next.store.delivery("acme", held[0].id).await.unwrap().unwrap();
    assert_eq!(taken_back.state(), DeliveryState::Retrying);
    assert!(taken_back.next_attempt_at().unwrap() <= next.clock.now());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_began_at_a_moment_that_is_yet_to_come_is_over() {
    let store = Arc::new(MemoryStore::new());
    let one = ahead(&store, merchant(Vec::new())).await;
    let session = SessionId([1; 32]);
    one.gateway.sessions.begin(session, [7; 32], "ops").await.unwrap();
    assert!(one.gateway.sessions.find(&session, true).await.unwrap().is_some());
    one.clock.runs_ahead(SignedDuration::ZERO);
    assert!(one.gateway.sessions.find(&session, true).await.unwrap().is_none());
    let next = SessionId([2; 32]);
    one.gateway.sessions.begin(next, [7; 32], "ops").await.unwrap();
    assert!(one.gateway.sessions.find(&next, true).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn what_was_made_ahead_and_since_is_kept_for_its_time_and_then_forgotten() {
    let (vendor, store) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::new()));
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let retention = Retention {
        upserts: Some(days(90)),
        attempts: Some(days(30)),
        history: Some(days(90)),
        audit: None,
    };
    let of_vendor = merchant(vec![connection("v", &vendor)]);
    let clock = TokioClock::ahead(YEARS);
    let house = House::keeping(store.clone(), store.clone(), clock, of_vendor, retention).await;
    house.gateway.run_background();
    let made_ahead = named(&house, "ann", "A1").await;
    house.clock.runs_ahead(SignedDuration::ZERO);
    let since = [
        named(&house, "ann", "A2").await,
        named(&house, "ann", "A3").await,
        named(&house, "bob", "B").await,
    ];
    let later = async |days: u32| {
        // Walks rest for hours in between.
        for _ in 0..days * 3 {
            tokio::time::advance(DAY / 3).await;
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    };
    let is_there = async |answer: &Answer| {
        let found = house.store.upsert("acme", upsert_of(answer)).await.unwrap();
        found.is_some_and(|(upsert, _)| !upsert.is_forgotten())
    };
    later(80).await;
    for answer in since.iter().chain([&made_ahead]) {
        assert!(is_there(answer).await);
    }
    later(20).await;
    for answer in since.iter().chain([&made_ahead]) {
        assert!(!is_there(answer).await);
    }
    let ann = house
        .store
        .customer("acme", customer_of(&made_ahead))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ann.record.customer.to_json(false)["given_name"], "A3");
}
