//! An accepted request, and the answer that its idempotency key gets.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use upsert_api::{Through, UpsertFilter, UpsertState};
use upsert_core::{CustomerId, Ignored, UpsertId};

use crate::delivery::{DeliveryRecord, is_wanted};

/// One accepted request to change one customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something of its own, and all are members in JSON"
)]
pub struct UpsertRecord {
    /// Its id.
    pub id: UpsertId,
    /// Whose customer.
    pub merchant: String,
    /// Which.
    pub customer: CustomerId,
    /// The customer's version after it.
    pub version: u64,
    /// Grows by one with each write of the row, for [`crate::Expect::Upsert`].
    pub revision: u64,
    /// How far it is.
    pub state: UpsertState,
    /// Whether the customer was new to the gateway.
    pub new_customer: bool,
    /// Whether it changed the customer at all.
    pub changed: bool,
    /// Whether the change was taken back, since every connection refused it.
    pub rolled_back: bool,
    /// Whether the merchant's endpoints are still to be told that it ended well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owes_event: bool,
    /// By whom.
    pub by: String,
    /// The way by which it came; none where the record is older than this member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Through>,
    /// What could not be read and was left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<Ignored>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When its last delivery ended.
    pub ended_at: Option<Timestamp>,
}

impl UpsertRecord {
    /// Whether the filter means it, with these deliveries.
    pub fn matches(&self, filter: &UpsertFilter, deliveries: &[DeliveryRecord]) -> bool {
        self.matches_alone(filter)
            && filter
                .connection
                .as_ref()
                .is_none_or(|name| deliveries.iter().any(|delivery| delivery.connection == *name))
    }

    /// The same, as far as it can be said without its deliveries.
    pub fn matches_alone(&self, filter: &UpsertFilter) -> bool {
        self.merchant == filter.merchant
            && (filter.state.is_empty() || filter.state.contains(&self.state))
            && is_wanted(filter.customer_id, &self.customer)
            && filter.since.is_none_or(|since| self.created_at >= since)
            && filter.until.is_none_or(|until| self.created_at < until)
    }
}

/// A page of upserts with their deliveries, newest first; each one's deliveries in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UpsertPage {
    /// As many as were asked for, at most. A store that has to look at very many to find them may stop before.
    pub entries: Vec<(UpsertRecord, Vec<DeliveryRecord>)>,
    /// Where the next page begins: below this id. None: nothing that matches is below.
    pub next: Option<UpsertId>,
}

/// An idempotency key that was used.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// Hash over API key name, merchant, route and key.
    pub key: [u8; 32],
    /// Keyed fingerprint of the request.
    pub fingerprint: [u8; 32],
    /// Whose upsert it made.
    pub merchant: String,
    /// The upsert that it made.
    pub upsert: UpsertId,
    /// When it was first used.
    pub created_at: Timestamp,
    /// Until when it is kept.
    pub expires_at: Timestamp,
    /// The answer, once it is final.
    pub answer: Option<StoredAnswer>,
}

impl fmt::Debug for IdempotencyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyRecord")
            .field("upsert", &self.upsert)
            .finish_non_exhaustive()
    }
}

/// An answer to the letter.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// `Location`, if it had one.
    pub location: Option<String>,
    /// `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: String,
}

impl fmt::Debug for StoredAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredAnswer({}, {} bytes)", self.status, self.body.len())
    }
}
