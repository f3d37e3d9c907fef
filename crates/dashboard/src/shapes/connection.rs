//! `GET /v1/connections`.

use jiff::Timestamp;
use serde::Deserialize;

/// How one connection is doing.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Connection {
    pub(crate) merchant_id: String,
    pub(crate) name: String,
    pub(crate) provider: String,
    pub(crate) required: bool,
    pub(crate) state: String,
    pub(crate) paused_by: Option<String>,
    pub(crate) paused_since: Option<Timestamp>,
    pub(crate) pause_reason: Option<String>,
    pub(crate) waiting: u64,
    pub(crate) in_flight: u64,
    pub(crate) oldest_waiting_seconds: Option<i64>,
    pub(crate) through_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) dead_letters: u64,
    pub(crate) breaker: Breaker,
    pub(crate) rate_limit: RateLimit,
    pub(crate) concurrency: Concurrency,
    pub(crate) health: Health,
}

/// The circuit breaker.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Breaker {
    pub(crate) state: String,
    pub(crate) until: Option<Timestamp>,
    pub(crate) calls: u32,
    pub(crate) faults: u32,
}

/// Limits, and what is left of them.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RateLimit {
    pub(crate) per_second: Option<u32>,
    pub(crate) burst: Option<u32>,
    pub(crate) per_day: Option<u32>,
    pub(crate) used_today: u32,
    pub(crate) left_today: Option<u32>,
    pub(crate) left_today_for_bulk: Option<u32>,
    pub(crate) opens_at: Timestamp,
    pub(crate) blocked_until: Option<Timestamp>,
    pub(crate) blocked_by: Option<String>,
}

/// Calls at the same time.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Concurrency {
    pub(crate) places: u64,
    pub(crate) in_use: u64,
    pub(crate) waiting: u64,
}

/// What its calls came to.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Health {
    pub(crate) last_success_at: Option<Timestamp>,
    pub(crate) last_failure_at: Option<Timestamp>,
    pub(crate) last_failure_kind: Option<String>,
    pub(crate) latency_p50_ms: Option<f64>,
    pub(crate) latency_p95_ms: Option<f64>,
    pub(crate) latency_p99_ms: Option<f64>,
}

impl Connection {
    /// Its page.
    pub(crate) fn path(&self) -> String {
        format!("/ops/connections/{}/{}", self.merchant_id, self.name)
    }

    /// Whether nothing is wrong with it.
    pub(crate) fn is_well(&self) -> bool {
        self.state == "healthy" && self.dead_letters == 0
    }

    /// What is left of the day's calls, in percent; none: it has no such limit.
    pub(crate) fn left_percent(&self) -> Option<u32> {
        let (left, per_day) = (self.rate_limit.left_today?, self.rate_limit.per_day?);
        Some(u32::try_from(u64::from(left) * 100 / u64::from(per_day.max(1))).unwrap_or(100))
    }
}

/// Those in trouble first, then by name; at most `most`, and how many are left out.
pub(crate) fn troubled_first(mut all: Vec<Connection>, most: usize) -> (Vec<Connection>, usize) {
    all.sort_by(|one, other| {
        let key = |connection: &Connection| (connection.is_well(), connection.waiting == 0);
        key(one)
            .cmp(&key(other))
            .then_with(|| (&one.merchant_id, &one.name).cmp(&(&other.merchant_id, &other.name)))
    });
    let left_out = all.len().saturating_sub(most);
    all.truncate(most);
    (all, left_out)
}
