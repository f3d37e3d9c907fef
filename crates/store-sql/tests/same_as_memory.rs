//! Random changesets: each driver answers as the in-memory store does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use proptest::prelude::*;

use upsert_store::{Changeset, EventStore as _, Store, UpsertStore as _};
use upsert_store_sql::postgres::{PostgresOptions, PostgresStore};
use upsert_store_sql::sqlite::{SqliteOptions, SqliteStore};
use upsert_testkit::MemoryStore;
use upsert_testkit::keys::ring;
use upsert_testkit::postgres::Database;
use upsert_testkit::records::seconds;
use upsert_testkit::store_model::{changesets, observe};

/// Applies one after another to both and compares what they answer, each time and in the end.
async fn compare(changesets: Vec<Changeset>, store: &dyn Store) -> usize {
    let memory = MemoryStore::new();
    let mut done = 0;
    for changes in changesets {
        let expected = memory.apply(changes.clone()).await.unwrap();
        assert_eq!(store.apply(changes).await.unwrap(), expected);
        done += usize::from(expected == upsert_store::Applied::Done);
    }
    observe(store).await.assert_same(&observe(&memory).await);
    for (done, failed, limit) in [(2, 3, 1), (3, 2, 1), (4, 3, 10)] {
        let (done, failed) = (seconds(done), seconds(failed));
        let expected = memory.forget_events(done, failed, limit).await.unwrap();
        assert_eq!(store.forget_events(done, failed, limit).await.unwrap(), expected);
    }
    for (before, limit) in [(2, 10), (4, 1), (9, 10)] {
        let before = seconds(before);
        let mut after = None;
        for _ in 0..3 {
            let expected = memory.older_upserts(after.as_ref(), before, limit).await.unwrap();
            assert_eq!(
                store.older_upserts(after.as_ref(), before, limit).await.unwrap(),
                expected
            );
            after = expected.last().map(|(upsert, _)| upsert.clone());
        }
    }
    // All of them: which of two goes first that expire at one moment is nobody's promise, and a sealed store has other keys.
    let now = seconds(1);
    let expected = memory.forget_expired(now, 1_000).await.unwrap();
    assert_eq!(store.forget_expired(now, 1_000).await.unwrap(), expected);
    observe(store).await.assert_same(&observe(&memory).await);
    done
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_and_memory_answer_alike(changesets in changesets(24), is_sealed in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let keys = if is_sealed { ring() } else { Arc::default() };
        let file = folder.path().join("gateway.db");
        let sqlite = SqliteStore::open_sealed(file, SqliteOptions::default(), keys).unwrap();
        let first_is_free = changesets[0].expect.is_empty();
        let done = runtime.block_on(compare(changesets, &sqlite));
        prop_assert!(done > 0 || !first_is_free);
    }
}

/// Fewer: each has a database of its own, which takes longer than all that is done with it.
const DATABASES: u32 = 40;

proptest! {
    #![proptest_config(ProptestConfig { cases: DATABASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn postgresql_and_memory_answer_alike(changesets in changesets(24), is_sealed in any::<bool>()) {
        let database = Database::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let first_is_free = changesets[0].expect.is_empty();
        let done = runtime.block_on(async {
            let keys = if is_sealed { ring() } else { Arc::default() };
            let open = PostgresStore::open_sealed(database.url(), PostgresOptions::default(), keys);
            let postgres = open.await.unwrap();
            compare(changesets, &postgres).await
        });
        prop_assert!(done > 0 || !first_is_free);
    }
}
