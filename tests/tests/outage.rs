//! What a vendor sees of us while it fails, asks us to wait or has no calls left, however much waits for it: counts, over
//! real HTTP. How long things take is measured by scripts/bench-isolation.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has to stop"
)]

use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use upsert_simulators::{Answer, Effect, Fault};
use upsert_tests::{Answered, Plan, World};

const PATIENCE: Duration = Duration::from_secs(30);

fn customer(number: usize) -> Json {
    json!({ "reference": format!("c-{number}"), "given_name": "A", "email": format!("c{number}@example.com") })
}

async fn wallet_alone(lines: &str) -> World {
    World::with(alone(lines)).await
}

fn alone(lines: &str) -> Plan {
    Plan {
        only: vec!["wallet"],
        wallet: lines.to_owned(),
        ..Plan::default()
    }
}

/// So many new customers at once.
async fn flood(world: &World, numbers: std::ops::Range<usize>) -> Vec<Answered> {
    let bodies: Vec<Json> = numbers.map(customer).collect();
    join_all(bodies.iter().map(|body| world.upsert(body))).await
}

fn received(world: &World) -> usize {
    usize::try_from(world.wallet.journal().counts().received).unwrap()
}

/// Waits until nothing is open at the wallet.
async fn all_through(world: &World) {
    world
        .until_all("/v1/connections", PATIENCE, |answered| {
            let wallet = &answered.body["data"][0];
            wallet["waiting"] == 0 && wallet["in_flight"] == 0
        })
        .await;
}

#[tokio::test]
async fn a_vendor_that_fails_sees_few_calls_then_single_probes_and_gets_everything_once_when_it_is_back() {
    let world = wallet_alone("breaker = { open_for = \"1s\" }").await;
    let fails = Fault::always(Effect::Answer(Answer::new(503)));
    // Slow enough that a queue for the sixteen places builds up before the first call has failed.
    let slow = Fault::always(Effect::Delay { millis: 200 });
    world.wallet.faults().set(vec![slow, fails]);
    let answers = flood(&world, 0..120).await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    let first = received(&world);
    // Ten open the breaker; the other places of the first round are out by then.
    let most = 26 * world.processes();
    assert!((10..=most).contains(&first), "{first} calls of 120 upserts");

    let asked = flood(&world, 120..150).await;
    assert!(
        asked.iter().all(|answer| answer.status == 202),
        "at once, though a probe is due within the deadline"
    );
    tokio::time::sleep(Duration::from_secs(3)).await;
    let probes = received(&world) - first;
    // It opens for 1 s, then 2 s, then 4 s.
    assert!((1..=3 * world.processes()).contains(&probes), "{probes} probes");

    world.wallet.faults().clear();
    all_through(&world).await;
    assert_eq!(world.wallet.records().len(), 150, "nothing is lost");
    let calls = received(&world) - first - probes;
    assert!(
        calls <= 150 + world.processes(),
        "each is brought once, and at most one more probe failed: {calls}"
    );
}

#[tokio::test]
async fn an_optional_connection_that_hangs_changes_nothing_about_the_answers() {
    let world = World::with(Plan {
        only: vec!["rotor", "wallet"],
        wallet: "required = false\ntimeout = \"1s\"\nbreaker = { open_for = \"60s\" }".to_owned(),
        ..Plan::default()
    })
    .await;
    let hang = Effect::Hang {
        when: upsert_simulators::When::BeforeWrite,
    };
    world.wallet.faults().set(vec![Fault::always(hang)]);
    for round in 0..2 {
        for number in 0..20 {
            let answer = world.upsert(&customer(100 * round + number)).await;
            assert_eq!(answer.status, 201, "{}", answer.text);
            assert_ne!(answer.delivery("wallet")["state"], "succeeded");
        }
        let is_open = |answered: &Answered| {
            let data = answered.body["data"].as_array();
            data.is_some_and(|all| all.iter().any(|one| one["state"] == "open"))
        };
        world.until_all("/v1/connections", PATIENCE, is_open).await;
    }
    assert!(
        received(&world) <= 26 * world.processes(),
        "{} calls hung",
        received(&world)
    );
    assert_eq!(world.rotor.records().len(), 40);
}

#[tokio::test]
async fn no_call_of_many_goes_out_before_the_time_that_a_429_names() {
    for (word, least) in [
        ("2", 2_000),
        ("a date", 1_000),
        // Without a word that can be read it backs off by itself.
        ("-1", 1_000),
        ("soon", 1_000),
        ("", 1_000),
    ] {
        let world = World::with(Plan {
            // Which calls are out at one time is a process's own.
            is_one_process: true,
            ..alone("concurrency = 1")
        })
        .await;
        let answer = match word {
            "" => Answer::new(429),
            // A date knows whole seconds only: 2 to 3 s from now, of which less than one is over when it is sent.
            "a date" => Answer::new(429).retry_at(Timestamp::now() + SignedDuration::from_secs(3)),
            word => Answer::new(429).header("retry-after", word),
        };
        world.wallet.faults().set(vec![
            Fault::once(Effect::Delay { millis: 100 }),
            Fault::once(Effect::Answer(answer)),
        ]);
        let answers = flood(&world, 0..30).await;
        assert!(
            answers.iter().all(|answer| matches!(answer.status, 201 | 202)),
            "{word:?}"
        );
        all_through(&world).await;
        let entries = world.wallet.journal().entries();
        assert_eq!(entries.len(), 31, "{word:?}: one was told to wait");
        let waited = entries[1].received_at.duration_since(entries[0].finished_at.unwrap());
        assert!(
            waited.as_millis() >= least,
            "{word:?}: the next call came after {} ms",
            waited.as_millis()
        );
    }
}

#[tokio::test]
async fn an_absurd_retry_after_parks_the_connection_for_a_day_and_not_longer() {
    let world = wallet_alone("concurrency = 4").await;
    let answer = Answer::new(429).header("retry-after", "1000000000000");
    // Each process has four calls out before it hears of the first answer.
    let most = 4 * world.processes();
    let told = Fault::times(u32::try_from(most).unwrap(), Effect::Answer(answer));
    world.wallet.faults().set(vec![told]);
    let answers = flood(&world, 0..40).await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    assert!(received(&world) <= most, "{} calls", received(&world));
    let is_throttled = |answered: &Answered| answered.body["data"][0]["state"] == "throttled";
    let shown = world.until_all("/v1/connections", PATIENCE, is_throttled).await;
    let wallet = &shown.body["data"][0];
    let until: Timestamp = wallet["rate_limit"]["blocked_until"].as_str().unwrap().parse().unwrap();
    let hours = until.duration_since(Timestamp::now()).as_hours();
    assert!((23..=27).contains(&hours), "a day and some jitter: {hours} h");
}

#[tokio::test]
async fn a_days_calls_under_load_are_used_up_to_the_last_one_and_not_beyond() {
    let world = wallet_alone("rate_limit = { per_day = 25, reserve = 0.2 }").await;
    let answers = flood(&world, 0..90).await;
    let sent = answers.iter().filter(|answer| answer.status == 201).count();
    let parked = answers
        .iter()
        .filter(|answer| answer.status == 202 && answer.delivery("wallet")["waiting_for"] == "quota")
        .count();
    assert_eq!((sent, parked), (25, 65));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(received(&world), 25, "the background adds none");
}
