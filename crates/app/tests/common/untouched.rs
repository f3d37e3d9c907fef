//! A connection of which nothing is known.
#![allow(unreachable_pub, dead_code, reason = "each test file uses its own part")]

use jiff::Timestamp;
use upsert_api::{Breaker, BreakerState, Concurrency, ConnectionStatus, Health, RateLimit};

/// How a connection is doing that was never called and has no limits.
pub fn untouched() -> ConnectionStatus {
    ConnectionStatus {
        breaker: Breaker {
            state: BreakerState::Closed,
            until: None,
            calls: 0,
            faults: 0,
            failing_since: None,
            failing_with: None,
        },
        rate_limit: RateLimit {
            per_second: None,
            burst: None,
            per_day: None,
            used_today: 0,
            left_today: None,
            left_today_for_bulk: None,
            per_day_for_bulk: None,
            opens_at: Timestamp::UNIX_EPOCH,
            blocked_until: None,
            blocked_by: None,
        },
        concurrency: Concurrency {
            places: 16,
            in_use: 0,
            waiting: 0,
        },
        health: Health {
            last_success_at: None,
            last_failure_at: None,
            last_failure_kind: None,
            in_flight: 0,
            latency_p50_ms: None,
            latency_p95_ms: None,
            latency_p99_ms: None,
            latency_usual_ms: None,
        },
    }
}
