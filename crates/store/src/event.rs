//! What is kept of webhooks: events that came in, and events that go out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use upsert_api::{EventProblem, IncomingFilter, IncomingState, OutgoingFilter, OutgoingState};
use upsert_core::{CustomerId, EventId, Ignored, UpsertId};

use crate::delivery::{is_among, is_wanted};

/// An event that came in. There is one row for each merchant, source, event id of the sender's and content.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct IncomingEvent {
    /// Its id here.
    pub id: EventId,
    /// Whose.
    pub merchant: String,
    /// The source's name.
    pub source: String,
    /// The sender's id of it, at most 255 bytes.
    pub event_id: String,
    /// A keyed fingerprint of what was taken of it: senders use an id twice, for other news too.
    #[serde(default)]
    pub content: String,
    /// Grows by one with each write of the row, for [`crate::Expect::IncomingEvent`].
    pub revision: u64,
    /// How far it is.
    pub state: IncomingState,
    /// When it first came.
    pub received_at: Timestamp,
    /// When it was last tried.
    pub tried_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// The customer that it was about, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// The upsert that it became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upsert: Option<UpsertId>,
    /// Why it could not be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<EventProblem>,
    /// Members that could not be read and were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<Ignored>,
    /// The time that it gave itself, where that is too far ahead to be believed: it was put in order by its arrival.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unbelieved_time: Option<Timestamp>,
    /// The event as it came, while it is a dead letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

/// Leaves out what came: it is personal data.
impl fmt::Debug for IncomingEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingEvent")
            .field("id", &self.id)
            .field("source", &self.source)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

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

/// One event on its way to one endpoint.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct OutgoingEvent {
    /// Its id: the endpoint sees the same one with every try.
    pub id: EventId,
    /// Whose.
    pub merchant: String,
    /// The endpoint's name.
    pub endpoint: String,
    /// What happened, such as `customer.upserted`.
    pub kind: String,
    /// Grows by one with each write of the row, for [`crate::Expect::OutgoingEvent`].
    pub revision: u64,
    /// How far it is.
    pub state: OutgoingState,
    /// When it happened.
    pub created_at: Timestamp,
    /// Tries so far.
    pub attempts: u32,
    /// When it is due; none once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// When it was last tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempt_at: Option<Timestamp>,
    /// What the endpoint answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_status: Option<u16>,
    /// What went wrong last, free of personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When it was last replayed: its tries and its age count from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed_at: Option<Timestamp>,
    /// What is sent, to the letter.
    pub body: String,
}

/// Leaves the body out: it is personal data.
impl fmt::Debug for OutgoingEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingEvent")
            .field("id", &self.id)
            .field("endpoint", &self.endpoint)
            .field("kind", &self.kind)
            .field("state", &self.state)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

impl IncomingEvent {
    /// Whether the filter means it.
    pub fn matches(&self, filter: &IncomingFilter) -> bool {
        is_among(filter.merchants.as_ref(), &self.merchant)
            && is_wanted(filter.source.as_ref(), &&self.source)
            && (filter.state.is_empty() || filter.state.contains(&self.state))
            && is_wanted(filter.event_id.as_ref(), &&self.event_id)
            && filter
                .customer_id
                .is_none_or(|customer| self.customer == Some(customer))
            && filter.since.is_none_or(|since| self.received_at >= since)
            && filter.until.is_none_or(|until| self.received_at < until)
    }
}

impl OutgoingEvent {
    /// Whether the filter means it.
    pub fn matches(&self, filter: &OutgoingFilter) -> bool {
        is_among(filter.merchants.as_ref(), &self.merchant)
            && is_wanted(filter.endpoint.as_ref(), &&self.endpoint)
            && is_wanted(filter.r#type.as_ref(), &&self.kind)
            && (filter.state.is_empty() || filter.state.contains(&self.state))
            && filter.since.is_none_or(|since| self.created_at >= since)
            && filter.until.is_none_or(|until| self.created_at < until)
    }
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
