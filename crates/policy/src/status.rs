//! How one connection is doing, for operators and for the delivery engine.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::watch;

use upsert_api::{BreakerState, ConnectionState};
use upsert_core::{Held, Priority, VendorBlocks, WaitingFor};

use crate::breaker::Breaker;
use crate::concurrency::Concurrency;
use crate::forecast::forecast;
use crate::observe::Observe;
use crate::rate_limit::RateLimit;

/// The state of a connection's layers, shared by its provider and its reader.
#[derive(Debug)]
pub struct ConnectionStatus {
    pub(crate) observe: Arc<Observe>,
    pub(crate) breaker: Arc<Breaker>,
    pub(crate) rate_limit: Arc<RateLimit>,
    pub(crate) concurrency: Arc<Concurrency>,
}

impl ConnectionStatus {
    /// What is counted of its calls is there from now on, at zero, unless it has counted already.
    pub fn begin_at_zero(&self) {
        self.observe.begin_at_zero();
    }

    /// How it is doing now. A pause is durable and not known here.
    pub fn snapshot(&self) -> upsert_api::ConnectionStatus {
        upsert_api::ConnectionStatus {
            breaker: self.breaker.snapshot(),
            rate_limit: self.rate_limit.snapshot(),
            concurrency: self.concurrency.snapshot(),
            health: self.observe.health(),
        }
    }

    /// The one word of it; never [`ConnectionState::Paused`].
    pub fn state(&self) -> ConnectionState {
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
    /// none where nothing is known. Calls of newer requests are not foreseen, and it is taken that the vendor answers.
    pub fn through_in(&self, calls: u64) -> Option<Duration> {
        let rate_limit = self.rate_limit.snapshot();
        let (concurrency, health) = (self.concurrency.snapshot(), self.observe.health());
        forecast(
            calls,
            &rate_limit,
            &concurrency,
            health.latency_usual_ms,
            Duration::ZERO,
            self.rate_limit.now(),
        )
    }

    /// Changes each time that a failure opens the breaker: until when.
    pub fn on_breaker_opened(&self) -> watch::Receiver<Option<Timestamp>> {
        self.breaker.on_opened()
    }

    /// Another process's breaker has opened until then.
    pub fn hear_of_opening(&self, until: Timestamp) {
        self.breaker.hear_of_opening(until);
    }

    /// Another process has found that the vendor is back.
    pub fn hear_of_closing(&self) {
        self.breaker.hear_of_closing();
    }

    /// Whether an open breaker waits for a probe that nobody's call has made; it is said once an open time. For how long nobody
    /// else need make one then.
    pub fn wants_probe(&self) -> Option<Duration> {
        self.breaker.wants_probe()
    }

    /// Changes each time that the vendor says something else of waiting.
    pub fn on_blocked(&self) -> watch::Receiver<VendorBlocks> {
        self.rate_limit.on_blocked()
    }

    /// The vendor has said this to another process.
    pub fn hear_of_blocks(&self, blocks: VendorBlocks) {
        self.rate_limit.hear_of_blocks(blocks);
    }

    /// Whatever the vendor said of waiting is over, by an operator's word.
    pub fn lift_blocks(&self) {
        self.rate_limit.lift_blocks();
        self.breaker.lift_what_was_named();
    }

    /// Calls that work of this kind may make a day; none: nobody limits them.
    pub fn day_limit(&self, priority: Priority) -> Option<u32> {
        self.rate_limit.day_limit(priority)
    }

    /// So many calls were counted on this day, by everybody.
    pub fn learn_calls(&self, day: Date, used: u32) {
        self.rate_limit.day_count().set(day, used);
    }

    /// One more was counted on this day by whoever keeps count, or one fewer; see [`upsert_core::CallContext::is_counted`].
    pub fn count_call(&self, day: Date, is_more: bool) {
        let count = self.rate_limit.day_count();
        if is_more {
            count.add_one(day);
        } else {
            count.give_back(day);
        }
    }

    /// Changes each time that the breaker closes: all that waits for this connection is due at once.
    pub fn on_breaker_closed(&self) -> watch::Receiver<u64> {
        self.breaker.on_closed()
    }
}

fn state(breaker: &upsert_api::Breaker, rate_limit: &upsert_api::RateLimit) -> ConnectionState {
    match (breaker.state, rate_limit.blocked_by) {
        (BreakerState::Open, _) => ConnectionState::Open,
        (_, Some(WaitingFor::Quota)) => ConnectionState::QuotaSpent,
        (_, Some(_)) => ConnectionState::Throttled,
        (BreakerState::HalfOpen, None) => ConnectionState::Degraded,
        (BreakerState::Closed, None) if breaker.faults > 0 || breaker.failing_since.is_some() => {
            ConnectionState::Degraded
        }
        (BreakerState::Closed, None) => ConnectionState::Healthy,
    }
}

#[cfg(test)]
mod tests {
    use upsert_core::Word as _;

    use super::*;

    #[test]
    fn a_vendor_that_failed_the_last_time_is_not_well_however_long_ago_that_was() {
        let rate_limit = upsert_api::RateLimit {
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
        };
        let mut breaker = upsert_api::Breaker {
            state: BreakerState::Closed,
            until: None,
            calls: 0,
            faults: 0,
            failing_since: Some(Timestamp::UNIX_EPOCH),
            failing_with: Some(503),
        };
        assert_eq!(state(&breaker, &rate_limit), ConnectionState::Degraded);
        breaker.failing_since = None;
        assert_eq!(state(&breaker, &rate_limit), ConnectionState::Healthy);
    }

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
            let breaker = upsert_api::Breaker {
                state: breaker,
                until: None,
                calls: 5,
                faults,
                failing_since: None,
                failing_with: None,
            };
            let rate_limit = upsert_api::RateLimit {
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
            assert_eq!(
                state(&breaker, &rate_limit).as_str(),
                word,
                "{breaker:?} {blocked_by:?}"
            );
        }
    }
}
