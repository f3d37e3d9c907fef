//! What one call says about the vendor.

use std::time::Duration;

use upsert_core::{ErrorKind, ProviderError};

use crate::retry::advised_wait;

/// The longest Retry-After that is obeyed.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// What a call says about the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing: it was dropped, was never sent, or nobody can tell.
    Nothing,
    /// It is up.
    Up,
    /// It is not.
    Fault { retry_after: Option<Duration> },
}

impl Verdict {
    pub(crate) fn on<T>(result: &Result<T, ProviderError>) -> Self {
        let Err(error) = result else { return Self::Up };
        let held_by_us = !error.sent && error.held.is_some();
        match error.kind {
            _ if held_by_us => Self::Nothing,
            ErrorKind::Transient => Self::Fault {
                retry_after: advised_wait(error).map(|wait| wait.min(LONGEST_WAIT)),
            },
            // Neither a sign of health nor an outage.
            ErrorKind::BrokenContract => Self::Nothing,
            _ if !error.sent => Self::Nothing,
            _ => Self::Up,
        }
    }
}

#[cfg(test)]
mod tests {
    use upsert_core::{RetryAdvice, WaitingFor};

    use super::*;

    #[test]
    fn what_a_call_says_of_its_vendor() {
        use upsert_core::StateAtVendor::{Unchanged, Unknown};
        let day = Duration::from_hours(24);
        let error = |kind, sent, advice, is_held: bool| {
            let state = if sent { Unknown } else { Unchanged };
            let mut error = ProviderError::new(kind, state, advice, "a fault");
            (error.sent, error.held) = (sent, None);
            if is_held {
                error.held = ProviderError::held(WaitingFor::RateLimit, None, "held").held;
            }
            Err::<(), _>(error)
        };
        let (backoff, after) = (RetryAdvice::Backoff, RetryAdvice::After);
        let fault = |retry_after| Verdict::Fault { retry_after };
        for (result, verdict) in [
            (Ok(()), Verdict::Up),
            (error(ErrorKind::Transient, true, backoff, false), fault(None)),
            (error(ErrorKind::Transient, false, backoff, false), fault(None)),
            (error(ErrorKind::Transient, true, backoff, true), fault(None)),
            (error(ErrorKind::Transient, false, backoff, true), Verdict::Nothing),
            (
                error(ErrorKind::Transient, true, after(day / 2), false),
                fault(Some(day / 2)),
            ),
            (
                error(ErrorKind::Transient, true, after(day * 2), false),
                fault(Some(day)),
            ),
            (error(ErrorKind::BrokenContract, true, backoff, false), Verdict::Nothing),
            (error(ErrorKind::Rejected, true, RetryAdvice::Never, false), Verdict::Up),
            (
                error(ErrorKind::Rejected, false, RetryAdvice::Never, false),
                Verdict::Nothing,
            ),
            (error(ErrorKind::RateLimited, true, after(day), true), Verdict::Up),
            (error(ErrorKind::RateLimited, false, after(day), true), Verdict::Nothing),
            (error(ErrorKind::QuotaSpent, true, backoff, false), Verdict::Up),
            (error(ErrorKind::Unauthorised, true, backoff, false), Verdict::Up),
        ] {
            assert_eq!(Verdict::on(&result), verdict, "{result:?}");
        }
    }
}
