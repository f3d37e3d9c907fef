//! What the gateway keeps, and what it asks of whatever keeps it. No driver is in here.
//!
//! All that is decided is decided in `upsert-app`. A store only applies a [`Changeset`] (expectations, then writes, all
//! of it or nothing, durable before it answers) and answers a few questions. So a driver stays small, and two
//! drivers cannot differ in what an upsert means. The suite that every store has to pass is
//! `upsert_testkit::store_suite`.
//!
//! "Not found" is `None`; errors are opaque upwards. Times are kept to the microsecond: what is finer may be lost.

mod changeset;
mod connection;
mod customer;
mod delivery;
mod event;
mod lane;
mod memory;
mod upsert;

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;

use upsert_core::{CustomerId, DeliveryId, EventId, MatchKey, UpsertId};

pub use changeset::{Applied, Changeset, Expect, Write};
pub use connection::{ConnectionRecord, Disabled, EndpointRecord, Pause};
pub use customer::{CustomerFilter, CustomerRecord, HistoryPage, HistoryRecord, IdentityQuery, IdentityView, Known};
pub use delivery::{AttemptRecord, Counted, DeliveryPage, DeliveryRecord, FailedCount, SentRequest, WaitingCount};
pub use event::{EventCount, EventMark, EventMarks, Given, IncomingEvent, IncomingPage, OutgoingEvent, OutgoingPage};
pub use lane::{Accepted, AcceptedField, Adopted, Lane, Link, Sending, Written};
pub use memory::MemoryStore;
pub use upsert::{IdempotencyRecord, StoredAnswer, UpsertPage, UpsertRecord};
/// What the store keeps and asks for in the words of the API.
pub use upsert_api::{
    DeliveryError, DeliveryFilter, DeliveryState, IncomingFilter, IncomingState, OutgoingFilter, OutgoingState,
    PausedBy, Through, UpsertFilter, UpsertState,
};

/// The store failed. What happened inside stays in the log; nothing was applied unless it said so.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot take more now: its queue is full or it is shutting down.
    #[error("the store cannot take more now")]
    Busy,
    /// It cannot write: its disk is full, or has failed and the process has to be started anew. The text is for
    /// operators and free of personal data.
    #[error("the store cannot write: {0}")]
    Unavailable(String),
    /// It failed; the text is for operators and free of personal data.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// Keeps everything durable. Cancelling a call does not undo it: what was handed over may still be applied.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// Applies all of it or nothing. When it answers [`Applied::Done`], the writes survive a power cut (an in-memory
    /// store: the life of the process). Expectations are judged in order, in the same transaction.
    async fn apply(&self, changes: Changeset) -> Result<Applied, StoreError>;

    /// Whoever the identifiers find among one merchant's customers, each with its lanes. At most
    /// [`IdentityView::MOST`] for each identifier, the oldest.
    async fn identify(&self, merchant: &str, query: &IdentityQuery) -> Result<IdentityView, StoreError>;

    /// One customer of one merchant, with its lanes.
    async fn customer(&self, merchant: &str, id: CustomerId) -> Result<Option<Known>, StoreError>;

    /// A page of customers, by id (which is by age), oldest first; `after` is the last id of the page before.
    async fn customers(
        &self,
        merchant: &str,
        filter: &CustomerFilter,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Result<Vec<CustomerRecord>, StoreError>;

    /// A customer's versions, newest first, refused ones too; `before` is the last upsert of the page before. The page
    /// carries for its oldest entry the record it changed, so that the difference can be told.
    async fn history(
        &self,
        customer: CustomerId,
        before: Option<UpsertId>,
        limit: usize,
    ) -> Result<HistoryPage, StoreError>;

    /// Which other customers hold these keys at this connection: in the order of `keys`, then by customer.
    async fn key_holders(
        &self,
        merchant: &str,
        connection: &str,
        keys: &[MatchKey],
        except: CustomerId,
    ) -> Result<Vec<(MatchKey, CustomerId)>, StoreError>;

    /// Which customers are linked to this vendor record, sorted.
    async fn record_owners(
        &self,
        merchant: &str,
        connection: &str,
        provider_customer_id: &str,
    ) -> Result<Vec<CustomerId>, StoreError>;

    /// An idempotency record that has not expired by `now`.
    async fn idempotency(&self, key: &[u8; 32], now: Timestamp) -> Result<Option<IdempotencyRecord>, StoreError>;

    /// An upsert of one merchant and its deliveries, in the order in which they were made.
    async fn upsert(
        &self,
        merchant: &str,
        id: UpsertId,
    ) -> Result<Option<(UpsertRecord, Vec<DeliveryRecord>)>, StoreError>;

    /// One delivery.
    async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryRecord>, StoreError>;

    /// A page of deliveries, newest first by id; `before` is where the page before said that it goes on.
    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        before: Option<DeliveryId>,
        limit: usize,
    ) -> Result<DeliveryPage, StoreError>;

    /// How many deliveries match; nobody looks on after `most` of them.
    async fn count_deliveries(&self, filter: &DeliveryFilter, most: usize) -> Result<Counted, StoreError>;

    /// A page of upserts, newest first by id; `before` is where the page before said that it goes on.
    async fn upserts(
        &self,
        filter: &UpsertFilter,
        before: Option<UpsertId>,
        limit: usize,
    ) -> Result<UpsertPage, StoreError>;

    /// The attempts of a delivery, in order.
    async fn attempts(&self, delivery: DeliveryId) -> Result<Vec<AttemptRecord>, StoreError>;

    /// Connections, by merchant and name and sorted so, where something may be tried at `now`: a delivery that is
    /// `pending`, `retrying` or `waiting`, with `next_attempt_at` at or before it. However much waits at one of them, it
    /// costs no more than another.
    async fn due_connections(&self, now: Timestamp) -> Result<Vec<(String, String)>, StoreError>;

    /// What may be tried at one connection at `now`. Oldest due first, then by id.
    async fn due_at(
        &self,
        merchant: &str,
        connection: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError>;

    /// What waits at one connection (`pending`, `retrying`, `waiting`), due or not, oldest first (by id); `after` is the
    /// last id of the page before.
    async fn waiting_at(
        &self,
        merchant: &str,
        connection: &str,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError>;

    /// Upserts that are still `pending` though every delivery of their own has ended (some may have been superseded by
    /// one that has not), oldest first (by id); `after` is the last id of the page before.
    async fn unsettled(&self, after: Option<UpsertId>, limit: usize) -> Result<Vec<UpsertRecord>, StoreError>;

    /// Upserts of which an event is owed ([`UpsertRecord::owes_event`]), oldest first (by id); `after` is the last id of
    /// the page before.
    async fn owing(&self, after: Option<UpsertId>, limit: usize) -> Result<Vec<UpsertRecord>, StoreError>;

    /// Deliveries in flight whose lease has ended by `now` (one without a lease never does); `None` for `now` means all
    /// of them (a process that has the store to itself has just started). Oldest first, by id.
    async fn abandoned(&self, now: Option<Timestamp>, limit: usize) -> Result<Vec<DeliveryRecord>, StoreError>;

    /// How much waits where: every delivery that has not ended, by merchant, connection and state, sorted so.
    async fn waiting(&self) -> Result<Vec<WaitingCount>, StoreError>;

    /// How many deliveries of each connection are in state [`DeliveryState::Failed`], sorted by merchant and connection;
    /// those without any are left out. It reads none of them.
    async fn failed_deliveries(&self) -> Result<Vec<FailedCount>, StoreError>;

    /// What is durable of each connection's own state, sorted by merchant and name.
    async fn connections(&self) -> Result<Vec<ConnectionRecord>, StoreError>;

    /// Calls made on this day (UTC), by merchant and connection, sorted so.
    async fn calls(&self, day: Date) -> Result<Vec<(String, String, u32)>, StoreError>;

    /// Forgets idempotency records that have expired by `now`, the longest expired first; at most `limit`. Answers how
    /// many it forgot.
    async fn forget_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// An event that came in.
    async fn incoming_event(&self, id: EventId) -> Result<Option<IncomingEvent>, StoreError>;

    /// The event of this source with this id of the sender's and this content.
    async fn event_of_source(
        &self,
        merchant: &str,
        source: &str,
        event_id: &str,
        content: &str,
    ) -> Result<Option<IncomingEvent>, StoreError>;

    /// A page of events that came in, newest first by id; `before` is where the page before said that it goes on.
    async fn incoming_events(
        &self,
        filter: &IncomingFilter,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<IncomingPage, StoreError>;

    /// How many dead letters each source has: events in state [`IncomingState::Failed`], sorted by merchant and source.
    async fn failed_incoming(&self) -> Result<Vec<EventCount<IncomingState>>, StoreError>;

    /// What events of a source said when of a customer.
    async fn event_marks(&self, customer: CustomerId, source: &str) -> Result<Option<EventMarks>, StoreError>;

    /// An event that goes out.
    async fn outgoing_event(&self, id: EventId) -> Result<Option<OutgoingEvent>, StoreError>;

    /// A page of events that go out, newest first by id; `before` is where the page before said that it goes on.
    async fn outgoing_events(
        &self,
        filter: &OutgoingFilter,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<OutgoingPage, StoreError>;

    /// Endpoints, by merchant and name and sorted so, to which something is due at `now`: an event that is `pending` or
    /// `retrying`, with `next_attempt_at` at or before it. However much waits for one of them, it costs no more than
    /// another.
    async fn due_endpoints(&self, now: Timestamp) -> Result<Vec<(String, String)>, StoreError>;

    /// What is due to one endpoint at `now`. Oldest due first, then by id.
    async fn due_to(
        &self,
        merchant: &str,
        endpoint: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<OutgoingEvent>, StoreError>;

    /// What waits for one endpoint (`pending`, `retrying`), due or not, oldest first (by id); `after` is the last id of
    /// the page before.
    async fn waiting_for_endpoint(
        &self,
        merchant: &str,
        endpoint: &str,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<OutgoingEvent>, StoreError>;

    /// How many events of each endpoint are `pending`, `retrying` or `failed`, sorted by merchant, endpoint and the state's
    /// name.
    async fn open_outgoing(&self) -> Result<Vec<EventCount<OutgoingState>>, StoreError>;

    /// What is durable of each endpoint's own state, sorted by merchant and name.
    async fn endpoints(&self) -> Result<Vec<EndpointRecord>, StoreError>;

    /// Forgets events in both directions that are older (by id) than `done_before` and have ended well or were discarded,
    /// and dead letters that are older than `failed_before`; never those that are still to be sent. The oldest first, at
    /// most `limit`. Answers how many it forgot.
    async fn forget_events(
        &self,
        done_before: Timestamp,
        failed_before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError>;

    /// Whether it can be read and written.
    async fn check(&self) -> Result<(), StoreError>;
}
