//! Changesets that are applied together: which rows they need, whether what they expect holds, and what they leave.
//!
//! All rows are locked before anything is judged, in one order that every writer keeps. So a batch sees them as if it were
//! alone, and its changesets one after the other. A row that is not there cannot be locked: whoever makes it fails where
//! another writer was faster, and begins anew.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::error::DbResult;
use super::rows::{Key, Rows};
use super::table::Table;
use super::tables::{KEYS, TABLES};
use super::value::Value;
use crate::copy::form::Part;
use crate::digest::Digests;
use crate::sealed::{Place as Sealed, Seals};

/// In the place of a connection's name: the customer itself, or one of the gateway's own identifiers.
pub(super) const OURS: &str = "";

/// Kinds of places.
pub(super) const CONNECTION: &str = "connection";
pub(super) const SOURCE: &str = "source";
pub(super) const ENDPOINT: &str = "endpoint";

/// Merchant, source, the sender's id, content.
pub(super) type Content = (String, String, String, String);

/// Where anything is kept: merchant, kind, name.
pub(super) type Place = (String, &'static str, String);

/// Everything that a batch needs and changes.
pub(super) struct Batch<'a> {
    pub(super) digests: &'a Digests,
    pub(super) seals: &'a Seals,
    rows: Vec<Rows>,
    /// Events that came in, by what they are known by; none: nothing is known of it.
    pub(super) by_content: BTreeMap<Content, Option<Uuid>>,
    /// Customers of whom every row is needed, since they are to go.
    pub(super) going: BTreeSet<(String, Uuid)>,
    /// Rows of keys that were relied on not to be there.
    relied_on: BTreeSet<Key>,
    /// Where anything is written.
    pub(super) places: BTreeSet<Place>,
    /// In microseconds: when the newest id was made of what is written.
    pub(super) made: Option<i64>,
}

impl<'a> Batch<'a> {
    /// Of rows that are not read yet.
    pub(super) fn new(digests: &'a Digests, seals: &'a Seals) -> Self {
        Self {
            digests,
            seals,
            rows: TABLES.iter().map(|table| Rows::of(table)).collect(),
            by_content: BTreeMap::new(),
            going: BTreeSet::new(),
            relied_on: BTreeSet::new(),
            places: BTreeSet::new(),
            made: None,
        }
    }

    /// That an id was made then.
    pub(super) fn note_made(&mut self, at: Timestamp) {
        self.made = self.made.max(Some(at.as_microsecond()));
    }

    /// That anything is kept there.
    pub(super) fn note_place(&mut self, merchant: &str, kind: &'static str, name: &str) {
        self.places.insert((merchant.to_owned(), kind, name.to_owned()));
    }

    /// A record as a column keeps it: its row is the merchant's with this key, and its revision, where the column is written
    /// anew with it, this one.
    pub(super) fn sealed<T: Serialize>(
        &self,
        merchant: &str,
        (part, column): (&'static Part, &'static str),
        key: &[&[u8]],
        revision: Option<i64>,
        record: &T,
    ) -> DbResult<Value> {
        let place = || Sealed::whole(part, column, merchant, key, revision);
        Ok(self.seals.seal(merchant, place, record, column)?.into())
    }

    /// The rows of a table.
    pub(super) fn of(&mut self, table: &'static Table) -> &mut Rows {
        let index = TABLES.iter().position(|known| std::ptr::eq(*known, table));
        // Every table is among them.
        &mut self.rows[index.unwrap_or_default()]
    }

    pub(super) fn judged(&self, table: &'static Table, key: &Key) -> Option<&[Value]> {
        self.rows
            .iter()
            .find(|rows| std::ptr::eq(rows.table, table))?
            .judged(key)
    }

    /// The rows of every table, in the order in which they are locked and written.
    pub(super) fn all(&self) -> &[Rows] {
        &self.rows
    }

    /// Whom a key finds, oldest first. That it finds nobody holds until the commit.
    pub(super) fn holders(&mut self, key: &Key) -> Vec<Uuid> {
        match self.judged(&KEYS, key) {
            Some([Value::Uuids(customers), ..]) => customers.clone(),
            _ => {
                self.relied_on.insert(key.clone());
                Vec::new()
            }
        }
    }

    /// Keys that were relied on to find nobody, and still do: to make their rows and take them away again holds their
    /// places.
    pub(super) fn held_places(&self) -> Vec<&Key> {
        let free = self.relied_on.iter().filter(|key| self.judged(&KEYS, key).is_none());
        free.collect()
    }
}
