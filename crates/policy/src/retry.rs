//! What a failed call leads to: one rule, as a pure function.

use std::sync::Arc;
use std::time::Duration;

use upsert_core::{ErrorKind, Held, ProviderError, Repeat, RetryAdvice, StateAtVendor, WaitingFor};

use crate::budget::RetryBudget;
use crate::jitter::{Jitter, part_of};
use crate::settings::RetryPolicy;

/// The longest delay in the background.
const LONGEST_DELAY: Duration = Duration::from_hours(1);

/// The part of a rate limit's wait that jitter adds to it at the most.
const HOLD_JITTER: f64 = 0.1;

/// What to do after a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Again, after this long.
    Retry {
        /// From now.
        after: Duration,
    },
    /// Again in the background, after this long: the attempts, or the retry budget, are used up for now.
    Later {
        /// From now.
        after: Duration,
    },
    /// The connection waits, and this delivery with it.
    Hold(Held),
    /// Never again.
    Fail,
}

/// Again while attempts, budget and time allow, the advice is not Never, and not when the outcome is unknown and the
/// request unsafe to repeat.
///
/// `attempt`: how many were sent so far. `budget_left`: whether the connection may retry now. `time_left`: until the
/// delivery's `max_age`; no attempt is planned for later. `chance`: from 0 to 1, for the jitter.
///
/// ```
/// use std::time::Duration;
/// use upsert_core::{ErrorKind, ProviderError, Repeat, RetryAdvice, StateAtVendor};
/// use upsert_policy::{Decision, RetryPolicy, again};
///
/// let cut = ProviderError::new(ErrorKind::Transient, StateAtVendor::Unknown, RetryAdvice::Backoff, "the line broke");
/// let (policy, day) = (RetryPolicy::default(), Duration::from_hours(24));
/// let again = |repeat| again(&cut, 1, repeat, &policy, true, day, 0.5);
/// assert_eq!(again(Repeat::Safe), Decision::Retry { after: Duration::from_millis(100) });
/// assert_eq!(again(Repeat::Unsafe), Decision::Fail);
/// ```
pub fn again(
    error: &ProviderError,
    attempt: u32,
    repeat: Repeat,
    policy: &RetryPolicy,
    budget_left: bool,
    time_left: Duration,
    chance: f64,
) -> Decision {
    if error.state == StateAtVendor::Unknown && repeat == Repeat::Unsafe {
        return Decision::Fail;
    }
    if let Some(held) = hold(error, attempt, policy, chance) {
        // The time of a pause and of a quota does not count, so it cannot run out there.
        let is_parked = matches!(held.waiting_for, WaitingFor::Paused | WaitingFor::Quota);
        return if is_parked || !time_left.is_zero() {
            Decision::Hold(held)
        } else {
            Decision::Fail
        };
    }
    let floor = match error.advice {
        RetryAdvice::Never => return Decision::Fail,
        // One more in all: the second failure of this kind is no race any more.
        RetryAdvice::Once if attempt > 1 => return Decision::Fail,
        RetryAdvice::Once | RetryAdvice::Backoff => Duration::ZERO,
        RetryAdvice::After(wait) => wait,
    };
    let attempts = policy.attempts.get();
    let decision = if attempt < attempts && budget_left && floor <= policy.cap {
        let after = floor.saturating_add(part_of(ceiling(policy, attempt), chance));
        Decision::Retry { after }
    } else {
        let delay = background_delay(policy, attempt.saturating_sub(attempts), chance);
        let after = if floor.is_zero() {
            delay
        } else {
            floor.saturating_add(part_of(policy.cap, chance)).max(delay)
        };
        Decision::Later { after }
    };
    match decision {
        Decision::Retry { after } | Decision::Later { after } if after >= time_left => Decision::Fail,
        decision => decision,
    }
}

/// The retry rule of one connection, with its budget.
#[derive(Debug)]
pub struct RetryRule {
    policy: RetryPolicy,
    budget: Arc<RetryBudget>,
    jitter: Jitter,
}

impl RetryRule {
    /// The rule under this policy; the budget is the connection's.
    pub fn new(policy: RetryPolicy, budget: Arc<RetryBudget>, jitter: Jitter) -> Self {
        Self { policy, budget, jitter }
    }

    /// What this failure leads to; see [`again`]. A retry is taken off the budget, anything else is not.
    pub fn decide(&self, error: &ProviderError, attempt: u32, repeat: Repeat, time_left: Duration) -> Decision {
        let chance = self.jitter.throw();
        let decide = |budget_left| again(error, attempt, repeat, &self.policy, budget_left, time_left, chance);
        match decide(true) {
            Decision::Retry { .. } if !self.budget.take() => decide(false),
            decision => decision,
        }
    }
}

/// Full jitter is drawn below this: it doubles from `base` to `cap`.
fn ceiling(policy: &RetryPolicy, attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(31);
    policy.base.saturating_mul(1 << doublings).min(policy.cap)
}

/// Doubles from `cap` to an hour; the upper half of it is drawn, so that what failed together does not come back
/// together.
fn background_delay(policy: &RetryPolicy, step: u32, chance: f64) -> Duration {
    let delay = policy.cap.saturating_mul(1 << step.min(31)).min(LONGEST_DELAY);
    delay / 2 + part_of(delay / 2, chance)
}

/// How long a failed call is to wait at least, where that was said.
pub(crate) fn named_wait(error: &ProviderError) -> Option<Duration> {
    error.held.and_then(|held| held.for_at_least).max(advised_wait(error))
}

/// How long the vendor asked to wait.
pub(crate) fn advised_wait(error: &ProviderError) -> Option<Duration> {
    match error.advice {
        RetryAdvice::After(wait) => Some(wait),
        RetryAdvice::Never | RetryAdvice::Once | RetryAdvice::Backoff => None,
    }
}

/// What the whole connection waits for, if it does. A 429 that names no time backs off.
fn hold(error: &ProviderError, attempt: u32, policy: &RetryPolicy, chance: f64) -> Option<Held> {
    let by_kind = match error.kind {
        ErrorKind::Unauthorised => Some(WaitingFor::Paused),
        ErrorKind::RateLimited => Some(WaitingFor::RateLimit),
        ErrorKind::QuotaSpent => Some(WaitingFor::Quota),
        ErrorKind::Rejected | ErrorKind::Transient | ErrorKind::BrokenContract => None,
    };
    let waiting_for = error.held.map(|held| held.waiting_for).or(by_kind)?;
    let for_at_least = match (waiting_for, named_wait(error)) {
        // What was turned away together is not to come back together.
        (WaitingFor::RateLimit, Some(wait)) => Some(wait.saturating_add(part_of(wait, HOLD_JITTER * chance))),
        (WaitingFor::RateLimit, None) => {
            let backoff = ceiling(policy, attempt);
            Some(backoff / 2 + part_of(backoff / 2, chance))
        }
        (_, named) => named,
    };
    Some(Held {
        waiting_for,
        for_at_least,
    })
}
