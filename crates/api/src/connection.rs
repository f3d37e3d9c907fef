//! Connections: how each is doing, and what its deliveries failed of.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use upsert_core::{DeliveryId, ErrorKind, WaitingFor};

use crate::cover::{Cover, Own};
use crate::masks::{cover_code, cover_some, cover_words};
use crate::states::{BreakerState, ConnectionState, DeliveryState};

/// How a connection is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Connection {
    /// Whose.
    pub merchant_id: String,
    /// Its name.
    pub name: String,
    /// The provider.
    pub provider: String,
    /// Whether upserts fail with it.
    pub required: bool,
    /// In one word.
    pub state: ConnectionState,
    /// Who paused it.
    pub paused_by: Option<PausedBy>,
    /// Since when.
    pub paused_since: Option<Timestamp>,
    /// Why.
    pub pause_reason: Option<String>,
    /// Deliveries that wait.
    pub waiting: u64,
    /// Deliveries that are being sent.
    pub in_flight: u64,
    /// How old the oldest of those that wait is.
    pub oldest_waiting_seconds: Option<i64>,
    /// When what waits will be through, as far as limits, quota and the vendor's usual latency tell. `null`: nothing
    /// waits, the connection is paused, the vendor fails, or nothing is known of its pace.
    pub through_at: Option<Timestamp>,
    /// How long that takes once calls go out, where nobody knows when they do: it is paused, or the vendor fails. `null`
    /// otherwise, and where nothing waits or nothing is known of its pace.
    #[serde(default)]
    pub work_seconds: Option<i64>,
    /// Deliveries that failed for good and that nobody has replayed or discarded.
    pub dead_letters: u64,
    /// Breaker, limits, places, health.
    #[serde(flatten)]
    pub status: ConnectionStatus,
}

/// Who paused a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PausedBy {
    /// An operator, by hand.
    Operator,
    /// The vendor: it refuses the credentials.
    Vendor,
}

/// What is known of the calls to a vendor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConnectionStatus {
    /// Whether calls to a failing vendor are stopped.
    pub breaker: Breaker,
    /// Limits, and what is left of them and of the day's quota.
    pub rate_limit: RateLimit,
    /// Calls at the same time.
    pub concurrency: Concurrency,
    /// Last success and failure, latency.
    pub health: Health,
}

/// The circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Breaker {
    /// Whether calls go through.
    pub state: BreakerState,
    /// When the next probe may go, while it is open.
    pub until: Option<Timestamp>,
    /// Calls that were judged within the window.
    pub calls: u32,
    /// How many of them failed by the vendor's fault.
    pub faults: u32,
    /// Since when the vendor fails: its first fault after it was last up. `null`: it was up the last time, or no call has told
    /// anything since the start.
    pub failing_since: Option<Timestamp>,
    /// The HTTP status of its newest fault since then. `null`: it gave no answer, or another replica found out.
    pub failing_with: Option<u16>,
}

/// Limits, and how much of them is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RateLimit {
    /// Calls a second.
    pub per_second: Option<u32>,
    /// Calls at once.
    pub burst: Option<u32>,
    /// Calls a day.
    pub per_day: Option<u32>,
    /// Calls of this UTC day.
    pub used_today: u32,
    /// Calls that are left today.
    pub left_today: Option<u32>,
    /// Calls that are left today for bulk work, which may not touch the reserve.
    pub left_today_for_bulk: Option<u32>,
    /// Calls a day that bulk work may use.
    pub per_day_for_bulk: Option<u32>,
    /// When the next day's calls open.
    pub opens_at: Timestamp,
    /// Until when nothing is sent.
    pub blocked_until: Option<Timestamp>,
    /// Why: `rate_limit` (the vendor's 429) or `quota` (spent by the vendor's word or by our count).
    pub blocked_by: Option<WaitingFor>,
}

/// Calls at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Concurrency {
    /// Calls that may be under way at the same time.
    pub places: usize,
    /// Calls under way.
    pub in_use: usize,
    /// Calls that wait for a place.
    pub waiting: usize,
}

/// What a connection's calls came to of late.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// When the vendor last took a call.
    pub last_success_at: Option<Timestamp>,
    /// When a call last failed that had been sent.
    pub last_failure_at: Option<Timestamp>,
    /// What that failure meant.
    pub last_failure_kind: Option<ErrorKind>,
    /// Calls under way, those in the queue for a place included.
    pub in_flight: u32,
    /// Half of the last calls took no longer than this, in milliseconds, once their turn had come: of those of the last 10
    /// minutes, 256 at the most. `null`: there was none.
    pub latency_p50_ms: Option<f64>,
    /// 95 of 100 took no longer.
    pub latency_p95_ms: Option<f64>,
    /// 99 of 100 took no longer.
    pub latency_p99_ms: Option<f64>,
    /// Half of the last 256 calls that the vendor took were no longer than this, however long ago. `null`: none since the start.
    #[serde(default)]
    pub latency_usual_ms: Option<f64>,
}

/// What a connection's deliveries failed of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CausePage {
    /// The most frequent one first.
    pub data: Vec<Cause>,
    /// Whether all deliveries were counted. Of more than 20,000 that have failed or are tried again, and as many that wait, the
    /// newest are.
    #[serde(default)]
    pub counted_all: bool,
}

/// Deliveries that failed of the same. (Its `Debug` leaves the vendor's words out: they may repeat a value.)
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cause {
    /// What the error means.
    pub kind: ErrorKind,
    /// The vendor's code, or one of ours.
    pub code: Option<String>,
    /// How many deliveries.
    pub count: u64,
    /// For people, of the newest one: with the vendor's words.
    pub sample_detail: String,
    /// The first line of what the vendor answered to the newest one; null: it answered nothing that says something.
    #[serde(default)]
    pub sample_answer: Option<String>,
    /// The newest one: `dlv_…`
    pub newest_delivery_id: DeliveryId,
    /// When that was made.
    pub newest_at: Timestamp,
    /// How many are `failed`, `retrying` and `waiting`; a state without any is left out.
    pub states: BTreeMap<DeliveryState, u64>,
}

impl std::fmt::Debug for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cause")
            .field("kind", &self.kind)
            .field("count", &self.count)
            .field("newest_delivery_id", &self.newest_delivery_id)
            .field("states", &self.states)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Whether calls are held back because the vendor fails, or one finds out whether it still does.
    pub fn is_down(&self) -> bool {
        let held_back = self.status.breaker.state != BreakerState::Closed;
        match self.state {
            ConnectionState::Open => true,
            ConnectionState::Degraded => held_back,
            _ => false,
        }
    }

    /// Whether nothing is known of its vendor: no call has ended since the start, and none was counted today.
    pub fn is_not_called_yet(&self) -> bool {
        let ConnectionStatus {
            health,
            rate_limit,
            breaker,
            ..
        } = &self.status;
        let is_silent = health.last_success_at.is_none() && health.last_failure_at.is_none();
        is_silent && rate_limit.used_today == 0 && breaker.failing_since.is_none()
    }

    /// Its state in words for people, such as `down`, `quota spent`, `not called yet`.
    pub fn in_words(&self) -> String {
        match self.state {
            ConnectionState::Healthy if self.is_not_called_yet() => "not called yet".to_owned(),
            _ if self.is_down() => "down".to_owned(),
            state => state.to_string().replace('_', " "),
        }
    }

    /// What is left of the day's calls, in percent; none: it has no such limit.
    pub fn left_percent(&self) -> Option<u32> {
        let limit = &self.status.rate_limit;
        let (left, per_day) = (limit.left_today?, limit.per_day?);
        Some(u32::try_from(u64::from(left) * 100 / u64::from(per_day.max(1))).unwrap_or(100))
    }
}

impl Cover for Cause {
    fn cover(&mut self, _own: Own<'_>) {
        cover_code(&mut self.code);
        cover_words(&mut self.sample_detail);
        cover_some(&mut self.sample_answer);
    }
}
