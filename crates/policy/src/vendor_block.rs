//! What the vendor itself said about waiting: a 429, or that the day's calls are used up.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::day_budget::{next_opening, time_until};
use crate::dice::{Dice, part_of};

const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_mins(5);

/// The longest Retry-After that is obeyed.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// The part of a wait that jitter adds to it at the most.
const JITTER: f64 = 0.1;

/// How often one call may find out whether a spent quota is open again.
const PROBE_EVERY: Duration = Duration::from_hours(1);

/// Until when the vendor wants no calls.
#[derive(Debug, Default)]
pub(crate) struct VendorBlock {
    throttled_until: Option<Instant>,
    /// Throttled answers in a row.
    refusals: u32,
    spent: Option<Spent>,
    /// Grows with each block: calls that went out before it neither lengthen its back-off nor lift it.
    era: u64,
}

#[derive(Debug, Clone, Copy)]
struct Spent {
    until: Timestamp,
    next_probe: Timestamp,
    /// A probe is on its way: it is not stopped by what it is to find out.
    is_probed: bool,
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
        if let Some(until) = self.throttled_until
            && until > now
        {
            return Some(Blocked::Throttled(until - now));
        }
        let spent = self.spent.filter(|spent| spent.until > wall)?;
        Some(Blocked::QuotaSpent(time_until(spent.until, wall)))
    }

    /// What stands in the way of a call that was let through before.
    pub(crate) fn standing_since(&self, now: Instant, wall: Timestamp) -> Option<Blocked> {
        let is_probed = self.spent.is_some_and(|spent| spent.is_probed);
        self.standing(now, wall)
            .filter(|blocked| !(is_probed && matches!(blocked, Blocked::QuotaSpent(_))))
    }

    /// Whether a spent quota may be probed now.
    pub(crate) fn probe_is_due(&self, wall: Timestamp) -> bool {
        self.spent.is_some_and(|spent| spent.next_probe <= wall)
    }

    /// A probe goes out.
    pub(crate) fn probe(&mut self, wall: Timestamp) {
        if let Some(spent) = &mut self.spent {
            spent.next_probe = later(wall, PROBE_EVERY);
            spent.is_probed = true;
        }
    }

    /// The probe did not go out after all.
    pub(crate) fn probe_is_still_due(&mut self, wall: Timestamp) {
        if let Some(spent) = &mut self.spent {
            spent.next_probe = wall;
            spent.is_probed = false;
        }
    }

    /// The vendor answered 429 to a call of this era.
    pub(crate) fn throttled(&mut self, era: u64, retry_after: Option<Duration>, now: Instant, dice: &Dice) {
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
        let until = now + wait + part_of(wait, JITTER * dice.throw());
        self.throttled_until = Some(self.throttled_until.map_or(until, |known| known.max(until)));
        if is_news {
            self.refusals = self.refusals.saturating_add(1);
            self.era += 1;
        }
    }

    /// The vendor says that the day's calls are used up.
    pub(crate) fn quota_spent(&mut self, era: u64, retry_after: Option<Duration>, wall: Timestamp) {
        // The later of both: a short wait that a vendor names for every 429 opens no day.
        let named = later(wall, retry_after.unwrap_or_default().min(LONGEST_WAIT));
        let until = next_opening(wall).max(named);
        let known = self.spent.map_or(until, |spent| spent.until.max(until));
        self.spent = Some(Spent {
            until: known,
            next_probe: later(wall, PROBE_EVERY),
            is_probed: false,
        });
        if era == self.era {
            self.era += 1;
        }
    }

    /// The vendor took a call of this era: nothing that it said before it stands any more.
    pub(crate) fn taken(&mut self, era: u64) {
        if era == self.era {
            self.refusals = 0;
            self.throttled_until = None;
            self.spent = None;
        }
    }
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
