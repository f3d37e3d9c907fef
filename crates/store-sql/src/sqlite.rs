//! The embedded store: one SQLite file.
//!
//! **One writer.** All changesets go to one thread. It takes whatever has queued while the last commit was running,
//! applies that in one transaction and answers everybody after one `fsync` (group commit, without a timer: a lone
//! caller does not wait for company). `synchronous=FULL`: what is answered survives a power cut.
//!
//! **A few readers.** Threads with `query_only` connections; WAL lets them read beside the writer, and a read that
//! starts after [`Store::apply`] answered sees what it wrote.
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

mod expect;
mod failure;
mod forget;
mod names;
mod open;
mod queries;
mod readers;
mod rows;
mod write;
mod writer;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use parking_lot::Mutex;

use upsert_core::{CustomerId, DeliveryId, EventId, MatchKey, UpsertId};
use upsert_store::{
    Applied, AttemptRecord, Changeset, ConnectionRecord, Counted, CustomerFilter, CustomerRecord, DeliveryFilter,
    DeliveryPage, DeliveryRecord, EndpointRecord, EventCount, EventMarks, FailedCount, HistoryPage, IdempotencyRecord,
    IdentityQuery, IdentityView, IncomingEvent, IncomingFilter, IncomingPage, IncomingState, Known, OutgoingEvent,
    OutgoingFilter, OutgoingPage, OutgoingState, Store, StoreError, UpsertFilter, UpsertPage, UpsertRecord,
    WaitingCount,
};

pub use open::{OpenError, SqliteOptions};

use readers::{Reader, Readers};
use writer::{Done, Work, WriterHandle};

/// A store in one SQLite file. Dropping it closes it.
pub struct SqliteStore {
    path: PathBuf,
    readers: Readers,
    writer: WriterHandle,
    /// Held as long as the store is open: no other process may open the file.
    lock: Mutex<Option<File>>,
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
    /// See [`OpenError`]: the path is no file's, another process has it open, it is no database of ours or a newer one.
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, OpenError> {
        let path = path.as_ref().to_owned();
        let lock = open::lock(&path)?;
        let connection = open::writer(&path, options)?;
        let readers = (0..options.readers.max(1)).map(|_| open::reader(&path, options));
        let readers = readers.collect::<Result<Vec<_>, _>>()?;
        let thread_failed = |source| OpenError::Thread { source };
        Ok(Self {
            readers: Readers::start(readers, options.queue).map_err(thread_failed)?,
            writer: WriterHandle::start(connection, options).map_err(thread_failed)?,
            lock: Mutex::new(Some(lock)),
            path,
        })
    }

    async fn forget(&self, work: Work) -> Result<usize, StoreError> {
        match self.writer.order(work).await? {
            Done::Forgot(count) => Ok(count),
            Done::Applied(_) | Done::Checked => Err(StoreError::Failed("the writer answered another question".into())),
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
            Done::Forgot(_) | Done::Checked => Err(StoreError::Failed("the writer answered another question".into())),
        }
    }

    async fn identify(&self, merchant: &str, query: &IdentityQuery) -> Result<IdentityView, StoreError> {
        let (merchant, query) = (merchant.to_owned(), query.clone());
        self.readers.ask(move |db| db.identify(&merchant, &query)).await
    }

    async fn customer(&self, merchant: &str, id: CustomerId) -> Result<Option<Known>, StoreError> {
        let merchant = merchant.to_owned();
        self.readers.ask(move |db| db.customer(&merchant, id)).await
    }

    async fn customers(
        &self,
        merchant: &str,
        filter: &CustomerFilter,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Result<Vec<CustomerRecord>, StoreError> {
        let (merchant, filter) = (merchant.to_owned(), filter.clone());
        self.readers
            .ask(move |db| db.customers(&merchant, &filter, after, limit))
            .await
    }

    async fn history(
        &self,
        customer: CustomerId,
        before: Option<UpsertId>,
        limit: usize,
    ) -> Result<HistoryPage, StoreError> {
        self.readers.ask(move |db| db.history(customer, before, limit)).await
    }

    async fn key_holders(
        &self,
        merchant: &str,
        connection: &str,
        keys: &[MatchKey],
        except: CustomerId,
    ) -> Result<Vec<(MatchKey, CustomerId)>, StoreError> {
        let (merchant, connection, keys) = (merchant.to_owned(), connection.to_owned(), keys.to_vec());
        self.readers
            .ask(move |db| db.key_holders(&merchant, &connection, &keys, except))
            .await
    }

    async fn record_owners(
        &self,
        merchant: &str,
        connection: &str,
        provider_customer_id: &str,
    ) -> Result<Vec<CustomerId>, StoreError> {
        let (merchant, connection) = (merchant.to_owned(), connection.to_owned());
        let vendor_id = provider_customer_id.to_owned();
        self.readers
            .ask(move |db| db.record_owners(&merchant, &connection, &vendor_id))
            .await
    }

    async fn idempotency(&self, key: &[u8; 32], now: Timestamp) -> Result<Option<IdempotencyRecord>, StoreError> {
        let key = *key;
        self.readers.ask(move |db| db.idempotency(&key, now)).await
    }

    async fn upsert(
        &self,
        merchant: &str,
        id: UpsertId,
    ) -> Result<Option<(UpsertRecord, Vec<DeliveryRecord>)>, StoreError> {
        let merchant = merchant.to_owned();
        self.readers.ask(move |db| db.upsert(&merchant, id)).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryRecord>, StoreError> {
        self.readers.ask(move |db| db.delivery(id)).await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        before: Option<DeliveryId>,
        limit: usize,
    ) -> Result<DeliveryPage, StoreError> {
        let filter = filter.clone();
        self.readers.ask(move |db| db.deliveries(&filter, before, limit)).await
    }

    async fn count_deliveries(&self, filter: &DeliveryFilter, most: usize) -> Result<Counted, StoreError> {
        let filter = filter.clone();
        self.readers.ask(move |db| db.count_deliveries(&filter, most)).await
    }

    async fn upserts(
        &self,
        filter: &UpsertFilter,
        before: Option<UpsertId>,
        limit: usize,
    ) -> Result<UpsertPage, StoreError> {
        let filter = filter.clone();
        self.readers.ask(move |db| db.upserts(&filter, before, limit)).await
    }

    async fn attempts(&self, delivery: DeliveryId) -> Result<Vec<AttemptRecord>, StoreError> {
        self.readers.ask(move |db| db.attempts(delivery)).await
    }

    async fn due_connections(&self, now: Timestamp) -> Result<Vec<(String, String)>, StoreError> {
        self.readers.ask(move |db| db.due_connections(now)).await
    }

    async fn due_at(
        &self,
        merchant: &str,
        connection: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let (merchant, connection) = (merchant.to_owned(), connection.to_owned());
        self.readers
            .ask(move |db| db.due_at(&merchant, &connection, now, limit))
            .await
    }

    async fn waiting_at(
        &self,
        merchant: &str,
        connection: &str,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let (merchant, connection) = (merchant.to_owned(), connection.to_owned());
        self.readers
            .ask(move |db| db.waiting_at(&merchant, &connection, after, limit))
            .await
    }

    async fn unsettled(&self, after: Option<UpsertId>, limit: usize) -> Result<Vec<UpsertRecord>, StoreError> {
        self.readers.ask(move |db| db.unsettled(after, limit)).await
    }

    async fn owing(&self, after: Option<UpsertId>, limit: usize) -> Result<Vec<UpsertRecord>, StoreError> {
        self.readers.ask(move |db| db.owing(after, limit)).await
    }

    async fn abandoned(&self, now: Option<Timestamp>, limit: usize) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.readers.ask(move |db| db.abandoned(now, limit)).await
    }

    async fn waiting(&self) -> Result<Vec<WaitingCount>, StoreError> {
        self.readers.ask(Reader::waiting).await
    }

    async fn failed_deliveries(&self) -> Result<Vec<FailedCount>, StoreError> {
        self.readers.ask(Reader::failed_deliveries).await
    }

    async fn connections(&self) -> Result<Vec<ConnectionRecord>, StoreError> {
        self.readers.ask(Reader::connections).await
    }

    async fn calls(&self, day: Date) -> Result<Vec<(String, String, u32)>, StoreError> {
        self.readers.ask(move |db| db.calls(day)).await
    }

    async fn forget_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.forget(Work::Forget { now, limit }).await
    }

    async fn incoming_event(&self, id: EventId) -> Result<Option<IncomingEvent>, StoreError> {
        self.readers.ask(move |db| db.incoming_event(id)).await
    }

    async fn event_of_source(
        &self,
        merchant: &str,
        source: &str,
        event_id: &str,
        content: &str,
    ) -> Result<Option<IncomingEvent>, StoreError> {
        let [merchant, source, event_id, content] = [merchant, source, event_id, content].map(str::to_owned);
        self.readers
            .ask(move |db| db.event_of_source(&merchant, &source, &event_id, &content))
            .await
    }

    async fn incoming_events(
        &self,
        filter: &IncomingFilter,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<IncomingPage, StoreError> {
        let filter = filter.clone();
        self.readers
            .ask(move |db| db.incoming_events(&filter, before, limit))
            .await
    }

    async fn failed_incoming(&self) -> Result<Vec<EventCount<IncomingState>>, StoreError> {
        self.readers.ask(Reader::failed_incoming).await
    }

    async fn event_marks(&self, customer: CustomerId, source: &str) -> Result<Option<EventMarks>, StoreError> {
        let source = source.to_owned();
        self.readers.ask(move |db| db.event_marks(customer, &source)).await
    }

    async fn outgoing_event(&self, id: EventId) -> Result<Option<OutgoingEvent>, StoreError> {
        self.readers.ask(move |db| db.outgoing_event(id)).await
    }

    async fn outgoing_events(
        &self,
        filter: &OutgoingFilter,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<OutgoingPage, StoreError> {
        let filter = filter.clone();
        self.readers
            .ask(move |db| db.outgoing_events(&filter, before, limit))
            .await
    }

    async fn due_endpoints(&self, now: Timestamp) -> Result<Vec<(String, String)>, StoreError> {
        self.readers.ask(move |db| db.due_endpoints(now)).await
    }

    async fn due_to(
        &self,
        merchant: &str,
        endpoint: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<OutgoingEvent>, StoreError> {
        let (merchant, endpoint) = (merchant.to_owned(), endpoint.to_owned());
        self.readers
            .ask(move |db| db.due_to(&merchant, &endpoint, now, limit))
            .await
    }

    async fn waiting_for_endpoint(
        &self,
        merchant: &str,
        endpoint: &str,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<OutgoingEvent>, StoreError> {
        let (merchant, endpoint) = (merchant.to_owned(), endpoint.to_owned());
        self.readers
            .ask(move |db| db.waiting_for_endpoint(&merchant, &endpoint, after, limit))
            .await
    }

    async fn open_outgoing(&self) -> Result<Vec<EventCount<OutgoingState>>, StoreError> {
        self.readers.ask(Reader::open_outgoing).await
    }

    async fn endpoints(&self) -> Result<Vec<EndpointRecord>, StoreError> {
        self.readers.ask(Reader::endpoints).await
    }

    async fn forget_events(
        &self,
        done_before: Timestamp,
        failed_before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let work = Work::ForgetEvents {
            done_before,
            failed_before,
            limit,
        };
        self.forget(work).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.writer.order(Work::Check).await?;
        self.readers.ask(Reader::check).await
    }
}
