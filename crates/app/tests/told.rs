//! Two processes over one PostgreSQL database that look by themselves once an hour: what either does the other one hears of.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::events::Listener;
use common::untouched::untouched;
use common::{Act, House, TokioClock, Vendor, body, connection, merchant};
use serde_json::{Value as Json, json};

use upsert_api::ConnectionState;
use upsert_app::{ConnectionStatus, Merchant};
use upsert_core::{Held, Priority, Repeat};
use upsert_store::{Hints, Store};
use upsert_store_sql::postgres::{PostgresOptions, PostgresStore};
use upsert_testkit::postgres::Database;

const HOUR: Duration = Duration::from_hours(1);
const PATIENCE: Duration = Duration::from_secs(60);

/// A database, and the clock of whoever works with it.
struct Shared {
    database: Database,
    clock: Arc<TokioClock>,
}

impl Shared {
    fn new() -> Self {
        Self {
            database: Database::new(),
            clock: TokioClock::new(),
        }
    }
}

/// A process without a background pass.
async fn quiet(shared: &Shared, merchant: Merchant) -> House {
    let store = PostgresStore::open(shared.database.url(), PostgresOptions::default())
        .await
        .unwrap();
    // It hears: what is told from now on it cannot miss.
    assert_eq!(store.told().await, Hints::of_everything());
    House::looking_every(HOUR, Arc::new(store), shared.clock.clone(), merchant).await
}

/// A process that does what there is to do in the background.
async fn at_work(shared: &Shared, merchant: Merchant) -> House {
    let house = quiet(shared, merchant).await;
    house.gateway.run_background();
    house
}

fn only(vendor: &Arc<Vendor>) -> Merchant {
    Merchant {
        sync_deadline: HOUR,
        ..merchant(vec![connection("v", vendor)])
    }
}

fn person(name: &str) -> Json {
    json!({ "reference": "r", "given_name": name })
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let in_time = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, in_time).await.is_ok(), "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_at_one_process_holds_at_the_other_at_once_and_a_resume_wakes_what_waits_there() {
    let (shared, vendor) = (Shared::new(), Vendor::new(Repeat::Safe));
    let one = quiet(&shared, only(&vendor)).await;
    let other = at_work(&shared, only(&vendor)).await;
    one.gateway.operations.pause(&one.merchant, "v", "tests").await.unwrap();
    until("the pause is heard of", async || {
        let views = other.gateway.queries.connection_views(|_| true).await.unwrap();
        views[0].state == ConnectionState::Paused
    })
    .await;
    let waits = other
        .command(person("a"), |command| command.respond_async = true)
        .await
        .unwrap();
    assert_eq!((waits.status, vendor.calls()), (202, 0));
    one.gateway
        .operations
        .resume(&one.merchant, "v", "tests")
        .await
        .unwrap();
    until("what waited is sent", async || vendor.calls() == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_one_process_publishes_another_one_sends_at_once() {
    let (shared, vendor, listener) = (Shared::new(), Vendor::new(Repeat::Safe), Listener::new());
    let with_endpoint = || Merchant {
        endpoints: vec![Arc::new(listener.endpoint("hooks"))],
        ..only(&vendor)
    };
    let one = quiet(&shared, with_endpoint()).await;
    let _other = at_work(&shared, with_endpoint()).await;
    assert_eq!(one.upsert(person("a")).await.unwrap().status, 201);
    until("the event is sent", async || listener.got().len() == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_waits_for_another_processs_call_is_answered_when_that_has_ended() {
    let (shared, vendor) = (Shared::new(), Vendor::new(Repeat::Safe));
    let one = quiet(&shared, only(&vendor)).await;
    let other = at_work(&shared, only(&vendor)).await;
    vendor.then([Act::Slow(Duration::from_secs(1)), Act::Accept]);
    let second = async {
        until("the first call is out", async || vendor.calls() == 1).await;
        tokio::time::timeout(PATIENCE, other.upsert(person("b"))).await.unwrap()
    };
    let (first, second) = futures_util::future::join(one.upsert(person("a")), second).await;
    assert_eq!((first.unwrap().status, vendor.calls()), (201, 2));
    let second = second.unwrap();
    assert_eq!((second.status, &body(&second)["state"]), (200, &json!("succeeded")));
    assert_eq!(vendor.record("r")["first"], "b");
}

/// A connection whose calls are all taken.
#[derive(Debug)]
struct Full;

impl ConnectionStatus for Full {
    fn snapshot(&self) -> upsert_api::ConnectionStatus {
        untouched()
    }

    fn state(&self) -> ConnectionState {
        ConnectionState::Healthy
    }

    fn room(&self, _: Priority) -> Result<usize, Held> {
        Ok(0)
    }

    fn through_in(&self, _: u64) -> Option<Duration> {
        None
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_has_no_room_for_another_one_sends_at_once() {
    let (shared, vendor) = (Shared::new(), Vendor::new(Repeat::Safe));
    let mut full = connection("v", &vendor);
    full.status = Arc::new(Full);
    let one = quiet(&shared, merchant(vec![full])).await;
    let _other = at_work(&shared, only(&vendor)).await;
    let waits = one
        .command(person("a"), |command| {
            command.priority = Priority::Bulk;
            command.respond_async = true;
        })
        .await
        .unwrap();
    assert_eq!(waits.status, 202);
    until("it is sent", async || vendor.calls() == 1).await;
}
