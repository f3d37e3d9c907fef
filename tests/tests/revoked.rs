//! Revoked means now: calls that queue at a connection go out by what is configured when their turn comes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use upsert_core::{Clock as _, SystemClock};
use upsert_simulators::{Effect, Entry, Fault};
use upsert_tests::{Plan, World};

const PATIENCE: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_secs(2);
const PEOPLE: usize = 14;

fn customer(number: usize) -> Json {
    json!({ "reference": format!("c-{number}"), "given_name": "A", "email": format!("c{number}@example.com") })
}

/// A vendor that takes one call at a time, each for most of a second, and more calls than it takes in ten seconds.
async fn queueing() -> World {
    let world = World::with(Plan {
        only: vec!["wallet"],
        wallet: "concurrency = 1".to_owned(),
        reloads: true,
        ..Plan::default()
    })
    .await;
    world
        .wallet
        .faults()
        .set(vec![Fault::always(Effect::Delay { millis: 800 })]);
    for number in 0..PEOPLE {
        let taken = world
            .upsert_with(&customer(number), &[("prefer", "respond-async")])
            .await;
        assert_eq!(taken.status, 202, "{}", taken.text);
    }
    world
}

fn calls_after(world: &World, moment: Timestamp, pass: impl Fn(&Entry) -> bool) -> usize {
    let entries = world.wallet.journal().entries();
    entries
        .iter()
        .filter(|entry| entry.received_at > moment && pass(entry))
        .count()
}

fn uses(entry: &Entry, credential: &str) -> bool {
    entry.headers.iter().any(|(_, value)| value.contains(credential))
}

#[tokio::test]
async fn no_call_that_queues_goes_out_by_a_credential_that_was_replaced_meanwhile() {
    let world = queueing().await;
    let folder = world.folder().to_owned();
    world
        .reconfigure(|merchant| {
            std::fs::write(folder.join("next.secret"), "sim-next").unwrap();
            merchant.replace("wallet.secret", "next.secret")
        })
        .await;
    let in_force = SystemClock.now();
    let queued = world.wallet.journal().counts().received;
    assert!(queued < PEOPLE as u64, "nothing queued any more: {queued}");
    // The vendor does not know the new one, and the connection pauses.
    world
        .until("/v1/connections", PATIENCE, |answered| {
            answered.body["data"][0]["state"] == "paused"
        })
        .await;
    tokio::time::sleep(GRACE * 2).await;
    assert_eq!(calls_after(&world, in_force + GRACE, |entry| uses(entry, "sim-key")), 0);
    let by_new = calls_after(&world, in_force, |entry| uses(entry, "sim-next"));
    assert!(by_new > 0, "what queued is tried by the new one");
}

#[tokio::test]
async fn no_call_that_queues_goes_to_a_connection_that_was_removed_meanwhile_and_all_go_once_it_is_back() {
    let world = queueing().await;
    let file = std::fs::read_to_string(world.folder().join("merchants/acme.toml")).unwrap();
    let without = file.split("[[connections]]").next().unwrap().to_owned();
    world.reconfigure(|_| without.clone()).await;
    let in_force = SystemClock.now();
    assert!(
        world.wallet.journal().counts().received < PEOPLE as u64,
        "nothing queued any more"
    );
    tokio::time::sleep(GRACE * 3).await;
    assert_eq!(calls_after(&world, in_force + GRACE, |_| true), 0);
    world.wallet.faults().clear();
    world.reconfigure(|_| file.clone()).await;
    world
        .until("/v1/connections", PATIENCE, |answered| {
            let wallet = &answered.body["data"][0];
            wallet["waiting"] == 0 && wallet["in_flight"] == 0
        })
        .await;
    assert_eq!(world.wallet.records().len(), PEOPLE);
}
