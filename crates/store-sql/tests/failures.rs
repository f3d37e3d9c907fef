//! What goes wrong inside: one bad changeset among good ones, and a disk that takes no more.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tokio::task::JoinSet;

use upsert_core::CustomerId;
use upsert_store::{
    Applied, Changeset, CustomerFilter, CustomerStore as _, Store, StoreError, UpsertStore as _, Write,
};
use upsert_store_sql::sqlite::{SqliteOptions, SqliteStore};
use upsert_testkit::records::{customer_id, customer_record, email};

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, SqliteOptions::default()).unwrap()
}

fn put(number: u128) -> Changeset {
    Changeset {
        write: vec![Write::PutCustomer(customer_record("acme", customer_id(number)))],
        ..Changeset::of("acme")
    }
}

/// Writes an identifier and then a number that no database holds.
fn bad(number: u128) -> Changeset {
    let mut record = customer_record("new-merchant", customer_id(number));
    record.revision = u64::MAX;
    Changeset {
        expect: Vec::new(),
        write: vec![
            Write::AddIdentifier {
                identifier: email("canary@example.com"),
                customer: customer_id(number),
            },
            Write::PutCustomer(record),
        ],
        ..Changeset::of("new-merchant")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changeset_that_cannot_be_written_fails_alone_and_without_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let store = Arc::new(open(&path));
    for round in 0..5_u128 {
        let mut tasks = JoinSet::new();
        for number in round * 100..round * 100 + 64 {
            let store = Arc::clone(&store);
            let is_bad = number % 16 == 7;
            let changes = if is_bad { bad(number) } else { put(number) };
            tasks.spawn(async move { (is_bad, store.apply(changes).await) });
        }
        for (is_bad, outcome) in tasks.join_all().await {
            match outcome {
                Ok(applied) => assert!(!is_bad && applied == Applied::Done),
                Err(StoreError::Failed(text)) => {
                    assert!(is_bad, "{text}");
                    assert!(text.contains("revision") && !text.contains("canary"), "{text}");
                }
                Err(StoreError::Busy | StoreError::Unavailable(_)) => panic!("the queue is long enough"),
            }
        }
    }
    assert!(!store.is_failed());
    store.check().await.unwrap();
    let all = CustomerFilter::default();
    let found = store.customers("acme", &all, None, 1_000).await.unwrap();
    assert_eq!(found.entries.len(), 5 * 60);
    // The name was taken back with the rest, and is given out anew.
    let late = Changeset {
        write: vec![Write::PutCustomer(customer_record("new-merchant", customer_id(9_999)))],
        ..Changeset::of("new-merchant")
    };
    store.apply(late).await.unwrap();
    let found = store.customers("new-merchant", &all, None, 10).await.unwrap();
    assert_eq!(found.entries.len(), 1);
    drop(store);
    let direct = rusqlite::Connection::open(&path).unwrap();
    let traces: i64 = direct
        .query_row("SELECT count(*) FROM keys", [], |row| row.get(0))
        .unwrap();
    assert_eq!(traces, 0);
}

const CHILD: &str = "UPSERT_STORE_FAILURE_CHILD";
const ACKNOWLEDGED: &str = "acknowledged ";

/// In the child: writes until the disk takes no more, then holds the store to what it promises.
async fn write_until_the_disk_is_full(path: &Path) {
    let store = open(path);
    let mut number = 0;
    let refused = loop {
        number += 1;
        match store.apply(put(number)).await {
            Ok(applied) => {
                assert_eq!(applied, Applied::Done);
                eprintln!("{ACKNOWLEDGED}{number}");
            }
            Err(error) => break error,
        }
    };
    assert!(
        matches!(refused, StoreError::Unavailable(_) | StoreError::Failed(_)),
        "{refused}"
    );
    assert!(store.is_failed());
    store.failed().await;
    assert!(store.check().await.is_err());
    for number in [1, 2] {
        assert!(matches!(
            store.apply(put(number)).await,
            Err(StoreError::Unavailable(_))
        ));
    }
    assert!(store.forget_expired(upsert_testkit::records::noon(), 1).await.is_err());
}

/// The child runs with a limit on the size of its files, so that a commit fails in earnest.
#[cfg(unix)]
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "tells the child from its parent")]
async fn after_a_failed_commit_the_store_takes_no_more_and_has_lost_nothing() {
    if let Ok(path) = std::env::var(CHILD) {
        write_until_the_disk_is_full(Path::new(&path)).await;
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    drop(open(&path));
    let child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 1000; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "after_a_failed_commit_the_store_takes_no_more_and_has_lost_nothing",
        ])
        .arg("--nocapture")
        .env(CHILD, &path)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{told}");
    let acknowledged: Vec<CustomerId> = told
        .lines()
        .filter_map(|line| line.strip_prefix(ACKNOWLEDGED))
        .map(|number| customer_id(number.parse().unwrap()))
        .collect();
    assert!(acknowledged.len() > 10, "{told}");

    let store = open(&path);
    assert!(!store.is_failed());
    for id in acknowledged {
        assert!(store.customer("acme", id).await.unwrap().is_some());
    }
    store.apply(put(1_000_000)).await.unwrap();
}
