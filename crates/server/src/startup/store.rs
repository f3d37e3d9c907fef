//! Opening the store that the settings name.

use std::sync::Arc;

use secrecy::ExposeSecret as _;
use upsert_sealing::Keyring;
use upsert_settings::StoreUrl;
use upsert_store::Store;
use upsert_store_sql::postgres::{PostgresOptions, PostgresStore};
use upsert_store_sql::sqlite::{SqliteOptions, SqliteStore};

use crate::startup::start_error::StartError;

/// An open store, and what has to be closed in the end.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    driver: Driver,
}

#[derive(Debug, Clone)]
enum Driver {
    /// Somebody else's.
    Given,
    Sqlite(Arc<SqliteStore>),
    Postgres(Arc<PostgresStore>),
}

impl Opened {
    /// A store that somebody else opened and closes.
    pub(crate) fn given(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            driver: Driver::Given,
        }
    }

    /// Opens the store, with the keys that seal what is kept there.
    pub(crate) async fn open(settings: &upsert_settings::Store, keys: Arc<Keyring>) -> Result<Self, StartError> {
        let path = match &settings.url {
            StoreUrl::Sqlite(path) => path.clone(),
            StoreUrl::Postgres(url) => {
                let options = PostgresOptions {
                    notify: settings.notify,
                    ..PostgresOptions::default()
                };
                let opened = PostgresStore::open_sealed(url.expose_secret(), options, keys).await;
                let postgres = Arc::new(opened.map_err(|error| StartError::Store(with_causes(&error)))?);
                return Ok(Self {
                    store: postgres.clone(),
                    driver: Driver::Postgres(postgres),
                });
            }
        };
        let open = move || SqliteStore::open_sealed(path, SqliteOptions::default(), keys);
        let opened = tokio::task::spawn_blocking(open).await;
        let opened = opened.map_err(|_| StartError::Store("opening it broke off".to_owned()))?;
        let sqlite = Arc::new(opened.map_err(|error| StartError::Store(with_causes(&error)))?);
        Ok(Self {
            store: sqlite.clone(),
            driver: Driver::Sqlite(sqlite),
        })
    }

    /// Waits until the store has failed for good; maybe for ever.
    pub(crate) async fn failed(&self) {
        match &self.driver {
            Driver::Sqlite(sqlite) => sqlite.failed().await,
            // A database that is away comes back.
            Driver::Postgres(_) | Driver::Given => std::future::pending().await,
        }
    }

    /// Finishes what is queued and lets go of the file, so that the next process may open it.
    pub(crate) async fn close(self) {
        match self.driver {
            Driver::Given => {}
            Driver::Postgres(postgres) => postgres.close().await,
            Driver::Sqlite(sqlite) => {
                if tokio::task::spawn_blocking(move || sqlite.close()).await.is_err() {
                    tracing::error!("the store could not be closed");
                }
            }
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
