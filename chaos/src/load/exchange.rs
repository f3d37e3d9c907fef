//! What a client sent and was told, and what all clients of a load share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::Serialize;
use serde_json::Value as Json;

/// One request and what came of it, as its client knows it.
#[derive(Debug, Clone, Serialize)]
pub struct Exchange {
    /// The W3C trace id that it carried: vendors see it too.
    pub trace: String,
    /// For which merchant.
    pub merchant: String,
    /// Its `Idempotency-Key`.
    pub key: Option<String>,
    /// The person's e-mail address.
    pub person: String,
    /// What was sent.
    pub body: Json,
    /// What was told.
    pub told: Told,
}

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// A whole answer.
    Answer {
        /// HTTP status.
        status: u16,
        /// The body.
        body: Json,
    },
    /// No answer, or not all of it, or the client did not wait: it may have been accepted or not.
    Nothing,
    /// No connection was had: it cannot have been accepted.
    NotSent,
}

impl Told {
    /// Whether a request with a key has no answer yet.
    pub fn must_come_back(&self) -> bool {
        let later = ["idempotency_in_progress", "shutting_down", "overloaded"];
        match self {
            Self::Answer { body, .. } => later.iter().any(|code| body["code"] == *code),
            Self::Nothing | Self::NotSent => true,
        }
    }
}

/// What all clients of a load share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) stopping: AtomicBool,
    pub(crate) resting: AtomicBool,
    /// The process was told to end: what is sent from now on may be turned away.
    pub(crate) ending: AtomicBool,
    /// Requests that were sent before that and got no answer.
    pub(crate) cut_off: AtomicU64,
}

impl Shared {
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn is_resting(&self) -> bool {
        self.resting.load(Ordering::Acquire)
    }
}
