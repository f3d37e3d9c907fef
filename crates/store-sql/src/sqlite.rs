//! The embedded store: one SQLite file.
//!
//! **One writer.** All changesets go to one thread. It takes whatever has queued while the last commit was running,
//! applies that in one transaction and answers everybody after one `fsync` (group commit, without a timer: a lone
//! caller does not wait for company). `synchronous=FULL`: what is answered survives a power cut. Most of what the log
//! holds is moved into the file by a thread beside it, while commits go on.
//!
//! **A few readers.** Connections with `query_only`; WAL lets them read beside the writer, and a read that starts after
//! [`Store::apply`] answered sees what it wrote. What is on the way of an upsert is a few rows by their keys and is read on
//! the thread that asks; lists and counts have threads of their own.
//!
//! **A failed commit is final.** Once a commit or a checkpoint fails, nobody knows what the disk holds of it, and a
//! second `fsync` would claim success for pages that were dropped. So everybody in that batch gets an error, the store
//! refuses all further work ([`SqliteStore::is_failed`], and [`Store::check`] fails), and the process has to be
//! restarted: opening the file again recovers what is durable. A full disk is no such failure: SQLite takes the
//! transaction back, everybody in it is told, and once there is room again all goes on.
//!
//! **Why rusqlite and not sqlx.** A thread of our own that owns its connection is what group commit wants to be, and
//! a blocking call costs less CPU per statement than sqlx's hop to a worker for each of them.
//!
//! The file must be on a local disk: over a network file system neither the lock nor WAL's shared memory holds.

mod adopt;
mod audit;
mod checkpoint;
pub(crate) mod copying;
mod copying_sql;
mod data_keys;
mod db_error;
mod encryption;
mod erasures;
mod expect;
mod failure;
mod forget;
mod gaps;
mod incidents;
mod made;
mod merchants;
mod names;
mod open;
mod opened;
mod part_rows;
mod pen;
mod queries;
mod questions;
mod readers;
mod rows;
mod seal_work;
mod session_work;
mod sessions;
mod statements;
mod turns;
mod work;
mod write;
mod writer;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use upsert_sealing::Keyring;
use upsert_store::{Applied, Changeset, Store, StoreError};

pub use open::{OpenError, SqliteOptions};

use readers::{Reader, Readers};
use rows::DbResult;
use work::{Done, Work};
use writer::WriterHandle;

use crate::sealed::Seals;

/// A store in one SQLite file. Dropping it closes it.
pub struct SqliteStore {
    path: PathBuf,
    readers: Readers,
    writer: WriterHandle,
    seals: Arc<Seals>,
    /// Held as long as the store is open: no other process may open the file.
    lock: Mutex<Option<File>>,
    /// See [`open::Mover`].
    file: Mutex<Option<Arc<File>>>,
}

/// Shows where it is.
impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the file, makes it (and its folder) if it is not there, and brings its schema up to date. It blocks.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]: the path is no file's, another process has it open, it is no database of ours or a newer one, or
    /// what it holds is sealed.
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, OpenError> {
        Self::open_sealed(path, options, Arc::default())
    }

    /// The same with keys: what is written is sealed. A file that has none is taken over by the first one. It blocks.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]: as ever, or a key is missing that it is sealed with.
    pub fn open_sealed(
        path: impl AsRef<Path>,
        options: SqliteOptions,
        keyring: Arc<Keyring>,
    ) -> Result<Self, OpenError> {
        let path = path.as_ref().to_owned();
        let lock = open::lock(&path)?;
        let mut connection = open::writer(&path, options)?;
        open::refuse_unfinished(&connection, &path)?;
        let adopted = open::adopt(&mut connection, &keyring, &path)?;
        let (digests, seals) = (adopted.digests, Arc::new(Seals::new(keyring, adopted.mode)));
        let mover = open::mover(&path)?;
        let file = Arc::clone(&mover.file);
        let open_all = |count: usize| {
            let readers = (0..count).map(|_| open::reader(&path, options));
            readers.collect::<Result<Vec<_>, _>>()
        };
        let (readers, at_hand) = (open_all(options.readers.max(1))?, open_all(options.at_hand.max(1))?);
        let thread_failed = |source| OpenError::Thread { source };
        Ok(Self {
            readers: Readers::start(readers, at_hand, options.queue, (&digests, &seals)).map_err(thread_failed)?,
            writer: WriterHandle::start(connection, mover, options, (digests, seals.clone())).map_err(thread_failed)?,
            lock: Mutex::new(Some(lock)),
            file: Mutex::new(Some(file)),
            seals,
            path,
        })
    }

    /// What is kept under an id that somebody may have been told a moment ago: what was answered before it was durable is
    /// waited for.
    async fn find<T>(&self, look: impl Fn(&mut Reader) -> DbResult<Option<T>> + Send) -> Result<Option<T>, StoreError> {
        let is_behind = self.writer.is_behind();
        let found = self.readers.look(&look)?;
        if found.is_none() && is_behind {
            self.writer.order(Work::CatchUp).await?;
            return self.readers.look(look);
        }
        Ok(found)
    }

    async fn forget(&self, work: Work) -> Result<usize, StoreError> {
        match self.writer.order(work).await? {
            Done::Forgot(count) => Ok(count),
            _ => Err(StoreError::Failed("the writer answered another question".into())),
        }
    }

    /// Whether a commit has failed, so that the store refuses all further work.
    pub fn is_failed(&self) -> bool {
        self.writer.failure().is_known()
    }

    /// Waits until a commit has failed, so that the process has to be started anew; maybe for ever.
    pub async fn failed(&self) {
        self.writer.failure().known().await;
    }

    /// Finishes what is queued, moves everything from the log into the file and lets go of it. It blocks; what comes
    /// later is answered with [`StoreError::Busy`].
    pub fn close(&self) {
        self.readers.close();
        self.writer.close();
        drop(self.file.lock().take());
        drop(self.lock.lock().take());
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn apply(&self, changes: Changeset) -> Result<Applied, StoreError> {
        match self.writer.order(Work::Apply(changes)).await? {
            Done::Applied(applied) => Ok(applied),
            _ => Err(StoreError::Failed("the writer answered another question".into())),
        }
    }

    async fn check(&self) -> Result<(), StoreError> {
        open::room(&self.path)?;
        self.writer.order(Work::Check).await?;
        self.readers.ask(Reader::check).await
    }
}
