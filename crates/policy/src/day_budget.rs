//! The day's calls: counted through a port, so that the count outlives the process.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use parking_lot::Mutex;

use upsert_core::Priority;

const SECONDS_A_DAY: i64 = 86_400;

/// How many calls a connection has made, by UTC day.
///
/// It is asked on the way of every call, so it must not block. One connection has one of it; nobody else counts in it.
pub trait DayCount: Debug + Send + Sync + 'static {
    /// Calls on this day so far.
    fn used(&self, day: Date) -> u32;

    /// One more: it is about to go out.
    fn add_one(&self, day: Date);

    /// One less: it did not go out after all.
    fn give_back(&self, day: Date);

    /// So many were made, by everybody.
    fn set(&self, day: Date, used: u32);
}

/// Counts in memory. Whoever keeps counts durably preloads it at start-up.
#[derive(Debug, Default)]
pub struct InMemoryDayCount {
    days: Mutex<BTreeMap<Date, u32>>,
}

impl InMemoryDayCount {
    /// Days that are kept: a clock that is turned back over midnight finds its count again.
    const DAYS_KEPT: usize = 3;

    /// Starts with what was counted before.
    pub fn preloaded(day: Date, used: u32) -> Self {
        Self {
            days: Mutex::new(BTreeMap::from([(day, used)])),
        }
    }

    fn change(&self, day: Date, change: impl FnOnce(u32) -> u32) {
        let mut days = self.days.lock();
        let used = days.entry(day).or_default();
        *used = change(*used);
        while days.len() > Self::DAYS_KEPT {
            days.pop_first();
        }
    }
}

impl DayCount for InMemoryDayCount {
    fn used(&self, day: Date) -> u32 {
        let days = self.days.lock();
        days.get(&day).copied().unwrap_or_default()
    }

    fn add_one(&self, day: Date) {
        self.change(day, |used| used.saturating_add(1));
    }

    fn give_back(&self, day: Date) {
        self.change(day, |used| used.saturating_sub(1));
    }

    fn set(&self, day: Date, used: u32) {
        self.change(day, |_| used);
    }
}

/// Calls a day, and the part of them that bulk work may not use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DayBudget {
    per_day: u32,
    reserve: u32,
}

impl DayBudget {
    pub(crate) fn new(per_day: NonZeroU32, reserve: f64) -> Self {
        let reserve = if reserve.is_nan() { 0.0 } else { reserve.clamp(0.0, 1.0) };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of a u32, and not negative"
        )]
        let reserve = (f64::from(per_day.get()) * reserve).round() as u32;
        Self {
            per_day: per_day.get(),
            reserve,
        }
    }

    /// Calls that are left for this kind of work.
    pub(crate) fn left(self, used: u32, priority: Priority) -> u32 {
        let own = match priority {
            Priority::Interactive => self.per_day,
            Priority::Bulk => self.per_day - self.reserve,
        };
        own.saturating_sub(used)
    }
}

/// The UTC day.
pub(crate) fn day_of(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

/// The next 00:00 UTC: when a day's quota is assumed to open again.
pub(crate) fn next_opening(now: Timestamp) -> Timestamp {
    let day = now.as_second().div_euclid(SECONDS_A_DAY);
    Timestamp::from_second((day + 1) * SECONDS_A_DAY).unwrap_or(Timestamp::MAX)
}

/// How long it is until then; nothing if it is over.
pub(crate) fn time_until(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_three_days_are_remembered_and_no_more() {
        let day = |number: i8| Date::new(2026, 11, number).unwrap_or_default();
        let count = InMemoryDayCount::preloaded(day(1), 7);
        for number in [2, 3] {
            count.add_one(day(number));
        }
        assert_eq!([1, 2, 3].map(|number| count.used(day(number))), [7, 1, 1]);
        count.add_one(day(4));
        assert_eq!([1, 2, 3, 4].map(|number| count.used(day(number))), [0, 1, 1, 1]);
        // A clock that is turned back finds its count again.
        count.add_one(day(2));
        count.give_back(day(3));
        count.give_back(day(3));
        assert_eq!([2, 3, 4].map(|number| count.used(day(number))), [2, 0, 1]);
    }
}
