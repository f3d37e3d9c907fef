//! A store that closes its file and opens it again after every changeset.

use std::path::PathBuf;

use async_trait::async_trait;
use tokio::sync::{Mutex, MutexGuard};

use upsert_store::{Applied, Changeset, Store, StoreError};
use upsert_store_sql::sqlite::{SqliteOptions, SqliteStore};

#[derive(Debug)]
pub(crate) struct Reopening {
    path: PathBuf,
    store: Mutex<SqliteStore>,
}

impl Reopening {
    pub(crate) fn new(path: PathBuf) -> Self {
        let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
        Self {
            path,
            store: Mutex::new(store),
        }
    }

    async fn inner(&self) -> MutexGuard<'_, SqliteStore> {
        let mut store = self.store.lock().await;
        store.close();
        *store = SqliteStore::open(&self.path, SqliteOptions::default()).unwrap();
        store
    }

    async fn run<T>(&self, call: impl Future<Output = T>) -> T {
        call.await
    }
}

#[async_trait]
impl Store for Reopening {
    async fn apply(&self, changes: Changeset) -> Result<Applied, StoreError> {
        self.inner().await.apply(changes).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.inner().await.check().await
    }
}

upsert_testkit::questions_passed_on!(Reopening);
