//! Encryption at rest, on either driver: nothing of a person or of a secret stands in the clear, nothing that was changed
//! is served, and keys are rotated and come to a store that had none.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod left_behind;
mod planted;
mod raw;
mod rotation;
mod taken_over;
mod tampering;
mod what_stands_there;

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use upsert_sealing::{Keyring, SealingKey};
use upsert_store::Store;
use upsert_store_sql::postgres::{PostgresOptions, PostgresStore};
use upsert_store_sql::sqlite::{SqliteOptions, SqliteStore};
use upsert_testkit::postgres::Database;

/// Two keys; each text is 32 bytes in Base64.
const OLD: (&str, &str) = ("2026-11", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
const NEW: (&str, &str) = ("2027-05", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=");

fn ring(keys: &[(&str, &str)]) -> Arc<Keyring> {
    let key = |(id, text): &(&str, &str)| SealingKey::read(id, &(*text).to_owned().into()).unwrap();
    Arc::new(Keyring::new(keys.iter().map(key).collect()))
}

/// Where a store is.
enum Place {
    Sqlite(TempDir),
    Postgres(Database),
}

/// Both drivers, each with an empty place.
fn places() -> [Place; 2] {
    [
        Place::Sqlite(tempfile::tempdir().unwrap()),
        Place::Postgres(Database::new()),
    ]
}

enum Opened {
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
}

impl Place {
    fn file(folder: &TempDir) -> PathBuf {
        folder.path().join("gateway.db")
    }

    async fn try_open(&self, keys: Arc<Keyring>) -> Result<Opened, String> {
        match self {
            Self::Sqlite(folder) => {
                let opened = SqliteStore::open_sealed(Self::file(folder), SqliteOptions::default(), keys);
                opened.map(Opened::Sqlite).map_err(|error| error.to_string())
            }
            Self::Postgres(database) => {
                let opened = PostgresStore::open_sealed(database.url(), PostgresOptions::default(), keys).await;
                opened.map(Opened::Postgres).map_err(|error| error.to_string())
            }
        }
    }

    async fn open(&self, keys: &[(&str, &str)]) -> Opened {
        self.try_open(ring(keys)).await.unwrap()
    }
}

impl Opened {
    fn store(&self) -> &dyn Store {
        match self {
            Self::Sqlite(store) => store,
            Self::Postgres(store) => store,
        }
    }

    async fn close(self) {
        match self {
            Self::Sqlite(store) => store.close(),
            Self::Postgres(store) => store.close().await,
        }
    }
}
