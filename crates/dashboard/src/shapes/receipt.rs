//! `GET /v1/upserts`: each with the receipts of its deliveries.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value as Json;

use upsert_core::UpsertId;

use super::customer::text_of;

/// An upsert. (No `Debug`: its receipts are about a person.)
#[derive(Clone, Deserialize)]
#[expect(clippy::struct_field_names, reason = "as the API calls it")]
pub(crate) struct Upsert {
    pub(crate) upsert_id: UpsertId,
    pub(crate) state: String,
    pub(crate) rolled_back: bool,
    pub(crate) by: String,
    pub(crate) through: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) ignored: Vec<Ignored>,
    pub(crate) deliveries: Vec<Receipt>,
}

/// What could not be read and was left out.
#[derive(Clone, Deserialize)]
pub(crate) struct Ignored {
    pub(crate) pointer: String,
    pub(crate) code: String,
    pub(crate) detail: String,
}

/// What became of it at one connection, and what that proves.
#[derive(Clone, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) id: String,
    pub(crate) connection: String,
    pub(crate) required: bool,
    pub(crate) state: String,
    pub(crate) waiting_for: Option<String>,
    pub(crate) superseded_by: Option<String>,
    pub(crate) outcome: Option<String>,
    pub(crate) evidence: Option<String>,
    pub(crate) matched_by: Option<String>,
    pub(crate) provider_customer_id: Option<String>,
    pub(crate) attempts: u32,
    pub(crate) next_attempt_at: Option<Timestamp>,
    pub(crate) duration_ms: Option<u64>,
    pub(crate) fields: Fields,
    warnings: Vec<Warning>,
    pub(crate) error: Option<Failure>,
}

/// What the vendor's echo shows of the fields that were sent.
#[derive(Clone, Deserialize)]
pub(crate) struct Fields {
    pub(crate) confirmed: Vec<String>,
    pub(crate) differs: Vec<Differs>,
    pub(crate) unconfirmed: Vec<String>,
}

/// A field that the vendor keeps otherwise.
#[derive(Clone, Deserialize)]
pub(crate) struct Differs {
    pub(crate) pointer: String,
    kept: Json,
}

/// What the vendor cannot hold or do.
#[derive(Clone, Deserialize)]
pub(crate) struct Warning {
    pub(crate) code: String,
    pub(crate) pointer: String,
    pub(crate) detail: String,
}

/// Why it failed, or failed last.
#[derive(Clone, Deserialize)]
pub(crate) struct Failure {
    pub(crate) kind: String,
    pub(crate) state_at_vendor: String,
    pub(crate) code: Option<String>,
    /// The vendor's words.
    pub(crate) detail: String,
    pub(crate) vendor_status: Option<u16>,
    pub(crate) vendor_request_id: Option<String>,
    pub(crate) errors: Vec<Complaint>,
    #[serde(default)]
    vendor_body: Json,
}

/// A field that the vendor complains of.
#[derive(Clone, Deserialize)]
pub(crate) struct Complaint {
    pub(crate) pointer: Option<String>,
    pub(crate) vendor_field: String,
    pub(crate) detail: String,
}

impl Failure {
    /// The vendor's own document, for people; none: there was none.
    pub(crate) fn document(&self) -> Option<String> {
        for_people(&self.vendor_body)
    }
}

impl Receipt {
    /// What the vendor cannot hold or do.
    pub(crate) fn warnings(&self) -> Vec<(&str, Vec<&str>, &str)> {
        gathered(&self.warnings)
    }
}

impl Differs {
    /// What the vendor kept; empty: nothing.
    pub(crate) fn kept(&self) -> String {
        text_of(&self.kept)
    }
}

/// JSON in lines, a text as it is; none where there is nothing.
pub(crate) fn for_people(json: &Json) -> Option<String> {
    match json {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        json => serde_json::to_string_pretty(json).ok(),
    }
}

/// Warnings that say the same of several fields, told once: code, fields, sentence.
pub(crate) fn gathered(warnings: &[Warning]) -> Vec<(&str, Vec<&str>, &str)> {
    let mut gathered: Vec<(&str, Vec<&str>, &str)> = Vec::new();
    for warning in warnings {
        let says = (warning.code.as_str(), warning.detail.as_str());
        match gathered.iter_mut().find(|(code, _, detail)| (*code, *detail) == says) {
            Some((_, pointers, _)) => pointers.push(&warning.pointer),
            None => gathered.push((says.0, vec![&warning.pointer], says.1)),
        }
    }
    gathered
}
