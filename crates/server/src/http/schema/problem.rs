//! Refusals.

use serde::Serialize;
use utoipa::ToSchema;

/// A problem document (RFC 9457). `provider_rejected` and `provider_failed` carry the upsert's answer beside it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// What is known of the code.
    #[schema(format = "uri")]
    pub r#type: String,
    /// For people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable, for programs.
    pub code: String,
    /// For people.
    pub detail: String,
    /// The path of the request.
    pub instance: String,
    /// The request's id.
    pub request_id: String,
    /// What is wrong, one by one.
    pub errors: Vec<Wrong>,
    /// Who is in the way; in 409 answers only.
    #[schema(required = false)]
    pub conflicts: Vec<Conflict>,
}

/// One thing that is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct Wrong {
    /// JSON Pointer into the body; the name of a header or of a query parameter.
    pub pointer: String,
    /// Stable, for programs.
    pub code: String,
    /// For people.
    pub detail: String,
    /// The connection that asked for it.
    pub connection: Option<String>,
}

/// Who holds an identifier or a key in question.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conflict {
    /// `cus_…`
    pub customer_id: String,
    /// JSON Pointer.
    pub pointer: String,
    /// The connection whose vendor would mix them up.
    pub connection: Option<String>,
}
