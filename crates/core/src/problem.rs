//! What is wrong with a request, by JSON Pointer.

use serde::{Deserialize, Serialize};

/// One thing that is wrong with a request body. Its texts never repeat the value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = Wrong))]
pub struct Problem {
    /// JSON Pointer (RFC 6901) into the request body.
    pub pointer: String,
    /// Stable code, listed in `docs/error-codes.md`.
    pub code: String,
    /// A sentence for people.
    pub detail: String,
    /// The connection that asked for it, if one did.
    pub connection: Option<String>,
}

impl Problem {
    /// A problem that no connection has part in.
    pub fn new(pointer: impl Into<String>, code: &str, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            code: code.to_owned(),
            detail: detail.into(),
            connection: None,
        }
    }
}

/// A member of a request that could not be read and was left out, so that the rest of it counts: what was known there is
/// kept. Its texts never repeat the value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Ignored {
    /// JSON Pointer (RFC 6901) into the request body.
    pub pointer: String,
    /// The code that it would have been refused with.
    pub code: String,
    /// A sentence for people.
    pub detail: String,
}

impl From<Problem> for Ignored {
    fn from(problem: Problem) -> Self {
        Self {
            pointer: problem.pointer,
            code: problem.code,
            detail: problem.detail,
        }
    }
}
