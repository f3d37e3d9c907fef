//! What a vendor has stored, and how a write finds it.

use std::time::Duration;

use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Map, Value};

use crate::record::{Probe, Record, Upsert, Written};
use crate::shelf::Shelf;

/// All records of one simulator.
pub(crate) struct Records {
    keys_of: fn(&Record) -> Vec<Probe>,
    race_window: Duration,
    shelf: Mutex<Shelf>,
}

impl Records {
    /// An empty store whose records are found by `keys_of`.
    pub(crate) fn new(keys_of: fn(&Record) -> Vec<Probe>, race_window: Duration) -> Self {
        Self {
            keys_of,
            race_window,
            shelf: Mutex::new(Shelf::new(keys_of)),
        }
    }

    /// Looks up, waits for the race window, then changes what was found or inserts.
    pub(crate) async fn upsert(&self, upsert: Upsert<'_>, change: impl FnOnce(&mut Map<String, Value>)) -> Written {
        if self.race_window.is_zero() {
            return self.upsert_at_once(upsert, change);
        }
        let found = self.shelf().find(&upsert);
        tokio::time::sleep(self.race_window).await;
        self.shelf().write(found, upsert, change)
    }

    /// The same in one step.
    pub(crate) fn upsert_at_once(&self, upsert: Upsert<'_>, change: impl FnOnce(&mut Map<String, Value>)) -> Written {
        let mut locked = self.shelf();
        let found = locked.find(&upsert);
        locked.write(found, upsert, change)
    }

    /// Changes the record with this id, if the account has one.
    pub(crate) fn update(
        &self,
        account: &str,
        id: &str,
        now: Timestamp,
        change: impl FnOnce(&mut Map<String, Value>),
    ) -> Option<Written> {
        self.shelf().update(account, id, now, change)
    }

    /// Changes a record as somebody in the vendor's own screen would.
    pub(crate) fn edit(&self, id: &str, now: Timestamp, patch: &Map<String, Value>) -> Option<Written> {
        self.shelf().edit(id, now, patch)
    }

    /// The record with this id, if it passes.
    pub(crate) fn get(&self, id: &str, pass: impl Fn(&Record) -> bool) -> Option<Record> {
        self.shelf().by_id(id).filter(|record| pass(record)).cloned()
    }

    /// The oldest record of the account that has this key.
    pub(crate) fn first(&self, account: &str, probe: &Probe) -> Option<Record> {
        self.shelf().with_key(account, probe).next().cloned()
    }

    /// The records that pass, oldest first.
    pub(crate) fn select(&self, pass: impl Fn(&Record) -> bool) -> Vec<Record> {
        self.shelf().rows().filter(|record| pass(record)).cloned().collect()
    }

    /// Hides a record from lists; false when there is none.
    pub(crate) fn archive(&self, id: &str) -> bool {
        self.shelf().archive(id)
    }

    /// Removes a record; false when there is none.
    pub(crate) fn forget(&self, id: &str) -> bool {
        self.shelf().forget(id)
    }

    /// Removes everything.
    pub(crate) fn clear(&self) {
        *self.shelf() = Shelf::new(self.keys_of);
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock()
    }
}
