//! Opening the store that the settings name.

use std::sync::Arc;

use upsert_settings::StoreUrl;
use upsert_store::Store;
use upsert_store_sql::sqlite::{SqliteOptions, SqliteStore};

use crate::startup::start_error::StartError;

/// An open store, and what has to be closed in the end.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    sqlite: Option<Arc<SqliteStore>>,
}

impl Opened {
    /// A store that somebody else opened and closes.
    pub(crate) fn given(store: Arc<dyn Store>) -> Self {
        Self { store, sqlite: None }
    }

    /// Opens the store.
    pub(crate) async fn open(url: &StoreUrl) -> Result<Self, StartError> {
        let StoreUrl::Sqlite(path) = url else {
            return Err(StartError::Store("a store in PostgreSQL is not built yet".to_owned()));
        };
        let path = path.clone();
        let opened = tokio::task::spawn_blocking(move || SqliteStore::open(path, SqliteOptions::default())).await;
        let opened = opened.map_err(|_| StartError::Store("opening it broke off".to_owned()))?;
        let sqlite = Arc::new(opened.map_err(|error| StartError::Store(with_causes(&error)))?);
        Ok(Self {
            store: sqlite.clone(),
            sqlite: Some(sqlite),
        })
    }

    /// Waits until the store has failed for good; maybe for ever.
    pub(crate) async fn failed(&self) {
        match &self.sqlite {
            Some(sqlite) => sqlite.failed().await,
            None => std::future::pending().await,
        }
    }

    /// Finishes what is queued and lets go of the file, so that the next process may open it.
    pub(crate) async fn close(self) {
        if let Some(sqlite) = self.sqlite
            && tokio::task::spawn_blocking(move || sqlite.close()).await.is_err()
        {
            tracing::error!("the store could not be closed");
        }
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
