//! Where events come from and where they go, and what became of one that came.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use upsert_core::{CustomerId, EventId, EventKind, EventPayload, Ignored, UpsertId};

use crate::cover::{Cover, Own};
use crate::masks::cover_code;
use crate::states::{EndpointState, EventResult};

/// What became of an event that came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Intake {
    /// One entry for each customer in it.
    pub data: Vec<TakenEvent>,
}

/// What became of one customer's part of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TakenEvent {
    /// `evt_…`; null where it was left out.
    pub id: Option<EventId>,
    /// The sender's id of it.
    pub event_id: Option<String>,
    /// What became of it.
    pub result: EventResult,
    /// The upsert that it became.
    pub upsert_id: Option<UpsertId>,
    /// The customer that it was about.
    pub customer_id: Option<CustomerId>,
    /// The time that it gave itself, where that is more than a day ahead: it was put in order by its arrival.
    pub unbelieved_time: Option<Timestamp>,
    /// What could not be read and was left out; pointers are the event's.
    pub ignored: Vec<Ignored>,
}

/// Where events come from and where they go.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Webhooks {
    /// Who sends events.
    pub sources: Vec<Source>,
    /// Who is told of events.
    pub endpoints: Vec<Endpoint>,
}

/// Who sends events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Source {
    /// Whose.
    pub merchant_id: String,
    /// The last part of the path that it sends to.
    pub name: String,
    /// The connection whose vendor it is.
    pub connection: Option<String>,
    /// When an event last came that was not left out.
    pub last_event_at: Option<Timestamp>,
    /// Events that could not be taken.
    pub dead_letters: u64,
    /// When the oldest of them came.
    pub oldest_dead_letter_at: Option<Timestamp>,
}

/// Who is told of events. What is since the start of the process alone: failures, successes, the last error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Endpoint {
    /// Whose.
    pub merchant_id: String,
    /// Unique in the merchant.
    pub name: String,
    /// Where it is, without query and password.
    pub url: String,
    /// What it is told of.
    #[schema(value_type = Vec<EventKind>)]
    pub events: Vec<String>,
    /// How much it is told.
    pub payload: EventPayload,
    /// How it is doing.
    pub state: EndpointState,
    /// `endpoint`: it answered 410.
    #[schema(value_type = Option<DisabledBy>)]
    pub disabled_by: Option<String>,
    /// Since when.
    pub disabled_since: Option<Timestamp>,
    /// Events that wait for it.
    pub waiting: u64,
    /// How long the oldest of them has waited.
    pub oldest_waiting_seconds: Option<i64>,
    /// Events that were given up.
    pub dead_letters: u64,
    /// Failures since the last success.
    pub failures_in_a_row: u32,
    /// Until when it is left alone.
    pub next_try_at: Option<Timestamp>,
    /// When it last took an event.
    pub last_success_at: Option<Timestamp>,
    /// When it last did not.
    pub last_failure_at: Option<Timestamp>,
    /// Why.
    pub last_error: Option<String>,
}

/// Who disabled an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DisabledBy {
    /// It did itself, by its answer 410.
    Endpoint,
}

/// What an endpoint answered to a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndpointTest {
    /// The event's id.
    pub id: EventId,
    /// Whether it took the event: any 2xx.
    pub delivered: bool,
    /// HTTP status; null: no answer came.
    pub status: Option<u16>,
    /// Why it was not taken.
    pub error: Option<String>,
    /// How long it took.
    pub duration_ms: u64,
}

impl Endpoint {
    /// Whether nothing is wrong with it.
    pub fn is_well(&self) -> bool {
        self.disabled_since.is_none() && self.dead_letters == 0 && self.failures_in_a_row == 0
    }
}

impl Cover for TakenEvent {
    fn cover(&mut self, own: Own<'_>) {
        cover_code(&mut self.event_id);
        self.ignored.cover(own);
    }
}
