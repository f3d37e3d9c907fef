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
    /// It says that it is not ready, and takes what comes until whoever sends it has heard.
    Draining = 1,
    /// What is being answered and delivered comes to its end; new requests are refused.
    Stopping = 2,
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
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Stopping,
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::SeqCst);
    }

    /// Counts a request. To be called before it asks for the phase: then either the request sees that the server stops,
    /// or the server, which enters the phase before it waits, sees the request.
    pub(crate) fn answering(&self) -> Answering<'_> {
        self.one_more();
        Answering(self)
    }

    /// How many requests are being answered.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn one_more(&self) {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn one_less(&self) {
        if self.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.idle.notify_waiters();
        }
    }

    /// Waits until no request is being answered; whether that came true in time.
    pub(crate) async fn idle_within(&self, limit: Duration) -> bool {
        let idle = async {
            loop {
                let notified = self.idle.notified();
                if self.in_flight.load(Ordering::SeqCst) == 0 {
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
        self.0.one_less();
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
    fn it_serves_until_it_is_told_to_stop() {
        let lifecycle = Lifecycle::default();
        assert_eq!(lifecycle.phase(), Phase::Serving);
        for phase in [Phase::Draining, Phase::Stopping] {
            lifecycle.enter(phase);
            assert_eq!(lifecycle.phase(), phase);
        }
    }
}
