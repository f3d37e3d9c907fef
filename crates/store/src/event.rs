//! What is kept of webhooks: events that came in, and events that go out.

mod incoming;
mod outgoing;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use upsert_api::{IncomingFilter, IncomingState, OutgoingFilter, OutgoingState};
use upsert_core::{CustomerId, EventId};

use crate::StoreError;

pub use incoming::{IncomingEvent, IncomingOutcome};
pub use outgoing::{EventTrace, MOST_ANSWERS, OutgoingEvent};

/// What one source's newest events about one customer said when, field by field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventMarks {
    /// Whose.
    pub customer: CustomerId,
    /// The source's name.
    pub source: String,
    /// Grows by one with each write of the row, for [`crate::Expect::EventMarks`].
    pub revision: u64,
    /// No field stands in two of them.
    pub marks: Vec<EventMark>,
    /// By pointers of our fields that one of several properties of the sender's fills: which one gave the value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub given: BTreeMap<String, Given>,
}

/// A property of a sender's that gave a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Which, as the source's configuration names it.
    pub property: String,
    /// A keyed fingerprint of the value.
    pub value: String,
}

/// Fields that were last spoken of by events of one time or version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventMark {
    /// The time or version, so spelled that later ones sort after earlier ones.
    pub order: String,
    /// Pointers of our fields.
    pub fields: BTreeSet<String>,
}

/// A page of events that came in, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IncomingPage {
    /// As many as were asked for, at most. A store that has to look at very many to find them may stop before.
    pub entries: Vec<IncomingEvent>,
    /// Where the next page begins: below this id. None: nothing that matches is below.
    pub next: Option<EventId>,
}

/// A page of events that go out, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OutgoingPage {
    /// As many as were asked for, at most. A store that has to look at very many to find them may stop before.
    pub entries: Vec<OutgoingEvent>,
    /// Where the next page begins: below this id. None: nothing that matches is below.
    pub next: Option<EventId>,
}

/// How many events of one source are dead letters, or how many of one endpoint are in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCount<S> {
    /// Whose.
    pub merchant: String,
    /// The source or endpoint.
    pub name: String,
    /// The state.
    pub state: S,
    /// How many.
    pub count: u64,
    /// When the oldest of them came or was made.
    pub oldest: Timestamp,
}

/// Events in both directions.
#[async_trait]
pub trait EventStore: Debug + Send + Sync + 'static {
    /// An event that came in to one merchant.
    async fn incoming_event(&self, merchant: &str, id: EventId) -> Result<Option<IncomingEvent>, StoreError>;

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
    async fn event_marks(
        &self,
        merchant: &str,
        customer: CustomerId,
        source: &str,
    ) -> Result<Option<EventMarks>, StoreError>;

    /// An event that goes out, of one merchant.
    async fn outgoing_event(&self, merchant: &str, id: EventId) -> Result<Option<OutgoingEvent>, StoreError>;

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

    /// Forgets events in both directions that are older (by id) than `done_before` and have ended well or were discarded,
    /// and dead letters that are older than `failed_before`; never those that are still to be sent, nor those that are kept
    /// ([`IncomingEvent::is_kept`]). The oldest first, at most `limit`. Answers how many it forgot.
    async fn forget_events(
        &self,
        done_before: Timestamp,
        failed_before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError>;
}
