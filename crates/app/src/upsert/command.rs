//! What is asked for, and by whom.

use serde_json::Value as Json;

use upsert_api::Visibility;
use upsert_core::{Handling, Priority};
use upsert_store::Through;

use crate::problem::Refusal;
use crate::runtime::tracing::TraceContext;

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The API key's name: it stands in the history, and idempotency keys are its own.
    pub name: String,
}

/// Whether whoever asked still may, by the configuration in force: what takes its time asks again before each thing it does. The
/// refusal is 401 or 403.
pub type StillMay<'a> = &'a (dyn Fn() -> Result<(), Refusal> + Sync);

/// What is asked.
#[derive(Clone)]
pub struct UpsertCommand {
    /// The request body.
    pub body: Json,
    /// `Idempotency-Key`, unquoted.
    pub idempotency_key: Option<String>,
    /// The route, such as `POST /v1/customers`: idempotency keys are scoped to it.
    pub route: &'static str,
    /// The way by which it came, for the history.
    pub through: Through,
    /// `Prefer: respond-async`.
    pub respond_async: bool,
    /// `Cache-Control: no-cache`.
    pub force: bool,
    /// `traceparent`.
    pub traceparent: Option<String>,
    /// `tracestate` beside it.
    pub tracestate: Option<String>,
    /// `Prefer: handling=lenient`, or `strict`.
    pub handling: Handling,
    /// How urgent.
    pub priority: Priority,
    /// For the problem document of an answer that a vendor refused.
    pub request_id: String,
    /// How much of the customer the caller is told, beside what it has sent itself.
    pub visibility: Visibility,
}

impl UpsertCommand {
    /// What it is a part of.
    pub(crate) fn trace(&self) -> Option<TraceContext<'_>> {
        TraceContext::of(self.traceparent.as_deref(), self.tracestate.as_deref())
    }

    /// One that the gateway makes itself and whose answer nobody waits for.
    pub(crate) fn unattended(route: &'static str, through: Through, priority: Priority) -> Self {
        Self {
            body: Json::Null,
            idempotency_key: None,
            route,
            through,
            respond_async: true,
            force: false,
            traceparent: None,
            tracestate: None,
            handling: Handling::Strict,
            priority,
            request_id: String::new(),
            visibility: Visibility::Whole,
        }
    }
}
