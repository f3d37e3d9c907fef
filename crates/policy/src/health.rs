//! How a connection has been doing of late.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;

use upsert_core::{Clock, ErrorKind};

use crate::counted::Counted;

/// Latencies that are remembered.
const REMEMBERED: usize = 256;

/// What one connection's attempts came to.
#[derive(Debug)]
pub(crate) struct Health {
    clock: Arc<dyn Clock>,
    in_flight: AtomicUsize,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    last_success_at: Option<Timestamp>,
    last_failure: Option<(Timestamp, ErrorKind)>,
    /// A ring: `next` is overwritten next.
    latencies: Vec<Duration>,
    next: usize,
}

impl Health {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            in_flight: AtomicUsize::new(0),
            record: Mutex::default(),
        }
    }

    /// One more call is in flight.
    pub(crate) fn begun(&self) -> Counted<'_> {
        Counted::among(&self.in_flight)
    }

    pub(crate) fn succeeded(&self, took: Duration) {
        let now = self.clock.now();
        let mut record = self.record.lock();
        record.last_success_at = Some(now);
        record.remember(took);
    }

    pub(crate) fn failed(&self, took: Duration, kind: ErrorKind) {
        let now = self.clock.now();
        let mut record = self.record.lock();
        record.last_failure = Some((now, kind));
        record.remember(took);
    }

    pub(crate) fn snapshot(&self) -> upsert_api::Health {
        let (last_success_at, last_failure, mut latencies) = {
            let record = self.record.lock();
            (record.last_success_at, record.last_failure, record.latencies.clone())
        };
        latencies.sort_unstable();
        let quantile = |percent: usize| {
            let rank = (latencies.len() * percent).div_ceil(100).max(1);
            latencies.get(rank - 1).map(|took| took.as_secs_f64() * 1_000.0)
        };
        upsert_api::Health {
            last_success_at,
            last_failure_at: last_failure.map(|(at, _)| at),
            last_failure_kind: last_failure.map(|(_, kind)| kind),
            in_flight: u32::try_from(self.in_flight.load(Ordering::Relaxed)).unwrap_or(u32::MAX),
            latency_p50_ms: quantile(50),
            latency_p95_ms: quantile(95),
            latency_p99_ms: quantile(99),
        }
    }
}

impl Record {
    fn remember(&mut self, took: Duration) {
        if self.latencies.len() < REMEMBERED {
            self.latencies.push(took);
        } else if let Some(oldest) = self.latencies.get_mut(self.next) {
            *oldest = took;
        }
        self.next = (self.next + 1) % REMEMBERED;
    }
}

#[cfg(test)]
mod tests {
    use upsert_core::SystemClock;

    use super::*;

    fn took(health: &Health, times: usize, millis: u64) {
        for _ in 0..times {
            health.succeeded(Duration::from_millis(millis));
        }
    }

    #[test]
    fn quantiles_are_of_the_last_256_calls() {
        let health = Health::new(Arc::new(SystemClock));
        assert_eq!(health.snapshot().latency_p50_ms, None);
        took(&health, 1, 3);
        assert_eq!(health.snapshot().latency_p99_ms, Some(3.0));
        took(&health, REMEMBERED - 1, 1);
        // Which are oldest is forgotten first, all the way round.
        for (old, new) in [(1_u8, 8_u8), (8, 16), (16, 24)] {
            took(&health, REMEMBERED / 2, new.into());
            assert_eq!(health.snapshot().latency_p50_ms, Some(old.into()), "half are {new}");
            took(&health, 1, new.into());
            assert_eq!(
                health.snapshot().latency_p50_ms,
                Some(new.into()),
                "more than half are {new}"
            );
            took(&health, REMEMBERED / 2 - 1, new.into());
        }
        took(&health, 13, 100);
        assert_eq!(health.snapshot().latency_p95_ms, Some(100.0));
        assert_eq!(health.snapshot().latency_p50_ms, Some(24.0));
    }
}
