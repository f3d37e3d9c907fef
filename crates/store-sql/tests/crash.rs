//! Killed at any moment, the store keeps what it has acknowledged.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(unix)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::task::JoinSet;

use upsert_core::IdentifierKind;
use upsert_store::{Applied, Changeset, CustomerStore as _, Expect, IdentityQuery, Store, Write};
use upsert_store_sql::sqlite::{SqliteOptions, SqliteStore};
use upsert_testkit::records::{customer_change, customer_id, customer_record, identifier, upsert_id, upsert_record};

const TEST: &str = "what_was_acknowledged_survives_being_killed";
const CHILD: &str = "UPSERT_STORE_CRASH_CHILD";
const ACKNOWLEDGED: &str = "acknowledged ";
const ROUNDS: u64 = 8;
const WRITERS: u128 = 8;

fn open(path: &Path) -> SqliteStore {
    // A short log, so that kills hit checkpoints too.
    let options = SqliteOptions {
        checkpoint_pages: 100,
        ..SqliteOptions::default()
    };
    SqliteStore::open(path, options).unwrap()
}

/// A customer, its identifier and its history: all of them or none.
fn changes(number: u128) -> Changeset {
    let customer = customer_id(number);
    Changeset {
        expect: vec![Expect::Customer {
            id: customer,
            revision: None,
        }],
        write: vec![
            Write::PutCustomer(customer_record("acme", customer)),
            Write::AddIdentifier {
                identifier: identifier(IdentifierKind::Reference, &number.to_string()),
                customer,
            },
            Write::PutUpsert(
                upsert_record("acme", upsert_id(number), customer),
                Some(customer_change("Ada")),
            ),
        ],
        ..Changeset::of("acme")
    }
}

/// In the child: writes until it is killed.
async fn write_for_ever(path: &Path, round: u128) {
    let store = Arc::new(open(path));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for step in 0.. {
                let number = (round * WRITERS + writer) * 1_000_000 + step + 1;
                assert_eq!(store.apply(changes(number)).await.unwrap(), Applied::Done);
                eprintln!("{ACKNOWLEDGED}{number} .");
            }
        });
    }
    writers.join_all().await;
}

/// Starts a child, kills it after this long, and tells what it had acknowledged.
fn kill_a_writer(path: &Path, round: u64, after: Duration) -> Vec<u128> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(CHILD, format!("{round} {}", path.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let told = BufReader::new(child.stderr.take().unwrap());
    let (heard, lines) = mpsc::channel();
    // Reads along, so that the child never waits for us.
    let reader = std::thread::spawn(move || {
        for line in told.lines().map_while(Result::ok) {
            heard.send(line).unwrap();
        }
    });
    let first = lines.recv().ok();
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    let acknowledged = |line: String| {
        // The full stop tells a whole line from one that the kill cut.
        let number = line.strip_prefix(ACKNOWLEDGED)?.strip_suffix(" .")?;
        number.parse().ok()
    };
    first.into_iter().chain(lines).filter_map(acknowledged).collect()
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "tells the child from its parent")]
async fn what_was_acknowledged_survives_being_killed() {
    if let Ok(order) = std::env::var(CHILD) {
        let (round, path) = order.split_once(' ').unwrap();
        write_for_ever(Path::new(path), round.parse().unwrap()).await;
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        // Spread over the first third of a second; the exact moment is the machine's.
        let after = Duration::from_millis(15 + round * 37);
        let of_round = kill_a_writer(&path, round, after);
        assert!(!of_round.is_empty(), "round {round} wrote nothing");
        acknowledged.extend(of_round);
    }

    let store = open(&path);
    for number in &acknowledged {
        let query = IdentityQuery {
            id: None,
            identifiers: vec![identifier(IdentifierKind::Reference, &number.to_string())],
        };
        let view = store.identify("acme", &query).await.unwrap();
        let found: Vec<_> = view.holders[0].iter().map(|known| known.record.id).collect();
        assert_eq!(found, [customer_id(*number)]);
        let history = store.history("acme", customer_id(*number), None, 2).await.unwrap();
        assert_eq!(history.entries.len(), 1);
    }
    store.close();
    let direct = rusqlite::Connection::open(&path).unwrap();
    let verdict: String = direct
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(verdict, "ok");
    // What was not acknowledged is there as a whole or not at all.
    let halves: i64 = direct
        .query_row(
            "SELECT abs((SELECT count(*) FROM customers) - (SELECT count(change) FROM upserts)) \
             + abs((SELECT count(*) FROM customers) - (SELECT count(*) FROM keys))",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(halves, 0);
}
