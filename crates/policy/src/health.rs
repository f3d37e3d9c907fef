//! How a connection has been doing of late.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;

use upsert_core::{Clock, ErrorKind};

use crate::counted::Counted;

/// Latencies that are remembered.
const REMEMBERED: usize = 256;

/// Those that are older tell nothing of how it is now.
const WINDOW: Duration = Duration::from_secs(600);

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
    /// Of all calls.
    latencies: Ring,
    /// Of those that the vendor took, however long ago: what its usual pace is, while it is down too.
    taken: Ring,
}

/// The last of them; `next` is overwritten next.
#[derive(Debug, Default)]
struct Ring {
    latencies: Vec<(Instant, Duration)>,
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
        record.latencies.remember(took);
        record.taken.remember(took);
    }

    pub(crate) fn failed(&self, took: Duration, kind: ErrorKind) {
        let now = self.clock.now();
        let mut record = self.record.lock();
        record.last_failure = Some((now, kind));
        record.latencies.remember(took);
    }

    /// Half of the last calls that the vendor took were no longer than this; none: it took none since the start.
    fn usual(&self) -> Option<Duration> {
        let taken = self.record.lock().taken.since(None);
        quantile(&taken, 50)
    }

    pub(crate) fn snapshot(&self) -> upsert_api::Health {
        let since = Instant::now().checked_sub(WINDOW);
        let (last_success_at, last_failure, latencies) = {
            let record = self.record.lock();
            (
                record.last_success_at,
                record.last_failure,
                record.latencies.since(since),
            )
        };
        let quantile = |percent| quantile(&latencies, percent).map(millis);
        upsert_api::Health {
            last_success_at,
            last_failure_at: last_failure.map(|(at, _)| at),
            last_failure_kind: last_failure.map(|(_, kind)| kind),
            in_flight: u32::try_from(self.in_flight.load(Ordering::Relaxed)).unwrap_or(u32::MAX),
            latency_p50_ms: quantile(50),
            latency_p95_ms: quantile(95),
            latency_p99_ms: quantile(99),
            latency_usual_ms: self.usual().map(millis),
        }
    }
}

impl Ring {
    fn remember(&mut self, took: Duration) {
        let latency = (Instant::now(), took);
        if self.latencies.len() < REMEMBERED {
            self.latencies.push(latency);
        } else if let Some(oldest) = self.latencies.get_mut(self.next) {
            *oldest = latency;
        }
        self.next = (self.next + 1) % REMEMBERED;
    }

    /// Those that ended since then, the shortest first.
    fn since(&self, since: Option<Instant>) -> Vec<Duration> {
        let is_new = |at: Instant| since.is_none_or(|since| at >= since);
        let new = self.latencies.iter().filter(|(at, _)| is_new(*at));
        let mut latencies: Vec<Duration> = new.map(|(_, took)| *took).collect();
        latencies.sort_unstable();
        latencies
    }
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}

/// Of latencies that are sorted.
fn quantile(latencies: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (latencies.len() * percent).div_ceil(100).max(1);
    latencies.get(rank - 1).copied()
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

    #[tokio::test(start_paused = true)]
    async fn what_is_told_is_of_the_last_ten_minutes_and_the_usual_pace_outlives_an_outage() {
        let health = Health::new(Arc::new(SystemClock));
        assert_eq!(health.usual(), None);
        took(&health, 3, 20);
        tokio::time::advance(WINDOW).await;
        for _ in 0..3 {
            health.failed(Duration::from_secs(10), ErrorKind::Transient);
        }
        assert_eq!(
            health.snapshot().latency_p50_ms,
            Some(20.0),
            "all of them are within it"
        );
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(health.snapshot().latency_p50_ms, Some(10_000.0));
        assert_eq!(health.usual(), Some(Duration::from_millis(20)));
        tokio::time::advance(WINDOW).await;
        assert_eq!(health.snapshot().latency_p50_ms, None);
        assert_eq!(health.usual(), Some(Duration::from_millis(20)));
    }
}
