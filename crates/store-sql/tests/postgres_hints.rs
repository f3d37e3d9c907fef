//! What processes over one PostgreSQL database tell each other.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::Future;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::poll_fn;
use tokio::task::JoinSet;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use upsert_store::{Hints, Store as _};
use upsert_store_sql::postgres::{PostgresOptions, PostgresStore};
use upsert_testkit::postgres::Database;
use upsert_testkit::records::customer_id;

const PATIENCE: Duration = Duration::from_secs(60);

async fn open(database: &Database, notify: bool) -> PostgresStore {
    let options = PostgresOptions {
        notify,
        ..PostgresOptions::default()
    };
    PostgresStore::open(database.url(), options).await.unwrap()
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.unwrap()
}

/// Waits until it hears: from then on it misses nothing.
async fn until_it_hears(store: &PostgresStore) {
    assert_eq!(in_time(store.told()).await, Hints::of_everything());
}

/// A connection of the test's own, driven by the first of these tasks, and whatever notifications it hears.
async fn own(database: &Database, tasks: &mut JoinSet<()>) -> (Client, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let (client, mut connection) = tokio_postgres::connect(database.url(), NoTls).await.unwrap();
    let (sender, heard) = tokio::sync::mpsc::unbounded_channel();
    tasks.spawn(async move {
        let mut messages = poll_fn(|context| connection.poll_message(context));
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notification(told) = message {
                let _ = sender.send(told.payload().to_owned());
            }
        }
    });
    (client, heard)
}

async fn listening(client: &Client) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

fn some() -> Hints {
    Hints {
        events: true,
        ..Hints::of_customer(customer_id(7))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_tells_the_others_hear_and_it_does_not() {
    let database = Database::new();
    let stores = [open(&database, true).await, open(&database, true).await];
    for store in &stores {
        until_it_hears(store).await;
    }
    let [one, other] = &stores;
    one.tell(some());
    assert_eq!(in_time(other.told()).await, some());
    // Had it heard itself, that would come before what the other one tells now.
    other.tell(Hints::of_everything());
    assert_eq!(in_time(one.told()).await, Hints::of_everything());
    for store in &stores {
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_tells_right_before_it_ends_is_heard() {
    let database = Database::new();
    let (one, other) = (open(&database, true).await, open(&database, true).await);
    until_it_hears(&one).await;
    until_it_hears(&other).await;
    let last = Hints {
        deliveries: true,
        ..Hints::default()
    };
    one.tell(some());
    assert_eq!(in_time(other.told()).await, some());
    // Nothing may be told so soon after.
    one.tell(last.clone());
    one.close().await;
    let heard = tokio::time::timeout(Duration::from_secs(5), other.told()).await;
    assert_eq!(heard, Ok(last));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_whose_connection_was_cut_hears_again_and_looks_at_everything_once() {
    let database = Database::new();
    let (one, other) = (open(&database, true).await, open(&database, true).await);
    until_it_hears(&one).await;
    until_it_hears(&other).await;
    let mut tasks = JoinSet::new();
    let (client, _) = own(&database, &mut tasks).await;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND query LIKE 'LISTEN %'";
    assert_eq!(client.query(sql, &[]).await.unwrap().len(), 2);
    until_it_hears(&one).await;
    until_it_hears(&other).await;
    other.tell(some());
    assert_eq!(in_time(one.told()).await, some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_much_is_told_at_most_twenty_notifications_go_out_a_second() {
    let database = Database::new();
    let one = open(&database, true).await;
    until_it_hears(&one).await;
    let mut tasks = JoinSet::new();
    let (client, mut heard) = own(&database, &mut tasks).await;
    client.batch_execute("LISTEN upsert_gateway").await.unwrap();
    let began = Instant::now();
    for number in 0..10_000_u128 {
        one.tell(Hints::of_customer(customer_id(number % 100)));
        if number % 500 == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    one.tell(Hints::of_everything());
    let mut count = 0_u128;
    loop {
        let payload = in_time(heard.recv()).await.unwrap();
        count += 1;
        let kinds = payload.split(' ').nth(1).unwrap();
        if kinds == "cmde" {
            break;
        }
    }
    let at_most = began.elapsed().as_millis() / 50 + 2;
    assert!(count <= at_most, "{count} of {at_most}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_not_to_tell_or_hear_has_no_connection_for_it() {
    let database = Database::new();
    let quiet = open(&database, false).await;
    quiet.tell(some());
    quiet.check().await.unwrap();
    let loud = open(&database, true).await;
    until_it_hears(&loud).await;
    let mut tasks = JoinSet::new();
    let (client, _) = own(&database, &mut tasks).await;
    assert_eq!(listening(&client).await, 1, "the other one's");
    loud.tell(some());
    let has_told = async {
        while listening(&client).await > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    in_time(has_told).await;
    let heard = tokio::time::timeout(Duration::from_millis(300), quiet.told()).await;
    assert!(heard.is_err());
}
