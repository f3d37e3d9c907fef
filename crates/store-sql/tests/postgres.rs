//! PostgreSQL under the contract suite of the stores, in a real server.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use tokio::runtime::Handle;
use upsert_store::Store;
use upsert_store_sql::postgres::{PostgresOptions, PostgresStore};
use upsert_testkit::postgres::Database;

fn fresh() -> (Arc<dyn Store>, Database) {
    let database = Database::new();
    let open = PostgresStore::open(database.url(), PostgresOptions::default());
    let store = tokio::task::block_in_place(|| Handle::current().block_on(open)).unwrap();
    (Arc::new(store), database)
}

/// With a key: what is kept is sealed, and nothing else is to be seen of it.
fn fresh_and_sealed() -> (Arc<dyn Store>, Database) {
    let database = Database::new();
    let keys = upsert_testkit::keys::ring();
    let open = PostgresStore::open_sealed(database.url(), PostgresOptions::default(), keys);
    let store = tokio::task::block_in_place(|| Handle::current().block_on(open)).unwrap();
    (Arc::new(store), database)
}

mod sealed_postgres {
    upsert_testkit::store_suite!(128 cases, super::fresh_and_sealed);
}

mod postgres {
    upsert_testkit::store_suite!(128 cases, super::fresh);
}
