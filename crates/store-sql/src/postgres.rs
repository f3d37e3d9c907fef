//! The store that several processes share: a PostgreSQL database.
//!
//! **One writer a process.** All changesets of a process go to one task. It takes whatever has queued while the last commit
//! was running, locks the rows that these changesets are about, judges and applies them in memory, writes what is left in
//! one statement for each table and kind of change, and answers everybody after one commit.
//!
//! **Many processes.** Every writer locks tables and rows in one order, so two cannot wait for each other; a row that is not
//! there yet is guarded by its primary key: who comes second fails and begins anew. So whatever a changeset expects holds
//! until its writes are there, whichever processes write beside it.
//!
//! **Nothing beyond plain PostgreSQL.** Every key begins with the merchant; there are no sequences, no advisory locks, no
//! triggers and no extensions.
//!
//! **Threads of its own.** Connections live on a thread of the store's, whichever thread asks.

mod adopt;
mod batch;
mod connect;
pub(crate) mod copying;
mod copying_sql;
mod data_keys;
mod encryption;
mod error;
mod expect;
mod hints;
mod judge;
mod keys;
mod part_rows;
mod queries;
mod reader;
mod rows;
mod schema;
mod table;
mod tables;
mod text;
mod transaction;
mod vacuum;
mod value;
mod write;
mod writer;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolError, RecyclingMethod};
use jiff::SignedDuration;
use tokio::runtime::{Builder, Handle, Runtime};

use upsert_sealing::{Keyring, NotOpened};
use upsert_store::{Applied, Changeset, Hints, Store, StoreError};

use crate::digest::Digests;
use crate::sealed::Seals;
use adopt::NotAdopted;
use connect::Connector;
use error::{DbError, DbResult};
use hints::HintsHandle;
use reader::Client;
use vacuum::VacuumHandle;
use writer::WriterHandle;

/// Clocks of processes that share a database may differ by twice this: leases have room for it.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(2);

/// How a store is opened. The default suits a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostgresOptions {
    /// Connections that read; the writer has one more.
    pub readers: usize,
    /// Changesets that may wait; one more is answered with `StoreError::Busy`.
    pub queue: usize,
    /// Changesets in one commit at most.
    pub batch: usize,
    /// How long a question or a commit may take.
    pub patience: Duration,
    /// Whether processes tell each other at once what to look at, by a connection more and `LISTEN`.
    pub notify: bool,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            readers: 8,
            queue: 4_096,
            batch: 256,
            patience: Duration::from_secs(10),
            notify: true,
        }
    }
}

/// A database could not be opened. Its text holds neither the URL nor a value.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL cannot be used.
    #[error("the store's URL cannot be used: {0}")]
    Url(&'static str),
    /// Something is wrong with TLS.
    #[error("the store cannot be reached by TLS: {0}")]
    Tls(String),
    /// The database cannot be reached, or refused.
    #[error("the store's database cannot be used: {0}")]
    Database(String),
    /// A newer program has made the schema what it is, and this one cannot work with it.
    #[error("the store has schema {found}, made by a newer version of this program; this version works up to {known}")]
    Newer {
        /// What was found.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// This machine's clock is not the database's.
    #[error(
        "the clock of the store's database is {} s {} this machine's: processes that share it go by their clocks; set both by NTP",
        .ahead.abs().as_secs(), if .ahead.is_negative() { "behind" } else { "ahead of" }
    )]
    Clock {
        /// How far the database's clock is ahead.
        ahead: SignedDuration,
    },
    /// A copy to it has begun and not ended.
    #[error("the store is being filled by `upsert-gateway store copy`, which has not ended: run it again until it has")]
    Unfinished,
    /// What it holds is sealed, and cannot be opened.
    #[error("the store is sealed, and cannot be opened: {why}. Its key has to be in `store.encryption_keys`")]
    Sealed {
        /// Why.
        why: NotOpened,
    },
    /// A thread could not be started.
    #[error("the store's thread could not be started")]
    Thread {
        /// Why.
        source: std::io::Error,
    },
}

/// A store in a PostgreSQL database. [`PostgresStore::close`] finishes what is queued; dropping it does not.
pub struct PostgresStore {
    pool: Pool,
    digests: Digests,
    seals: Arc<Seals>,
    writer: WriterHandle,
    /// None: each process finds out by looking.
    hints: Option<HintsHandle>,
    vacuum: VacuumHandle,
    patience: Duration,
    /// Dropped last.
    _threads: Threads,
}

/// The threads that connections live on. They end without being waited for: whoever drops may be a thread that must not
/// wait.
struct Threads(Option<Runtime>);

impl Threads {
    fn start() -> Result<(Self, Handle), OpenError> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder
            .worker_threads(1)
            .thread_name("store-postgres")
            .enable_all()
            .build();
        let runtime = runtime.map_err(|source| OpenError::Thread { source })?;
        let handle = runtime.handle().clone();
        Ok((Self(Some(runtime)), handle))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Shows nothing of where it is.
impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Connects, and brings the schema up to date, which other processes may be doing too.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]: the URL cannot be used, the database cannot be reached, refuses, or is of a newer program.
    pub async fn open(url: &str, options: PostgresOptions) -> Result<Self, OpenError> {
        Self::open_sealed(url, options, Arc::default()).await
    }

    /// The same with keys: what is written is sealed. A database that has none is taken over by the first one.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]: as ever, or a key is missing that it is sealed with.
    pub async fn open_sealed(url: &str, options: PostgresOptions, keyring: Arc<Keyring>) -> Result<Self, OpenError> {
        let (threads, handle) = Threads::start()?;
        let connector = Connector::new(url, handle.clone())?;
        let refused = |error: DbError| OpenError::Database(error.to_string());
        let (client, driver) = connector.connect().await.map_err(|error| refused(error.into()))?;
        let ahead = schema::clock_is_ahead(&client).await.map_err(refused)?;
        if ahead.abs() > CLOCKS_DIFFER {
            return Err(OpenError::Clock { ahead });
        }
        schema::migrate(&client).await?;
        schema::refuse_unfinished(&client).await?;
        let adopted = adopt::adopt(&client, &keyring).await.map_err(|error| match error {
            NotAdopted::Sealed(why) => OpenError::Sealed { why },
            NotAdopted::Db(error) => refused(error),
        })?;
        let (digests, seals) = (adopted.digests, Arc::new(Seals::new(keyring, adopted.mode)));
        drop(client);
        driver.abort();
        let pool = |connector: &Connector, size| pool(connector, size, options.patience);
        let of_writer = pool(&connector.by_key(), 1)?;
        Ok(Self {
            pool: pool(&connector, options.readers.max(1))?,
            writer: WriterHandle::start(of_writer, (digests.clone(), seals.clone()), options, &handle),
            digests,
            seals,
            vacuum: VacuumHandle::start(connector.clone(), &handle),
            hints: options.notify.then(|| HintsHandle::start(connector, &handle)),
            patience: options.patience,
            _threads: threads,
        })
    }

    /// Finishes what is queued and lets go of the connections; what comes later is answered with [`StoreError::Busy`].
    pub async fn close(&self) {
        self.writer.close().await;
        if let Some(hints) = &self.hints {
            hints.close().await;
        }
        self.pool.close();
    }

    async fn client(&self) -> Result<Client, StoreError> {
        let object = self.pool.get().await;
        Ok(Client {
            object: object.map_err(|error| upwards(&no_connection(&error)))?,
            seals: self.seals.clone(),
        })
    }

    async fn patiently<T>(&self, question: impl Future<Output = DbResult<T>> + Send) -> Result<T, StoreError> {
        let answer = tokio::time::timeout(self.patience, question).await;
        answer
            .unwrap_or(Err(DbError::TimedOut))
            .map_err(|error| upwards(&error))
    }
}

fn pool(connector: &Connector, size: usize, patience: Duration) -> Result<Pool, OpenError> {
    let config = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = Manager::from_connect(connector.config.clone(), connector.clone(), config);
    let pool = Pool::builder(manager)
        .max_size(size)
        .runtime(deadpool_postgres::Runtime::Tokio1)
        .wait_timeout(Some(patience))
        .create_timeout(Some(patience))
        .build();
    pool.map_err(|error| OpenError::Database(error.to_string()))
}

fn no_connection(error: &PoolError) -> DbError {
    DbError::NoConnection(match error {
        PoolError::Timeout(_) => "none came free in time",
        PoolError::Closed => "the store is closed",
        _ => "it cannot be reached, or refuses",
    })
}

fn upwards(error: &DbError) -> StoreError {
    tracing::error!(%error, "the store could not read");
    error.upwards()
}

#[async_trait]
impl Store for PostgresStore {
    async fn apply(&self, changes: Changeset) -> Result<Applied, StoreError> {
        self.writer.order(changes).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        let client = self.client().await?;
        self.patiently(queries::check(&client)).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn tell(&self, hints: Hints) {
        if let Some(handle) = &self.hints {
            handle.tell(hints);
        }
    }

    async fn told(&self) -> Hints {
        match &self.hints {
            Some(handle) => handle.told().await,
            None => std::future::pending().await,
        }
    }
}
