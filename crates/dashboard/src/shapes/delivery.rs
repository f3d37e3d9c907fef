//! `GET /v1/deliveries` and `GET /v1/deliveries/{id}`.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use upsert_app::MASK;

use super::customer::text_of;
use super::receipt::{Failure, Fields, Warning, for_people};

/// One delivery; a list's have no attempts.
#[derive(Clone, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) merchant_id: String,
    pub(crate) customer_id: String,
    pub(crate) upsert_id: String,
    pub(crate) connection: String,
    pub(crate) provider: String,
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
    pub(crate) duration_ms: u64,
    pub(crate) fields: Fields,
    #[serde(default)]
    pub(crate) warnings: Vec<Warning>,
    pub(crate) error: Option<Failure>,
    pub(crate) created_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) attempt_log: Vec<Attempt>,
}

/// One call.
#[derive(Clone, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) number: u32,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) result: Option<String>,
    pub(crate) vendor_status: Option<u16>,
    #[serde(default)]
    vendor_said: Map<String, Json>,
    pub(crate) request: Option<Request>,
    pub(crate) error: Option<Failure>,
}

/// What was sent, as far as it may be seen; credentials are never in it.
#[derive(Clone, Deserialize)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// None: it may not be seen.
    path: Option<String>,
    body: Json,
}

impl Delivery {
    /// Its page.
    pub(crate) fn path(&self) -> String {
        format!("/ops/deliveries/{}", self.id)
    }

    /// Its customer's page.
    pub(crate) fn customer_path(&self) -> String {
        format!("/ops/customers/{}/{}", self.merchant_id, self.customer_id)
    }

    /// Its connection's page.
    pub(crate) fn connection_path(&self) -> String {
        format!("/ops/connections/{}/{}", self.merchant_id, self.connection)
    }

    /// Whether nothing will happen to it by itself any more.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state.as_str(), "succeeded" | "superseded" | "failed" | "discarded")
    }

    pub(crate) fn can_be_replayed(&self) -> bool {
        self.state == "failed"
    }

    pub(crate) fn can_be_discarded(&self) -> bool {
        matches!(self.state.as_str(), "failed" | "pending" | "retrying" | "waiting")
    }
}

impl Failure {
    /// The vendor's words, or their beginning.
    pub(crate) fn shortened(&self) -> String {
        shortened(&self.detail)
    }
}

/// The beginning of somebody's words, for a cell of a table.
pub(crate) fn shortened(words: &str) -> String {
    const MOST: usize = 80;
    let mut letters = words.chars();
    let beginning: String = letters.by_ref().take(MOST).collect();
    match letters.next() {
        Some(_) => format!("{}…", beginning.trim_end()),
        None => beginning,
    }
}

impl Attempt {
    /// What the vendor said of a call that it accepted, by its own names.
    pub(crate) fn said(&self) -> Vec<(&str, String)> {
        let said = self.vendor_said.iter();
        said.map(|(name, value)| (name.as_str(), text_of(value))).collect()
    }

    /// How long it took, in milliseconds; none: nobody knows.
    pub(crate) fn took_ms(&self) -> Option<i64> {
        let took: SignedDuration = self.ended_at?.duration_since(self.started_at);
        i64::try_from(took.as_millis()).ok()
    }
}

impl Request {
    pub(crate) fn path(&self) -> &str {
        self.path.as_deref().unwrap_or(MASK)
    }

    /// Its body for people; none: it had none.
    pub(crate) fn body(&self) -> Option<String> {
        for_people(&self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_are_shortened_between_letters() {
        assert_eq!(shortened("kurz"), "kurz");
        let long = shortened(&"ä".repeat(90));
        assert_eq!(long, format!("{}…", "ä".repeat(80)));
    }
}
