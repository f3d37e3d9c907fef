//! From a connection's settings to its policies, and the application's ports over them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;

use upsert_app::{ConnectionStatus, NextStep, RetryRule};
use upsert_core::{Held, Priority, ProviderError, Repeat};
use upsert_policy::{BreakerPolicy, ConnectionPolicy, Decision, RateLimitPolicy, RetryPolicy};
use upsert_settings as settings;

/// The policies that the files ask for.
pub(crate) fn policy_of(connection: &settings::Connection) -> ConnectionPolicy {
    let (retry, breaker) = (&connection.retry, &connection.breaker);
    ConnectionPolicy {
        timeout: connection.timeout,
        concurrency: connection.concurrency,
        rate_limit: connection.rate_limit.as_ref().map(|limit| RateLimitPolicy {
            per_second: limit.per_second,
            burst: limit.burst,
            per_day: limit.per_day,
            reserve: limit.reserve,
        }),
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
