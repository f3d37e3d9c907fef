//! What a simulator received and what became of it: the oracle for "written once", "never overlapping", "not sent".

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;

use crate::clock::Clock;
use crate::effects::{Cut, Effect};
use crate::vendor::Vendor;

/// How much of the journal stays in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalDepth {
    /// Every entry.
    All,
    /// The last so many.
    Last(usize),
    /// None: only the [`Counts`].
    CountOnly,
}

/// A write that was executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Write {
    /// The vendor's own id of the record.
    pub record: String,
    /// The company or merchant it belongs to.
    pub account: String,
    /// Whether the record is new.
    pub created: bool,
    /// The key that found it; none when it is new.
    pub matched_on: Option<String>,
}

/// What the caller got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Answered {
    /// A whole answer; its body is left out where a fault made it endless or huge.
    Status {
        /// The HTTP status.
        status: u16,
        /// The body as sent.
        body: String,
    },
    /// A closed connection.
    Cut {
        /// Where it was cut.
        at: Cut,
    },
}

/// One request. It stands in the journal from the moment its head was read.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// 1 for the first request of this journal.
    pub sequence: u64,
    /// Whose simulator.
    pub vendor: Vendor,
    /// The HTTP method.
    pub method: String,
    /// Path and query, as sent.
    pub path: String,
    /// All headers in their order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as text; empty until it was read.
    pub body: String,
    /// When the head was read, by the simulator's clock.
    pub received_at: Timestamp,
    /// When the answer was handed over; none while it is in work, and for ever where it hangs.
    pub finished_at: Option<Timestamp>,
    /// `received_at` on a counter of events that never stands still.
    pub received_tick: u64,
    /// `finished_at` on the same counter.
    pub finished_tick: Option<u64>,
    /// The fault that was put in its way.
    pub fault: Option<Effect>,
    /// What was answered.
    pub answered: Option<Answered>,
    /// The write that was executed for it.
    pub write: Option<Write>,
}

impl Entry {
    /// A header by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether both requests were in work at one moment.
    pub fn overlaps(&self, other: &Self) -> bool {
        let begins_before_end = |a: &Self, b: &Self| b.finished_tick.is_none_or(|end| a.received_tick < end);
        begins_before_end(self, other) && begins_before_end(other, self)
    }
}

/// Totals since the start or the last reset, kept at every depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests whose head was read.
    pub received: u64,
    /// Requests that were answered or cut.
    pub finished: u64,
    /// Writes that were executed.
    pub writes: u64,
    /// Writes that made a new record.
    pub created: u64,
}

/// The journal of one simulator.
pub struct Journal {
    vendor: Vendor,
    depth: JournalDepth,
    clock: Clock,
    ticks: AtomicU64,
    received: AtomicU64,
    finished: AtomicU64,
    writes: AtomicU64,
    created: AtomicU64,
    entries: Mutex<VecDeque<Entry>>,
}

impl Journal {
    pub(crate) fn new(vendor: Vendor, depth: JournalDepth, clock: Clock) -> Self {
        Self {
            vendor,
            depth,
            clock,
            ticks: AtomicU64::new(0),
            received: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            created: AtomicU64::new(0),
            entries: Mutex::default(),
        }
    }

    /// The entries that are kept, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.locked().iter().cloned().collect()
    }

    /// The totals.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            received: read(&self.received),
            finished: read(&self.finished),
            writes: read(&self.writes),
            created: read(&self.created),
        }
    }

    /// Empties the journal and its totals; requests still in work leave no trace.
    pub fn clear(&self) {
        self.locked().clear();
        for counter in [&self.received, &self.finished, &self.writes, &self.created] {
            counter.store(0, Ordering::Relaxed);
        }
    }

    /// Notes a request. `describe` gives method, path and headers, and is not called where nothing is kept.
    pub(crate) fn open(&self, describe: impl FnOnce() -> (String, String, Vec<(String, String)>)) -> Line<'_> {
        let sequence = self.received.fetch_add(1, Ordering::Relaxed) + 1;
        let received_tick = self.tick();
        if self.depth != JournalDepth::CountOnly {
            let (method, path, headers) = describe();
            let mut entries = self.locked();
            entries.push_back(Entry {
                sequence,
                vendor: self.vendor,
                method,
                path,
                headers,
                body: String::new(),
                received_at: (self.clock)(),
                finished_at: None,
                received_tick,
                finished_tick: None,
                fault: None,
                answered: None,
                write: None,
            });
            if let JournalDepth::Last(most) = self.depth {
                let surplus = entries.len().saturating_sub(most);
                entries.drain(..surplus);
            }
        }
        Line {
            journal: self,
            received_tick,
        }
    }

    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.entries.lock()
    }
}

/// The line of one request, filled as it goes on.
pub(crate) struct Line<'a> {
    journal: &'a Journal,
    received_tick: u64,
}

impl Line<'_> {
    /// The body was read.
    pub(crate) fn body(&self, body: &[u8]) {
        self.amend(|entry| entry.body = String::from_utf8_lossy(body).into_owned());
    }

    /// A fault was drawn.
    pub(crate) fn fault(&self, effect: &Effect) {
        self.amend(|entry| entry.fault = Some(effect.clone()));
    }

    /// A write was executed.
    pub(crate) fn wrote(&self, write: &Write) {
        self.journal.writes.fetch_add(1, Ordering::Relaxed);
        self.journal
            .created
            .fetch_add(u64::from(write.created), Ordering::Relaxed);
        self.amend(|entry| entry.write = Some(write.clone()));
    }

    /// The answer was handed over.
    pub(crate) fn finish(self, answered: impl FnOnce() -> Answered) {
        self.journal.finished.fetch_add(1, Ordering::Relaxed);
        let tick = self.journal.tick();
        let at = (self.journal.clock)();
        self.amend(|entry| {
            entry.finished_tick = Some(tick);
            entry.finished_at = Some(at);
            entry.answered = Some(answered());
        });
    }

    /// Ticks rise with the requests, near enough for a search from the young end.
    fn amend(&self, change: impl FnOnce(&mut Entry)) {
        if self.journal.depth == JournalDepth::CountOnly {
            return;
        }
        let mut entries = self.journal.locked();
        if let Some(entry) = entries
            .iter_mut()
            .rev()
            .find(|entry| entry.received_tick == self.received_tick)
        {
            change(entry);
        }
    }
}
