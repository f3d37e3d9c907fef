//! SQLite under the contract suite of the stores: as it is, and with the file closed and opened again after every
//! changeset, so that each case tells as well what is durable.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod reopening;

use std::sync::Arc;

use tempfile::TempDir;

use upsert_store::Store;
use upsert_store_sql::sqlite::{SqliteOptions, SqliteStore};

use reopening::Reopening;

fn fresh() -> (Arc<dyn Store>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("gateway.db"), SqliteOptions::default()).unwrap();
    (Arc::new(store), folder)
}

fn fresh_and_reopened() -> (Arc<dyn Store>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Reopening::new(folder.path().join("gateway.db"));
    (Arc::new(store), folder)
}

/// With a key: what is kept is sealed, and nothing else is to be seen of it.
fn fresh_and_sealed() -> (Arc<dyn Store>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.db");
    let store = SqliteStore::open_sealed(file, SqliteOptions::default(), upsert_testkit::keys::ring()).unwrap();
    (Arc::new(store), folder)
}

mod sealed_sqlite {
    upsert_testkit::store_suite!(128 cases, super::fresh_and_sealed);
}

mod sqlite {
    upsert_testkit::store_suite!(128 cases, super::fresh);
}

mod reopened_sqlite {
    upsert_testkit::store_suite!(128 cases, super::fresh_and_reopened);
}
