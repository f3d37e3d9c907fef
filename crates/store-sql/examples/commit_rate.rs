//! How many changesets a second become durable: one at a time, 64 at once with group commit, and 64 at once with a
//! transaction each; on SQLite and on PostgreSQL. All in one run on one disk, since only the ratios mean anything.
//!
//! `cargo run --release -p upsert-store-sql --example commit_rate [folder] [seconds] [part of a line's name]`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool that prints, and stops where it fails"
)]

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use tokio::task::JoinSet;

use upsert_core::{Clock, DeliveryId, IdSource, Identifier, KeyKind, MatchKey, SystemClock};
use upsert_store::{
    Applied, AttemptRecord, Changeset, CustomerChange, CustomerRecord, DeliveryState, Expect, IdempotencyRecord, Lane,
    Store, Write,
};
use upsert_store_sql::postgres::{PostgresOptions, PostgresStore};
use upsert_store_sql::sqlite::{SqliteOptions, SqliteStore};
use upsert_testkit::postgres::Server;
use upsert_testkit::records::{
    attempt_record, customer_change, customer_record, delivery_record, idempotency_record, reachable, upsert_record,
};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let seconds = arguments.next().map_or(3, |text| text.parse().unwrap());
    let only = arguments.next().unwrap_or_default();
    let folder = tempfile::tempdir_in(folder).unwrap();
    let time = Duration::from_secs(seconds);

    println!("fdatasync of 4 KiB: {:.0}/s", syncs(&folder.path().join("plain"), time));
    println!(
        "a changeset is the intent of one new customer for one connection: {} writes",
        intent_size()
    );
    println!(
        "{:<62} {:>12} {:>16} {:>16}",
        "", "changesets/s", "CPU µs/changeset", "of the database"
    );
    for (what, kind, batch, stores, writers) in LINES {
        if !what.contains(&only) {
            continue;
        }
        let place = Place::new(kind, batch, stores, folder.path()).await;
        let (rate, cpu, database) = place.measure(writers, time).await;
        println!("{what:<62} {rate:>12.0} {cpu:>16.1} {database:>16.1}");
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

/// Name, store, changesets in a commit, stores over one database, and who writes at once.
const LINES: [(&str, Kind, usize, usize, usize); 7] = [
    ("SQLite: 1 writer", Kind::Sqlite, 256, 1, 1),
    ("SQLite: 64 writers, group commit", Kind::Sqlite, 256, 1, 64),
    ("SQLite: 64 writers, a transaction each", Kind::Sqlite, 1, 1, 64),
    ("PostgreSQL: 1 writer", Kind::Postgres, 256, 1, 1),
    ("PostgreSQL: 64 writers, group commit", Kind::Postgres, 256, 1, 64),
    (
        "PostgreSQL: 64 writers, a transaction each, one connection",
        Kind::Postgres,
        1,
        1,
        64,
    ),
    (
        "PostgreSQL: 64 writers, a transaction each, 16 connections",
        Kind::Postgres,
        1,
        16,
        64,
    ),
];

/// A database, and the stores over it.
struct Place {
    stores: Vec<Arc<dyn Store>>,
    server: Option<Server>,
}

impl Place {
    async fn new(kind: Kind, batch: usize, stores: usize, folder: &Path) -> Self {
        if kind == Kind::Sqlite {
            let file = tempfile::tempdir_in(folder).unwrap().keep().join("store.db");
            let options = SqliteOptions {
                batch,
                ..SqliteOptions::default()
            };
            let store = SqliteStore::open(&file, options).unwrap();
            return Self {
                stores: vec![Arc::new(store)],
                server: None,
            };
        }
        let server = Server::new("max_connections=300", |_| {});
        let mut all: Vec<Arc<dyn Store>> = Vec::new();
        for _ in 0..stores {
            let options = PostgresOptions {
                batch,
                ..PostgresOptions::default()
            };
            all.push(Arc::new(PostgresStore::open(&server.url(), options).await.unwrap()));
        }
        Self {
            stores: all,
            server: Some(server),
        }
    }

    /// Changesets a second, and the CPU of each in microseconds: here, and in the database's own processes.
    async fn measure(&self, writers: usize, time: Duration) -> (f64, f64, f64) {
        let ids = IdSource::new(Arc::new(SystemClock));
        let (started, cpu_before, database_before) = (Instant::now(), cpu_seconds("self", 2), self.database_seconds());
        let mut tasks = JoinSet::new();
        for writer in 0..writers {
            let (store, ids) = (Arc::clone(&self.stores[writer % self.stores.len()]), ids.clone());
            tasks.spawn(async move {
                let mut count = 0_u32;
                while started.elapsed() < time {
                    let changes = intent(&ids);
                    assert_eq!(store.apply(changes).await.unwrap(), Applied::Done);
                    count += 1;
                }
                count
            });
        }
        let count = f64::from(tasks.join_all().await.iter().sum::<u32>());
        let took = started.elapsed().as_secs_f64();
        let cpu = cpu_seconds("self", 2) - cpu_before;
        let database = self.database_seconds() - database_before;
        (count / took, cpu * 1e6 / count, database * 1e6 / count)
    }

    /// CPU time of the server's first process, its children, and those that have ended.
    fn database_seconds(&self) -> f64 {
        let Some(parent) = self.server.as_ref().and_then(Server::process) else {
            return 0.0;
        };
        let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        let children = children.split_whitespace().map(|child| cpu_seconds(child, 2));
        cpu_seconds(&parent.to_string(), 4) + children.sum::<f64>()
    }
}

/// How often a second the disk says that it has something.
fn syncs(path: &Path, time: Duration) -> f64 {
    let mut file = File::create(path).unwrap();
    let started = Instant::now();
    let mut count = 0_u32;
    while started.elapsed() < time {
        file.write_all(&[7; 4_096]).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    f64::from(count) / started.elapsed().as_secs_f64()
}

/// CPU time of a process so far, in the kernel's ticks of 10 ms: of its own for two fields, with the children that have ended
/// for four. 0 where there is no `/proc`.
fn cpu_seconds(process: &str, fields: usize) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(fields);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn intent_size() -> usize {
    intent(&IdSource::new(Arc::new(SystemClock))).write.len()
}

/// What is written before the first byte goes to a vendor: a new customer with three identifiers, one connection.
fn intent(ids: &IdSource) -> Changeset {
    let (customer, upsert) = (ids.customer("acme"), ids.upsert("acme"));
    let delivery = DeliveryId::of(upsert, 1);
    let now = SystemClock.now();
    // Values come in random order too: the backward id again.
    let tail: String = customer.to_string().chars().rev().take(20).collect();
    let tail = tail.as_str();
    let (email, phone) = (format!("{tail}@example.com"), format!("+61{tail}"));
    let record = reachable(tail, &email, &phone);
    // Hashes are in random order; so are ids that are read backwards.
    let mut key = [0; 32];
    key[..16].copy_from_slice(customer.as_uuid().as_bytes());
    key.reverse();

    let mut expect = vec![Expect::Customer {
        id: customer,
        revision: None,
    }];
    expect.extend(record.identifiers().into_iter().map(|identifier| Expect::Holders {
        identifier,
        customers: Vec::new(),
    }));
    let keys = vec![
        MatchKey::new(KeyKind::Phone, phone),
        MatchKey::new(KeyKind::Email, email),
    ];
    expect.push(Expect::KeysFree {
        connection: "crm".to_owned(),
        keys: keys.clone(),
        customer,
    });
    let mut lane = Lane::new("acme", customer, "crm");
    expect.push(lane.change());
    lane.queue(delivery);
    let reserved = lane.reserve(&keys);
    let mut accepted = upsert_record("acme", upsert, customer);
    accepted.created_at = now;
    let mut sent = delivery_record("acme", "crm", delivery, DeliveryState::Pending);
    (sent.customer, sent.created_at) = (customer, now);
    sent.start_at_once(now + SignedDuration::from_secs(30));
    let attempt = AttemptRecord {
        started_at: now,
        ..attempt_record(delivery, 1)
    };
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
        Write::PutDelivery(sent, Some(attempt)),
        Write::PutLane(lane),
        Write::PutIdempotency(IdempotencyRecord {
            key,
            ..idempotency_record("acme", 0, upsert)
        }),
    ];
    let identifier = |identifier: Identifier| Write::AddIdentifier { identifier, customer };
    write.extend(record.identifiers().into_iter().map(identifier));
    write.extend(reserved);
    Changeset {
        expect,
        write,
        ..Changeset::of("acme")
    }
}
