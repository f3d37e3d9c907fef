//! How fast a store of many customers is copied from SQLite to PostgreSQL and back, and how much memory that takes.
//!
//! `cargo run --release -p upsert-store-sql --example copy_rate [customers] [folder] [postgres URL of an empty database]`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool that prints, and stops where it fails"
)]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use jiff::SignedDuration;

use upsert_core::{Clock, DeliveryId, IdSource, Identifier, KeyKind, MatchKey, SystemClock};
use upsert_store::{
    Applied, AttemptRecord, Changeset, CustomerChange, CustomerRecord, DeliveryState, IdempotencyRecord, Store, Write,
};
use upsert_store_sql::copy::{CopyOrder, CopyStep, Location, copy};
use upsert_store_sql::sqlite::{SqliteOptions, SqliteStore};
use upsert_testkit::postgres::Database;
use upsert_testkit::records::{
    attempt_record, customer_change, customer_record, delivery_record, idempotency_record, linked_lane, reachable,
    upsert_record,
};

const CONNECTIONS: [&str; 3] = ["crm", "payments", "wallet"];

/// Customers in one changeset.
const AT_ONCE: usize = 200;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let customers = arguments.next().map_or(100_000, |text| text.parse().unwrap());
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(folder).unwrap();
    let own = arguments.next();
    let database = own.is_none().then(Database::new);
    let postgres = own.or_else(|| database.as_ref().map(|database| database.url().to_owned()));
    let postgres = Location::Postgres(postgres.unwrap());

    let source = folder.path().join("old.db");
    let began = Instant::now();
    fill(&source, customers).await;
    let size = std::fs::metadata(&source).unwrap().len() / 1_000_000;
    println!(
        "{customers} customers: {size} MB, written in {:.0} s",
        began.elapsed().as_secs_f64()
    );
    println!("memory at most so far: {}", most_memory());
    let back = Location::Sqlite(folder.path().join("back.db"));
    let source = Location::Sqlite(source);
    let mut compared = Vec::new();
    for (what, from, to) in [
        ("SQLite to PostgreSQL", &source, &postgres),
        ("PostgreSQL to SQLite", &postgres, &back),
    ] {
        let order = CopyOrder {
            from: from.clone(),
            to: to.clone(),
            from_shown: "the one before".to_owned(),
            batch: CopyOrder::USUAL_BATCH,
        };
        let began = Instant::now();
        let mut copying = 0.0;
        let mut tell = |step| {
            if let CopyStep::Copied { .. } = step {
                copying = began.elapsed().as_secs_f64();
            }
            ControlFlow::Continue(())
        };
        let copied = copy(&order, &|| SystemClock.now(), &mut tell).await.unwrap();
        assert!(copied.is_same());
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = copied.rows as f64 / copying;
        println!(
            "{what}: {} rows in {copying:.0} s, {rate:.0}/s; compared in {:.0} s; memory at most so far: {}",
            copied.rows,
            began.elapsed().as_secs_f64() - copying,
            most_memory()
        );
        compared.push(copied.compared);
    }
    assert_eq!(compared[0], compared[1]);
    for of in &compared[0] {
        println!("{:<16} {:>8}  {:032x}", of.thing, of.from, of.from_digest);
    }
}

/// Of this process; nothing where there is no `/proc`.
fn most_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.and_then(|line| line.split_once(':'))
        .map_or_else(String::new, |(_, text)| text.trim().to_owned())
}

async fn fill(path: &Path, customers: usize) {
    let store = SqliteStore::open(path, SqliteOptions::default()).unwrap();
    let ids = IdSource::new(Arc::new(SystemClock));
    for first in (0..customers).step_by(AT_ONCE) {
        let numbers = first..customers.min(first + AT_ONCE);
        let changes = Changeset {
            write: numbers.flat_map(|number| customer(&ids, number)).collect(),
            ..Changeset::of("acme")
        };
        assert_eq!(store.apply(changes).await.unwrap(), Applied::Done);
    }
    store.close();
}

/// A customer at three connections. One delivery in a hundred waits.
fn customer(ids: &IdSource, number: usize) -> Vec<Write> {
    let (customer, upsert, now) = (ids.customer("acme"), ids.upsert("acme"), SystemClock.now());
    // Values come in random order: the id backwards.
    let tail: String = customer.to_string().chars().rev().take(20).collect();
    let (email, phone) = (format!("{tail}@example.com"), format!("+61{tail}"));
    let record = reachable(&tail, &email, &phone);
    let mut key = [0; 32];
    key[..16].copy_from_slice(customer.as_uuid().as_bytes());
    key.reverse();
    let keys = [
        MatchKey::new(KeyKind::Phone, phone),
        MatchKey::new(KeyKind::Email, email),
    ];
    let mut accepted = upsert_record("acme", upsert, customer);
    accepted.created_at = now;
    let change = CustomerChange {
        record: record.clone(),
        ..customer_change("Ada")
    };
    let mut write = vec![
        Write::PutCustomer(CustomerRecord {
            customer: record.clone(),
            ..customer_record("acme", customer)
        }),
        Write::PutUpsert(accepted, Some(change)),
        Write::PutIdempotency(IdempotencyRecord {
            key,
            ..idempotency_record("acme", 0, upsert)
        }),
    ];
    for (part, connection) in (1..).zip(CONNECTIONS) {
        let delivery = DeliveryId::of(upsert, part);
        let state = if number.is_multiple_of(100) {
            DeliveryState::Waiting
        } else {
            DeliveryState::Succeeded
        };
        let mut sent = delivery_record("acme", connection, delivery, state);
        (sent.customer, sent.created_at) = (customer, now);
        let attempt = AttemptRecord {
            started_at: now,
            ended_at: Some(now + SignedDuration::from_millis(80)),
            ..attempt_record(delivery, 1)
        };
        let mut lane = linked_lane("acme", customer, connection, &format!("{connection}-{number}"));
        write.extend(lane.reserve(&keys));
        write.extend([Write::PutDelivery(sent, Some(attempt)), Write::PutLane(lane)]);
    }
    let identifier = |identifier: Identifier| Write::AddIdentifier { identifier, customer };
    write.extend(record.identifiers().into_iter().map(identifier));
    write
}
