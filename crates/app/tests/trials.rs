//! One call that an operator asks for: which delivery it takes, what it tells, and what follows.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use common::untouched::untouched;
use common::{Act, House, Vendor, all_of_it, connection, merchant};
use jiff::SignedDuration;
use serde_json::json;
use tokio::time::{sleep, timeout};

use upsert_api::{
    AuditFilter, ConnectionState, ProblemCode, Trial, TrialCall, TrialFollows, TrialOutcome, TriedConnection,
};
use upsert_app::{Answer, Connection, ConnectionStatus, Directory, Refusal};
use upsert_core::{
    CallContext, Clock as _, CustomerReader, ErrorKind, Held, ListQuery, Priority, Problem, ProviderError,
    ReadCustomer, ReadPage, Repeat, RetryAdvice, StateAtVendor,
};

/// A vendor's list, which is read or is not.
#[derive(Debug, Default)]
struct List {
    reads: AtomicUsize,
    is_down: bool,
}

#[async_trait]
impl CustomerReader for List {
    fn check(&self, _: &ListQuery) -> Result<(), Vec<Problem>> {
        Ok(())
    }

    async fn list(&self, _: &CallContext, query: &ListQuery) -> Result<ReadPage, ProviderError> {
        assert_eq!(query.limit, 1, "the cheapest read");
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.is_down {
            let (kind, state) = (ErrorKind::Transient, StateAtVendor::Unchanged);
            return Err(ProviderError::new(kind, state, RetryAdvice::Backoff, "down"));
        }
        Ok(ReadPage {
            data: Vec::new(),
            next: None,
            vendor_fields: serde_json::Map::new(),
        })
    }

    async fn read(&self, _: &CallContext, _: &str) -> Result<Option<ReadCustomer>, ProviderError> {
        Ok(None)
    }
}

fn readable(vendor: &Arc<Vendor>, list: &Arc<List>) -> Connection {
    let reader: Arc<dyn CustomerReader> = Arc::<List>::clone(list);
    Connection {
        reader: Some(reader),
        ..connection("v", vendor)
    }
}

/// Of so many customers, whose calls failed for so long that each waits for most of an hour.
async fn waiting(house: &House, vendor: &Arc<Vendor>, count: usize) -> Vec<Answer> {
    vendor.usually(Act::Down);
    let mut all = Vec::new();
    for n in 0..count {
        // Always something new.
        let body = json!({ "reference": format!("r{n}"), "notes": house.clock.now().to_string() });
        all.push(house.upsert(body).await.unwrap());
    }
    sleep(Duration::from_hours(4)).await;
    // Not where the next one is due.
    loop {
        let before = vendor.calls();
        sleep(Duration::from_mins(2)).await;
        if vendor.calls() == before {
            return all;
        }
    }
}

async fn tried(house: &House) -> Result<TriedConnection, Refusal> {
    let operations = &house.gateway.operations;
    operations.try_connection(&house.merchant, "v", "tests").await
}

fn code(refused: Result<TriedConnection, Refusal>) -> Option<ProblemCode> {
    refused.err().map(|refused| refused.code)
}

fn kind(trial: &Trial) -> Option<ErrorKind> {
    trial.error.as_ref().map(|error| error.kind)
}

async fn all_end(house: &House, all: &[Answer]) {
    sleep(Duration::from_secs(5)).await;
    for answer in all {
        assert_eq!(house.look(answer).await["state"], "succeeded");
    }
}

#[tokio::test(start_paused = true)]
async fn a_try_is_one_call_with_what_has_waited_longest_and_what_waits_goes_out_once_the_vendor_is_there() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    let all = waiting(&house, &vendor, 5).await;
    let before = vendor.calls();
    let failed = tried(&house).await.unwrap();
    assert_eq!(vendor.calls(), before + 1);
    assert_eq!(vendor.last_body()["ref"], "r0");
    let oldest = house.look(&all[0]).await["deliveries"][0]["id"].clone();
    assert_eq!(json!(failed.trial.delivery_id), oldest);
    assert_eq!(
        (kind(&failed.trial), failed.trial.outcome, failed.trial.follows),
        (Some(ErrorKind::Transient), None, TrialFollows::Waits)
    );
    assert!(failed.trial.detail.contains("5 waiting"), "{}", failed.trial.detail);

    vendor.usually(Act::Accept);
    let taken = tried(&house).await.unwrap();
    assert_eq!(
        (taken.trial.tried, taken.trial.outcome, taken.trial.follows),
        (TrialCall::Delivery, Some(TrialOutcome::Created), TrialFollows::Drains)
    );
    assert!(taken.trial.error.is_none());
    all_end(&house, &all).await;
    assert_eq!(vendor.calls(), before + 1 + 5, "each once");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_data_shows_that_the_vendor_is_there() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    let all = waiting(&house, &vendor, 3).await;
    vendor.usually(Act::Accept);
    vendor.then([Act::Reject]);
    let trial = tried(&house).await.unwrap().trial;
    assert_eq!(
        (kind(&trial), trial.follows),
        (Some(ErrorKind::Rejected), TrialFollows::Drains)
    );
    all_end(&house, &all[1..]).await;
    assert_eq!(house.look(&all[0]).await["state"], "failed");
}

#[tokio::test(start_paused = true)]
async fn a_pause_by_the_vendor_is_tried_and_lifted_by_a_good_answer() {
    let (vendor, list) = (Vendor::new(Repeat::Safe), Arc::new(List::default()));
    let house = House::new(vec![readable(&vendor, &list)]).await;
    vendor.usually(Act::Unauthorised);
    let mut all = Vec::new();
    for n in 0..3 {
        all.push(house.upsert(json!({ "reference": format!("r{n}") })).await.unwrap());
    }
    let refused = tried(&house).await.unwrap();
    assert_eq!(
        (kind(&refused.trial), refused.trial.follows, refused.connection.state),
        (
            Some(ErrorKind::Unauthorised),
            TrialFollows::Paused,
            ConnectionState::Paused
        )
    );
    vendor.usually(Act::Accept);
    let taken = tried(&house).await.unwrap();
    assert_eq!(
        (taken.trial.follows, taken.connection.paused_by),
        (TrialFollows::Drains, None)
    );
    all_end(&house, &all).await;
    assert_eq!(list.reads.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn where_an_operator_paused_it_nothing_is_called() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    let all = waiting(&house, &vendor, 2).await;
    let operations = &house.gateway.operations;
    operations.pause(&house.merchant, "v", "ida").await.unwrap();
    let before = vendor.calls();
    let refused = tried(&house).await.err().unwrap();
    assert_eq!(refused.code, ProblemCode::ConnectionPaused);
    assert!(refused.detail.contains("paused by ida"), "{}", refused.detail);
    assert_eq!(vendor.calls(), before);

    vendor.usually(Act::Accept);
    let resumed = operations.resume(&house.merchant, "v", "ida").await.unwrap();
    assert_eq!(resumed.connection.paused_by, None);
    let trial = resumed.trial.unwrap();
    assert_eq!(
        (trial.outcome, trial.follows),
        (Some(TrialOutcome::Created), TrialFollows::Drains)
    );
    all_end(&house, &all).await;
}

#[tokio::test(start_paused = true)]
async fn a_resume_says_what_its_first_call_came_to_and_goes_on_though_it_failed_or_could_not_be_made() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    let operations = &house.gateway.operations;
    let nothing = operations.resume(&house.merchant, "v", "tests").await.unwrap();
    assert!(nothing.trial.is_none());
    assert!(nothing.not_tried.unwrap().contains("nothing waits"));

    let all = waiting(&house, &vendor, 3).await;
    operations.pause(&house.merchant, "v", "tests").await.unwrap();
    vendor.then([Act::Down]);
    vendor.usually(Act::Accept);
    let failed = operations.resume(&house.merchant, "v", "tests").await.unwrap();
    assert_eq!(
        (failed.connection.paused_by, kind(failed.trial.as_ref().unwrap())),
        (None, Some(ErrorKind::Transient))
    );
    all_end(&house, &all).await;

    let mut all = waiting(&house, &vendor, 3).await;
    vendor.usually(Act::Unauthorised);
    let refused = operations.resume(&house.merchant, "v", "tests").await.unwrap();
    assert_eq!(
        (refused.connection.state, refused.trial.unwrap().follows),
        (ConnectionState::Paused, TrialFollows::Paused),
        "what the vendor says now counts"
    );
    vendor.usually(Act::Accept);
    operations.resume(&house.merchant, "v", "tests").await.unwrap();
    all.push(house.upsert(json!({ "reference": "new" })).await.unwrap());
    all_end(&house, &all).await;
}

#[tokio::test(start_paused = true)]
async fn where_nothing_waits_a_read_finds_out_and_where_there_is_none_that_is_said() {
    let (vendor, list) = (Vendor::new(Repeat::Safe), Arc::new(List::default()));
    let mute = House::new(vec![connection("v", &vendor)]).await;
    assert_eq!(code(tried(&mute).await), Some(ProblemCode::NothingToTry));

    let house = House::new(vec![readable(&vendor, &list)]).await;
    let trial = tried(&house).await.unwrap().trial;
    assert_eq!(
        (trial.tried, trial.delivery_id, trial.outcome, trial.follows),
        (TrialCall::Read, None, Some(TrialOutcome::Read), TrialFollows::Drains)
    );
    assert_eq!((list.reads.load(Ordering::Relaxed), vendor.calls()), (1, 0));

    let down = Arc::new(List {
        is_down: true,
        ..List::default()
    });
    let house = House::new(vec![readable(&vendor, &down)]).await;
    let trial = tried(&house).await.unwrap().trial;
    assert_eq!(
        (kind(&trial), trial.outcome, trial.follows),
        (Some(ErrorKind::Transient), None, TrialFollows::Waits)
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_who_ask_at_once_one_is_served() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    waiting(&house, &vendor, 4).await;
    let before = vendor.calls();
    vendor.usually(Act::SlowlyDown(Duration::from_secs(2)));
    let (one, other) = tokio::join!(tried(&house), tried(&house));
    assert!(one.is_ok());
    assert_eq!(code(other), Some(ProblemCode::Overloaded));
    assert_eq!(vendor.calls(), before + 1);
    assert!(tried(&house).await.is_ok(), "the first one is over");
}

#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_is_left_alone_and_so_is_what_waits_behind_it() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.then([Act::Slow(Duration::from_secs(5))]);
    let first = house
        .command(json!({ "reference": "r", "given_name": "A" }), |command| {
            command.respond_async = true;
        })
        .await
        .unwrap();
    sleep(Duration::from_secs(1)).await;
    let second = house
        .command(json!({ "reference": "r", "given_name": "B" }), |command| {
            command.respond_async = true;
        })
        .await
        .unwrap();
    assert_eq!(house.look(&second).await["deliveries"][0]["waiting_for"], "predecessor");
    // The vendor of these tests holds that no two calls are about one customer at once.
    assert_eq!(code(tried(&house).await), Some(ProblemCode::NothingToTry));
    assert_eq!(vendor.calls(), 1);
    sleep(Duration::from_secs(10)).await;
    all_end(&house, &[first, second]).await;
    assert_eq!(vendor.record("r")["first"], "B");
}

#[tokio::test(start_paused = true)]
async fn whoever_hangs_up_strands_nothing() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    let all = waiting(&house, &vendor, 3).await;
    for act in ["try", "resume"] {
        vendor.then([Act::SlowlyDown(Duration::from_secs(3))]);
        vendor.usually(Act::Down);
        let operations = &house.gateway.operations;
        let hung_up = match act {
            "try" => timeout(Duration::from_secs(1), tried(&house)).await.is_err(),
            _ => {
                let resume = operations.resume(&house.merchant, "v", "tests");
                timeout(Duration::from_secs(1), resume).await.is_err()
            }
        };
        assert!(hung_up);
        sleep(Duration::from_secs(5)).await;
        assert!(tried(&house).await.is_ok(), "{act}: the call is over, and was recorded");
    }
    vendor.usually(Act::Accept);
    tried(&house).await.unwrap();
    all_end(&house, &all).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_a_reload_takes_away_meanwhile_is_not_there() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    waiting(&house, &vendor, 2).await;
    vendor.usually(Act::Slow(Duration::from_secs(2)));
    let reload = async {
        sleep(Duration::from_secs(1)).await;
        let directory = Directory::new([merchant(Vec::new())]);
        house.gateway.operations.replace_directory(directory);
    };
    let (answer, ()) = tokio::join!(tried(&house), reload);
    assert_eq!(code(answer), Some(ProblemCode::NotFound));
}

#[tokio::test(start_paused = true)]
async fn who_asked_is_in_the_audit_trail_before_anything_is_called() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    waiting(&house, &vendor, 1).await;
    let before = vendor.calls();
    house.store.fail_next(1);
    assert!(tried(&house).await.is_err());
    assert_eq!(vendor.calls(), before, "what cannot be written down is not done");
    tried(&house).await.unwrap();
    let told = house
        .gateway
        .queries
        .list_audit(&AuditFilter::default(), &all_of_it())
        .await;
    let told = told.unwrap().data;
    assert_eq!(
        (&*told[0].action, &*told[0].by, &*told[0].subject),
        ("connection.try", "tests", "connections/acme/v")
    );
}

/// A connection whose breaker, or whose day, is as it is said to be.
#[derive(Debug)]
struct Said {
    left_today: Option<u32>,
    /// So many more times a probe is wanted.
    wishes: AtomicUsize,
    heard_back: AtomicUsize,
}

impl Said {
    fn new(left_today: Option<u32>, wishes: usize) -> Arc<Self> {
        Arc::new(Self {
            left_today,
            wishes: AtomicUsize::new(wishes),
            heard_back: AtomicUsize::new(0),
        })
    }
}

impl ConnectionStatus for Said {
    fn snapshot(&self) -> upsert_api::ConnectionStatus {
        let mut status = untouched();
        status.rate_limit.left_today = self.left_today;
        status.rate_limit.per_day = self.left_today.map(|_| 100);
        status.rate_limit.opens_at = "2026-11-22T00:00:00Z".parse().unwrap();
        status
    }

    fn state(&self) -> ConnectionState {
        ConnectionState::Degraded
    }

    fn room(&self, _: Priority) -> Result<usize, Held> {
        Ok(1)
    }

    fn through_in(&self, _: u64) -> Option<Duration> {
        None
    }

    fn hear_of_closing(&self) {
        self.heard_back.fetch_add(1, Ordering::Relaxed);
    }

    fn wants_probe(&self) -> Option<Duration> {
        let left = self.wishes.load(Ordering::Relaxed).checked_sub(1)?;
        self.wishes.store(left, Ordering::Relaxed);
        Some(Duration::from_secs(15))
    }
}

#[tokio::test(start_paused = true)]
async fn our_own_day_is_overdrawn_by_nobody() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![Connection {
        status: Said::new(Some(0), 0),
        ..connection("v", &vendor)
    }])
    .await;
    let refused = tried(&house).await.err().unwrap();
    let until_midnight = "2026-11-22T00:00:00Z".parse().unwrap();
    let until_midnight: SignedDuration = jiff::Timestamp::duration_since(until_midnight, house.clock.now());
    assert_eq!(
        (refused.code, refused.retry_after),
        (ProblemCode::Overloaded, u64::try_from(until_midnight.as_secs()).ok())
    );
    assert_eq!(vendor.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_probed_with_what_waits_though_it_is_not_due_for_long() {
    let (vendor, list) = (Vendor::new(Repeat::Safe), Arc::new(List::default()));
    let said = Said::new(None, 0);
    let probed = Connection {
        status: said.clone(),
        ..readable(&vendor, &list)
    };
    let house = House::new(vec![probed]).await;
    let all = waiting(&house, &vendor, 3).await;
    let before = vendor.calls();
    said.wishes.store(1, Ordering::Relaxed);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(vendor.calls(), before + 1, "one call an open time");
    vendor.usually(Act::Accept);
    said.wishes.store(1, Ordering::Relaxed);
    all_end(&house, &all).await;
    assert_eq!(list.reads.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_waits_an_open_breaker_is_probed_by_a_read_that_takes_no_scarce_calls() {
    for (left_today, reads) in [(None, 1), (Some(51), 1), (Some(50), 0), (Some(0), 0)] {
        let (vendor, list) = (Vendor::new(Repeat::Safe), Arc::new(List::default()));
        let house = House::new(vec![Connection {
            status: Said::new(left_today, 1),
            ..readable(&vendor, &list)
        }])
        .await;
        sleep(Duration::from_secs(10)).await;
        assert_eq!(list.reads.load(Ordering::Relaxed), reads, "{left_today:?}");
        house.kill().await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_several_gateways_one_makes_the_probe_and_the_others_hear_that_the_vendor_is_back() {
    let (store, vendor) = (
        Arc::new(upsert_testkit::MemoryStore::shared()),
        Vendor::new(Repeat::Safe),
    );
    let list = Arc::new(List::default());
    let (mut houses, mut statuses) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let said = Said::new(None, 1);
        let probed = Connection {
            status: said.clone(),
            ..readable(&vendor, &list)
        };
        statuses.push(said);
        houses.push(House::on(store.clone(), common::TokioClock::new(), vec![probed]).await);
    }
    sleep(Duration::from_secs(5)).await;
    assert_eq!(list.reads.load(Ordering::Relaxed), 1);
    houses[0].gateway.deliveries.tell_of_closing("acme", "v").await;
    sleep(Duration::from_secs(5)).await;
    let heard: Vec<_> = statuses
        .iter()
        .map(|said| said.heard_back.load(Ordering::Relaxed))
        .collect();
    assert_eq!(heard, [0, 1, 1]);
}
