//! What the vendor holds: no fields, only which keys have a record since when, and which persons.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use jiff::Timestamp;

/// Records by their keys. Texts are kept as 64-bit hashes: millions of them fit, and none of them collide in practice.
#[derive(Default)]
pub(super) struct Ledger {
    hasher: RandomState,
    made: HashMap<u64, Timestamp>,
    persons: HashMap<u64, u64>,
    records: u64,
    duplicates: u64,
}

/// What a write found.
pub(super) struct Found {
    /// Whether there was no record.
    pub(super) is_new: bool,
    /// When its record was made.
    pub(super) made: Timestamp,
}

impl Ledger {
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    pub(super) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Finds the record of the first of these keys that has one, or makes one. A record made for a person who has one is a
    /// duplicate.
    pub(super) fn upsert(&mut self, keys: &[&str], person: Option<&str>, now: Timestamp) -> Found {
        let keys = keys.iter().map(|key| self.hasher.hash_one(key));
        let keys: Vec<u64> = keys.collect();
        let known = keys.iter().find_map(|key| self.made.get(key)).copied();
        let made = known.unwrap_or(now);
        for key in &keys {
            self.made.insert(*key, made);
        }
        if known.is_none() {
            self.records += 1;
            if let Some(person) = person {
                let mine = self.persons.entry(self.hasher.hash_one(person)).or_default();
                *mine += 1;
                self.duplicates += u64::from(*mine > 1);
            }
        }
        Found {
            is_new: known.is_none(),
            made,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_of_its_keys_finds_a_record() {
        let mut ledger = Ledger::default();
        let now = Timestamp::UNIX_EPOCH;
        assert!(ledger.upsert(&["phone", "mail"], Some("mail"), now).is_new);
        assert!(!ledger.upsert(&["mail"], Some("mail"), now).is_new);
        assert!(ledger.upsert(&["other"], Some("mail"), now).is_new);
        assert_eq!((ledger.records(), ledger.duplicates()), (2, 1));
    }
}
