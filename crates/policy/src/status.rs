//! How one connection is doing, for operators and for the delivery engine.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

use upsert_core::{Held, Priority, WaitingFor};

use crate::breaker::{Breaker, BreakerSnapshot, BreakerState};
use crate::concurrency::{Concurrency, ConcurrencySnapshot};
use crate::forecast::forecast;
use crate::health::HealthSnapshot;
use crate::observe::Observe;
use crate::rate_limit::{RateLimit, RateLimitSnapshot};

/// The state of a connection's layers, shared by its provider and its reader.
#[derive(Debug)]
pub struct ConnectionStatus {
    pub(crate) observe: Arc<Observe>,
    pub(crate) breaker: Arc<Breaker>,
    pub(crate) rate_limit: Arc<RateLimit>,
    pub(crate) concurrency: Arc<Concurrency>,
}

/// That state at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusSnapshot {
    /// `healthy`, `degraded`, `throttled`, `open` or `quota_spent`. A pause is durable and not known here.
    pub state: &'static str,
    /// Whether calls to a failing vendor are stopped.
    pub breaker: BreakerSnapshot,
    /// Limits and the day's quota.
    pub rate_limit: RateLimitSnapshot,
    /// What is under way.
    pub concurrency: ConcurrencySnapshot,
    /// Last success and failure, latency.
    pub health: HealthSnapshot,
}

impl ConnectionStatus {
    /// How it is doing now.
    pub fn snapshot(&self) -> StatusSnapshot {
        let (breaker, rate_limit) = (self.breaker.snapshot(), self.rate_limit.snapshot());
        StatusSnapshot {
            state: state(&breaker, &rate_limit),
            breaker,
            rate_limit,
            concurrency: self.concurrency.snapshot(),
            health: self.observe.health(),
        }
    }

    /// The one word of it: `healthy`, `degraded`, `throttled`, `open` or `quota_spent`.
    pub fn state(&self) -> &'static str {
        state(&self.breaker.snapshot(), &self.rate_limit.snapshot())
    }

    /// Whether a call could go out now, and how many.
    ///
    /// # Errors
    /// What the whole connection waits for, and for how long at least.
    pub fn room(&self, priority: Priority) -> Result<usize, Held> {
        if let Some(left) = self.breaker.shut_for() {
            return Err(Held {
                waiting_for: WaitingFor::Breaker,
                for_at_least: Some(left),
            });
        }
        let within_limits = self.rate_limit.room(priority)?;
        let places = self.concurrency.room().ok_or_else(Concurrency::no_room)?;
        let probe = if self.breaker.is_closed() { usize::MAX } else { 1 };
        let limited = within_limits.map_or(usize::MAX, |room| usize::try_from(room).unwrap_or(usize::MAX));
        Ok(places.min(probe).min(limited))
    }

    /// How long it takes until so many calls have gone out, as far as limits, quota and the vendor's usual latency tell;
    /// none where nothing is known. Calls of newer requests are not foreseen.
    pub fn through_in(&self, calls: u64) -> Option<Duration> {
        let rate_limit = self.rate_limit.snapshot();
        let (concurrency, health) = (self.concurrency.snapshot(), self.observe.health());
        let blocked = self.breaker.shut_for().unwrap_or_default();
        forecast(
            calls,
            &rate_limit,
            &concurrency,
            health.latency_p50_ms,
            blocked,
            self.rate_limit.now(),
        )
    }

    /// Changes each time that the breaker closes: all that waits for this connection is due at once.
    pub fn on_breaker_closed(&self) -> watch::Receiver<u64> {
        self.breaker.on_closed()
    }
}

fn state(breaker: &BreakerSnapshot, rate_limit: &RateLimitSnapshot) -> &'static str {
    match (breaker.state, rate_limit.blocked_by) {
        (BreakerState::Open, _) => "open",
        (_, Some(WaitingFor::Quota)) => "quota_spent",
        (_, Some(_)) => "throttled",
        (BreakerState::HalfOpen, None) => "degraded",
        (BreakerState::Closed, None) if breaker.faults > 0 => "degraded",
        (BreakerState::Closed, None) => "healthy",
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn one_word_says_the_worst_of_breaker_and_limits() {
        use BreakerState::{Closed, HalfOpen, Open};
        for (breaker, faults, blocked_by, word) in [
            (Closed, 0, None, "healthy"),
            (Closed, 1, None, "degraded"),
            (HalfOpen, 0, None, "degraded"),
            (Open, 0, None, "open"),
            (Open, 3, Some(WaitingFor::Quota), "open"),
            (Closed, 0, Some(WaitingFor::Quota), "quota_spent"),
            (HalfOpen, 1, Some(WaitingFor::Quota), "quota_spent"),
            (Closed, 0, Some(WaitingFor::RateLimit), "throttled"),
            (HalfOpen, 2, Some(WaitingFor::RateLimit), "throttled"),
            (Open, 0, Some(WaitingFor::RateLimit), "open"),
        ] {
            let breaker = BreakerSnapshot {
                state: breaker,
                until: None,
                calls: 5,
                faults,
            };
            let rate_limit = RateLimitSnapshot {
                per_second: None,
                burst: None,
                per_day: None,
                used_today: 0,
                left_today: None,
                left_today_for_bulk: None,
                per_day_for_bulk: None,
                opens_at: Timestamp::UNIX_EPOCH,
                blocked_until: None,
                blocked_by,
            };
            assert_eq!(state(&breaker, &rate_limit), word, "{breaker:?} {blocked_by:?}");
        }
    }
}
