//! From a connection's settings to its policies, and the application's ports over them.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;

use upsert_app::{ConnectionStatus, NextStep, RetryRule};
use upsert_core::{Held, Priority, ProviderError, Repeat};
use upsert_policy::{BreakerPolicy, ConnectionPolicy, Decision, RateLimitPolicy, RetryPolicy};
use upsert_settings as settings;

/// The part of a day's calls that imports may not use, where the files say nothing of the day.
const USUAL_RESERVE: f64 = 0.1;

/// The policies that the files ask for. `known_daily_limit`: calls a day that the vendor is known to allow, which count
/// unless the files say otherwise.
pub(crate) fn policy_of(connection: &settings::Connection, known_daily_limit: Option<u32>) -> ConnectionPolicy {
    let (retry, breaker) = (&connection.retry, &connection.breaker);
    ConnectionPolicy {
        timeout: connection.timeout,
        concurrency: connection.concurrency,
        rate_limit: rate_limit_of(connection.rate_limit.as_ref(), known_daily_limit),
        retry: RetryPolicy {
            attempts: retry.attempts,
            base: retry.base,
            cap: retry.cap,
            max_age: retry.max_age,
        },
        breaker: BreakerPolicy {
            failure_ratio: breaker.failure_ratio,
            window: breaker.window,
            min_calls: breaker.min_calls,
            open_for: breaker.open_for,
        },
    }
}

fn rate_limit_of(limit: Option<&settings::RateLimit>, known_daily_limit: Option<u32>) -> Option<RateLimitPolicy> {
    let per_day = limit.and_then(|limit| limit.per_day).or(known_daily_limit);
    let policy = RateLimitPolicy {
        per_second: limit.and_then(|limit| limit.per_second),
        burst: limit.and_then(|limit| limit.burst),
        per_day: per_day.and_then(NonZeroU32::new),
        reserve: limit.map_or(USUAL_RESERVE, |limit| limit.reserve),
    };
    (policy.per_second.is_some() || policy.per_day.is_some()).then_some(policy)
}

/// The retry rule as the application asks for it.
#[derive(Debug)]
pub(crate) struct Retries(pub(crate) Arc<upsert_policy::RetryRule>);

impl RetryRule for Retries {
    fn next(&self, error: &ProviderError, attempts: u32, repeat: Repeat, time_left: Duration) -> NextStep {
        match self.0.decide(error, attempts, repeat, time_left) {
            Decision::Retry { after } | Decision::Later { after } => NextStep::Again(after),
            Decision::Hold(held) => NextStep::Hold(held),
            Decision::Fail => NextStep::Fail,
        }
    }
}

/// A connection's state as the application shows it.
#[derive(Debug)]
pub(crate) struct Status(pub(crate) Arc<upsert_policy::ConnectionStatus>);

impl ConnectionStatus for Status {
    fn snapshot(&self) -> Json {
        serde_json::to_value(self.0.snapshot()).unwrap_or_default()
    }

    fn state(&self) -> &'static str {
        self.0.state()
    }

    fn room(&self, priority: Priority) -> Result<usize, Held> {
        self.0.room(priority)
    }

    fn through_in(&self, calls: u64) -> Option<Duration> {
        self.0.through_in(calls)
    }
}
