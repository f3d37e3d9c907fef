//! An upsert's work at one connection, with its attempts.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use upsert_api::{DeliveryError, DeliveryFilter, DeliveryState};
use upsert_core::{
    CustomerId, DeliveryId, Evidence, FieldOutcomes, KeyKind, Outcome, Priority, UpsertId, WaitingFor, Warning,
    WireRequest,
};

/// An upsert's work at one connection. What is not there is left out of its stored form: a delivery is written twice on
/// the way of an upsert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryRecord {
    /// Its id.
    pub id: DeliveryId,
    /// Of which upsert.
    pub upsert: UpsertId,
    /// Whose customer.
    pub merchant: String,
    /// Which customer.
    pub customer: CustomerId,
    /// To where.
    pub connection: String,
    /// The provider's name there.
    pub provider: String,
    /// Whether the upsert fails with it.
    pub required: bool,
    /// The customer's version that it set out to bring.
    pub version: u64,
    /// How far it is.
    pub state: DeliveryState,
    /// Why it waits, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitingFor>,
    /// The newer one that goes in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<DeliveryId>,
    /// The older ones that it goes in the place of: their upserts end with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub took_over: Vec<DeliveryId>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// How that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// By which key the vendor found the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched_by: Option<KeyKind>,
    /// The vendor's id of the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_customer_id: Option<String>,
    /// Calls that were sent.
    pub attempts: u32,
    /// When it is due; none if it has ended, is in flight, or nobody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// How long its calls took in all, in milliseconds.
    pub duration_ms: u64,
    /// What became of each field.
    pub fields: FieldOutcomes,
    /// What the vendor cannot hold or do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<DeliveryError>,
    /// Whether to call even if nothing has changed.
    pub force: bool,
    /// How urgent.
    pub priority: Priority,
    /// Grows by one with each claim: a late result carries an old one and is refused.
    pub fence: u64,
    /// Until when whoever sends it has it for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Milliseconds that it spent waiting for a pause or a quota: they do not count against `max_age`.
    pub parked_ms: u64,
    /// Since when it has been waiting for a pause or a quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked_since: Option<Timestamp>,
    /// Whether any of its calls may have changed something at the vendor.
    #[serde(default)]
    pub maybe_written: bool,
    /// W3C trace context of the request that it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// One send. Written before the first byte goes out, so that a crash in between shows up as unknown.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// From 1.
    pub number: u32,
    /// The claim that it was made under.
    pub fence: u64,
    /// When it was about to go out.
    pub started_at: Timestamp,
    /// When it was over; none: nobody knows what became of it.
    pub ended_at: Option<Timestamp>,
    /// What came of it: an outcome's or an error kind's name.
    pub result: Option<String>,
    /// The HTTP status, of an acceptance too.
    pub vendor_status: Option<u16>,
    /// What an acceptance said beside the record: message, times and the like, in the vendor's own members.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub vendor_said: Map<String, Json>,
    /// What went out; none: the attempt is older than the keeping of requests, or, where it is put again, the one that
    /// is there stays.
    pub request: Option<SentRequest>,
    /// This attempt's own failure, where it ended badly.
    pub error: Option<DeliveryError>,
}

/// Leaves the vendor's words out: they may repeat a value.
impl fmt::Debug for AttemptRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptRecord")
            .field("delivery", &self.delivery)
            .field("number", &self.number)
            .field("fence", &self.fence)
            .field("started_at", &self.started_at)
            .field("ended_at", &self.ended_at)
            .field("result", &self.result)
            .field("vendor_status", &self.vendor_status)
            .field("request", &self.request)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// A request as the adapter worded it. Credentials are added on the way out and are not in it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct SentRequest {
    /// HTTP method, or the verb of whatever the vendor speaks.
    pub method: String,
    /// Path under the base URL.
    pub path: String,
    /// The body; null for none.
    pub body: Json,
}

/// Shows no more than the method: path and body hold personal data.
impl fmt::Debug for SentRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SentRequest({})", self.method)
    }
}

impl From<&WireRequest> for SentRequest {
    fn from(request: &WireRequest) -> Self {
        Self {
            method: request.method.clone(),
            path: request.path.clone(),
            body: request.body.clone(),
        }
    }
}

impl DeliveryRecord {
    /// Whether the filter means it.
    pub fn matches(&self, filter: &DeliveryFilter) -> bool {
        let error = self.error.as_ref();
        is_among(filter.merchants.as_ref(), &self.merchant)
            && is_wanted(filter.connection.as_ref(), &&self.connection)
            && (filter.state.is_empty() || filter.state.contains(&self.state))
            && filter
                .error_kind
                .is_none_or(|kind| error.is_some_and(|error| error.kind == kind))
            && filter
                .error_code
                .as_ref()
                .is_none_or(|code| error.is_some_and(|error| error.code.as_ref() == Some(code)))
            && filter.waiting_for.is_none_or(|reason| self.waiting_for == Some(reason))
            && is_wanted(filter.customer_id, &self.customer)
            && is_wanted(filter.upsert_id, &self.upsert)
            && filter.since.is_none_or(|since| self.created_at >= since)
            && filter.until.is_none_or(|until| self.created_at < until)
    }
}

/// None: all are.
pub(crate) fn is_among(merchants: Option<&BTreeSet<String>>, merchant: &str) -> bool {
    merchants.is_none_or(|merchants| merchants.contains(merchant))
}

pub(crate) fn is_wanted<T: PartialEq>(wanted: Option<T>, value: &T) -> bool {
    wanted.is_none_or(|wanted| wanted == *value)
}

/// A page of deliveries, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeliveryPage {
    /// As many as were asked for, at most. A store that has to look at very many to find them may stop before.
    pub entries: Vec<DeliveryRecord>,
    /// Where the next page begins: below this id. None: nothing that matches is below.
    pub next: Option<DeliveryId>,
}

/// How many match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// So many were found.
    pub count: usize,
    /// Whether that is all; otherwise there may be more, and nobody looked on.
    pub is_all: bool,
}

/// How many deliveries of one connection have not ended, in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingCount {
    /// Whose connection.
    pub merchant: String,
    /// Which.
    pub connection: String,
    /// The state.
    pub state: DeliveryState,
    /// How many.
    pub count: u64,
    /// When the oldest of them was made.
    pub oldest: Timestamp,
}

/// How many deliveries of one connection are dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedCount {
    /// Whose connection.
    pub merchant: String,
    /// Which.
    pub connection: String,
    /// How many.
    pub count: u64,
    /// The newest of them, by id.
    pub newest: DeliveryId,
}
