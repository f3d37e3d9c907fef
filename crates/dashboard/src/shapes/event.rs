//! `GET /v1/events/in`, `GET /v1/events/out`, and what their actions answer.

use jiff::Timestamp;
use serde::Deserialize;

/// An event that came in.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Incoming {
    pub(crate) id: String,
    pub(crate) merchant_id: String,
    pub(crate) source: String,
    pub(crate) event_id: String,
    pub(crate) state: String,
    pub(crate) received_at: Timestamp,
    pub(crate) tried_at: Timestamp,
    pub(crate) tries: u32,
    pub(crate) customer_id: Option<String>,
    pub(crate) upsert_id: Option<String>,
    pub(crate) problem: Option<Problem>,
    /// Of one event alone, while it is a dead letter.
    pub(crate) raw: Option<String>,
}

/// Why it could not be taken.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Problem {
    pub(crate) code: String,
    pub(crate) detail: String,
    #[serde(default)]
    pub(crate) errors: Vec<Wrong>,
}

/// What is wrong, by pointer into the event.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Wrong {
    pub(crate) pointer: String,
    pub(crate) code: String,
    pub(crate) detail: String,
}

/// An event that goes out.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Outgoing {
    pub(crate) id: String,
    pub(crate) merchant_id: String,
    pub(crate) endpoint: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) created_at: Timestamp,
    pub(crate) attempts: u32,
    pub(crate) next_attempt_at: Option<Timestamp>,
    pub(crate) last_attempt_at: Option<Timestamp>,
    pub(crate) last_status: Option<u16>,
    pub(crate) last_error: Option<String>,
    pub(crate) ended_at: Option<Timestamp>,
    /// Of one event alone, as long as it has not been taken.
    pub(crate) body: Option<String>,
}

/// What became of dead letters that matched.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Done {
    pub(crate) matched: u64,
    #[serde(rename = "done")]
    pub(crate) handled: u64,
    pub(crate) refused: u64,
    pub(crate) refusals: Vec<Refusal>,
    pub(crate) more: bool,
}

/// Why one of them could not be handled.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) id: String,
    pub(crate) detail: String,
}

/// What an endpoint answered to a test.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Test {
    pub(crate) delivered: bool,
    pub(crate) status: Option<u16>,
    pub(crate) error: Option<String>,
    pub(crate) duration_ms: u64,
}
