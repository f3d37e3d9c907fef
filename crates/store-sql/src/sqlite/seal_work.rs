//! What is done by and by to what is sealed: data keys are wrapped anew and made anew, and what is in the clear is sealed.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, params, params_from_iter};
use upsert_store::Walked;

use super::adopt::secret;
use super::copying_sql::replace_of;
use super::data_keys::{add, data_key, ensure};
use super::part_rows::{Called, read_rows};
use super::rows::{DbError, DbResult, all, execute, limit};
use super::statements::Statements;
use crate::kept::{Refused, Unfit};
use crate::sealed::Seals;
use crate::sealed::place::older;
use crate::sealed::secret::{Mode, Secret};
use crate::sealed::walk::Walk;

const WRAPPED_BY_OTHERS: &str = "SELECT merchant, number, id, wrapped_by, wrapped, taken FROM data_keys \
    WHERE wrapped_by < ?1 UNION ALL SELECT merchant, number, id, wrapped_by, wrapped, taken FROM data_keys \
    WHERE wrapped_by > ?1 LIMIT ?2";
const WRAP: &str = "UPDATE data_keys SET wrapped_by = ?3, wrapped = ?4 WHERE merchant = ?1 AND number = ?2";
const NEXT_NUMBERS: &str = "SELECT merchant, max(number) AS number FROM data_keys WHERE merchant > ?1 \
    GROUP BY merchant ORDER BY merchant LIMIT ?2";
const FIRST_NUMBERS: &str = "SELECT merchant, max(number) AS number FROM data_keys GROUP BY merchant \
    ORDER BY merchant LIMIT ?1";

/// What the writer can be asked to do.
pub(super) enum SealWork {
    /// So many keys at the most.
    WrapAnew(usize),
    Renew(Option<Vec<u8>>, usize),
    Older(Option<Vec<u8>>, usize),
    /// So much is sealed.
    Reached(Mode),
}

/// What was done. It is part of the transaction.
pub(super) fn work(db: &Statements<'_>, seals: &Seals, work: &SealWork) -> DbResult<Walked> {
    if !seals.is_on() {
        return Ok(Walked::default());
    }
    match work {
        SealWork::WrapAnew(most) => wrap_anew(db, seals, *most),
        SealWork::Renew(from, most) => renew(db, seals, from.as_deref(), *most),
        SealWork::Older(from, most) => seal_older(db, seals, from.as_deref(), *most),
        SealWork::Reached(mode) => reached(db.db, seals, *mode).map(|()| Walked::default()),
    }
}

fn wrap_anew(db: &Statements<'_>, seals: &Seals, most: usize) -> DbResult<Walked> {
    let keyring = seals.keyring();
    let mut changed = 0;
    if let Some(by) = keyring.seals_with() {
        for row in all(db, WRAPPED_BY_OTHERS, params![by, limit(most)], data_key)? {
            let kept = seals.wrapped_anew(&row)?;
            changed += execute(
                db,
                WRAP,
                params![row.merchant, row.number, kept.wrapped_by, kept.wrapped],
            )?;
        }
        let own = secret(db.db)?;
        if own.wrapped_by() != Some(by) {
            put_secret(db.db, seals, &own, Mode::Partly)?;
            changed += 1;
        }
    }
    Ok(Walked { changed, next: None })
}

/// How much is sealed never becomes less: so much, or what it was. Returns which.
fn put_secret(db: &Connection, seals: &Seals, own: &Secret, reached: Mode) -> DbResult<Mode> {
    let keyring = seals.keyring();
    let refused = |why| Unfit::Sealed("key", Refused::NotOpened(why));
    let (key, mode) = own.open_sealed(&keyring).map_err(refused)?;
    let mode = mode.max(reached);
    let wrapped = Secret::wrap(&key, mode, &keyring).ok_or(DbError::Value("key"))?;
    db.execute("UPDATE secret SET key = ?1 WHERE id = 0", params![wrapped])?;
    Ok(mode)
}

/// Merchant by merchant; the gateway's own key, whose merchant is empty, comes first.
fn renew(db: &Statements<'_>, seals: &Seals, from: Option<&[u8]>, most: usize) -> DbResult<Walked> {
    let number = |row: &rusqlite::Row<'_>| Ok((row.get("merchant")?, row.get("number")?));
    let newest: Vec<(String, i64)> = match from {
        Some(from) => {
            let from = str::from_utf8(from).map_err(|_| DbError::Value("walk"))?;
            all(db, NEXT_NUMBERS, params![from, limit(most)], number)?
        }
        None => all(db, FIRST_NUMBERS, params![limit(most)], number)?,
    };
    for (merchant, number) in &newest {
        add(db, seals, merchant, number + 1, 1)?;
    }
    let is_all = newest.len() < most;
    let last = newest.last().filter(|_| !is_all);
    Ok(Walked {
        changed: newest.len(),
        next: last.map(|(merchant, _)| merchant.clone().into_bytes()),
    })
}

fn seal_older(db: &Statements<'_>, seals: &Seals, from: Option<&[u8]>, most: usize) -> DbResult<Walked> {
    let (walk, part) = Walk::from(from)?;
    let found = read_rows(db.db, &mut Called::new(), part, walk.after, most)?;
    let mut changed = 0;
    for (row, place) in found.rows.iter().zip(&found.places) {
        for older in older(part, row) {
            ensure(db, seals, older.merchant, 1)?;
            let sealed = seals.seal_bytes(older.merchant, || older.place, older.bytes, older.column)?;
            let values = [SqlValue::Blob(sealed), SqlValue::Blob(older.bytes.to_vec())];
            let values = values.into_iter().chain(place.iter().cloned());
            let mut statement = db.db.prepare_cached(&replace_of(part, older.column))?;
            changed += statement.execute(params_from_iter(values))?;
        }
    }
    let last = if found.rows.len() < most { None } else { found.last()? };
    Ok(Walked {
        changed,
        next: Walk::next(part, last)?,
    })
}

fn reached(db: &Connection, seals: &Seals, mode: Mode) -> DbResult<()> {
    seals.set_mode(put_secret(db, seals, &secret(db)?, mode)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::queries::plan;
    use super::*;

    #[test]
    fn keys_that_others_have_wrapped_are_found_by_their_index() {
        let found = plan(WRAPPED_BY_OTHERS);
        assert!(
            found.contains("data_keys_wrapped (wrapped_by<?)") && found.contains("data_keys_wrapped (wrapped_by>?)"),
            "{found}"
        );
    }
}
