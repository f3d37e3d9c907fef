//! Pages of lists, and what a query may say.

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value as Json;
use uuid::Uuid;

use upsert_core::Problem;

use crate::problem::{ProblemCode, Refusal};

/// A page of a list.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// The items.
    pub data: Vec<Json>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// 400, by query parameter.
pub(crate) fn invalid_query(problems: Vec<Problem>) -> Refusal {
    let mut refusal = Refusal::new(ProblemCode::InvalidQuery, "a query parameter is not valid");
    refusal.errors = problems;
    refusal
}

pub(crate) fn to_cursor(id: &Uuid) -> String {
    BASE64URL_NOPAD.encode(id.as_bytes())
}

pub(crate) fn from_cursor(cursor: &str) -> Result<Uuid, Refusal> {
    BASE64URL_NOPAD
        .decode(cursor.as_bytes())
        .ok()
        .and_then(|bytes| Uuid::from_slice(&bytes).ok())
        .ok_or_else(|| {
            invalid_query(vec![Problem::new(
                "cursor",
                "invalid_cursor",
                "is not a cursor of this list",
            )])
        })
}
