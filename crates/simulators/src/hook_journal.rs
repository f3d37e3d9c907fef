//! What a simulator told its hooks, and what they answered.

use std::collections::VecDeque;

use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;

use crate::journal::JournalDepth;

/// What became of an event on its way to one hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Not answered for good yet.
    OnItsWay,
    /// The last answer was 2xx.
    Taken,
    /// The last answer was 4xx.
    Refused,
    /// The hooks were cleared before it was taken or refused.
    Abandoned,
}

/// One copy of an event on its way to one hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HookEntry {
    /// The event's id, equal for all copies, hooks and attempts.
    pub id: String,
    /// `customer.created` or `customer.updated`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The vendor's own id of the record.
    pub record: String,
    /// The version of the record that the event shows.
    pub version: u64,
    /// Where it goes.
    pub url: String,
    /// The answers' statuses in their order; none where an attempt got no answer.
    pub statuses: Vec<Option<u16>>,
    /// How it stands.
    pub told: Told,
}

/// Totals since the start or the last reset, kept at every depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HookCounts {
    /// Events that at least one hook was to get.
    pub events: u64,
    /// Attempts to send one that were answered or failed.
    pub attempts: u64,
    /// Copies that were taken: hooks times copies of an event, when all is well.
    pub taken: u64,
    /// Copies that were refused.
    pub refused: u64,
}

/// Which line of which journal; one of a journal that was cleared since means nothing.
#[derive(Clone, Copy)]
pub(crate) struct LineNumber {
    round: u64,
    number: usize,
}

pub(crate) struct HookJournal {
    depth: JournalDepth,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    round: u64,
    dropped: usize,
    counts: HookCounts,
    entries: VecDeque<HookEntry>,
}

impl HookJournal {
    pub(crate) fn new(depth: JournalDepth) -> Self {
        Self {
            depth,
            pages: Mutex::default(),
        }
    }

    pub(crate) fn entries(&self) -> Vec<HookEntry> {
        self.pages().entries.iter().cloned().collect()
    }

    pub(crate) fn counts(&self) -> HookCounts {
        self.pages().counts
    }

    pub(crate) fn event(&self) {
        self.pages().counts.events += 1;
    }

    pub(crate) fn open(&self, entry: HookEntry) -> LineNumber {
        let pages = &mut *self.pages();
        let line = LineNumber {
            round: pages.round,
            number: pages.dropped + pages.entries.len(),
        };
        pages.entries.push_back(entry);
        let most = match self.depth {
            JournalDepth::All => usize::MAX,
            JournalDepth::Last(most) => most,
            JournalDepth::CountOnly => 0,
        };
        while pages.entries.len() > most {
            pages.entries.pop_front();
            pages.dropped += 1;
        }
        line
    }

    /// An attempt is over.
    pub(crate) fn note(&self, line: LineNumber, status: Option<u16>, told: Told) {
        let pages = &mut *self.pages();
        if pages.round != line.round {
            return;
        }
        pages.counts.attempts += 1;
        pages.counts.taken += u64::from(told == Told::Taken);
        pages.counts.refused += u64::from(told == Told::Refused);
        let place = line.number.checked_sub(pages.dropped);
        if let Some(entry) = place.and_then(|place| pages.entries.get_mut(place)) {
            entry.statuses.push(status);
            entry.told = told;
        }
    }

    /// What is on its way was given up.
    pub(crate) fn abandon(&self) {
        for entry in &mut self.pages().entries {
            if entry.told == Told::OnItsWay {
                entry.told = Told::Abandoned;
            }
        }
    }

    pub(crate) fn clear(&self) {
        let pages = &mut *self.pages();
        *pages = Pages {
            round: pages.round + 1,
            ..Pages::default()
        };
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock()
    }
}
