//! An accepted request, and the answer that its idempotency key gets.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use upsert_core::{CustomerId, Ignored, UpsertId};

use crate::delivery::{DeliveryRecord, is_wanted};

/// How far an upsert is, over its required connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpsertState {
    /// Something has not ended.
    Pending,
    /// Everything succeeded.
    Succeeded,
    /// Only connections that are not required failed.
    PartiallyFailed,
    /// A required connection failed.
    Failed,
}

impl UpsertState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Succeeded, Self::PartiallyFailed, Self::Failed];

    /// As it stands in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::PartiallyFailed => "partially_failed",
            Self::Failed => "failed",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

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

/// The way by which an upsert came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Through {
    /// A request of its own.
    Request,
    /// A line of a batch; imports are batches.
    Batch,
    /// An event of a webhook source.
    Webhook,
    /// The replay of a failed delivery.
    Replay,
}

/// Which upserts of one merchant to list; every filter that is there has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpsertFilter {
    /// Whose.
    pub merchant: String,
    /// In one of these states; empty: in any.
    pub states: BTreeSet<UpsertState>,
    /// With a delivery to this connection.
    pub connection: Option<String>,
    /// Of this customer.
    pub customer: Option<CustomerId>,
    /// Accepted at or after this moment.
    pub since: Option<Timestamp>,
    /// Accepted before this moment.
    pub until: Option<Timestamp>,
    /// Only with an id above this one.
    pub above: Option<UpsertId>,
}

impl UpsertFilter {
    /// Whether the upsert is to be listed, as far as it can say so without its deliveries.
    pub fn matches(&self, upsert: &UpsertRecord) -> bool {
        upsert.merchant == self.merchant
            && (self.states.is_empty() || self.states.contains(&upsert.state))
            && is_wanted(self.customer, &upsert.customer)
            && self.since.is_none_or(|since| upsert.created_at >= since)
            && self.until.is_none_or(|until| upsert.created_at < until)
            && self.above.is_none_or(|above| upsert.id > above)
    }

    /// Whether one of its deliveries is to the connection that is asked for.
    pub fn matches_deliveries(&self, deliveries: &[DeliveryRecord]) -> bool {
        let is_there = |name: &String| deliveries.iter().any(|delivery| delivery.connection == *name);
        self.connection.as_ref().is_none_or(is_there)
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
