//! Values between Rust and SQLite.

use jiff::Timestamp;
use rusqlite::{Params, Row};
use uuid::Uuid;

use super::statements::Prepare;

pub(super) use super::db_error::{DbError, DbResult};
pub(super) use crate::kept::{CustomerBody, CustomerWas, identifier_kind, key_kind, limit, signed, standing_of_upsert};

/// Runs a statement that answers nothing.
pub(super) fn execute(db: &impl Prepare, sql: &'static str, params: impl Params) -> DbResult<usize> {
    db.prepared(sql, |statement| Ok(statement.execute(params)?))
}

/// The first row of an answer.
pub(super) fn first<T>(
    db: &impl Prepare,
    sql: &'static str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> DbResult<T>,
) -> DbResult<Option<T>> {
    db.prepared(sql, |statement| {
        let mut rows = statement.query(params)?;
        rows.next()?.map(read).transpose()
    })
}

/// The rows of an answer, until one of them is the last that is wanted.
pub(super) fn each(
    db: &impl Prepare,
    sql: &'static str,
    params: impl Params,
    mut goes_on: impl FnMut(&Row<'_>) -> DbResult<bool>,
) -> DbResult<()> {
    db.prepared(sql, |statement| {
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            if !goes_on(row)? {
                break;
            }
        }
        Ok(())
    })
}

/// Every row of an answer.
pub(super) fn all<T>(
    db: &impl Prepare,
    sql: &'static str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> DbResult<T>,
) -> DbResult<Vec<T>> {
    let mut found = Vec::new();
    each(db, sql, params, |row| {
        found.push(read(row)?);
        Ok(true)
    })?;
    Ok(found)
}

/// An id as it is kept.
pub(super) fn blob(id: &Uuid) -> &[u8] {
    id.as_bytes()
}

/// An id as it was kept.
pub(super) fn uuid(row: &Row<'_>, column: &'static str) -> DbResult<Uuid> {
    let bytes = row.get_ref(column)?.as_blob().map_err(|_| DbError::Value(column))?;
    Uuid::from_slice(bytes).map_err(|_| DbError::Value(column))
}

/// 32 bytes of a hash.
pub(super) fn hash(row: &Row<'_>, column: &'static str) -> DbResult<[u8; 32]> {
    let bytes = row.get_ref(column)?.as_blob().map_err(|_| DbError::Value(column))?;
    bytes.try_into().map_err(|_| DbError::Value(column))
}

/// A count as it was kept.
pub(super) fn unsigned<T: TryFrom<i64>>(row: &Row<'_>, column: &'static str) -> DbResult<T> {
    T::try_from(row.get(column)?).map_err(|_| DbError::Value(column))
}

/// A moment as it is kept: microseconds since 1970.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// A moment as it was kept.
pub(super) fn moment(row: &Row<'_>, column: &'static str) -> DbResult<Timestamp> {
    Timestamp::from_microsecond(row.get(column)?).map_err(|_| DbError::Value(column))
}

/// In the place of a connection's number: the key is one of the gateway's own identifiers.
pub(super) const OURS: i64 = 0;
