//! Merchants in the store, as the API shows them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

/// A merchant in the store, in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListedMerchant {
    /// Its id.
    pub id: String,
    /// Its name, for people.
    pub name: Option<String>,
    /// Grows with each put.
    pub generation: u64,
    /// When it was put.
    pub put_at: Timestamp,
    /// The name of the key that put it.
    pub put_by: String,
    /// Whether a file has a merchant of this id, which is served in its place.
    pub in_file: bool,
}

/// A merchant in the store: the members of a merchant's file as JSON, and what is known of it beside them. A secret that was
/// given is `{ "set": true, "fingerprint": "…" }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoredMerchant {
    /// Grows with each put; `If-Match` takes it.
    pub generation: u64,
    /// When it was put.
    pub put_at: Timestamp,
    /// The name of the key that put it.
    pub put_by: String,
    /// `id`, `connections` and whatever else was put.
    #[serde(flatten)]
    pub members: Map<String, Json>,
}
