//! Where the time comes from: injected, so that tests can turn it.

use std::fmt::Debug;

use jiff::Timestamp;

/// Tells the wall-clock time. Durations and deadlines use `tokio::time::Instant`, which tests pause.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The present moment, UTC.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine, in whole microseconds: that is what stores keep, and one moment has to read the same
/// before and after it was stored.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }
}

/// The day, UTC: by it vendors' calls are counted.
pub fn utc_day(now: Timestamp) -> jiff::civil::Date {
    now.to_zoned(jiff::tz::TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_that_of_utc() {
        let day = |time: &str| utc_day(time.parse().unwrap()).to_string();
        assert_eq!(day("2026-11-29T23:59:59Z"), "2026-11-29");
        assert_eq!(day("2026-11-29T23:59:59-01:00"), "2026-11-30");
    }

    #[test]
    fn the_clock_tells_whole_microseconds_of_this_century() {
        let now = SystemClock.now();
        assert!(now > "2020-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(now.subsec_nanosecond() % 1_000, 0);
    }
}
