//! Where in its life the server is, and how many requests it is answering.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// From start to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// As usual.
    Serving = 0,
    /// No new connections; requests on those that are there are still answered, and told to come no more.
    Draining = 1,
    /// Requests are refused: deliveries are being brought to their end.
    Closed = 2,
}

/// Shared by all workers.
#[derive(Debug, Default)]
pub(crate) struct Lifecycle {
    phase: AtomicU8,
    in_flight: AtomicUsize,
    idle: Notify,
}

/// One request that is being answered, until it is dropped.
#[derive(Debug)]
pub(crate) struct Answering<'a>(&'a Lifecycle);

impl Lifecycle {
    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Closed,
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// Counts a request.
    pub(crate) fn answering(&self) -> Answering<'_> {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        Answering(self)
    }

    /// Waits until no request is being answered; whether that came true in time.
    pub(crate) async fn idle_within(&self, limit: Duration) -> bool {
        let idle = async {
            loop {
                let notified = self.idle.notified();
                if self.in_flight.load(Ordering::Acquire) == 0 {
                    return;
                }
                notified.await;
            }
        };
        timeout(limit, idle).await.is_ok()
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_idle_when_the_last_request_has_ended() {
        let lifecycle = Lifecycle::default();
        assert!(lifecycle.idle_within(Duration::ZERO).await);
        let (one, other) = (lifecycle.answering(), lifecycle.answering());
        drop(one);
        assert!(!lifecycle.idle_within(Duration::from_secs(5)).await);
        let ends = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(other);
        };
        let (idle, ()) = tokio::join!(lifecycle.idle_within(Duration::from_secs(5)), ends);
        assert!(idle);
    }

    #[test]
    fn phases_only_differ_by_what_was_entered_last() {
        let lifecycle = Lifecycle::default();
        assert_eq!(lifecycle.phase(), Phase::Serving);
        for phase in [Phase::Draining, Phase::Closed] {
            lifecycle.enter(phase);
            assert_eq!(lifecycle.phase(), phase);
        }
    }
}
