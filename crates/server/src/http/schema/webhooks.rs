//! Events in both directions, sources and endpoints.

use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::Ignored;

/// Whatever a source sends.
#[derive(Debug, Serialize, ToSchema)]
#[schema(value_type = Object)]
pub struct AnyEvent(pub Json);

/// What became of an event that came in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Intake {
    /// One entry for each customer in it.
    pub data: Vec<TakenEvent>,
}

/// What became of one customer's part of an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct TakenEvent {
    /// `evt_…`; null where it was left out.
    pub id: Option<String>,
    /// The sender's id of it.
    pub event_id: Option<String>,
    /// `accepted`, `echo` (it tells of what the gateway wrote itself), `outdated` (a newer one was here before),
    /// `repeated`, `left_out`, `ping` (the sender's test call) or `refused`.
    pub result: String,
    /// The upsert that it became.
    pub upsert_id: Option<String>,
    /// The customer that it was about.
    pub customer_id: Option<String>,
    /// The time that it gave itself, where that is more than a day ahead: it was put in order by its arrival.
    #[schema(format = DateTime)]
    pub unbelieved_time: Option<String>,
    /// What could not be read and was left out; pointers are the event's.
    pub ignored: Vec<Ignored>,
}

/// What a replay made of a dead letter: of one that came in what became of it, of one that goes out the event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum EventReplayed {
    /// It came in.
    Taken(TakenEvent),
    /// It goes out.
    Event(Event),
}

/// An event without what it says.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Event {
    /// It came in.
    Incoming(IncomingEvent),
    /// It goes out.
    Outgoing(OutgoingEvent),
}

/// An event with what it says, as long as that is kept.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum WholeEvent {
    /// It came in.
    Incoming(WholeIncomingEvent),
    /// It goes out.
    Outgoing(WholeOutgoingEvent),
}

/// A page of events, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventPage {
    /// The events.
    pub data: Vec<Event>,
    /// Where the next page starts; null: this was the last.
    pub next_cursor: Option<String>,
}

/// An event that came in.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncomingEvent {
    /// `evt_…`
    pub id: String,
    /// Whose.
    pub merchant_id: String,
    /// The source's name.
    pub source: String,
    /// The sender's id of it.
    pub event_id: String,
    /// `accepted`, `echo`, `outdated`, `failed` (a dead letter) or `discarded`.
    pub state: String,
    /// When it first came.
    #[schema(format = DateTime)]
    pub received_at: String,
    /// When it was last tried.
    #[schema(format = DateTime)]
    pub tried_at: String,
    /// How often it was tried.
    pub tries: u32,
    /// The customer that it was about.
    pub customer_id: Option<String>,
    /// The upsert that it became.
    pub upsert_id: Option<String>,
    /// Why it could not be taken.
    pub problem: Option<EventProblem>,
    /// Members that could not be read and were left out, by pointer into the event.
    pub ignored: Vec<Ignored>,
    /// The time that it gave itself, where that is more than a day ahead: it was put in order by its arrival.
    #[schema(format = DateTime)]
    pub unbelieved_time: Option<String>,
}

/// Why an event could not be taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventProblem {
    /// A problem's code.
    pub code: String,
    /// For people.
    pub detail: String,
    /// What is wrong, by pointer into the event; empty where the event says nothing of what is asked for.
    pub errors: Vec<super::Wrong>,
    /// Customers that are in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflicts: Option<Vec<super::Conflict>>,
}

/// An event that came in, and what it says.
#[derive(Debug, Serialize, ToSchema)]
pub struct WholeIncomingEvent {
    /// As in the list.
    #[serde(flatten)]
    pub event: IncomingEvent,
    /// The event as it came, while it is a dead letter.
    pub raw: Option<String>,
}

/// An event that goes out.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutgoingEvent {
    /// `evt_…`: `webhook-id` of every try.
    pub id: String,
    /// Whose.
    pub merchant_id: String,
    /// The endpoint's name.
    pub endpoint: String,
    /// Such as `customer.upserted`.
    pub r#type: String,
    /// `pending`, `retrying`, `succeeded`, `failed` (a dead letter) or `discarded`.
    pub state: String,
    /// When it happened.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Tries so far.
    pub attempts: u32,
    /// When it is due.
    #[schema(format = DateTime)]
    pub next_attempt_at: Option<String>,
    /// When it was last tried.
    #[schema(format = DateTime)]
    pub last_attempt_at: Option<String>,
    /// What the endpoint answered last.
    pub last_status: Option<u16>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    pub ended_at: Option<String>,
}

/// An event that goes out, and what it says.
#[derive(Debug, Serialize, ToSchema)]
pub struct WholeOutgoingEvent {
    /// As in the list.
    #[serde(flatten)]
    pub event: OutgoingEvent,
    /// What is sent, as long as it has not been taken or given up.
    pub body: Option<String>,
}

/// Which dead letters are meant; every filter that is given has to hold. Unknown members are refused.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "source": "shop", "dry_run": true }))]
pub struct EventSelection {
    /// The source's name (`in` alone).
    pub source: Option<String>,
    /// The sender's id (`in` alone).
    pub event_id: Option<String>,
    /// The endpoint's name (`out` alone).
    pub endpoint: Option<String>,
    /// Such as `customer.upserted` (`out` alone).
    pub r#type: Option<String>,
    /// At or after this moment.
    #[schema(format = DateTime)]
    pub since: Option<String>,
    /// Before this moment.
    #[schema(format = DateTime)]
    pub until: Option<String>,
    /// Only count them.
    pub dry_run: Option<bool>,
    /// How many at the most, the newest first.
    #[schema(minimum = 1, maximum = 1000, default = 1000)]
    pub limit: Option<u32>,
}

/// What became of dead letters that matched.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventsDone {
    /// Whether they were only counted.
    pub dry_run: bool,
    /// How many matched, at most `limit`.
    pub matched: u64,
    /// How many were replayed or discarded.
    pub done: u64,
    /// How many were refused.
    pub refused: u64,
    /// Why, for the first hundred of them.
    pub refusals: Vec<EventRefusal>,
    /// Whether more match.
    pub more: bool,
}

/// A dead letter that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventRefusal {
    /// `evt_…`
    pub id: String,
    /// A problem's code.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// Where events come from and where they go.
#[derive(Debug, Serialize, ToSchema)]
pub struct Webhooks {
    /// Who sends events.
    pub sources: Vec<Source>,
    /// Who is told of events.
    pub endpoints: Vec<Endpoint>,
}

/// Who sends events.
#[derive(Debug, Serialize, ToSchema)]
pub struct Source {
    /// Whose.
    pub merchant_id: String,
    /// The last part of the path that it sends to.
    pub name: String,
    /// The connection whose vendor it is.
    pub connection: Option<String>,
    /// When an event last came that was not left out.
    #[schema(format = DateTime)]
    pub last_event_at: Option<String>,
    /// Events that could not be taken.
    pub dead_letters: u64,
    /// When the oldest of them came.
    #[schema(format = DateTime)]
    pub oldest_dead_letter_at: Option<String>,
}

/// Who is told of events. What is since the start of the process alone: failures, successes, the last error.
#[derive(Debug, Serialize, ToSchema)]
pub struct Endpoint {
    /// Whose.
    pub merchant_id: String,
    /// Unique in the merchant.
    pub name: String,
    /// Where it is, without query and password.
    pub url: String,
    /// What it is told of.
    pub events: Vec<String>,
    /// `full` or `ids`.
    pub payload: String,
    /// `healthy`, `degraded` (it failed lately), `failing` (it is tried with one event at a time) or `disabled`.
    pub state: String,
    /// `endpoint`: it answered 410.
    pub disabled_by: Option<String>,
    /// Since when.
    #[schema(format = DateTime)]
    pub disabled_since: Option<String>,
    /// Events that wait for it.
    pub waiting: u64,
    /// How long the oldest of them has waited.
    pub oldest_waiting_seconds: Option<i64>,
    /// Events that were given up.
    pub dead_letters: u64,
    /// Failures since the last success.
    pub failures_in_a_row: u32,
    /// Until when it is left alone.
    #[schema(format = DateTime)]
    pub next_try_at: Option<String>,
    /// When it last took an event.
    #[schema(format = DateTime)]
    pub last_success_at: Option<String>,
    /// When it last did not.
    #[schema(format = DateTime)]
    pub last_failure_at: Option<String>,
    /// Why.
    pub last_error: Option<String>,
}

/// What an endpoint answered to a test.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointTest {
    /// The event's id.
    pub id: String,
    /// Whether it took the event: any 2xx.
    pub delivered: bool,
    /// HTTP status; null: no answer came.
    pub status: Option<u16>,
    /// Why it was not taken.
    pub error: Option<String>,
    /// How long it took.
    pub duration_ms: u64,
}
