//! An upsert's work at one connection, with its attempts.

mod progress;
mod shared;
mod transitions;

use std::collections::BTreeSet;
use std::fmt;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::fmt::serde::timestamp::microsecond as timestamp;
use progress::Course;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use upsert_api::{DeliveryError, DeliveryFilter, DeliveryState};
use upsert_core::{CustomerId, DeliveryId, Outcome, Priority, UpsertId, WaitingFor, Warning, WireRequest};

use crate::{Expect, StoreError};

pub use progress::{Progress, Success};

/// An upsert's work at one connection. What is not there is left out of its stored form: a delivery is written twice on
/// the way of an upsert. How far it is changes by the methods of `transitions.rs` alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each says something of its own")]
pub struct DeliveryRecord {
    /// Its id, which leads to its upsert's.
    pub id: DeliveryId,
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
    version: u64,
    course: Course,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    took_over: Vec<DeliveryId>,
    attempts: u32,
    duration_ms: u64,
    /// What the vendor cannot hold or do.
    #[serde(default, skip_serializing_if = "shared::is_empty", with = "shared")]
    pub warnings: Arc<[Warning]>,
    /// Whether to call even if nothing has changed.
    pub force: bool,
    /// How urgent.
    pub priority: Priority,
    fence: u64,
    /// When it was made.
    #[serde(with = "timestamp::required")]
    pub created_at: Timestamp,
    parked_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "timestamp::optional")]
    parked_since: Option<Timestamp>,
    maybe_written: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    attempts_forgotten: bool,
    /// W3C trace context of the request that it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What other systems of tracing say of that trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
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
    #[serde(with = "timestamp::required")]
    pub started_at: Timestamp,
    /// When it was over; none: nobody knows what became of it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "timestamp::optional")]
    pub ended_at: Option<Timestamp>,
    /// What came of it: an outcome's or an error kind's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The HTTP status, of an acceptance too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_status: Option<u16>,
    /// What an acceptance said beside the record: message, times and the like, in the vendor's own members.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub vendor_said: Map<String, Json>,
    /// What went out; none: where it is put again, the one that is there stays. It is kept beside the rest.
    #[serde(skip)]
    pub request: Option<SentRequest>,
    /// This attempt's own failure, where it ended badly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    /// Of which upsert.
    pub const fn upsert(&self) -> UpsertId {
        self.id.upsert()
    }

    /// How far it is, with what belongs to that.
    pub const fn progress(&self) -> &Progress {
        &self.course.progress
    }

    /// How far it is, in a word.
    pub const fn state(&self) -> DeliveryState {
        self.progress().state()
    }

    /// Whether it waits to be tried, for whatever it does.
    pub const fn may_be_tried(&self) -> bool {
        matches!(
            self.progress(),
            Progress::Pending { .. } | Progress::Retrying { .. } | Progress::Waiting { .. }
        )
    }

    /// Why it waits, if it does.
    pub const fn waiting_for(&self) -> Option<WaitingFor> {
        self.progress().waiting_for()
    }

    /// When it is due; none if it has ended, is in flight, or nobody can tell.
    pub const fn next_attempt_at(&self) -> Option<Timestamp> {
        self.progress().due()
    }

    /// Until when whoever sends it has it for itself.
    pub const fn lease_until(&self) -> Option<Timestamp> {
        self.progress().lease_until()
    }

    /// The newer one that goes in its place.
    pub const fn superseded_by(&self) -> Option<DeliveryId> {
        self.progress().superseded_by()
    }

    /// When it ended.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.progress().ended_at()
    }

    /// What the vendor has of it.
    pub fn success(&self) -> Option<&Success> {
        self.progress().success()
    }

    /// What came of it.
    pub fn outcome(&self) -> Option<Outcome> {
        self.success().map(|success| success.outcome)
    }

    /// What went wrong last; of what it failed, if it has.
    pub fn error(&self) -> Option<&DeliveryError> {
        self.course.error()
    }

    /// The customer's version that it brings: that of its upsert, until it is claimed.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The older ones that it goes in the place of: their upserts end with it.
    pub fn took_over(&self) -> &[DeliveryId] {
        &self.took_over
    }

    /// Calls that were sent.
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How long its calls took in all, in milliseconds.
    pub const fn duration_ms(&self) -> u64 {
        self.duration_ms
    }

    /// Grows by one with each claim: a late result carries an old one and is refused.
    pub const fn fence(&self) -> u64 {
        self.fence
    }

    /// Milliseconds that it spent waiting for a pause or a quota, but for those since it last began to: they do not count
    /// against `max_age`.
    pub const fn parked_ms(&self) -> u64 {
        self.parked_ms
    }

    /// Whether any of its calls may have changed something at the vendor.
    pub const fn maybe_written(&self) -> bool {
        self.maybe_written
    }

    /// That nobody has claimed it since.
    pub const fn expected(&self) -> Expect {
        Expect::Delivery {
            id: self.id,
            fence: self.fence,
        }
    }

    /// As if some way had led there: for tests, and for filling stores.
    #[doc(hidden)]
    #[must_use]
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.course.go_on(progress);
        self
    }

    /// Whether the filter means it.
    pub fn matches(&self, filter: &DeliveryFilter) -> bool {
        let error = self.error();
        is_among(filter.merchants.as_ref(), &self.merchant)
            && is_wanted(filter.connection.as_ref(), &&self.connection)
            && (filter.state.is_empty() || filter.state.contains(&self.state()))
            && filter
                .error_kind
                .is_none_or(|kind| error.is_some_and(|error| error.kind == kind))
            && filter
                .error_code
                .as_ref()
                .is_none_or(|code| error.is_some_and(|error| error.code.as_ref() == Some(code)))
            && filter
                .waiting_for
                .is_none_or(|reason| self.waiting_for() == Some(reason))
            && is_wanted(filter.customer_id, &self.customer)
            && is_wanted(filter.upsert_id, &self.upsert())
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
    /// When the oldest of them, by id, was made.
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

/// Deliveries and their attempts.
#[async_trait]
pub trait DeliveryStore: Debug + Send + Sync + 'static {
    /// One delivery of one merchant.
    async fn delivery(&self, merchant: &str, id: DeliveryId) -> Result<Option<DeliveryRecord>, StoreError>;

    /// A page of deliveries, newest first by id; `before` is where the page before said that it goes on. An upsert's or a
    /// customer's are looked for at each merchant that the filter names.
    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        before: Option<DeliveryId>,
        limit: usize,
    ) -> Result<DeliveryPage, StoreError>;

    /// How many deliveries match; nobody looks on after `most` of them.
    async fn count_deliveries(&self, filter: &DeliveryFilter, most: usize) -> Result<Counted, StoreError>;

    /// The attempts of a delivery, in order.
    async fn attempts(&self, merchant: &str, delivery: DeliveryId) -> Result<Vec<AttemptRecord>, StoreError>;

    /// Connections, by merchant and name and sorted so, where something may be tried at `now`: a delivery that is
    /// `pending`, `retrying` or `waiting`, with `next_attempt_at` at or before it. However much waits at one of them, it
    /// costs no more than another.
    async fn due_connections(&self, now: Timestamp) -> Result<Vec<(String, String)>, StoreError>;

    /// What may be tried at one connection at `now`. Oldest due first, then by id.
    async fn due_at(
        &self,
        merchant: &str,
        connection: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError>;

    /// What waits at one connection (`pending`, `retrying`, `waiting`), due or not, oldest first (by id); `after` is the
    /// last id of the page before.
    async fn waiting_at(
        &self,
        merchant: &str,
        connection: &str,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError>;

    /// Deliveries in flight whose lease has ended by `now` (one without a lease never does); `None` for `now` means all
    /// of them (a process that has the store to itself has just started). In no order.
    async fn abandoned(&self, now: Option<Timestamp>, limit: usize) -> Result<Vec<DeliveryRecord>, StoreError>;

    /// How much waits where: every delivery that has not ended, by merchant, connection and state, sorted so.
    async fn waiting(&self) -> Result<Vec<WaitingCount>, StoreError>;

    /// How many deliveries of each connection are in state [`DeliveryState::Failed`], sorted by merchant and connection;
    /// those without any are left out. It reads none of them.
    async fn failed_deliveries(&self) -> Result<Vec<FailedCount>, StoreError>;
}
