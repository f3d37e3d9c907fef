//! What the use cases answer, as the API documents it, read into types: a page knows no more of the gateway than a client.

pub(crate) mod cause;
pub(crate) mod configuration;
pub(crate) mod connection;
pub(crate) mod customer;
pub(crate) mod delivery;
pub(crate) mod event;
pub(crate) mod plan;
pub(crate) mod receipt;
pub(crate) mod sums;
pub(crate) mod webhooks;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use upsert_app::{ProblemCode, Refusal};

use crate::error::PageError;

/// Reads one. That it cannot be read is a bug of ours: answered with 500.
pub(crate) fn read<T: DeserializeOwned>(answer: Json) -> Result<T, PageError> {
    serde_json::from_value(answer).map_err(|error| {
        // Says which member is missing or of which type, never a value.
        tracing::error!(at = error.line(), category = ?error.classify(), "an answer has another shape than its page knows");
        Refusal::new(ProblemCode::Internal, "an answer has another shape than this page knows").into()
    })
}
