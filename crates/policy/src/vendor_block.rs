//! What the vendor itself said about waiting: a 429, or that the day's calls are used up.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use upsert_core::VendorBlocks;

use crate::day_budget::{next_opening, time_until};
use crate::jitter::{Jitter, part_of};

const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_mins(5);

/// The longest Retry-After that is obeyed.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// Nothing is told to be waited for longer, whatever jitter adds and however far another process's clock is apart.
const LONGEST_TOLD: Duration = Duration::from_hours(27);

/// The part of a wait that jitter adds to it at the most.
const JITTER: f64 = 0.1;

/// How often one call may find out whether a spent quota is open again.
const PROBE_EVERY: Duration = Duration::from_hours(1);

/// Until when the vendor wants no calls.
#[derive(Debug, Default)]
pub(crate) struct VendorBlock {
    throttled: Until<Instant>,
    /// Throttled answers in a row.
    refusals: u32,
    spent: Until<Timestamp>,
    /// When a spent quota may be probed.
    next_probe: Option<Timestamp>,
    /// A probe is on its way: it is not stopped by what it is to find out.
    is_probed: bool,
    /// Grows with each block: calls that went out before it neither lengthen its back-off nor lift it.
    era: u64,
}

/// Until when something was said to be waited for: each is ended by whoever it was said to, and the later one counts.
#[derive(Debug, Clone, Copy)]
struct Until<T> {
    /// As the vendor said to this process.
    own: Option<T>,
    /// As it said to another one.
    heard: Option<T>,
}

impl<T> Default for Until<T> {
    fn default() -> Self {
        Self { own: None, heard: None }
    }
}

impl<T: Copy + Ord> Until<T> {
    fn latest(self) -> Option<T> {
        self.own.max(self.heard)
    }

    fn says(&mut self, until: T) {
        self.own = self.own.max(Some(until));
    }

    /// Whether it is for longer than what was known.
    fn hears(&mut self, until: Option<T>) -> bool {
        let is_news = until > self.latest();
        self.heard = until;
        is_news
    }
}

/// Why a call cannot go now, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blocked {
    Throttled(Duration),
    QuotaSpent(Duration),
}

impl VendorBlock {
    /// The era that a call belongs to which goes out now.
    pub(crate) fn era(&self) -> u64 {
        self.era
    }

    /// What stands in the way, a probe left out of account.
    pub(crate) fn standing(&self, now: Instant, wall: Timestamp) -> Option<Blocked> {
        if let Some(until) = self.throttled.latest()
            && until > now
        {
            return Some(Blocked::Throttled(until - now));
        }
        let left = time_until(self.spent.latest()?, wall);
        is_credible(left).then_some(Blocked::QuotaSpent(left))
    }

    /// What stands in the way of a call that was let through before.
    pub(crate) fn standing_since(&self, now: Instant, wall: Timestamp) -> Option<Blocked> {
        self.standing(now, wall)
            .filter(|blocked| !(self.is_probed && matches!(blocked, Blocked::QuotaSpent(_))))
    }

    /// Whether a spent quota may be probed now.
    pub(crate) fn probe_is_due(&self, wall: Timestamp) -> bool {
        self.next_probe.is_some_and(|next| next <= wall)
    }

    /// A probe goes out.
    pub(crate) fn probe(&mut self, wall: Timestamp) {
        (self.next_probe, self.is_probed) = (Some(later(wall, PROBE_EVERY)), true);
    }

    /// The probe did not go out after all.
    pub(crate) fn probe_is_still_due(&mut self, wall: Timestamp) {
        // Unless the quota was found to be open meanwhile.
        if self.next_probe.is_some() {
            (self.next_probe, self.is_probed) = (Some(wall), false);
        }
    }

    /// The vendor answered 429 to a call of this era.
    pub(crate) fn throttled(&mut self, era: u64, retry_after: Option<Duration>, now: Instant, jitter: &Jitter) {
        let is_news = era == self.era;
        let step = if is_news {
            self.refusals
        } else {
            self.refusals.saturating_sub(1)
        };
        let wait = match retry_after {
            Some(wait) if !wait.is_zero() => wait.min(LONGEST_WAIT),
            _ => backoff(step),
        };
        let until = now + wait + part_of(wait, JITTER * jitter.throw());
        self.throttled.says(until);
        if is_news {
            self.refusals = self.refusals.saturating_add(1);
            self.era += 1;
        }
    }

    /// The vendor says that the day's calls are used up.
    pub(crate) fn quota_spent(&mut self, era: u64, retry_after: Option<Duration>, wall: Timestamp) {
        // The later of both: a short wait that a vendor names for every 429 opens no day.
        let named = later(wall, retry_after.unwrap_or_default().min(LONGEST_WAIT));
        self.spent.says(next_opening(wall).max(named));
        (self.next_probe, self.is_probed) = (Some(later(wall, PROBE_EVERY)), false);
        if era == self.era {
            self.era += 1;
        }
    }

    /// The vendor took a call of this era: nothing that it said before it stands any more. Whether anything did.
    pub(crate) fn taken(&mut self, era: u64, now: Instant, wall: Timestamp) -> bool {
        if era != self.era {
            return false;
        }
        let stood = !self.said(now, wall).is_empty();
        *self = Self {
            era: self.era,
            ..Self::default()
        };
        stood
    }

    /// Somebody has decided that nothing of what it said stands any more. Calls that went out before have no say after it.
    pub(crate) fn lift(&mut self) {
        *self = Self {
            era: self.era + 1,
            ..Self::default()
        };
    }

    /// What it said to this process, or another one, and still stands.
    pub(crate) fn said(&self, now: Instant, wall: Timestamp) -> VendorBlocks {
        let throttled = self.throttled.latest().filter(|until| *until > now);
        VendorBlocks {
            throttled_until: throttled.map(|until| later(wall, until - now)),
            spent_until: self
                .spent
                .latest()
                .filter(|until| is_credible(time_until(*until, wall))),
        }
    }

    /// What it said to another process. That it says nothing of waiting any more ends what was heard, and nothing that it said
    /// to this one.
    pub(crate) fn hear(&mut self, blocks: VendorBlocks, now: Instant, wall: Timestamp) {
        let throttled = blocks.throttled_until.map(|until| time_until(until, wall));
        let throttled = throttled.filter(|wait| is_credible(*wait));
        if self.throttled.hears(throttled.map(|wait| now + wait.min(LONGEST_WAIT))) {
            self.era += 1;
        }
        let spent = blocks.spent_until.filter(|until| is_credible(time_until(*until, wall)));
        if self.spent.hears(spent) {
            (self.next_probe, self.is_probed) = (Some(later(wall, PROBE_EVERY)), false);
            self.era += 1;
        } else if self.spent.latest().is_none() {
            (self.next_probe, self.is_probed) = (None, false);
        }
    }
}

/// Whether a vendor, or a day, can be waited for for so long. What is further ahead was stamped by a clock that was wrong.
fn is_credible(left: Duration) -> bool {
    !left.is_zero() && left <= LONGEST_TOLD
}

fn backoff(step: u32) -> Duration {
    FIRST_BACKOFF.saturating_mul(1 << step.min(16)).min(LONGEST_BACKOFF)
}

fn later(wall: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| wall.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_hours(1);

    fn noon() -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    fn jitter(shown: f64) -> Jitter {
        Jitter::loaded(move || shown)
    }

    #[test]
    fn a_throttled_connection_waits_as_long_as_it_was_asked_and_a_part_more_and_not_a_moment_longer() {
        let (start, mut block) = (Instant::now(), VendorBlock::default());
        assert_eq!((block.standing(start, noon()), block.era()), (None, 0));
        block.throttled(0, Some(10 * SECOND), start, &jitter(0.5));
        for (after, left) in [
            (0, Some(10_500)),
            (4_000, Some(6_500)),
            (10_499, Some(1)),
            (10_500, None),
            (10_501, None),
        ] {
            let left = left.map(|left| Blocked::Throttled(Duration::from_millis(left)));
            let at = start + Duration::from_millis(after);
            assert_eq!(block.standing(at, noon()), left, "after {after} ms");
            assert_eq!(block.standing_since(at, noon()), left, "after {after} ms");
        }
    }

    #[test]
    fn what_names_no_time_backs_off_and_what_names_too_long_a_time_is_believed_for_a_day() {
        let start = Instant::now();
        for named in [None, Some(Duration::ZERO)] {
            let mut block = VendorBlock::default();
            for (refusal, seconds) in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].into_iter().enumerate() {
                let (era, at) = (block.era(), start + refusal.try_into().unwrap_or(0_u32) * HOUR);
                block.throttled(era, named, at, &jitter(0.0));
                assert_eq!(block.standing(at, noon()), Some(Blocked::Throttled(seconds * SECOND)));
                assert_eq!(block.era(), era + 1);
            }
        }
        let mut block = VendorBlock::default();
        block.throttled(0, Some(100 * HOUR), start, &jitter(0.0));
        assert_eq!(block.standing(start, noon()), Some(Blocked::Throttled(24 * HOUR)));
        block.throttled(1, Some(SECOND), start, &jitter(0.0));
        assert_eq!(
            block.standing(start, noon()),
            Some(Blocked::Throttled(24 * HOUR)),
            "the longer counts"
        );
    }

    #[test]
    fn calls_that_went_out_before_a_block_neither_lengthen_nor_lift_it() {
        let (start, mut block) = (Instant::now(), VendorBlock::default());
        for era in 0..3 {
            block.throttled(era, None, start, &jitter(0.0));
        }
        let four = Some(Blocked::Throttled(4 * SECOND));
        block.throttled(0, None, start, &jitter(0.0));
        assert!(!block.taken(0, start, noon()) && !block.taken(2, start, noon()));
        assert_eq!((block.standing(start, noon()), block.era()), (four, 3));
        // Four seconds on it says so again, of an older call: the step is the same one.
        block.throttled(2, None, start + 4 * SECOND, &jitter(0.0));
        assert_eq!(block.standing(start + 4 * SECOND, noon()), four);
        assert!(block.taken(3, start, noon()), "it ends what stood");
        assert!(!block.taken(3, start, noon()));
        assert_eq!(block.standing(start, noon()), None);
        block.throttled(3, None, start, &jitter(0.0));
        assert_eq!(
            block.standing(start, noon()),
            Some(Blocked::Throttled(SECOND)),
            "it begins anew"
        );
    }

    #[test]
    fn once_it_is_lifted_nothing_stands_and_the_next_refusal_begins_anew() {
        let (now, mut block) = (Instant::now(), VendorBlock::default());
        block.throttled(0, Some(HOUR), now, &jitter(0.0));
        block.throttled(1, None, now, &jitter(0.0));
        block.quota_spent(2, Some(20 * HOUR), noon());
        let era = block.era();
        block.lift();
        assert_eq!((block.standing(now, noon()), block.era()), (None, era + 1));
        assert!(block.said(now, noon()).is_empty() && !block.probe_is_due(noon()));
        // The vendor may say so again, in answer to a call of before as well.
        block.throttled(era, None, now, &jitter(0.0));
        assert_eq!(block.standing(now, noon()), Some(Blocked::Throttled(SECOND)));
    }

    #[test]
    fn a_spent_quota_opens_at_midnight_or_later_where_that_was_said_and_is_probed_each_hour() {
        let now = Instant::now();
        let after = |wait: Duration| later(noon(), wait);
        for (named, until) in [
            (None, 12 * HOUR),
            (Some(Duration::ZERO), 12 * HOUR),
            (Some(2 * HOUR), 12 * HOUR),
            (Some(12 * HOUR), 12 * HOUR),
            (Some(13 * HOUR), 13 * HOUR),
            (Some(24 * HOUR), 24 * HOUR),
            (Some(25 * HOUR), 24 * HOUR),
        ] {
            let mut block = VendorBlock::default();
            assert!(!block.probe_is_due(noon()));
            block.quota_spent(0, named, noon());
            assert_eq!(block.era(), 1);
            assert_eq!(
                block.standing(now, noon()),
                Some(Blocked::QuotaSpent(until)),
                "{named:?}"
            );
            assert_eq!(
                block.standing(now, after(until.saturating_sub(SECOND))),
                Some(Blocked::QuotaSpent(SECOND))
            );
            assert_eq!(block.standing(now, after(until)), None, "{named:?}");
        }
        let mut block = VendorBlock::default();
        block.quota_spent(0, Some(20 * HOUR), noon());
        assert!(!block.probe_is_due(after(HOUR.saturating_sub(SECOND))) && block.probe_is_due(after(HOUR)));
        // The probe is not stopped by what it is to find out; others are, and so is it by a 429.
        block.probe(after(HOUR));
        let left = Some(Blocked::QuotaSpent(19 * HOUR));
        assert!(!block.probe_is_due(after(HOUR)));
        assert_eq!(
            (block.standing(now, after(HOUR)), block.standing_since(now, after(HOUR))),
            (left, None)
        );
        block.probe_is_still_due(after(HOUR));
        assert!(block.probe_is_due(after(HOUR)));
        assert_eq!(block.standing_since(now, after(HOUR)), left);
        block.probe(after(HOUR));
        block.throttled(1, Some(SECOND), now, &jitter(0.0));
        assert_eq!(block.standing_since(now, after(HOUR)), Some(Blocked::Throttled(SECOND)));
        // Said again, by an older call and for a shorter time: the longer stands, and the next probe is an hour off.
        block.quota_spent(0, Some(HOUR), after(HOUR));
        assert_eq!(
            (
                block.era(),
                block.probe_is_due(after((2 * HOUR).saturating_sub(SECOND)))
            ),
            (2, false)
        );
        assert_eq!(block.standing(now + SECOND, after(HOUR)), left);
        assert!(block.taken(2, now, after(HOUR)));
        assert_eq!(
            (block.standing(now, after(HOUR)), block.probe_is_due(after(9 * HOUR))),
            (None, false)
        );
    }

    #[test]
    fn what_another_process_was_told_stands_here_too_until_then_or_until_it_stands_there_no_more() {
        let (now, after) = (Instant::now(), |wait: Duration| later(noon(), wait));
        let blocks = |throttled: Option<Duration>, spent: Option<Duration>| VendorBlocks {
            throttled_until: throttled.map(after),
            spent_until: spent.map(after),
        };
        let (mut told, mut other) = (VendorBlock::default(), VendorBlock::default());
        told.throttled(0, Some(10 * SECOND), now, &jitter(0.0));
        told.quota_spent(1, None, noon());
        let said = told.said(now, noon());
        assert_eq!(said, blocks(Some(10 * SECOND), Some(12 * HOUR)));
        other.hear(said, now, noon());
        for (after, left) in [
            (Duration::ZERO, Some(Blocked::Throttled(10 * SECOND))),
            (9 * SECOND, Some(Blocked::Throttled(SECOND))),
            (HOUR, Some(Blocked::QuotaSpent(11 * HOUR))),
            (12 * HOUR, None),
        ] {
            assert_eq!(other.standing(now + after, later(noon(), after)), left, "{after:?}");
        }
        assert!(!other.taken(0, now, noon()), "a call that went out before has no say");
        assert!(other.probe_is_due(after(HOUR)) && !other.probe_is_due(noon()));
        other.hear(VendorBlocks::default(), now, noon());
        assert_eq!(other.standing(now, noon()), None);
        // What it was told itself stands, whatever others say.
        told.hear(blocks(Some(SECOND), Some(HOUR)), now, noon());
        told.hear(VendorBlocks::default(), now, noon());
        assert_eq!(told.said(now, noon()), said);
        // What is over is no news, and nobody has it wait for ever.
        other.hear(blocks(Some(Duration::ZERO), Some(Duration::ZERO)), now, noon());
        assert_eq!((other.standing(now, noon()), other.era()), (None, 2));
        other.hear(blocks(Some(26 * HOUR), None), now, noon());
        assert_eq!(other.standing(now, noon()), Some(Blocked::Throttled(LONGEST_WAIT)));
    }

    #[test]
    fn what_the_vendor_said_here_for_a_shorter_time_outlives_what_was_heard_for_a_longer_one() {
        let (now, after) = (Instant::now(), |wait: Duration| later(noon(), wait));
        let blocks = |throttled: Duration, spent: Duration| VendorBlocks {
            throttled_until: Some(after(throttled)),
            spent_until: Some(after(spent)),
        };
        let mut block = VendorBlock::default();
        block.hear(blocks(HOUR, 13 * HOUR), now, noon());
        block.throttled(block.era(), Some(10 * SECOND), now, &jitter(0.0));
        block.quota_spent(block.era(), None, noon());
        assert_eq!(block.said(now, noon()), blocks(HOUR, 13 * HOUR), "the later counts");
        block.hear(VendorBlocks::default(), now, noon());
        assert_eq!(block.said(now, noon()), blocks(10 * SECOND, 12 * HOUR));
        assert!(block.probe_is_due(after(HOUR)));
    }

    #[test]
    fn what_a_clock_stamped_that_was_years_ahead_is_waited_for_by_nobody() {
        let (now, years) = (Instant::now(), 5 * 365 * 24 * HOUR);
        let until = Some(later(noon(), years));
        let mut block = VendorBlock::default();
        block.hear(
            VendorBlocks {
                throttled_until: until,
                spent_until: until,
            },
            now,
            noon(),
        );
        assert_eq!(block.standing(now, noon()), None);
        // It was said to this process, while its own clock was ahead.
        block.quota_spent(block.era(), None, later(noon(), years));
        assert_eq!(block.standing(now, noon()), None);
        assert!(block.said(now, noon()).is_empty());
    }
}
