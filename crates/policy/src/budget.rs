//! Bounds retries by the calls there are, so that they cannot make an outage worse.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::sliding_count::SlidingCount;

/// One retry for so many calls: 20 %.
const CALLS_PER_RETRY: u32 = 5;

/// Retries that are free in each window: a quiet connection may retry too.
const FREE_RETRIES: u32 = 3;

const WINDOW: Duration = Duration::from_secs(10);

/// The retries of one connection: in any ten seconds, 20 % of its calls and three more.
#[derive(Debug)]
pub struct RetryBudget {
    /// Calls, and the retries among them.
    count: Mutex<SlidingCount>,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            count: Mutex::new(SlidingCount::new(WINDOW, Instant::now())),
        }
    }
}

impl RetryBudget {
    /// A call went out.
    pub fn called(&self) {
        let mut count = self.count.lock();
        count.add(Instant::now(), 1, 0);
    }

    /// Takes one retry, if there is one left.
    pub fn take(&self) -> bool {
        let now = Instant::now();
        let mut count = self.count.lock();
        let totals = count.totals(now);
        let is_left = totals.marked < totals.calls / CALLS_PER_RETRY + FREE_RETRIES;
        if is_left {
            count.add(now, 0, 1);
        }
        is_left
    }
}
