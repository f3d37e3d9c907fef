//! A clock that stands still until a test turns it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use upsert_core::Clock;

/// Tells the time that it was told.
#[derive(Debug)]
pub struct TestClock {
    now: Mutex<Timestamp>,
}

impl TestClock {
    /// Stands at this moment.
    pub fn at(now: Timestamp) -> Self {
        Self { now: Mutex::new(now) }
    }

    /// Turns it to this moment.
    pub fn set(&self, now: Timestamp) {
        *self.now.lock() = now;
    }

    /// Turns it forward.
    ///
    /// # Panics
    ///
    /// Where that leads past the end of time (year 9999).
    pub fn advance(&self, by: Duration) {
        let by = SignedDuration::try_from(by).unwrap();
        let mut now = self.now.lock();
        *now = now.checked_add(by).unwrap();
    }
}

/// Stands at [`crate::records::noon`].
impl Default for TestClock {
    fn default() -> Self {
        Self::at(crate::records::noon())
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.now.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_only_when_it_is_turned() {
        let clock = TestClock::default();
        let start = clock.now();
        assert_eq!(clock.now(), start);
        clock.advance(Duration::from_millis(1_500));
        assert_eq!(clock.now().duration_since(start).as_millis(), 1_500);
        clock.set(start);
        assert_eq!(clock.now(), start);
    }
}
