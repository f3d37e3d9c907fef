//! Data keys in the database: taken, made, looked up. All of it goes by itself, beside the batches: what a process has taken the
//! right to seal is its own, whatever becomes of the batch.

use std::time::Instant;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use upsert_sealing::{KeptKey, NotOpened, NotSealed};

use super::error::{DbError, DbResult};
use crate::kept::{Refused, Unfit};
use crate::sealed::secret::Secret;
use crate::sealed::{DataKeyRow, Seals};

const NEWEST: &str = "SELECT merchant, number, id, wrapped_by, wrapped, taken FROM data_keys WHERE merchant = $1 \
    ORDER BY number DESC LIMIT 1";
const BY_ID: &str = "SELECT merchant, number, id, wrapped_by, wrapped, taken FROM data_keys WHERE id = ANY($1)";
/// Nobody takes more than there is, however many ask at once.
const TAKE: &str = "UPDATE data_keys SET taken = taken + $3 WHERE merchant = $1 AND number = $2 AND taken = $4";
/// The other of two that make it at once makes none.
const ADD: &str = "INSERT INTO data_keys (merchant, number, id, wrapped_by, wrapped, taken) \
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (merchant, number) DO NOTHING";
const WRAPPED_BY: &str = "WITH RECURSIVE keys (key) AS ( \
    (SELECT wrapped_by FROM data_keys ORDER BY wrapped_by LIMIT 1) \
    UNION ALL SELECT (SELECT wrapped_by FROM data_keys WHERE wrapped_by > keys.key ORDER BY wrapped_by LIMIT 1) \
    FROM keys WHERE keys.key IS NOT NULL) SELECT key FROM keys WHERE key IS NOT NULL";

pub(super) fn data_key(row: &Row) -> DbResult<DataKeyRow> {
    Ok(DataKeyRow {
        merchant: row.try_get(0)?,
        number: row.try_get(1)?,
        id: row.try_get(2)?,
        kept: KeptKey {
            wrapped_by: row.try_get(3)?,
            wrapped: row.try_get(4)?,
        },
        taken: row.try_get(5)?,
    })
}

/// Has a key at hand to seal so many of a merchant's values with: the newest one, or a new one.
pub(super) async fn ensure(client: &Client, seals: &Seals, merchant: &str, needed: u32) -> DbResult<()> {
    while seals.is_on() && !seals.has_room(merchant, needed, Instant::now()) {
        let newest = client.query_opt(NEWEST, &[&merchant]).await?;
        let newest = newest.as_ref().map(data_key).transpose()?;
        if let Some(newest) = &newest {
            if seals.is_still_used(newest, needed, Instant::now()) {
                return Ok(());
            }
            if let Some(room) = newest.room(needed) {
                let more = i64::from(room);
                let taken = client
                    .execute(TAKE, &[&merchant, &newest.number, &more, &newest.taken])
                    .await?;
                if taken > 0 {
                    return seals.use_key(newest, room, Instant::now()).map_err(not_opened);
                }
                continue;
            }
        }
        add(
            client,
            seals,
            merchant,
            newest.map_or(0, |newest| newest.number) + 1,
            needed,
        )
        .await?;
    }
    Ok(())
}

/// Makes a merchant's next key and uses it, unless somebody else has made one of this number.
pub(super) async fn add(client: &Client, seals: &Seals, merchant: &str, number: i64, needed: u32) -> DbResult<bool> {
    let (row, room) = seals
        .make(merchant, number, needed)
        .map_err(|NotSealed| DbError::Value("wrapped"))?;
    let kept = &row.kept;
    let added = client
        .execute(
            ADD,
            &[&merchant, &number, &row.id, &kept.wrapped_by, &kept.wrapped, &row.taken],
        )
        .await?;
    if added > 0 {
        seals.use_key(&row, room, Instant::now()).map_err(not_opened)?;
    }
    Ok(added > 0)
}

/// Has the keys at hand that it takes to open these rows.
pub(super) async fn learn(client: &Client, seals: &Seals, rows: &[Row]) -> DbResult<()> {
    let Some(row) = rows.first() else {
        return Ok(());
    };
    let columns = row.columns().iter().enumerate();
    let columns: Vec<usize> = columns
        .filter(|(_, column)| *column.type_() == Type::BYTEA)
        .map(|(index, _)| index)
        .collect();
    let mut missing = Vec::new();
    for row in rows {
        for index in &columns {
            let bytes: Option<&[u8]> = row.try_get(*index)?;
            missing.extend(bytes.and_then(|bytes| seals.missing(bytes)));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    missing.sort_unstable();
    missing.dedup();
    for row in client.query(BY_ID, &[&missing]).await? {
        seals.take(&data_key(&row)?).map_err(not_opened)?;
    }
    Ok(())
}

/// The ids of the configured keys that the store's own key and any data key are wrapped by.
pub(super) async fn wrapped_by(client: &Client) -> DbResult<Vec<String>> {
    let rows = client.query(WRAPPED_BY, &[]).await?;
    let mut found = rows
        .iter()
        .map(|row| Ok(row.try_get(0)?))
        .collect::<DbResult<Vec<String>>>()?;
    if let Some(row) = client.query_opt("SELECT key FROM secret WHERE id = 0", &[]).await? {
        let secret = Secret::read(row.try_get(0)?).ok_or(DbError::Value("key"))?;
        found.extend(secret.wrapped_by().map(str::to_owned));
    }
    Ok(found)
}

pub(super) fn not_opened(why: NotOpened) -> DbError {
    Unfit::Sealed("wrapped", Refused::NotOpened(why)).into()
}
