//! Events in both directions.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::openapi::schema::OneOfBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use upsert_core::{CustomerId, EventId, EventKind, Ignored, Problem as Wrong, UpsertId};

use crate::cover::{Cover, MASK, Own, cover_document};
use crate::masks::{cover_json, cover_some, cover_text, is_code};
use crate::problem::{Conflict, ProblemCode};
use crate::said::first_line;
use crate::states::{IncomingState, OutgoingState};
use crate::webhooks::TakenEvent;

/// An event that came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IncomingEvent {
    /// `evt_…`
    pub id: EventId,
    /// Whose.
    pub merchant_id: String,
    /// The source's name.
    pub source: String,
    /// The sender's id of it.
    pub event_id: String,
    /// How far it is; dead letters are `failed`.
    pub state: IncomingState,
    /// When it first came.
    pub received_at: Timestamp,
    /// When it was last tried.
    pub tried_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// The customer that it was about.
    pub customer_id: Option<CustomerId>,
    /// The upsert that it became.
    pub upsert_id: Option<UpsertId>,
    /// Why it could not be taken.
    pub problem: Option<EventProblem>,
    /// Members that could not be read and were left out, by pointer into the event.
    pub ignored: Vec<Ignored>,
    /// The time that it gave itself, where that is more than a day ahead: it was put in order by its arrival.
    pub unbelieved_time: Option<Timestamp>,
}

/// Why an event could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventProblem {
    /// A problem's code.
    pub code: ProblemCode,
    /// For people.
    pub detail: String,
    /// What is wrong, by pointer into the event; empty where the event says nothing of what is asked for.
    pub errors: Vec<Wrong>,
    /// Customers that are in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflicts: Option<Vec<Conflict>>,
}

/// An event that goes out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutgoingEvent {
    /// `evt_…`: `webhook-id` of every try.
    pub id: EventId,
    /// Whose.
    pub merchant_id: String,
    /// The endpoint's name.
    pub endpoint: String,
    /// What it tells of.
    #[schema(value_type = EventKind)]
    pub r#type: String,
    /// How far it is; dead letters are `failed`.
    pub state: OutgoingState,
    /// When it happened.
    pub created_at: Timestamp,
    /// Tries so far.
    pub attempts: u32,
    /// When it is due.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was last tried.
    pub last_attempt_at: Option<Timestamp>,
    /// What the endpoint answered last.
    pub last_status: Option<u16>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// The first line of what the endpoint said when it last did not take it; null: it said nothing, or has taken it since.
    #[serde(default)]
    pub last_answer: Option<String>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Leaves the endpoint's words out: they may repeat what it was sent.
impl fmt::Debug for OutgoingEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingEvent")
            .field("id", &self.id)
            .field("endpoint", &self.endpoint)
            .field("type", &self.r#type)
            .field("state", &self.state)
            .field("attempts", &self.attempts)
            .field("last_status", &self.last_status)
            .finish_non_exhaustive()
    }
}

/// A try to bring an event to its endpoint that failed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FailedAttempt {
    /// When it was over.
    pub ended_at: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
    /// HTTP status; null: no answer came.
    pub status: Option<u16>,
    /// Why it failed.
    pub error: String,
    /// Headers of the answer that say more of a failure: those of a delivery's `vendor_headers`. Left out where there are none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// What was answered, at most 4 KiB: JSON where it is JSON, else a text, which ends in `…` where it was cut. Left out
    /// where it was empty, and once the event was taken or given up for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Json>,
}

impl FailedAttempt {
    /// The first line of what was answered; none: nothing that says something.
    pub fn first_line(&self) -> Option<String> {
        self.body.as_ref().and_then(first_line)
    }
}

/// Leaves the endpoint's words out: they may repeat what it was sent.
impl fmt::Debug for FailedAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailedAttempt")
            .field("ended_at", &self.ended_at)
            .field("status", &self.status)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// An event that came in, and what it says. (No `Debug`, here and below: it is about a person.)
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WholeIncomingEvent {
    /// As in the list.
    #[serde(flatten)]
    pub event: IncomingEvent,
    /// The event as it came, while it is a dead letter.
    pub raw: Option<String>,
}

/// An event that goes out, and what it says.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WholeOutgoingEvent {
    /// As in the list.
    #[serde(flatten)]
    pub event: OutgoingEvent,
    /// What is sent, as long as it has not been taken or given up.
    pub body: Option<String>,
    /// The last ten tries that failed, in order, with what the endpoint said.
    #[serde(default)]
    pub failed_attempts: Vec<FailedAttempt>,
}

/// An event without what it says.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Event {
    /// It came in.
    Incoming(IncomingEvent),
    /// It goes out.
    Outgoing(OutgoingEvent),
}

/// An event with what it says, as long as that is kept.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum WholeEvent {
    /// It came in.
    Incoming(WholeIncomingEvent),
    /// It goes out.
    Outgoing(WholeOutgoingEvent),
}

/// What a replay made of a dead letter: of one that came in what became of it, of one that goes out the event; of one that
/// turned out to be done already, the event as it was given up.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EventReplayed {
    /// It came in.
    Taken(TakenEvent),
    /// It goes out, or is given up.
    Event(Event),
}

/// A choice of all three: not every generator of clients takes a choice within a choice.
impl PartialSchema for EventReplayed {
    fn schema() -> RefOr<Schema> {
        let says = "What became of a dead letter that came in; or the event that goes out, or is given up.";
        let all = ["TakenEvent", "IncomingEvent", "OutgoingEvent"].map(Ref::from_schema_name);
        let choice = all.into_iter().fold(OneOfBuilder::new(), OneOfBuilder::item);
        choice.description(Some(says)).into()
    }
}

impl ToSchema for EventReplayed {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((TakenEvent::name().into(), TakenEvent::schema()));
        TakenEvent::schemas(schemas);
        Event::schemas(schemas);
    }
}

/// What is sent to an endpoint.
#[derive(Serialize)]
pub struct EventBody<'a, T> {
    /// Such as `customer.upserted`.
    pub r#type: &'a str,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What the API shows of it, or its ids alone.
    pub data: &'a T,
}

impl Cover for IncomingEvent {
    fn cover(&mut self, own: Own<'_>) {
        if !is_code(&self.event_id) {
            MASK.clone_into(&mut self.event_id);
        }
        self.problem.cover(own);
        self.ignored.cover(own);
    }
}

impl Cover for EventProblem {
    fn cover(&mut self, own: Own<'_>) {
        self.errors.cover(own);
    }
}

impl Cover for OutgoingEvent {
    /// Its error is free of personal data; the endpoint may repeat what it was sent.
    fn cover(&mut self, _own: Own<'_>) {
        cover_some(&mut self.last_answer);
    }
}

impl Cover for FailedAttempt {
    fn cover(&mut self, _own: Own<'_>) {
        self.headers.values_mut().for_each(cover_text);
        self.body.iter_mut().for_each(cover_json);
    }
}

impl Cover for WholeIncomingEvent {
    fn cover(&mut self, own: Own<'_>) {
        self.event.cover(own);
        self.raw.iter_mut().for_each(cover_document);
    }
}

impl Cover for WholeOutgoingEvent {
    fn cover(&mut self, own: Own<'_>) {
        self.event.cover(own);
        self.body.iter_mut().for_each(cover_document);
        self.failed_attempts.cover(own);
    }
}

impl Cover for Event {
    fn cover(&mut self, own: Own<'_>) {
        match self {
            Self::Incoming(event) => event.cover(own),
            Self::Outgoing(event) => event.cover(own),
        }
    }
}

impl Cover for EventReplayed {
    fn cover(&mut self, own: Own<'_>) {
        match self {
            Self::Taken(taken) => taken.cover(own),
            Self::Event(event) => event.cover(own),
        }
    }
}
