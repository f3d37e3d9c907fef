//! What a connection's own state is beside its policies: pauses, durable and in memory.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, RwLock};

use upsert_core::{Held, IncidentId, VendorBlocks, WaitingFor};
use upsert_store::{ConnectionRecord, Pause, PausedBy};

/// Nobody can tell for how long: until the connection is resumed, comes back or takes a probe.
pub(crate) const UNTIL_RELEASED: Held = Held {
    waiting_for: WaitingFor::Paused,
    for_at_least: None,
};

/// A paused connection is probed this often, with what has waited longest.
const PROBE_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// So many failures in a row, without a success in between, are the connection's and not one delivery's own.
const TROUBLE: u32 = 2;

/// Merchant and name.
pub(crate) type Key = (String, String);

/// What the store has of a connection beside its pause.
#[derive(Debug, Default, Clone, Copy)]
struct Row {
    revision: u64,
    /// The last day on which somebody was told that the quota is running out.
    quota_told: Option<Date>,
    /// Until when a process that found the vendor failing sends nothing.
    open_until: Option<Timestamp>,
    /// What the vendor said of waiting.
    blocks: VendorBlocks,
    /// How often somebody has ended that.
    lifts: u64,
    /// When the last incident ended.
    incident_ended_at: Option<Timestamp>,
}

/// What was new of a connection.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct News {
    /// A pause is over.
    pub(crate) pause_is_over: bool,
    /// Somebody has ended what the vendor said of waiting.
    pub(crate) is_lifted: bool,
    /// Somebody found the vendor failing.
    pub(crate) open_until: Option<Timestamp>,
    /// Somebody found that the vendor is back.
    pub(crate) is_back: bool,
    /// The vendor said something else of waiting to somebody.
    pub(crate) blocks: Option<VendorBlocks>,
}

/// What is known of connections beside their policies, by merchant and name.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    pauses: RwLock<HashMap<Key, Pause>>,
    /// What else the store has of them.
    rows: Mutex<HashMap<Key, Row>>,
    /// Incidents that have not ended.
    incidents: Mutex<HashMap<Key, IncidentId>>,
    /// Failures since the last success.
    failures: Mutex<HashMap<Key, u32>>,
    /// Where something may wait that is not due by itself, and how often that was said.
    to_drain: Mutex<HashMap<Key, u64>>,
    /// When a paused connection was last probed.
    probed: Mutex<HashMap<Key, Timestamp>>,
    /// Where a call is under way that somebody asked for.
    tried: Mutex<HashSet<Key>>,
}

impl Connections {
    pub(crate) fn pause_of(&self, merchant: &str, connection: &str) -> Option<Pause> {
        let pauses = self.pauses.read();
        if pauses.is_empty() {
            return None;
        }
        pauses.get(&key(merchant, connection)).cloned()
    }

    /// Whether nothing goes there for now.
    pub(crate) fn is_paused(&self, merchant: &str, connection: &str) -> bool {
        self.pause_of(merchant, connection).is_some()
    }

    /// A call failed and will be tried again.
    pub(crate) fn failed(&self, merchant: &str, connection: &str) {
        *self.failures.lock().entry(key(merchant, connection)).or_default() += 1;
    }

    /// The vendor took a call. Whether that is the first one after a time of trouble: then everything that waits is due.
    pub(crate) fn succeeded(&self, merchant: &str, connection: &str) -> bool {
        let mut failures = self.failures.lock();
        // The usual case costs nothing.
        !failures.is_empty()
            && failures
                .remove(&key(merchant, connection))
                .is_some_and(|in_a_row| in_a_row >= TROUBLE)
    }

    /// A call was held back. A spent quota may open before its time, so what waits for it is tried when it does.
    pub(crate) fn held_back(&self, merchant: &str, connection: &str, waiting_for: Option<WaitingFor>) {
        if waiting_for == Some(WaitingFor::Quota) {
            self.drain(merchant, connection);
        }
    }

    /// Something may wait there that is not due by itself.
    pub(crate) fn drain(&self, merchant: &str, connection: &str) {
        *self.to_drain.lock().entry(key(merchant, connection)).or_default() += 1;
    }

    /// How often it was said that something may wait there: to be asked before it is looked through.
    pub(crate) fn said_to_drain(&self, merchant: &str, connection: &str) -> u64 {
        let said = self.to_drain.lock();
        said.get(&key(merchant, connection)).copied().unwrap_or_default()
    }

    /// Everything that waited there was tried, unless more came to wait since it was said so often.
    pub(crate) fn drained(&self, merchant: &str, connection: &str, said: u64) {
        let key = key(merchant, connection);
        let mut to_drain = self.to_drain.lock();
        if to_drain.get(&key) == Some(&said) {
            to_drain.remove(&key);
        }
    }

    /// Where something may wait that is not due by itself.
    pub(crate) fn to_drain(&self) -> Vec<Key> {
        self.to_drain.lock().keys().cloned().collect()
    }

    /// Connections that the vendor paused and that may be probed now; each of them not again for a while.
    pub(crate) fn probes_due(&self, now: Timestamp) -> Vec<Key> {
        let pauses = self.pauses.read();
        let mut probed = self.probed.lock();
        let mut due = Vec::new();
        for (key, pause) in pauses.iter().filter(|(_, pause)| pause.by == PausedBy::Vendor) {
            let last = probed.get(key).map_or(pause.since, |last| (*last).max(pause.since));
            let age = now.duration_since(last);
            // A last one that is yet to come was stamped by a clock that was wrong.
            if age >= PROBE_EVERY || age <= -PROBE_EVERY {
                probed.insert(key.clone(), now);
                due.push(key.clone());
            }
        }
        due
    }

    /// Where an incident has not ended, or the vendor refuses the credentials.
    pub(crate) fn in_trouble(&self) -> BTreeSet<Key> {
        let pauses = self.pauses.read();
        let by_vendor = pauses.iter().filter(|(_, pause)| pause.by == PausedBy::Vendor);
        let mut keys: BTreeSet<Key> = by_vendor.map(|(key, _)| key.clone()).collect();
        keys.extend(self.incidents.lock().keys().cloned());
        keys
    }

    /// A call goes there that somebody asked for. Whether it is the only one.
    pub(crate) fn trial_begins(&self, merchant: &str, connection: &str) -> bool {
        self.tried.lock().insert(key(merchant, connection))
    }

    /// It is over.
    pub(crate) fn trial_ends(&self, merchant: &str, connection: &str) {
        self.tried.lock().remove(&key(merchant, connection));
    }

    /// What the store has of it, as far as is known here.
    pub(crate) fn record(&self, merchant: &str, connection: &str) -> ConnectionRecord {
        let rows = self.rows.lock();
        let row = rows.get(&key(merchant, connection)).copied().unwrap_or_default();
        ConnectionRecord {
            revision: row.revision,
            quota_told: row.quota_told,
            open_until: row.open_until,
            blocks: row.blocks,
            lifts: row.lifts,
            incident: self.incidents.lock().get(&key(merchant, connection)).copied(),
            incident_ended_at: row.incident_ended_at,
            pause: self.pause_of(merchant, connection),
            ..ConnectionRecord::new(merchant, connection)
        }
    }

    /// The store has this of it, unless something newer is known already. What is new in it.
    pub(crate) fn learn(&self, record: ConnectionRecord) -> News {
        let key = key(&record.merchant, &record.connection);
        let mut rows = self.rows.lock();
        let row = rows.entry(key.clone()).or_default();
        if row.revision >= record.revision {
            return News::default();
        }
        let open_until = record.open_until.filter(|until| row.open_until != Some(*until));
        let blocks = Some(record.blocks).filter(|blocks| row.blocks != *blocks);
        let is_lifted = row.lifts != record.lifts;
        let is_back = row.open_until.is_some() && record.open_until.is_none() && !is_lifted;
        *row = Row {
            revision: record.revision,
            quota_told: record.quota_told,
            open_until: record.open_until,
            blocks: record.blocks,
            lifts: record.lifts,
            incident_ended_at: record.incident_ended_at,
        };
        match record.incident {
            Some(id) => drop(self.incidents.lock().insert(key.clone(), id)),
            None => drop(self.incidents.lock().remove(&key)),
        }
        let mut pauses = self.pauses.write();
        let before = match record.pause {
            Some(pause) => {
                pauses.insert(key, pause);
                None
            }
            None => pauses.remove(&key),
        };
        News {
            pause_is_over: before.is_some(),
            is_lifted,
            open_until,
            is_back,
            blocks,
        }
    }
}

pub(crate) fn key(merchant: &str, name: &str) -> Key {
    (merchant.to_owned(), name.to_owned())
}
