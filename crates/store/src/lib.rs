//! What the gateway keeps, and what it asks of whatever keeps it. No driver is in here.
//!
//! All that is decided is decided in `upsert-app`. A store only applies a [`Changeset`] (expectations, then writes, all
//! of it or nothing, durable before it answers) and answers a few questions. So a driver stays small, and two
//! drivers cannot differ in what an upsert means. The suite that every store has to pass is
//! `upsert_testkit::store_suite`.
//!
//! "Not found" is `None`; errors are opaque upwards. Times are kept to the microsecond: what is finer may be lost.

mod audit;
mod changeset;
mod connection;
mod customer;
mod delivery;
mod encryption;
mod erasure;
mod event;
mod hints;
mod incident;
mod lane;
mod merchant;
mod session;
mod upsert;

use std::fmt::Debug;

use async_trait::async_trait;

pub use audit::{AuditHead, AuditPage, AuditRecord, AuditStore, AuditStretch};
pub use changeset::{Applied, Changeset, Expect, Write};
pub use connection::{ConnectionRecord, ConnectionStore, Disabled, EndpointRecord, Pace, Pause, Turns};
pub use customer::{
    CustomerChange, CustomerFilter, CustomerPage, CustomerRecord, CustomerStore, HistoryPage, HistoryRecord,
    IdentityQuery, IdentityView, Known,
};
pub use delivery::{
    AttemptRecord, Counted, DeliveryPage, DeliveryRecord, DeliveryStore, FailedCount, Progress, SentRequest, Success,
    WaitingCount,
};
pub use encryption::{Encryption, SealedStore, Walked};
pub use erasure::{ErasedRecord, ErasureRecord, ErasureStore, KeptAnswerKey, RecordId, TombstoneKey};
pub use event::{
    EventCount, EventMark, EventMarks, EventStore, EventTrace, Given, IncomingEvent, IncomingOutcome, IncomingPage,
    MOST_ANSWERS, OutgoingEvent, OutgoingPage,
};
pub use hints::Hints;
pub use incident::{IncidentEntry, IncidentRecord, IncidentStore, IncidentWords, TouchedRecord};
pub use lane::{Accepted, AcceptedField, Adopted, Call, Lane, Link, Sending, Written};
pub use merchant::{MerchantChange, MerchantRecord, MerchantStore};
pub use session::{Notice, SessionId, SessionRecord, SessionStore, SessionWrite};
pub use upsert::{IdempotencyRecord, StoredAnswer, UpsertPage, UpsertRecord, UpsertStore};
/// What the store keeps and asks for in the words of the API.
pub use upsert_api::{
    AuditFilter, DeliveryError, DeliveryFilter, DeliveryState, IncidentEventKind, IncidentFilter, IncidentState,
    IncomingFilter, IncomingState, Left, OutgoingFilter, OutgoingState, PausedBy, Through, UpsertFilter, UpsertState,
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
pub trait Store:
    CustomerStore
    + UpsertStore
    + DeliveryStore
    + ErasureStore
    + EventStore
    + IncidentStore
    + ConnectionStore
    + MerchantStore
    + SessionStore
    + SealedStore
    + AuditStore
{
    /// Applies all of it or nothing. When it answers [`Applied::Done`], the writes survive a power cut (an in-memory
    /// store: the life of the process). Expectations are judged in order, in the same transaction.
    async fn apply(&self, changes: Changeset) -> Result<Applied, StoreError>;

    /// Whether it can be read and written.
    async fn check(&self) -> Result<(), StoreError>;

    /// Whether other processes may be working with it: what they hold is theirs until their leases end.
    fn is_shared(&self) -> bool {
        false
    }

    /// Tells the other processes where to look. It does not wait, and nobody knows whether they hear of it.
    fn tell(&self, _hints: Hints) {}

    /// Waits until another process has told something: all that was told since the last time. For one caller at a time;
    /// where nobody can tell anything, it waits for ever.
    async fn told(&self) -> Hints {
        std::future::pending().await
    }
}
