//! Data keys in the file: taken, made, looked up.

use std::time::Instant;

use rusqlite::{Row, params};
use upsert_sealing::{KeptKey, NotSealed};

use super::rows::{DbError, DbResult, execute, first};
use super::statements::Prepare;
use crate::kept::{Refused, Unfit};
use crate::sealed::{DataKeyRow, Seals};

const NEWEST: &str = "SELECT merchant, number, id, wrapped_by, wrapped, taken FROM data_keys WHERE merchant = ?1 \
    ORDER BY number DESC LIMIT 1";
const BY_ID: &str = "SELECT merchant, number, id, wrapped_by, wrapped, taken FROM data_keys WHERE id = ?1";
const TAKE: &str = "UPDATE data_keys SET taken = taken + ?3 WHERE merchant = ?1 AND number = ?2";
const ADD: &str = "INSERT INTO data_keys (merchant, number, id, wrapped_by, wrapped, taken) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

pub(super) fn data_key(row: &Row<'_>) -> DbResult<DataKeyRow> {
    Ok(DataKeyRow {
        merchant: row.get("merchant")?,
        number: row.get("number")?,
        id: row.get("id")?,
        kept: KeptKey {
            wrapped_by: row.get("wrapped_by")?,
            wrapped: row.get("wrapped")?,
        },
        taken: row.get("taken")?,
    })
}

/// Has a key at hand to seal so many of a merchant's values with: the newest one, or a new one. It is part of the transaction.
pub(super) fn ensure(db: &impl Prepare, seals: &Seals, merchant: &str, needed: u32) -> DbResult<()> {
    let now = Instant::now();
    if !seals.is_on() || seals.has_room(merchant, needed, now) {
        return Ok(());
    }
    let newest = first(db, NEWEST, params![merchant], data_key)?;
    if let Some(newest) = &newest {
        if seals.is_still_used(newest, needed, now) {
            return Ok(());
        }
        if let Some(room) = newest.room(needed) {
            execute(db, TAKE, params![merchant, newest.number, room])?;
            return seals.use_key(newest, room, now).map_err(not_opened);
        }
    }
    let number = newest.map_or(0, |newest| newest.number) + 1;
    add(db, seals, merchant, number, needed)
}

/// Makes a merchant's next key, and uses it.
pub(super) fn add(db: &impl Prepare, seals: &Seals, merchant: &str, number: i64, needed: u32) -> DbResult<()> {
    let (row, room) = seals
        .make(merchant, number, needed)
        .map_err(|NotSealed| DbError::Value("wrapped"))?;
    let (by, wrapped) = (&row.kept.wrapped_by, &row.kept.wrapped);
    execute(db, ADD, params![merchant, number, row.id, by, wrapped, row.taken])?;
    seals.use_key(&row, room, Instant::now()).map_err(not_opened)
}

/// Has the key at hand that it takes to open this.
pub(super) fn learn(db: &impl Prepare, seals: &Seals, bytes: &[u8]) -> DbResult<()> {
    let Some(id) = seals.missing(bytes) else {
        return Ok(());
    };
    match first(db, BY_ID, params![id], data_key)? {
        Some(row) => seals.take(&row).map_err(not_opened),
        // Whoever opens it says so.
        None => Ok(()),
    }
}

fn not_opened(why: upsert_sealing::NotOpened) -> DbError {
    Unfit::Sealed("wrapped", Refused::NotOpened(why)).into()
}
