//! Several gateways over one store: whatever one of them does holds for all.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::events::Listener;
use common::slow_store::SlowStore;
use common::untouched::untouched;
use common::{Act, House, TokioClock, Vendor, body, connection, merchant};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use tokio::time::Instant;

use upsert_api::{ConnectionState, DeliveryFilter, ProblemCode};
use upsert_app::{Answer, Connection, ConnectionStatus, OnCollision, Refusal};
use upsert_core::{Clock as _, Held, Priority, Repeat, VendorBlocks, WaitingFor, utc_day};
use upsert_store::{
    ConnectionStore as _, CustomerStore as _, DeliveryRecord, DeliveryState, DeliveryStore as _, EventStore as _, Store,
};
use upsert_testkit::MemoryStore;

/// Another one beside those that work with this store.
async fn replica(store: &Arc<MemoryStore>, clock: Arc<TokioClock>, connections: Vec<Connection>) -> House {
    House::on(store.clone(), clock, connections).await
}

async fn two(vendor: &Arc<Vendor>) -> [House; 2] {
    let store = Arc::new(MemoryStore::shared());
    let only = || vec![connection("v", vendor)];
    [
        replica(&store, TokioClock::new(), only()).await,
        replica(&store, TokioClock::new(), only()).await,
    ]
}

/// A connection that allows so many calls a day, as one process sees it.
#[derive(Debug)]
struct DayLimited {
    limit: u32,
    used: Mutex<u32>,
    heard: Mutex<Vec<Timestamp>>,
    blocks: Mutex<Vec<VendorBlocks>>,
}

impl ConnectionStatus for DayLimited {
    fn snapshot(&self) -> upsert_api::ConnectionStatus {
        untouched()
    }

    fn state(&self) -> ConnectionState {
        ConnectionState::Healthy
    }

    fn room(&self, _: Priority) -> Result<usize, Held> {
        if *self.used.lock() < self.limit {
            return Ok(16);
        }
        Err(Held {
            waiting_for: WaitingFor::Quota,
            for_at_least: Some(Duration::from_secs(3_600)),
        })
    }

    fn through_in(&self, _: u64) -> Option<Duration> {
        None
    }

    fn day_limit(&self, _: Priority) -> Option<u32> {
        Some(self.limit)
    }

    fn hear_of_opening(&self, until: Timestamp) {
        self.heard.lock().push(until);
    }

    fn hear_of_blocks(&self, blocks: VendorBlocks) {
        self.blocks.lock().push(blocks);
    }

    fn learn_calls(&self, _: Date, used: u32) {
        *self.used.lock() = used;
    }

    fn count_call(&self, _: Date, is_more: bool) {
        let mut used = self.used.lock();
        *used = if is_more { *used + 1 } else { used.saturating_sub(1) };
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_opens_at_one_gateway_is_heard_of_at_the_others_once() {
    let vendor = Vendor::new(Repeat::Safe);
    let store = Arc::new(MemoryStore::shared());
    let (mut houses, mut statuses) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let status = Arc::new(DayLimited {
            limit: 10,
            used: Mutex::new(0),
            heard: Mutex::default(),
            blocks: Mutex::default(),
        });
        let mut only = connection("v", &vendor);
        only.status = status.clone();
        statuses.push(status);
        houses.push(replica(&store, TokioClock::new(), vec![only]).await);
    }
    let until = houses[0].clock.now() + SignedDuration::from_secs(30);
    houses[0].gateway.deliveries.tell_of_opening("acme", "v", until).await;
    seconds(5).await;
    let operations = &houses[1].gateway.operations;
    operations.pause(&houses[1].merchant, "v", "tests").await.unwrap();
    seconds(5).await;
    let heard: Vec<usize> = statuses.iter().map(|status| status.heard.lock().len()).collect();
    assert_eq!(heard, [0, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn what_a_vendor_said_of_waiting_to_one_gateway_the_others_hear_and_so_does_one_that_starts_later() {
    let vendor = Vendor::new(Repeat::Safe);
    let store = Arc::new(MemoryStore::shared());
    let status = || {
        Arc::new(DayLimited {
            limit: 10,
            used: Mutex::new(0),
            heard: Mutex::default(),
            blocks: Mutex::default(),
        })
    };
    let with = async |status: &Arc<DayLimited>| {
        let mut only = connection("v", &vendor);
        only.status = status.clone();
        replica(&store, TokioClock::new(), vec![only]).await
    };
    let (of_one, of_other, of_later) = (status(), status(), status());
    let (one, other) = (with(&of_one).await, with(&of_other).await);
    let now = one.clock.now();
    let throttled = VendorBlocks {
        throttled_until: Some(now + SignedDuration::from_secs(30)),
        spent_until: None,
    };
    let spent = VendorBlocks {
        spent_until: Some(now + SignedDuration::from_hours(9)),
        ..throttled
    };
    one.gateway.deliveries.tell_of_blocks("acme", "v", throttled).await;
    seconds(2).await;
    // Whoever writes the same row beside it loses nothing of it.
    other
        .gateway
        .operations
        .pause(&other.merchant, "v", "tests")
        .await
        .unwrap();
    one.gateway.deliveries.tell_of_blocks("acme", "v", spent).await;
    one.gateway.deliveries.tell_of_blocks("acme", "v", spent).await;
    seconds(2).await;
    let _later = with(&of_later).await;
    one.gateway
        .deliveries
        .tell_of_blocks("acme", "v", VendorBlocks::default())
        .await;
    seconds(2).await;
    let none = VendorBlocks::default();
    let heard = [&of_one, &of_other, &of_later].map(|status| status.blocks.lock().clone());
    assert_eq!(heard, [vec![], vec![throttled, spent, none], vec![spent, none]]);
    let record = &store.connections().await.unwrap()[0];
    assert_eq!((record.pause.is_some(), record.revision), (true, 4));
}

#[tokio::test(start_paused = true)]
async fn what_a_vendor_said_to_two_gateways_at_once_the_others_hear_all_of() {
    let vendor = Vendor::new(Repeat::Safe);
    let [one, other] = two(&vendor).await;
    let now = one.clock.now();
    let spent = VendorBlocks {
        spent_until: Some(now + SignedDuration::from_hours(9)),
        throttled_until: Some(now + SignedDuration::from_secs(5)),
    };
    let throttled = VendorBlocks {
        spent_until: None,
        throttled_until: Some(now + SignedDuration::from_secs(30)),
    };
    one.gateway.deliveries.tell_of_blocks("acme", "v", spent).await;
    // It has not heard of that yet.
    other.gateway.deliveries.tell_of_blocks("acme", "v", throttled).await;
    let told = one.store.connections().await.unwrap()[0].blocks;
    let both = VendorBlocks {
        spent_until: spent.spent_until,
        throttled_until: throttled.throttled_until,
    };
    assert_eq!(told, both);
    // That it is over is told as it is.
    other
        .gateway
        .deliveries
        .tell_of_blocks("acme", "v", VendorBlocks::default())
        .await;
    assert!(one.store.connections().await.unwrap()[0].blocks.is_empty());
}

/// A connection whose store is slow from the moment that somebody ends what its vendor said.
#[derive(Debug)]
struct Lifted {
    store: Arc<SlowStore>,
    now: Arc<tokio::sync::Notify>,
}

impl ConnectionStatus for Lifted {
    fn snapshot(&self) -> upsert_api::ConnectionStatus {
        untouched()
    }

    fn state(&self) -> ConnectionState {
        ConnectionState::Healthy
    }

    fn room(&self, _: Priority) -> Result<usize, Held> {
        Ok(16)
    }

    fn through_in(&self, _: u64) -> Option<Duration> {
        None
    }

    fn lift_blocks(&self) {
        self.store.next_write_takes.store(1_000, Ordering::SeqCst);
        self.now.notify_one();
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_has_ended_by_a_resume_is_not_told_after_it() {
    let (vendor, store) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::shared()));
    let (slow, now) = (SlowStore::new(store.clone()), Arc::<tokio::sync::Notify>::default());
    let mut only = connection("v", &vendor);
    only.status = Arc::new(Lifted {
        store: slow.clone(),
        now: now.clone(),
    });
    let house = House::through(slow, store.clone(), TokioClock::new(), merchant(vec![only])).await;
    let until = house.clock.now() + SignedDuration::from_hours(1);
    let throttled = VendorBlocks {
        throttled_until: Some(until),
        spent_until: None,
    };
    let deliveries = &house.gateway.deliveries;
    let told = async {
        now.notified().await;
        tokio::join!(
            deliveries.tell_of_blocks("acme", "v", throttled),
            deliveries.tell_of_opening("acme", "v", until)
        );
    };
    let resume = house.gateway.operations.resume(&house.merchant, "v", "tests");
    let (resumed, ()) = tokio::join!(resume, told);
    resumed.unwrap();
    let record = &store.connections().await.unwrap()[0];
    assert_eq!(
        (record.lifts, record.open_until, record.blocks),
        (1, None, VendorBlocks::default())
    );
}

#[tokio::test(start_paused = true)]
async fn however_often_others_say_that_they_wrote_rows_these_are_read_twice_a_second() {
    let (vendor, store) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::shared()));
    let slow = SlowStore::new(store.clone());
    let house = House::through(
        slow.clone(),
        store,
        TokioClock::new(),
        merchant(vec![connection("v", &vendor)]),
    )
    .await;
    house.gateway.run_background();
    let in_ten_seconds = async || {
        let before = slow.asked.load(Ordering::SeqCst);
        seconds(10).await;
        slow.asked.load(Ordering::SeqCst) - before
    };
    let quiet = in_ten_seconds().await;
    slow.is_told.store(true, Ordering::SeqCst);
    let more = in_ten_seconds().await - quiet;
    // Those of connections and those of endpoints.
    assert!((30..=50).contains(&more), "{quiet} questions, and {more} more");
}

#[tokio::test(start_paused = true)]
async fn a_day_has_exactly_as_many_calls_as_it_may_have() {
    const LIMIT: u32 = 50;
    let vendor = Vendor::new(Repeat::Safe);
    let store = Arc::new(MemoryStore::shared());
    let mut houses = Vec::new();
    for _ in 0..3 {
        let mut only = connection("v", &vendor);
        only.counts_calls = true;
        only.status = Arc::new(DayLimited {
            limit: LIMIT,
            used: Mutex::new(0),
            heard: Mutex::default(),
            blocks: Mutex::default(),
        });
        houses.push(replica(&store, TokioClock::new(), vec![only]).await);
    }
    vendor.usually(Act::Slow(Duration::from_millis(300)));
    let upserts = (0..120).map(|number| {
        let person = json!({ "reference": format!("r{number}"), "given_name": "A" });
        houses[number % 3].upsert(person)
    });
    let mut answered = 0;
    for answer in futures_util::future::join_all(upserts).await {
        answered += u32::from(answer.unwrap().status == 201);
    }
    seconds(60).await;
    assert_eq!((answered, vendor.calls()), (LIMIT, LIMIT as usize));
    let calls = store.calls(utc_day(houses[0].clock.now())).await.unwrap();
    assert_eq!(calls, [("acme".to_owned(), "v".to_owned(), LIMIT)]);
}

async fn seconds(n: u64) {
    tokio::time::sleep(Duration::from_secs(n)).await;
}

fn person(name: &str) -> Json {
    json!({ "reference": "r", "given_name": name })
}

#[tokio::test(start_paused = true)]
async fn a_result_whose_commit_was_answered_by_an_error_is_not_recorded_twice() {
    for shared in [MemoryStore::new(), MemoryStore::shared()] {
        let (vendor, store) = (Vendor::new(Repeat::Safe), Arc::new(shared));
        let slow = SlowStore::new(store.clone());
        let seen: Arc<dyn Store> = slow.clone();
        let merchant = merchant(vec![connection("v", &vendor)]);
        let house = House::through(seen, store.clone(), TokioClock::new(), merchant).await;
        for (number, act) in [Act::Accept, Act::Down, Act::Reject].into_iter().enumerate() {
            vendor.then([act.clone()]);
            // The upsert's own commit, and then that of its result.
            slow.loses_answer_in.store(1, Ordering::SeqCst);
            let name = format!("n{number}");
            let answer = house.upsert(person(&name)).await.unwrap();
            seconds(60).await;
            assert!(slow.loses_answer_in.load(Ordering::SeqCst) < 0, "{act:?}");
            let delivery = &house.look(&answer).await["deliveries"][0];
            let id = delivery["id"].as_str().unwrap().parse().unwrap();
            let attempts = house.store.attempts("acme", id).await.unwrap();
            let calls = usize::from(matches!(act, Act::Down)) + 1;
            assert_eq!(attempts.len(), calls, "{act:?}: {attempts:?}");
            assert_eq!(delivery["attempts"], calls, "{act:?}");
        }
        assert_eq!(vendor.calls(), 4);
    }
}

/// A gateway that sees the store through calls that take a millisecond each, so that two of them interleave.
async fn slowly(store: &Arc<MemoryStore>, only: Connection) -> (House, Arc<SlowStore>) {
    let slow = SlowStore::new(store.clone());
    let seen: Arc<dyn Store> = slow.clone();
    let house = House::through(seen, store.clone(), TokioClock::new(), merchant(vec![only])).await;
    house.gateway.run_background();
    (house, slow)
}

fn sharing(vendor: &Arc<Vendor>) -> Connection {
    let mut only = connection("v", vendor);
    only.on_collision = OnCollision::Proceed;
    only
}

fn named(reference: &str, name: &str) -> Json {
    json!({ "reference": reference, "given_name": name })
}

/// Each customer's link: which record, and whether it says that another customer has it too.
async fn links(store: &MemoryStore, answers: &[Answer]) -> Vec<(String, bool)> {
    let mut links = Vec::new();
    for answer in answers {
        let id = body(answer)["customer"]["id"].as_str().unwrap().parse().unwrap();
        let known = store.customer("acme", id).await.unwrap().unwrap();
        let link = known.lane("v").unwrap().link().unwrap().clone();
        links.push((link.provider_customer_id, link.shared));
    }
    links
}

#[tokio::test(start_paused = true)]
async fn two_customers_that_come_to_share_a_record_at_once_both_say_so() {
    let vendor = Vendor::new(Repeat::Safe);
    let store = Arc::new(MemoryStore::shared());
    let (one, _) = slowly(&store, sharing(&vendor)).await;
    let (other, _) = slowly(&store, sharing(&vendor)).await;
    vendor.take_all_for_one();
    let both = futures_util::future::join(one.upsert(named("r1", "A")), other.upsert(named("r2", "B"))).await;
    let answers = [both.0.unwrap(), both.1.unwrap()];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [201, 201]);
    let shared = || ("rec-other".to_owned(), true);
    assert_eq!(links(&store, &answers).await, [shared(), shared()]);
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_to_share_a_record_takes_nothing_from_a_customer_whose_own_call_ends_just_then() {
    let vendor = Vendor::new(Repeat::Safe);
    let store = Arc::new(MemoryStore::shared());
    let (one, slow) = slowly(&store, sharing(&vendor)).await;
    let (other, other_slow) = slowly(&store, sharing(&vendor)).await;
    vendor.take_all_for_one();
    let first = one.upsert(named("r1", "A")).await.unwrap();
    // The other one has read the first one's lane, and is to write it, when that is written with what its vendor took.
    let second = async {
        let begun = vendor.calls();
        let call_is_out = async {
            while vendor.calls() == begun {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let upsert = other.upsert(named("r2", "B"));
        let slowed = async {
            call_is_out.await;
            other_slow.next_write_takes.store(500, Ordering::SeqCst);
        };
        futures_util::future::join(upsert, slowed).await.0
    };
    let renamed = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        one.upsert(named("r1", "C")).await
    };
    let (second, renamed) = futures_util::future::join(second, renamed).await;
    let answers = [first, second.unwrap(), renamed.unwrap()];
    assert!(answers.iter().all(|answer| body(answer)["state"] == "succeeded"));
    assert!(links(&store, &answers).await.iter().all(|(_, shared)| *shared));
    let calls = vendor.calls();
    let again = one.upsert(named("r1", "C")).await.unwrap();
    let outcome = &body(&again)["deliveries"][0]["outcome"];
    assert_eq!((outcome, vendor.calls()), (&json!("unchanged"), calls), "{slow:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_failed_gives_way_to_the_newest_though_that_came_to_another_gateway_just_then() {
    let vendor = Vendor::new(Repeat::Safe);
    let store = Arc::new(MemoryStore::shared());
    let (one, slow) = slowly(&store, connection("v", &vendor)).await;
    let (other, _) = slowly(&store, connection("v", &vendor)).await;
    vendor.then([Act::SlowlyDown(Duration::from_secs(2))]);
    let later = async |at: u64, name: &str| {
        tokio::time::sleep(Duration::from_millis(at)).await;
        other.upsert(named("r", name)).await.unwrap()
    };
    let slowed = async {
        // The next that is written is what came of the call: after the one that waits behind it was read.
        tokio::time::sleep(Duration::from_millis(1_900)).await;
        slow.next_write_takes.store(1_000, Ordering::SeqCst);
    };
    let first = one.upsert(named("r", "a"));
    // One waits behind the call when that ends; the other one takes its place before that is written.
    let all = futures_util::future::join4(first, later(500, "b"), later(2_500, "c"), slowed);
    let (first, second, third, ()) = tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
    let answers = [first.unwrap(), second, third];
    for answer in &answers {
        assert_eq!(one.look(answer).await["state"], "succeeded", "{}", answer.body);
    }
    assert_eq!((vendor.calls(), &vendor.record("r")["first"]), (2, &json!("c")));
    let deliveries = store.deliveries(&DeliveryFilter::default(), None, 10).await.unwrap();
    let mut states: Vec<_> = deliveries.entries.iter().map(DeliveryRecord::state).collect();
    states.sort_by_key(|state| format!("{state:?}"));
    let superseded = DeliveryState::Superseded;
    assert_eq!(states, [DeliveryState::Succeeded, superseded, superseded]);
}

#[tokio::test(start_paused = true)]
async fn the_history_of_a_customer_is_in_order_though_clocks_differ() {
    let vendor = Vendor::new(Repeat::Safe);
    let store = Arc::new(MemoryStore::shared());
    let only = || vec![connection("v", &vendor)];
    let behind = replica(&store, TokioClock::new(), only()).await;
    let ahead = replica(&store, TokioClock::ahead(SignedDuration::from_secs(3)), only()).await;
    let mut customer = Json::Null;
    for round in 0..6 {
        let house = if round % 2 == 0 { &ahead } else { &behind };
        let answer = house.upsert(person(&format!("n{round}"))).await.unwrap();
        customer = body(&answer)["customer"]["id"].clone();
    }
    let id = customer.as_str().unwrap().parse().unwrap();
    let history = store.history("acme", id, None, 10).await.unwrap();
    let versions: Vec<u64> = history.entries.iter().map(|entry| entry.version).collect();
    assert_eq!(versions, [6, 5, 4, 3, 2, 1]);
    assert_eq!(vendor.record("r")["first"], "n5");
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_at_every_gateway_and_so_does_its_end() {
    let vendor = Vendor::new(Repeat::Safe);
    let [one, other] = two(&vendor).await;
    let operations = &one.gateway.operations;
    operations.pause(&one.merchant, "v", "tests").await.unwrap();
    seconds(2).await;
    let answer = other.upsert(person("a")).await.unwrap();
    assert_eq!((answer.status, vendor.calls()), (202, 0));
    // Whoever has not heard of the pause can lift it all the same.
    let operations = &other.gateway.operations;
    operations.resume(&other.merchant, "v", "tests").await.unwrap();
    seconds(2).await;
    assert_eq!(vendor.calls(), 1);
    let answer = one.upsert(person("b")).await.unwrap();
    assert_eq!((answer.status, vendor.calls()), (200, 2));
}

#[tokio::test(start_paused = true)]
async fn a_vendors_refusal_of_the_credentials_pauses_once_and_is_kept_by_whoever_writes_beside_it() {
    let vendor = Vendor::new(Repeat::Safe);
    let [one, other] = two(&vendor).await;
    vendor.usually(Act::Unauthorised);
    let mine = one.upsert(json!({ "reference": "r1", "given_name": "A" }));
    let theirs = other.upsert(json!({ "reference": "r2", "given_name": "A" }));
    let answers = futures_util::future::join(mine, theirs).await;
    assert_eq!((answers.0.unwrap().status, answers.1.unwrap().status), (202, 202));
    let records = one.store.connections().await.unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].revision, 1, "whoever came second left it as it was");
    seconds(2).await;
    let calls = vendor.calls();
    for house in [&one, &other] {
        let answer = house
            .upsert(json!({ "reference": "r3", "given_name": "A" }))
            .await
            .unwrap();
        assert_eq!(answer.status, 202);
    }
    assert_eq!(vendor.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_upsert_another_gateway_brings_is_told_how_it_ended() {
    let vendor = Vendor::new(Repeat::Safe);
    let [one, other] = two(&vendor).await;
    vendor.then([Act::Slow(Duration::from_secs(3)), Act::Accept]);
    let first = one.upsert(person("a"));
    let second = async {
        seconds(1).await;
        other.upsert(person("b")).await
    };
    let began = Instant::now();
    let (first, second) = futures_util::future::join(first, second).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!((first.unwrap().status, vendor.calls()), (201, 2));
    let second = second.unwrap();
    assert_eq!(second.status, 200, "{}", second.body);
    assert_eq!(vendor.record("r")["first"], "b");
}

async fn keyed(house: &House) -> Result<Answer, Refusal> {
    house
        .command(person("a"), |command| command.idempotency_key = Some("k".to_owned()))
        .await
}

#[tokio::test(start_paused = true)]
async fn while_one_gateway_answers_for_a_key_the_others_tell_to_wait() {
    let vendor = Vendor::new(Repeat::Safe);
    let [one, other] = two(&vendor).await;
    vendor.then([Act::Slow(Duration::from_secs(3))]);
    let second = async {
        seconds(1).await;
        keyed(&other).await
    };
    let (first, second) = futures_util::future::join(keyed(&one), second).await;
    let (first, second) = (first.unwrap(), second.unwrap_err());
    assert_eq!((first.status, second.code), (201, ProblemCode::IdempotencyInProgress));
    let again = keyed(&other).await.unwrap();
    assert_eq!((again.replayed, &again.body), (true, &first.body));
    assert_eq!(vendor.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_not_to_wait_is_told_by_another_gateway_how_its_upsert_stands() {
    let vendor = Vendor::new(Repeat::Safe);
    let [one, other] = two(&vendor).await;
    vendor.then([Act::Slow(Duration::from_secs(3))]);
    let ask = async |house: &House| {
        let asked = house.command(person("a"), |command| {
            command.idempotency_key = Some("k".to_owned());
            command.respond_async = true;
        });
        asked.await.map(|answer| (answer.status, answer.replayed))
    };
    assert_eq!(ask(&one).await.unwrap(), (202, false));
    seconds(1).await;
    assert_eq!(ask(&other).await.unwrap(), (202, true), "the first one was answered");
    seconds(5).await;
    assert_eq!((ask(&other).await.unwrap(), vendor.calls()), ((201, true), 1));
}

#[tokio::test(start_paused = true)]
async fn when_nobody_can_still_be_answering_for_a_key_the_others_tell_how_its_upsert_stands() {
    let vendor = Vendor::new(Repeat::Safe);
    let [one, other] = two(&vendor).await;
    vendor.usually(Act::Slow(Duration::from_secs(3_600)));
    let ((), second) = futures_util::future::join(
        async {
            let _ = tokio::time::timeout(Duration::from_millis(500), keyed(&one)).await;
            one.kill().await;
        },
        async {
            seconds(1).await;
            keyed(&other).await.unwrap_err()
        },
    )
    .await;
    // It may still be alive as far as the other one knows.
    assert_eq!(second.code, ProblemCode::IdempotencyInProgress);
    seconds(10).await;
    let third = keyed(&other).await.unwrap();
    assert_eq!((third.status, third.replayed), (202, true));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_whose_lease_is_nearly_over_is_not_sent() {
    let (vendor, store) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::shared()));
    let slow = SlowStore::new(store.clone());
    let seen: Arc<dyn Store> = slow.clone();
    let merchant = merchant(vec![connection("v", &vendor)]);
    let house = House::through(seen, store.clone(), TokioClock::new(), merchant).await;
    // Longer than a lease but for what it takes to record: as if the process had been stopped meanwhile.
    slow.next_write_takes.store(30_000, Ordering::SeqCst);
    let answer = house.upsert(person("a")).await.unwrap();
    assert_eq!(vendor.calls(), 0);
    house.gateway.run_background();
    seconds(10).await;
    assert_eq!(vendor.calls(), 1);
    assert_eq!(house.look(&answer).await["deliveries"][0]["state"], "succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_recorded_while_another_gateway_takes_the_delivery_back_stands() {
    let (vendor, store) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::shared()));
    let one = House::quiet(store.clone(), TokioClock::new(), vec![connection("v", &vendor)]).await;
    let slow = SlowStore::new(store.clone());
    slow.answers_take.store(10_000, Ordering::SeqCst);
    let seen: Arc<dyn Store> = slow.clone();
    let other = House::through(
        seen,
        store.clone(),
        TokioClock::new(),
        merchant(vec![connection("v", &vendor)]),
    )
    .await;
    // Longer than its lease.
    vendor.then([Act::Slow(Duration::from_secs(100))]);
    let answer = one
        .command(person("a"), |command| command.respond_async = true)
        .await
        .unwrap();
    // What is abandoned is read before the result is recorded, and looked at after it.
    seconds(65).await;
    other.gateway.run_background();
    seconds(300).await;
    let delivery = &one.look(&answer).await["deliveries"][0];
    assert_eq!(
        (&delivery["state"], &delivery["attempts"]),
        (&json!("succeeded"), &json!(1))
    );
    assert_eq!(vendor.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_gateway_leaves_that_dies_during_a_call_is_brought_by_another_once_its_lease_is_over() {
    // One vendor, as each of them reaches it: the call of the one that dies never ends.
    let (of_one, of_other) = (Vendor::new(Repeat::Safe), Vendor::new(Repeat::Safe));
    let store = Arc::new(MemoryStore::shared());
    let one = replica(&store, TokioClock::new(), vec![connection("v", &of_one)]).await;
    let _other = replica(&store, TokioClock::new(), vec![connection("v", &of_other)]).await;
    of_one.usually(Act::Slow(Duration::from_secs(3_600)));
    let upsert = one.command(person("a"), |command| command.respond_async = true);
    let answer = upsert.await.unwrap();
    assert_eq!(answer.status, 202);
    seconds(1).await;
    one.kill().await;
    let delivery = async || {
        let deliveries = store.deliveries(&DeliveryFilter::default(), None, 10).await.unwrap();
        let [delivery] = &deliveries.entries[..] else {
            panic!("there is one")
        };
        (delivery.state(), delivery.attempts())
    };
    assert_eq!((of_one.calls(), delivery().await), (1, (DeliveryState::InFlight, 0)));
    // A lease is the time-out of ten seconds and 25.
    seconds(30).await;
    assert_eq!((of_other.calls(), delivery().await), (0, (DeliveryState::InFlight, 0)));
    seconds(15).await;
    assert_eq!((of_other.calls(), delivery().await), (1, (DeliveryState::Succeeded, 2)));
    let id = body(&answer)["deliveries"][0]["id"].as_str().unwrap().parse().unwrap();
    let attempts = store.attempts("acme", id).await.unwrap();
    let results: Vec<_> = attempts.iter().map(|attempt| attempt.result.as_deref()).collect();
    assert_eq!(results, [None, Some("created")], "how the first one ended nobody knows");
}

#[tokio::test(start_paused = true)]
async fn what_goes_to_a_connection_that_one_gateway_does_not_know_yet_is_left_to_those_that_do() {
    let (vendor, newer) = (Vendor::new(Repeat::Safe), Vendor::new(Repeat::Safe));
    let store = Arc::new(MemoryStore::shared());
    let _old = replica(&store, TokioClock::new(), vec![connection("v", &vendor)]).await;
    let both = vec![connection("v", &vendor), connection("new", &newer)];
    let new = replica(&store, TokioClock::new(), both).await;
    newer.then([Act::Down, Act::Down, Act::Down]);
    new.upsert(person("a")).await.unwrap();
    // Sooner than anything is looked for that was left.
    seconds(30).await;
    assert_eq!(newer.record("r")["first"], "a");
    let deliveries = store.deliveries(&DeliveryFilter::default(), None, 10).await.unwrap();
    assert!(
        deliveries
            .entries
            .iter()
            .all(|delivery| delivery.state() == DeliveryState::Succeeded)
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_goes_out_once_though_several_gateways_see_it() {
    let (vendor, listener) = (Vendor::new(Repeat::Safe), Listener::new());
    listener.takes(Duration::from_secs(5));
    let store = Arc::new(MemoryStore::shared());
    let mut houses = Vec::new();
    for _ in 0..3 {
        let mut merchant = merchant(vec![connection("v", &vendor)]);
        merchant.endpoints = vec![Arc::new(listener.endpoint("hooks"))];
        let house = House::of(store.clone(), TokioClock::new(), merchant).await;
        house.gateway.run_background();
        houses.push(house);
    }
    for number in 0..9 {
        let house = &houses[number % 3];
        let person = json!({ "reference": format!("r{number}"), "given_name": "A" });
        assert_eq!(house.upsert(person).await.unwrap().status, 201);
    }
    seconds(30).await;
    let mut ids: Vec<String> = listener.got().into_iter().map(|got| got.id).collect();
    assert_eq!(ids.len(), 9);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 9);
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_gateway_dies_is_sent_by_another() {
    let (vendor, listener) = (Vendor::new(Repeat::Safe), Listener::new());
    let store = Arc::new(MemoryStore::shared());
    let mut houses = Vec::new();
    for _ in 0..2 {
        let mut merchant = merchant(vec![connection("v", &vendor)]);
        merchant.endpoints = vec![Arc::new(listener.endpoint("hooks"))];
        houses.push(House::of(store.clone(), TokioClock::new(), merchant).await);
    }
    houses[0].gateway.run_background();
    listener.takes(Duration::from_secs(3_600));
    assert_eq!(houses[0].upsert(person("a")).await.unwrap().status, 201);
    seconds(2).await;
    assert_eq!(listener.got().len(), 1);
    houses[0].kill().await;
    listener.takes(Duration::ZERO);
    houses[1].gateway.run_background();
    seconds(90).await;
    assert_eq!(listener.got().len(), 2);
    let waiting = store.waiting_for_endpoint("acme", "hooks", None, 10).await.unwrap();
    assert!(waiting.is_empty());
}
