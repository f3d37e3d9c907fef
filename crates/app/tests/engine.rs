//! The engine behind the answers: what waits, where, for what, and when it goes on.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use common::untouched::untouched;
use common::{Act, House, TokioClock, Vendor, body, connection, merchant};
use serde_json::json;
use tokio::time::Instant;

use upsert_api::ConnectionState;
use upsert_app::{ConnectionStatus, Directory};
use upsert_core::{Held, Priority, Repeat, WaitingFor};
use upsert_store::{DeliveryState, DeliveryStore as _, Store, UpsertState, UpsertStore as _};
use upsert_testkit::MemoryStore;

/// A connection's gate that a test opens and shuts.
#[derive(Debug, Default)]
struct Gate(AtomicU8);

impl Gate {
    const OPEN: u8 = 0;
    const NO_PLACE: u8 = 1;
    const BREAKER: u8 = 2;
    const QUOTA: u8 = 3;
    const RESERVE: u8 = 4;
    const NEARLY_A_PROBE: u8 = 5;

    fn turn(&self, to: u8) {
        self.0.store(to, Ordering::Relaxed);
    }
}

impl ConnectionStatus for Gate {
    fn snapshot(&self) -> upsert_api::ConnectionStatus {
        untouched()
    }

    fn state(&self) -> ConnectionState {
        ConnectionState::Healthy
    }

    fn room(&self, priority: Priority) -> Result<usize, Held> {
        let held = |waiting_for, hours| Held {
            waiting_for,
            for_at_least: Some(Duration::from_hours(hours)),
        };
        match self.0.load(Ordering::Relaxed) {
            Self::NO_PLACE => Ok(0),
            Self::BREAKER => Err(held(WaitingFor::Breaker, 1)),
            Self::NEARLY_A_PROBE => Err(Held {
                waiting_for: WaitingFor::Breaker,
                for_at_least: Some(Duration::from_secs(1)),
            }),
            Self::QUOTA => Err(held(WaitingFor::Quota, 12)),
            Self::RESERVE if priority == Priority::Bulk => Err(held(WaitingFor::Quota, 12)),
            _ => Ok(16),
        }
    }

    fn through_in(&self, calls: u64) -> Option<Duration> {
        Some(Duration::from_secs(calls))
    }
}

async fn at(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn waiting(house: &House, at: &str) -> Vec<upsert_store::DeliveryRecord> {
    house.store.waiting_at("acme", at, None, 10_000).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_calls_hang_does_not_slow_what_waits_for_another() {
    let (hung, fine) = (Vendor::new(Repeat::Safe), Vendor::new(Repeat::Safe));
    let mut optional = connection("hung", &hung);
    optional.required = false;
    let house = House::new(vec![optional, connection("fine", &fine)]).await;
    house
        .gateway
        .operations
        .pause(&house.merchant, "hung", "tests")
        .await
        .unwrap();
    house
        .gateway
        .operations
        .pause(&house.merchant, "fine", "tests")
        .await
        .unwrap();
    for number in 0..300 {
        house
            .upsert(json!({ "reference": format!("r-{number}"), "given_name": "A" }))
            .await
            .unwrap();
    }
    assert_eq!((hung.calls(), fine.calls()), (0, 0));
    hung.usually(Act::Slow(Duration::from_secs(3_600)));
    house
        .gateway
        .operations
        .resume(&house.merchant, "hung", "tests")
        .await
        .unwrap();
    at(2).await;
    assert!(hung.calls() > 0, "it was released first");
    let began = Instant::now();
    house
        .gateway
        .operations
        .resume(&house.merchant, "fine", "tests")
        .await
        .unwrap();
    while fine.calls() < 300 {
        at(1).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{} of 300", fine.calls());
    }
    assert!(hung.calls() <= 16, "no more than its places: {}", hung.calls());
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_the_breaker_is_open_waits_without_an_attempt_and_is_answered_at_once() {
    let (vendor, gate) = (Vendor::new(Repeat::Safe), Arc::new(Gate::default()));
    let mut only = connection("v", &vendor);
    only.status = gate.clone();
    let house = House::new(vec![only]).await;
    gate.turn(Gate::BREAKER);
    let began = Instant::now();
    let answer = house
        .upsert(json!({ "reference": "r", "given_name": "A" }))
        .await
        .unwrap();
    assert_eq!((answer.status, began.elapsed()), (202, Duration::ZERO));
    let delivery = &body(&answer)["deliveries"][0];
    assert_eq!(
        (&delivery["state"], &delivery["waiting_for"]),
        (&json!("waiting"), &json!("breaker"))
    );
    let delivery = waiting(&house, "v").await.remove(0);
    assert!(house.store.attempts("acme", delivery.id).await.unwrap().is_empty());
    at(60).await;
    assert_eq!(vendor.calls(), 0);
    gate.turn(Gate::OPEN);
    house.gateway.deliveries.release("acme", "v");
    at(1).await;
    assert_eq!(vendor.record("r")["first"], "A");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_kept_waiting_for_the_probe_that_is_due_before_the_deadline() {
    let (vendor, gate) = (Vendor::new(Repeat::Safe), Arc::new(Gate::default()));
    let mut only = connection("v", &vendor);
    only.status = gate.clone();
    let house = House::new(vec![only]).await;
    gate.turn(Gate::NEARLY_A_PROBE);
    let began = Instant::now();
    for number in 0..3 {
        let answer = house
            .upsert(json!({ "reference": format!("r-{number}"), "given_name": "A" }))
            .await
            .unwrap();
        assert_eq!((answer.status, began.elapsed()), (202, Duration::ZERO));
    }
    gate.turn(Gate::OPEN);
    at(3).await;
    assert_eq!(vendor.calls(), 3, "they go on by themselves");
}

#[tokio::test(start_paused = true)]
async fn bulk_work_takes_no_place_from_requests_and_leaves_the_days_reserve_alone() {
    let (vendor, gate) = (Vendor::new(Repeat::Safe), Arc::new(Gate::default()));
    let mut only = connection("v", &vendor);
    only.status = gate.clone();
    let house = House::new(vec![only]).await;
    let bulk = |number: u32| {
        house.command(
            json!({ "reference": format!("b-{number}"), "given_name": "B" }),
            |command| {
                command.priority = Priority::Bulk;
                command.respond_async = true;
            },
        )
    };
    gate.turn(Gate::NO_PLACE);
    let answer = bulk(1).await.unwrap();
    assert_eq!(body(&answer)["deliveries"][0]["state"], "pending");
    at(2).await;
    assert_eq!(vendor.calls(), 1, "the worker queued it for a place");

    gate.turn(Gate::RESERVE);
    let answer = bulk(2).await.unwrap();
    let delivery = body(&answer)["deliveries"][0].clone();
    assert_eq!(
        (&delivery["state"], &delivery["waiting_for"]),
        (&json!("waiting"), &json!("quota"))
    );
    let answer = house
        .upsert(json!({ "reference": "r", "given_name": "A" }))
        .await
        .unwrap();
    assert_eq!(answer.status, 201, "the reserve is for requests");
    at(60).await;
    assert_eq!(vendor.calls(), 2);
    gate.turn(Gate::OPEN);
    at(2).await;
    assert_eq!(vendor.calls(), 2, "the window is not over");
    at(12 * 3_600).await;
    assert_eq!(vendor.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_quota_goes_out_when_the_window_opens_early_after_a_restart_too() {
    let (vendor, gate) = (Vendor::new(Repeat::Safe), Arc::new(Gate::default()));
    let gated = || {
        let mut only = connection("v", &vendor);
        only.status = gate.clone();
        vec![only]
    };
    let (store, clock) = (Arc::new(MemoryStore::new()), TokioClock::new());
    let house = House::on(store.clone(), clock.clone(), gated()).await;
    gate.turn(Gate::QUOTA);
    for number in 0..5 {
        let answer = house
            .upsert(json!({ "reference": format!("r-{number}") }))
            .await
            .unwrap();
        assert_eq!(answer.status, 202);
    }
    house.kill().await;
    let house = House::on(store, clock, gated()).await;
    at(10).await;
    assert_eq!(vendor.calls(), 0);
    gate.turn(Gate::OPEN);
    at(2).await;
    assert_eq!(vendor.calls(), 5);
    assert!(waiting(&house, "v").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_connection_that_was_taken_out_goes_when_it_is_back() {
    let (vendor, other) = (Vendor::new(Repeat::Safe), Vendor::new(Repeat::Safe));
    let house = House::new(vec![connection("v", &vendor), connection("w", &other)]).await;
    vendor.usually(Act::Down);
    let answer = house
        .upsert(json!({ "reference": "r", "given_name": "A" }))
        .await
        .unwrap();
    assert_eq!(answer.status, 202);
    house
        .gateway
        .operations
        .replace_directory(Directory::new([merchant(vec![connection("w", &other)])]));
    at(3_600).await;
    let parked = waiting(&house, "v").await.remove(0);
    assert_eq!(
        (parked.state(), parked.next_attempt_at()),
        (DeliveryState::Waiting, None)
    );
    let calls = vendor.calls();
    at(80 * 3_600).await;
    assert_eq!(vendor.calls(), calls);
    vendor.usually(Act::Accept);
    let both = vec![connection("v", &vendor), connection("w", &other)];
    house
        .gateway
        .operations
        .replace_directory(Directory::new([merchant(both)]));
    at(1).await;
    assert_eq!(
        vendor.record("r")["first"],
        "A",
        "the time without a connection did not count against its age"
    );
}

#[tokio::test(start_paused = true)]
async fn one_delivery_that_always_fails_is_not_tried_again_at_each_success_of_others() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.fail_for("poison");
    let answer = house
        .upsert(json!({ "reference": "poison", "given_name": "P" }))
        .await
        .unwrap();
    assert_eq!(answer.status, 202);
    at(3_600).await;
    let before = vendor.calls_for("poison");
    for number in 0..600 {
        let answer = house
            .upsert(json!({ "reference": format!("r-{number}") }))
            .await
            .unwrap();
        assert_eq!(answer.status, 201);
        at(6).await;
    }
    let tried = vendor.calls_for("poison") - before;
    assert!((1..=3).contains(&tried), "{tried} times within an hour");
}

#[tokio::test(start_paused = true)]
async fn upserts_that_others_joined_end_with_the_one_that_went_in_their_place() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    house
        .gateway
        .operations
        .pause(&house.merchant, "v", "tests")
        .await
        .unwrap();
    let mut upserts = Vec::new();
    for number in 0..20 {
        let answer = house
            .upsert(json!({ "reference": "r", "given_name": format!("A{number}") }))
            .await
            .unwrap();
        upserts.push(answer.upsert);
    }
    house
        .gateway
        .operations
        .resume(&house.merchant, "v", "tests")
        .await
        .unwrap();
    at(1).await;
    assert_eq!((vendor.calls(), vendor.record("r")["first"].as_str()), (1, Some("A19")));
    for id in upserts {
        let (upsert, _) = house.store.upsert("acme", id).await.unwrap().unwrap();
        assert_eq!(
            upsert.state(),
            UpsertState::Succeeded,
            "as it is stored, without having been looked at"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_upsert_whose_process_died_before_it_was_ended_is_ended_by_the_next_one() {
    let vendor = Vendor::new(Repeat::Safe);
    let (store, clock) = (Arc::new(MemoryStore::new()), TokioClock::new());
    let house = House::on(store.clone(), clock.clone(), vec![connection("v", &vendor)]).await;
    let answer = house
        .upsert(json!({ "reference": "r", "given_name": "A" }))
        .await
        .unwrap();
    house.kill().await;
    let (ended, _) = store.upsert("acme", answer.upsert).await.unwrap().unwrap();
    assert_eq!(ended.state(), UpsertState::Succeeded);
    let (id, customer, version) = (ended.id, ended.customer, ended.version);
    let pending = upsert_store::UpsertRecord::new(id, "acme", customer, version, "tests", ended.created_at);
    let write = vec![upsert_store::Write::PutUpsert(pending, None)];
    let changes = upsert_store::Changeset {
        write,
        ..upsert_store::Changeset::of("acme")
    };
    store.apply(changes).await.unwrap();
    let _house = House::on(store.clone(), clock, vec![connection("v", &vendor)]).await;
    at(1).await;
    let (upsert, _) = store.upsert("acme", answer.upsert).await.unwrap().unwrap();
    assert_eq!(upsert.state(), UpsertState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn many_edits_of_one_customer_at_once_are_told_how_they_ended_without_walking_all_of_them_each() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = Arc::new(House::new(vec![connection("v", &vendor)]).await);
    vendor.then([Act::Slow(Duration::from_secs(2))]);
    let edits = (0..1_000).map(|number| {
        let house = house.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(number)).await;
            house
                .upsert(json!({ "reference": "r", "given_name": format!("A{number}") }))
                .await
        }
    });
    let answers = futures_util::future::join_all(edits).await;
    for answer in &answers {
        assert!(matches!(answer.as_ref().unwrap().status, 200 | 201));
    }
    assert_eq!(
        (vendor.calls(), vendor.record("r")["first"].as_str()),
        (2, Some("A999"))
    );
}
