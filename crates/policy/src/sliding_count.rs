//! How many calls there were of late, and how many of them were marked.

use std::time::Duration;

use tokio::time::Instant;

const SLOTS: usize = 10;

/// Counts over a sliding window, in ten slots: its memory does not grow with the traffic, and what is older than the
/// window drops out a tenth at a time.
#[derive(Debug)]
pub(crate) struct SlidingCount {
    origin: Instant,
    slot: Duration,
    slots: [Slot; SLOTS],
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    number: usize,
    calls: u32,
    marked: u32,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) calls: u32,
    pub(crate) marked: u32,
}

impl SlidingCount {
    pub(crate) fn new(window: Duration, now: Instant) -> Self {
        let slot = (window / 10).max(Duration::from_millis(1));
        Self {
            origin: now,
            slot,
            slots: [Slot::default(); SLOTS],
        }
    }

    pub(crate) fn add(&mut self, now: Instant, calls: u32, marked: u32) {
        let number = self.number(now);
        let slot = &mut self.slots[number % SLOTS];
        if slot.number != number {
            *slot = Slot {
                number,
                ..Slot::default()
            };
        }
        slot.calls = slot.calls.saturating_add(calls);
        slot.marked = slot.marked.saturating_add(marked);
    }

    pub(crate) fn totals(&self, now: Instant) -> Totals {
        let oldest = self.number(now).saturating_sub(SLOTS - 1);
        let recent = self.slots.iter().filter(|slot| slot.number >= oldest);
        recent.fold(Totals::default(), |totals, slot| Totals {
            calls: totals.calls.saturating_add(slot.calls),
            marked: totals.marked.saturating_add(slot.marked),
        })
    }

    pub(crate) fn clear(&mut self) {
        self.slots = [Slot::default(); SLOTS];
    }

    fn number(&self, now: Instant) -> usize {
        let passed = now.saturating_duration_since(self.origin).as_nanos();
        usize::try_from(passed / self.slot.as_nanos()).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_counts_until_the_window_is_over_to_the_moment() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        for (window, added, counts, over) in [
            (30, 0, 29_999, 30_000),
            (30, 2_999, 29_999, 30_000),
            (30, 3_000, 32_999, 33_000),
            (10, 15_500, 24_999, 25_000),
        ] {
            let mut count = SlidingCount::new(Duration::from_secs(window), start);
            count.add(at(added), 2, 1);
            assert_eq!(
                count.totals(at(counts)),
                Totals { calls: 2, marked: 1 },
                "{added} at {counts}"
            );
            assert_eq!(count.totals(at(over)), Totals::default(), "{added} at {over}");
            // The slot is used again, and what was in it is forgotten.
            count.add(at(added + window * 1_000), 5, 0);
            assert_eq!(count.totals(at(added + window * 1_000)), Totals { calls: 5, marked: 0 });
        }
    }

    #[test]
    fn what_is_older_than_the_window_no_longer_counts() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut count = SlidingCount::new(Duration::from_secs(30), start);
        count.add(at(0), 2, 1);
        count.add(at(20), 3, 0);
        assert_eq!(count.totals(at(20)), Totals { calls: 5, marked: 1 });
        assert_eq!(count.totals(at(31)), Totals { calls: 3, marked: 0 });
        assert_eq!(count.totals(at(51)), Totals::default());
        count.add(at(60), 1, 1);
        assert_eq!(count.totals(at(60)), Totals { calls: 1, marked: 1 });
        count.clear();
        assert_eq!(count.totals(at(60)), Totals::default());
    }
}
