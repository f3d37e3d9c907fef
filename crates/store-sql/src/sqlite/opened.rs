//! Records as they were kept: opened for the place where their row says that they stand, and decoded.

use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde::de::DeserializeOwned;

use super::data_keys::learn;
use super::readers::Reader;
use super::rows::{DbError, DbResult, OURS};
use crate::copy::form::{Kind, Part};
use crate::sealed::Place;
use crate::sealed::place::has_revision;

impl Reader {
    /// A record of a merchant's; none where the column is null. The row has the columns of its key, and its revision.
    pub(super) fn record<T: DeserializeOwned>(
        &self,
        row: &Row<'_>,
        (part, column): (&'static Part, &'static str),
        merchant: &str,
    ) -> DbResult<Option<T>> {
        match row.get_ref(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(bytes) => {
                learn(&self.db, &self.seals, bytes)?;
                let place = || self.place(row, (part, column), merchant);
                self.seals.open(bytes, column, place).map(Some)
            }
            _ => Err(DbError::Value(column)),
        }
    }

    /// A record that has to be there.
    pub(super) fn body<T: DeserializeOwned>(&self, row: &Row<'_>, part: &'static Part, merchant: &str) -> DbResult<T> {
        self.record(row, (part, "body"), merchant)?
            .ok_or(DbError::Value("body"))
    }

    /// The same of a row that names its merchant by number.
    pub(super) fn body_of_any<T: DeserializeOwned>(&self, row: &Row<'_>, part: &'static Part) -> DbResult<T> {
        let merchant = self.names.called(&self.db, row.get("merchant")?)?;
        self.body(row, part, &merchant)
    }

    /// Bytes that stand as they are where nothing is sealed.
    pub(super) fn bytes(
        &self,
        row: &Row<'_>,
        (part, column): (&'static Part, &'static str),
        merchant: &str,
    ) -> DbResult<Vec<u8>> {
        let bytes = row.get_ref(column)?.as_blob().map_err(|_| DbError::Value(column))?;
        learn(&self.db, &self.seals, bytes)?;
        let place = || self.place(row, (part, column), merchant);
        let opened = self.seals.opened(bytes, column, place)?;
        Ok(opened.unwrap_or_else(|| bytes.to_vec()))
    }

    fn place(&self, row: &Row<'_>, (part, column): (&'static Part, &'static str), merchant: &str) -> DbResult<Place> {
        let mut place = Place::of(part, column, merchant);
        for key in part.key().iter().skip(1) {
            match (key.kind, row.get_ref(key.name)?) {
                (Kind::Name, ValueRef::Integer(OURS)) => place.add(b""),
                (Kind::Name, ValueRef::Integer(number)) => place.add(self.names.called(&self.db, number)?.as_bytes()),
                (Kind::Number, ValueRef::Integer(number)) => place.add_number(number),
                (Kind::Id | Kind::Bytes, ValueRef::Blob(bytes)) => place.add(bytes),
                _ => return Err(DbError::Value(key.name)),
            }
        }
        if has_revision(part, column) {
            place.add_number(row.get("revision")?);
        }
        Ok(place)
    }
}
