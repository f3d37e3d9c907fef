//! Records in the order they came, found by their match keys through an index that is not unique, as the vendors'
//! must be for two creates at once to make two records.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::edits;
use crate::record::{Probe, Record, Upsert, Written};

/// A found row, and the key that found it.
type Found = (u64, &'static str);

pub(crate) struct Shelf {
    keys_of: fn(&Record) -> Vec<Probe>,
    last: u64,
    rows: BTreeMap<u64, Record>,
    numbers_by_id: HashMap<String, u64>,
    numbers_by_key: HashMap<(String, &'static str, String), Vec<u64>>,
}

impl Shelf {
    pub(crate) fn new(keys_of: fn(&Record) -> Vec<Probe>) -> Self {
        Self {
            keys_of,
            last: 0,
            rows: BTreeMap::new(),
            numbers_by_id: HashMap::new(),
            numbers_by_key: HashMap::new(),
        }
    }

    /// The probes in their order; of several records with one key, the oldest.
    pub(crate) fn find(&self, upsert: &Upsert<'_>) -> Option<Found> {
        let hit = |number: &&u64| {
            let record = self.rows.get(*number);
            record.is_some_and(|it| it.kind == upsert.kind && (upsert.matches_archived || !it.archived))
        };
        let by = |probe: &Probe| {
            self.numbers(upsert.account, probe)
                .iter()
                .find(hit)
                .map(|number| (*number, probe.key))
        };
        upsert.probes.iter().find_map(by)
    }

    /// Changes the row that was found, or puts a new one. What was found may have been removed in between: then it
    /// is new.
    pub(crate) fn write(
        &mut self,
        found: Option<Found>,
        upsert: Upsert<'_>,
        change: impl FnOnce(&mut Map<String, Value>),
    ) -> Written {
        let row = found.and_then(|(number, key)| Some((number, key, self.take(number)?)));
        if let Some((number, key, record)) = row {
            let (record, changed) = changed(record, upsert.now, change);
            return self.replaced(number, record, changed, key);
        }
        let mut fields = Map::new();
        change(&mut fields);
        self.last += 1;
        let record = Record {
            id: upsert.new_id,
            account: upsert.account.to_owned(),
            kind: upsert.kind,
            fields,
            created_at: upsert.now,
            updated_at: upsert.now,
            archived: false,
            writes: 1,
            version: 1,
        };
        Written {
            record: self.put(self.last, record),
            created: true,
            matched_on: None,
            changed: true,
        }
    }

    pub(crate) fn update(
        &mut self,
        account: &str,
        id: &str,
        now: Timestamp,
        change: impl FnOnce(&mut Map<String, Value>),
    ) -> Option<Written> {
        let number = *self.numbers_by_id.get(id)?;
        self.rows.get(&number).filter(|record| record.account == account)?;
        let record = self.take(number)?;
        let (record, changed) = changed(record, now, change);
        Some(self.replaced(number, record, changed, "id"))
    }

    /// A merge patch on the stored fields. It is no write of the API, and one that changes nothing leaves no trace.
    pub(crate) fn edit(&mut self, id: &str, now: Timestamp, patch: &Map<String, Value>) -> Option<Written> {
        let number = *self.numbers_by_id.get(id)?;
        let before = self.take(number)?;
        let (mut record, changed) = changed(before.clone(), now, |fields| edits::merge(fields, patch));
        record.writes = before.writes;
        let record = if changed { record } else { before };
        Some(self.replaced(number, record, changed, "id"))
    }

    fn replaced(&mut self, number: u64, record: Record, changed: bool, matched_on: &'static str) -> Written {
        Written {
            record: self.put(number, record),
            created: false,
            matched_on: Some(matched_on),
            changed,
        }
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<&Record> {
        self.rows.get(self.numbers_by_id.get(id)?)
    }

    pub(crate) fn with_key(&self, account: &str, probe: &Probe) -> impl Iterator<Item = &Record> {
        self.numbers(account, probe)
            .iter()
            .filter_map(|number| self.rows.get(number))
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &Record> {
        self.rows.values()
    }

    pub(crate) fn archive(&mut self, id: &str) -> bool {
        let row = self.numbers_by_id.get(id).and_then(|number| self.rows.get_mut(number));
        row.map(|record| record.archived = true).is_some()
    }

    pub(crate) fn forget(&mut self, id: &str) -> bool {
        self.numbers_by_id
            .get(id)
            .copied()
            .and_then(|number| self.take(number))
            .is_some()
    }

    fn numbers(&self, account: &str, probe: &Probe) -> &[u64] {
        let key = (account.to_owned(), probe.key, probe.value.clone());
        self.numbers_by_key.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Takes a row out of the shelf and its index.
    fn take(&mut self, number: u64) -> Option<Record> {
        let record = self.rows.remove(&number)?;
        self.numbers_by_id.remove(&record.id);
        for probe in (self.keys_of)(&record) {
            let key = (record.account.clone(), probe.key, probe.value);
            if let Some(numbers) = self.numbers_by_key.get_mut(&key) {
                numbers.retain(|it| *it != number);
                if numbers.is_empty() {
                    self.numbers_by_key.remove(&key);
                }
            }
        }
        Some(record)
    }

    /// Puts a row in its place, and gives a copy of it.
    fn put(&mut self, number: u64, record: Record) -> Record {
        for probe in (self.keys_of)(&record) {
            let numbers = self
                .numbers_by_key
                .entry((record.account.clone(), probe.key, probe.value))
                .or_default();
            let place = numbers.partition_point(|it| *it < number);
            numbers.insert(place, number);
        }
        self.numbers_by_id.insert(record.id.clone(), number);
        self.rows.insert(number, record.clone());
        record
    }
}

/// An update is always a millisecond or more after the one before it, so that a stamp equal to the creation's means
/// "just created" and stamps order the states of a record as its versions do. Says too whether a field is other now.
fn changed(mut record: Record, now: Timestamp, change: impl FnOnce(&mut Map<String, Value>)) -> (Record, bool) {
    let before = record.fields.clone();
    change(&mut record.fields);
    let changed = record.fields != before;
    record.updated_at = now.max(record.updated_at + SignedDuration::from_millis(1));
    record.writes += 1;
    record.version += u64::from(changed);
    (record, changed)
}
