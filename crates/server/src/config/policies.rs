//! From a connection's settings to its policies, and the application's ports over them.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use upsert_api::ConnectionState;
use upsert_app::{ConnectionStatus, NextStep, RetryRule};
use upsert_core::{Held, Priority, ProviderError, Repeat, VendorBlocks};
use upsert_policy::{BreakerPolicy, ConnectionPolicy, Decision, RateLimitPolicy, RetryPolicy};
use upsert_provider_kit::InForce;
use upsert_settings as settings;

/// The policies that the files ask for. `known_daily_limit`: calls a day that the vendor is known to allow, which count
/// unless the files say otherwise.
pub(crate) fn policy_of(connection: &settings::Connection, known_daily_limit: Option<u32>) -> ConnectionPolicy {
    let (retry, breaker) = (&connection.retry, &connection.breaker);
    ConnectionPolicy {
        timeout: connection.timeout,
        concurrency: connection.concurrency,
        rate_limit: rate_limit_of(&connection.rate_limit, known_daily_limit),
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

/// None where nothing is limited.
fn rate_limit_of(limit: &settings::RateLimit, known_daily_limit: Option<u32>) -> Option<RateLimitPolicy> {
    let policy = RateLimitPolicy {
        per_second: limit.per_second,
        burst: limit.burst,
        per_day: limit.per_day.or(known_daily_limit).and_then(NonZeroU32::new),
        per_day_is_assumed: limit.per_day.is_none(),
        reserve: limit.reserve,
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
pub(crate) struct Status {
    pub(crate) policies: Arc<upsert_policy::ConnectionStatus>,
    /// Whether the configuration in force has the connection.
    pub(crate) in_force: InForce,
}

impl ConnectionStatus for Status {
    fn begin_at_zero(&self) {
        self.policies.begin_at_zero();
    }

    fn snapshot(&self) -> upsert_api::ConnectionStatus {
        self.policies.snapshot()
    }

    fn state(&self) -> ConnectionState {
        self.policies.state()
    }

    fn room(&self, priority: Priority) -> Result<usize, Held> {
        self.policies.room(priority)
    }

    fn through_in(&self, calls: u64) -> Option<Duration> {
        self.policies.through_in(calls)
    }

    fn day_limit(&self, priority: Priority) -> Option<u32> {
        self.policies.day_limit(priority)
    }

    fn learn_calls(&self, day: Date, used: u32) {
        self.policies.learn_calls(day, used);
    }

    fn hear_of_opening(&self, until: Timestamp) {
        self.policies.hear_of_opening(until);
    }

    fn hear_of_closing(&self) {
        self.policies.hear_of_closing();
    }

    fn wants_probe(&self) -> Option<Duration> {
        self.policies.wants_probe()
    }

    fn hear_of_blocks(&self, blocks: VendorBlocks) {
        self.policies.hear_of_blocks(blocks);
    }

    fn lift_blocks(&self) {
        self.policies.lift_blocks();
    }

    fn count_call(&self, day: Date, is_more: bool) {
        self.policies.count_call(day, is_more);
    }

    fn retire(&self) {
        self.in_force.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_what_the_files_say_or_else_what_is_known_of_the_vendor() {
        const FREE: u32 = 0;
        for (per_second, per_day, known, expected) in [
            (None, None, None, None),
            (None, None, Some(1_000), Some((None, Some(1_000)))),
            (Some(5), None, None, Some((Some(5), None))),
            (Some(5), None, Some(1_000), Some((Some(5), Some(1_000)))),
            (None, Some(20), None, Some((None, Some(20)))),
            (None, Some(20), Some(1_000), Some((None, Some(20)))),
            (None, Some(5_000), Some(1_000), Some((None, Some(5_000)))),
            (Some(5), Some(20), Some(1_000), Some((Some(5), Some(20)))),
            (None, Some(FREE), None, None),
            (None, Some(FREE), Some(1_000), None),
            (Some(5), Some(FREE), Some(1_000), Some((Some(5), None))),
        ] {
            let limit = settings::RateLimit {
                per_second: per_second.and_then(NonZeroU32::new),
                burst: per_second.and_then(NonZeroU32::new),
                per_day,
                reserve: 0.25,
            };
            let policy = rate_limit_of(&limit, known);
            let found = policy.map(|policy| {
                assert!((policy.reserve - 0.25).abs() < f64::EPSILON);
                assert_eq!(policy.burst, policy.per_second);
                (
                    policy.per_second.map(NonZeroU32::get),
                    policy.per_day.map(NonZeroU32::get),
                )
            });
            assert_eq!(
                found, expected,
                "{per_second:?} a second, {per_day:?} a day, {known:?} known"
            );
        }
    }
}
