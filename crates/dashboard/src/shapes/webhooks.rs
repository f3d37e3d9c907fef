//! `GET /v1/webhooks`.

use jiff::Timestamp;
use serde::Deserialize;

/// Sources and endpoints.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Webhooks {
    pub(crate) sources: Vec<Source>,
    pub(crate) endpoints: Vec<Endpoint>,
}

/// Who sends us events.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Source {
    pub(crate) merchant_id: String,
    pub(crate) name: String,
    pub(crate) connection: Option<String>,
    pub(crate) last_event_at: Option<Timestamp>,
    pub(crate) dead_letters: u64,
    pub(crate) oldest_dead_letter_at: Option<Timestamp>,
}

/// Whom we send events.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) merchant_id: String,
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) events: Vec<String>,
    pub(crate) payload: String,
    pub(crate) state: String,
    pub(crate) disabled_by: Option<String>,
    pub(crate) disabled_since: Option<Timestamp>,
    pub(crate) waiting: u64,
    pub(crate) oldest_waiting_seconds: Option<i64>,
    pub(crate) dead_letters: u64,
    pub(crate) failures_in_a_row: u32,
    pub(crate) next_try_at: Option<Timestamp>,
    pub(crate) last_success_at: Option<Timestamp>,
    pub(crate) last_failure_at: Option<Timestamp>,
    pub(crate) last_error: Option<String>,
}
