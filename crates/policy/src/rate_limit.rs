//! Lets a call through only as often as we, the day's quota and the vendor's own word allow.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::time::Instant;

use upsert_core::{CallContext, Clock, ErrorKind, Priority, ProviderError, RetryAdvice, WaitingFor};

use crate::day_budget::{DayBudget, DayCount, day_of, next_opening, time_until};
use crate::dice::Dice;
use crate::layer::{Answer, Layer};
use crate::settings::RateLimitPolicy;
use crate::vendor_block::{Blocked, VendorBlock};

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>;

/// The rate limit of one connection. Nothing is queued here: a call goes or is told how long to wait.
pub struct RateLimit {
    policy: Option<RateLimitPolicy>,
    limiter: Option<Limiter>,
    limiter_clock: TokioClock,
    budget: Option<DayBudget>,
    day_count: Arc<dyn DayCount>,
    clock: Arc<dyn Clock>,
    dice: Dice,
    /// Held while a call is admitted, so that two calls never share the day's last one.
    vendor: Mutex<VendorBlock>,
}

/// What the limits are and how much of them is left.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RateLimitSnapshot {
    /// Calls a second.
    pub per_second: Option<NonZeroU32>,
    /// Calls at once.
    pub burst: Option<NonZeroU32>,
    /// Calls a day.
    pub per_day: Option<NonZeroU32>,
    /// Calls of this UTC day.
    pub used_today: u32,
    /// Calls that are left today.
    pub left_today: Option<u32>,
    /// Calls that are left today for bulk work, which may not touch the reserve.
    pub left_today_for_bulk: Option<u32>,
    /// When the next day's calls open.
    pub opens_at: Timestamp,
    /// Until when nothing is sent.
    pub blocked_until: Option<Timestamp>,
    /// Why: `rate_limit` (the vendor's 429) or `quota` (spent by the vendor's word or by our count).
    pub blocked_by: Option<WaitingFor>,
}

/// One call that was let through.
struct Admission {
    era: u64,
    day: Date,
    is_probe: bool,
}

impl RateLimit {
    /// Without a policy only the vendor's word counts; calls are counted by day all the same.
    pub fn new(
        policy: Option<RateLimitPolicy>,
        clock: Arc<dyn Clock>,
        day_count: Arc<dyn DayCount>,
        dice: Dice,
    ) -> Self {
        let limiter_clock = TokioClock { origin: Instant::now() };
        let quota = policy.and_then(|policy| {
            let per_second = policy.per_second?;
            Some(Quota::per_second(per_second).allow_burst(policy.burst.unwrap_or(per_second)))
        });
        Self {
            policy,
            limiter: quota.map(|quota| RateLimiter::direct_with_clock(quota, limiter_clock)),
            limiter_clock,
            budget: policy.and_then(|policy| Some(DayBudget::new(policy.per_day?, policy.reserve))),
            day_count,
            clock,
            dice,
            vendor: Mutex::new(VendorBlock::default()),
        }
    }

    /// What is left now.
    pub fn snapshot(&self) -> RateLimitSnapshot {
        let wall = self.clock.now();
        let used_today = self.day_count.used(day_of(wall));
        let left = |priority| self.budget.map(|budget| budget.left(used_today, priority));
        let left_today = left(Priority::Interactive);
        let opens_at = next_opening(wall);
        let in_future = |wait: Duration| wall.checked_add(SignedDuration::try_from(wait).ok()?).ok();
        let (blocked_until, blocked_by) = match self.vendor().standing(Instant::now(), wall) {
            Some(Blocked::Throttled(wait)) => (in_future(wait), Some(WaitingFor::RateLimit)),
            Some(Blocked::QuotaSpent(wait)) => (in_future(wait), Some(WaitingFor::Quota)),
            None if left_today == Some(0) => (Some(opens_at), Some(WaitingFor::Quota)),
            None => (None, None),
        };
        let policy = self.policy.unwrap_or_default();
        RateLimitSnapshot {
            per_second: policy.per_second,
            burst: policy.burst.or(policy.per_second),
            per_day: policy.per_day,
            used_today,
            left_today,
            left_today_for_bulk: left(Priority::Bulk),
            opens_at,
            blocked_until,
            blocked_by,
        }
    }

    fn admit(&self, priority: Priority) -> Result<Admission, ProviderError> {
        let (now, wall) = (Instant::now(), self.clock.now());
        let mut vendor = self.vendor();
        let is_probe = match vendor.standing(now, wall) {
            None => false,
            Some(Blocked::QuotaSpent(_)) if vendor.probe_is_due(wall) => true,
            Some(blocked) => return Err(vendor_waits(blocked)),
        };
        // The vendor's window is ours to guess, its limit is not: a probe too stays within what is left.
        let day = day_of(wall);
        if let Some(budget) = self.budget
            && budget.left(self.day_count.used(day), priority) == 0
        {
            return Err(day_is_used_up(priority, time_until(next_opening(wall), wall)));
        }
        if let Some(limiter) = &self.limiter
            && let Err(refused) = limiter.check()
        {
            let wait = refused.wait_time_from(self.limiter_clock.now());
            let detail = "the connection's own rate limit is reached";
            return Err(ProviderError::held(WaitingFor::RateLimit, Some(wait), detail));
        }
        if is_probe {
            vendor.probe(wall);
        }
        self.day_count.add_one(day);
        let era = vendor.era();
        Ok(Admission { era, day, is_probe })
    }

    fn learn<T>(&self, admission: &Admission, result: &Result<T, ProviderError>) {
        let Err(error) = result else {
            self.vendor().taken(admission.era);
            return;
        };
        if !error.sent {
            // An inner layer let it through no further: the vendor has not counted it.
            self.day_count.give_back(admission.day);
            if admission.is_probe {
                self.vendor().probe_is_still_due(self.clock.now());
            }
            return;
        }
        let wait = retry_after(error);
        match error.kind {
            ErrorKind::RateLimited => self.vendor().throttled(admission.era, wait, Instant::now(), &self.dice),
            ErrorKind::QuotaSpent => self.vendor().quota_spent(admission.era, wait, self.clock.now()),
            _ => {}
        }
    }

    fn vendor(&self) -> MutexGuard<'_, VendorBlock> {
        self.vendor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Layer for RateLimit {
    async fn around<T: Answer>(
        &self,
        context: &CallContext,
        call: impl Future<Output = Result<T, ProviderError>> + Send,
    ) -> Result<T, ProviderError> {
        // A call that is dropped from here on stays counted: it may have gone out.
        let admission = self.admit(context.priority)?;
        let result = call.await;
        self.learn(&admission, &result);
        result
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("policy", &self.policy)
            .field("vendor", &self.vendor)
            .finish_non_exhaustive()
    }
}

/// Governor's view of tokio's time, which tests pause.
#[derive(Debug, Clone, Copy)]
struct TokioClock {
    origin: Instant,
}

impl GovernorClock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}

fn retry_after(error: &ProviderError) -> Option<Duration> {
    let advised = match error.advice {
        RetryAdvice::After(wait) => Some(wait),
        _ => None,
    };
    error.held.and_then(|held| held.for_at_least).max(advised)
}

fn vendor_waits(blocked: Blocked) -> ProviderError {
    match blocked {
        Blocked::Throttled(wait) => {
            let detail = "the vendor has asked this connection to slow down";
            ProviderError::held(WaitingFor::RateLimit, Some(wait), detail)
        }
        Blocked::QuotaSpent(wait) => {
            let detail = "the vendor says that the day's calls are used up";
            ProviderError::held(WaitingFor::Quota, Some(wait), detail)
        }
    }
}

fn day_is_used_up(priority: Priority, wait: Duration) -> ProviderError {
    let detail = match priority {
        Priority::Interactive => "the day's calls are used up",
        Priority::Bulk => "the day's calls are used up, but for the reserve that bulk work may not touch",
    };
    ProviderError::held(WaitingFor::Quota, Some(wait), detail)
}
