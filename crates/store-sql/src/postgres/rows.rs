//! The rows that a batch is about: as they were when they were locked, and as the batch's changesets leave them, one after
//! the other. Each is locked once and written once, whatever the batch does to it.

use std::collections::BTreeMap;

use super::table::{Keeps, Table};
use super::value::Value;

/// A primary key.
pub(super) type Key = Vec<Value>;

/// A row.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// Whether the table has it.
    is_stored: bool,
    /// Whether the batch has removed the one that the table has: what it puts later is another one.
    is_removed: bool,
    /// What is judged of it, as the batch has left it; none: it is not there.
    judged: Option<Vec<Value>>,
    /// All its values, if they are to be written.
    put: Option<Vec<Value>>,
}

/// What has to be done to a table's rows.
#[derive(Debug, Default)]
pub(super) struct Changes<'rows> {
    /// Keys and values.
    pub(super) insert: Vec<(&'rows [Value], &'rows [Value])>,
    /// Keys and values.
    pub(super) update: Vec<(&'rows [Value], &'rows [Value])>,
    /// Keys, and no values.
    pub(super) delete: Vec<(&'rows [Value], &'rows [Value])>,
}

/// The rows of one table, in the order of their keys.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) table: &'static Table,
    rows: BTreeMap<Key, Row>,
}

impl Rows {
    pub(super) const fn of(table: &'static Table) -> Self {
        Self {
            table,
            rows: BTreeMap::new(),
        }
    }

    /// This row is to be locked.
    pub(super) fn need(&mut self, key: Key) {
        self.rows.entry(key).or_default();
    }

    /// Whether it was asked for.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.rows.contains_key(key)
    }

    /// All keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.rows.keys()
    }

    /// The table has this row, and it is locked.
    pub(super) fn found(&mut self, key: Key, judged: Vec<Value>) {
        let row = self.rows.entry(key).or_default();
        row.is_stored = true;
        row.judged = Some(judged);
    }

    /// What is judged of a row; none: it is not there.
    pub(super) fn judged(&self, key: &Key) -> Option<&[Value]> {
        self.rows.get(key)?.judged.as_deref()
    }

    /// What the batch writes into a row, so far.
    #[cfg(test)]
    pub(super) fn put_of(&self, key: &Key) -> Option<&[Value]> {
        self.rows.get(key)?.put.as_deref()
    }

    /// Puts a row: its values in the order of the table's columns.
    pub(super) fn put(&mut self, key: Key, values: Vec<Value>) {
        let table = self.table;
        let row = self.rows.entry(key).or_default();
        let before = row.put.take();
        let mut values = values;
        if let Some(before) = before {
            for ((new, old), column) in values.iter_mut().zip(before).zip(table.values) {
                let keeps_old = match column.keeps {
                    Keeps::New => false,
                    Keeps::NewUnlessNull => new.is_null(),
                    Keeps::Old => !old.is_null(),
                };
                if keeps_old {
                    *new = old;
                }
            }
        }
        row.judged = Some(values[..table.judged].to_vec());
        row.put = Some(values);
    }

    /// Removes a row, if it is there.
    pub(super) fn remove(&mut self, key: &Key) {
        if let Some(row) = self.rows.get_mut(key) {
            row.is_removed = row.is_stored;
            row.judged = None;
            row.put = None;
        }
    }

    /// Keys that begin so and have a row.
    pub(super) fn beginning(&self, first: &[Value]) -> Vec<Key> {
        let rows = self.rows.range(first.to_vec()..);
        let rows = rows.take_while(|(key, _)| key.starts_with(first));
        let there = rows.filter(|(_, row)| row.judged.is_some());
        there.map(|(key, _)| key.clone()).collect()
    }

    /// What is to be written.
    pub(super) fn changes(&self) -> Changes<'_> {
        let mut changes = Changes::default();
        for (key, row) in &self.rows {
            match (row.is_stored, &row.judged, &row.put) {
                (true, None, _) => changes.delete.push((key, &[])),
                (true, Some(_), Some(values)) if row.is_removed => {
                    changes.delete.push((key, &[]));
                    changes.insert.push((key, values));
                }
                (true, Some(_), Some(values)) => changes.update.push((key, values)),
                (false, Some(_), Some(values)) => changes.insert.push((key, values)),
                _ => {}
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables::{CALLS, UPSERTS};
    use super::*;

    fn key(name: &str) -> Key {
        vec!["acme".into(), "2026-11-30".into(), name.into()]
    }

    #[test]
    fn a_row_that_was_not_there_is_inserted_once_and_one_that_was_is_updated() {
        let mut rows = Rows::of(&CALLS);
        rows.need(key("crm"));
        rows.need(key("pay"));
        rows.found(key("pay"), vec![Value::Big(7)]);
        assert_eq!(rows.judged(&key("crm")), None);
        for count in [8, 9] {
            rows.put(key("crm"), vec![Value::Big(count)]);
            rows.put(key("pay"), vec![Value::Big(count)]);
        }
        let changes = rows.changes();
        assert_eq!(changes.insert, [(&key("crm")[..], &[Value::Big(9)][..])]);
        assert_eq!(changes.update, [(&key("pay")[..], &[Value::Big(9)][..])]);
        assert!(changes.delete.is_empty());
    }

    #[test]
    fn a_row_that_is_removed_is_deleted_only_where_it_is_stored() {
        let mut rows = Rows::of(&CALLS);
        rows.found(key("crm"), vec![Value::Big(7)]);
        rows.put(key("pay"), vec![Value::Big(1)]);
        assert_eq!(rows.beginning(&["acme".into()]), [key("crm"), key("pay")]);
        rows.remove(&key("crm"));
        rows.remove(&key("pay"));
        assert!(rows.beginning(&["acme".into()]).is_empty());
        let changes = rows.changes();
        assert_eq!(changes.delete, [(&key("crm")[..], &[][..])]);
        assert!(changes.insert.is_empty() && changes.update.is_empty());
    }

    #[test]
    fn a_row_that_is_put_after_it_was_removed_has_nothing_of_the_old_one() {
        let mut rows = Rows::of(&CALLS);
        rows.found(key("crm"), vec![Value::Big(7)]);
        rows.remove(&key("crm"));
        rows.put(key("crm"), vec![Value::Big(1)]);
        let changes = rows.changes();
        assert_eq!(changes.delete, [(&key("crm")[..], &[][..])]);
        assert_eq!(changes.insert, [(&key("crm")[..], &[Value::Big(1)][..])]);
        assert!(changes.update.is_empty());
    }

    #[test]
    fn what_is_for_good_or_is_not_said_stays_within_a_batch_too() {
        let mut rows = Rows::of(&UPSERTS);
        let put = |made: Value, request: Value| {
            let mut values = vec![Value::Null; UPSERTS.values.len()];
            for (name, value) in [("made", made), ("request", request)] {
                let index = UPSERTS.values.iter().position(|column| column.name == name).unwrap();
                values[index] = value;
            }
            values
        };
        let id = vec!["acme".into(), uuid::Uuid::nil().into()];
        rows.put(id.clone(), put(Value::Big(1), Value::Bytes(vec![1])));
        rows.put(id.clone(), put(Value::Big(2), Value::Null));
        assert_eq!(rows.put_of(&id), Some(&put(Value::Big(1), Value::Bytes(vec![1]))[..]));
    }
}
