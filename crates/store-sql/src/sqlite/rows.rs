//! Values between Rust and SQLite, and errors that repeat none of them.

use std::fmt;

use jiff::Timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, ErrorCode, Params, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use upsert_core::{IdentifierKind, KeyKind};
use upsert_store::StoreError;

/// What went wrong at the database. Its text names codes, tables and columns, never a value.
#[derive(Debug)]
pub(super) enum DbError {
    /// SQLite refused.
    Sqlite(rusqlite::Error),
    /// A row of this column cannot be read, or a value cannot be written to it.
    Value(&'static str),
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Only codes: SQLite's own messages may quote what was bound.
impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => match error.sqlite_error() {
                Some(code) => write!(f, "SQLite: {:?} ({})", code.code, code.extended_code),
                None => f.write_str("SQLite: a statement and its values do not fit"),
            },
            Self::Value(column) => write!(f, "a value of `{column}` does not fit"),
        }
    }
}

impl DbError {
    /// Whether somebody else held the file for longer than we wait.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
    }

    /// The disk takes no more. SQLite has taken the transaction back, and the file is as it was.
    pub(super) fn is_disk_full(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull))
    }

    /// As callers see it.
    pub(super) fn upwards(&self) -> StoreError {
        if self.is_busy() {
            StoreError::Busy
        } else if self.is_disk_full() {
            StoreError::Unavailable("the disk is full".to_owned())
        } else {
            StoreError::Failed(self.to_string())
        }
    }
}

pub(super) type DbResult<T> = Result<T, DbError>;

/// Runs a statement that answers nothing.
pub(super) fn execute(db: &Connection, sql: &str, params: impl Params) -> DbResult<usize> {
    Ok(db.prepare_cached(sql)?.execute(params)?)
}

/// The first row of an answer.
pub(super) fn first<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> DbResult<T>,
) -> DbResult<Option<T>> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// Every row of an answer.
pub(super) fn all<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> DbResult<T>,
) -> DbResult<Vec<T>> {
    all_of(&mut db.prepare_cached(sql)?, params, read)
}

fn all_of<T>(
    statement: &mut CachedStatement<'_>,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> DbResult<T>,
) -> DbResult<Vec<T>> {
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
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

/// A record as it is kept.
pub(super) fn to_json<T: Serialize>(record: &T, column: &'static str) -> DbResult<String> {
    serde_json::to_string(record).map_err(|_| DbError::Value(column))
}

/// A record as it was kept; none where the column is null.
pub(super) fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: &'static str) -> DbResult<Option<T>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        ValueRef::Text(text) => serde_json::from_slice(text)
            .map(Some)
            .map_err(|_| DbError::Value(column)),
        _ => Err(DbError::Value(column)),
    }
}

/// A record that has to be there.
pub(super) fn record<T: DeserializeOwned>(row: &Row<'_>) -> DbResult<T> {
    from_json(row, "record")?.ok_or(DbError::Value("record"))
}

/// A count as it is kept.
pub(super) fn signed(count: u64, column: &'static str) -> DbResult<i64> {
    i64::try_from(count).map_err(|_| DbError::Value(column))
}

/// A count as it was kept.
pub(super) fn unsigned<T: TryFrom<i64>>(row: &Row<'_>, column: &'static str) -> DbResult<T> {
    T::try_from(row.get(column)?).map_err(|_| DbError::Value(column))
}

/// A limit as SQL takes it.
pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A moment as it is kept: microseconds since 1970.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// A moment as it was kept.
pub(super) fn moment(row: &Row<'_>, column: &'static str) -> DbResult<Timestamp> {
    Timestamp::from_microsecond(row.get(column)?).map_err(|_| DbError::Value(column))
}

/// A moment as it was kept, if it was.
pub(super) fn moment_if_any(row: &Row<'_>, column: &'static str) -> DbResult<Option<Timestamp>> {
    let at: Option<i64> = row.get(column)?;
    at.map(|at| Timestamp::from_microsecond(at).map_err(|_| DbError::Value(column)))
        .transpose()
}

/// In the place of a connection's number: the key is one of the gateway's own identifiers.
pub(super) const OURS: i64 = 0;

/// The number that stands for a kind of match key; written in files, so it never changes.
pub(super) const fn key_kind(kind: KeyKind) -> i64 {
    match kind {
        KeyKind::Id => 0,
        KeyKind::Reference => 1,
        KeyKind::Email => 2,
        KeyKind::Phone => 3,
    }
}

/// The number that stands for a kind of identifier: that of the match key that it usually is.
pub(super) const fn identifier_kind(kind: IdentifierKind) -> i64 {
    key_kind(match kind {
        IdentifierKind::Reference => KeyKind::Reference,
        IdentifierKind::Email => KeyKind::Email,
        IdentifierKind::Phone => KeyKind::Phone,
    })
}
