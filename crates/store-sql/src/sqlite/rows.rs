//! Values between Rust and SQLite.

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::microsecond as timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{Params, Row};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use upsert_core::customer::kept;
use upsert_core::{Customer, IdentifierKind, KeyKind};
use upsert_store::UpsertState;

use super::digest::Kind;
use super::statements::Prepare;

pub(super) use super::db_error::{DbError, DbResult};

/// Bytes of a record that is not unusually large.
const USUAL_BODY: usize = 1_024;

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

/// A record as it is kept: MessagePack with the members' names, so that members come and go as in JSON.
pub(super) fn to_bytes<T: Serialize>(record: &T, column: &'static str) -> DbResult<Vec<u8>> {
    // Most fit: a buffer that grows by and by is copied again and again.
    let mut bytes = Vec::with_capacity(USUAL_BODY);
    rmp_serde::encode::write_named(&mut bytes, record).map_err(|_| DbError::Value(column))?;
    Ok(bytes)
}

/// A record as it was kept; none where the column is null.
pub(super) fn from_bytes<T: DeserializeOwned>(row: &Row<'_>, column: &'static str) -> DbResult<Option<T>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        ValueRef::Blob(bytes) => rmp_serde::from_slice(bytes)
            .map(Some)
            .map_err(|_| DbError::Value(column)),
        _ => Err(DbError::Value(column)),
    }
}

/// A record that has to be there.
pub(super) fn body<T: DeserializeOwned>(row: &Row<'_>) -> DbResult<T> {
    from_bytes(row, "body")?.ok_or(DbError::Value("body"))
}

/// A customer as it is kept, beside its id, merchant and revision.
#[derive(Serialize)]
pub(super) struct CustomerBody<'a> {
    pub(super) version: u64,
    #[serde(with = "timestamp::required")]
    pub(super) created_at: Timestamp,
    #[serde(with = "timestamp::required")]
    pub(super) updated_at: Timestamp,
    #[serde(with = "kept")]
    pub(super) customer: &'a Customer,
}

/// The same, as it was kept.
#[derive(Deserialize)]
pub(super) struct CustomerWas {
    pub(super) version: u64,
    #[serde(with = "timestamp::required")]
    pub(super) created_at: Timestamp,
    #[serde(with = "timestamp::required")]
    pub(super) updated_at: Timestamp,
    #[serde(with = "kept")]
    pub(super) customer: Customer,
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

/// In the place of a connection's number: the key is one of the gateway's own identifiers.
pub(super) const OURS: i64 = 0;

/// What a match key of this kind is looked for by.
pub(super) const fn key_kind(kind: KeyKind) -> Kind {
    match kind {
        KeyKind::Id => Kind::Id,
        KeyKind::Reference => Kind::Reference,
        KeyKind::Email => Kind::Email,
        KeyKind::Phone => Kind::Phone,
    }
}

/// What an identifier of this kind is looked for by: as the match key that it usually is.
pub(super) const fn identifier_kind(kind: IdentifierKind) -> Kind {
    match kind {
        IdentifierKind::Reference => Kind::Reference,
        IdentifierKind::Email => Kind::Email,
        IdentifierKind::Phone => Kind::Phone,
    }
}

/// As what an upsert in this state stands in the index of what has not ended well.
pub(super) const fn standing_of_upsert(state: UpsertState) -> Option<&'static str> {
    match state {
        UpsertState::Succeeded => None,
        UpsertState::Pending => Some("upsert_pending"),
        UpsertState::PartiallyFailed => Some("upsert_partially_failed"),
        UpsertState::Failed => Some("upsert_failed"),
    }
}
