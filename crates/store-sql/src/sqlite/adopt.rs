//! Opening what the file keeps of itself: the key of its digests, and whether its rows can be opened. A file whose first key is
//! configured is taken over: its own key is wrapped, and what is looked for by its whole stands as a digest from then on.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use upsert_sealing::{Keyring, NotOpened};

use super::copying_sql::read_of;
use super::rows::{DbError, DbResult};
use crate::copy::form::PARTS;
use crate::digest::{Digests, Kind};
use crate::sealed::secret::{INDEX_KEY, Mode, Secret};

/// What is needed to work with the file.
pub(super) struct Adopted {
    pub(super) digests: Digests,
    pub(super) mode: Mode,
}

/// The file cannot be worked with.
pub(super) enum NotAdopted {
    Db(DbError),
    /// A configured key is missing, or another one than it was.
    Sealed(NotOpened),
}

impl From<DbError> for NotAdopted {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<rusqlite::Error> for NotAdopted {
    fn from(error: rusqlite::Error) -> Self {
        Self::Db(error.into())
    }
}

/// Looks whether all that is sealed can be opened, and takes the file over where a key is new to it.
pub(super) fn adopt(db: &mut Connection, keyring: &Keyring) -> Result<Adopted, NotAdopted> {
    let secret = secret(db)?;
    let wrapped_by = wrapped_by(db)?;
    let opened = if wrapped_by.is_empty() {
        secret.open(keyring)
    } else {
        secret.open_sealed(keyring)
    };
    let (key, mut mode) = opened.map_err(NotAdopted::Sealed)?;
    for wrapped_by in wrapped_by {
        if !keyring.has(&wrapped_by) {
            return Err(NotAdopted::Sealed(NotOpened::UnknownKey(wrapped_by)));
        }
    }
    if mode == Mode::Off && keyring.seals_with().is_some() {
        mode = begin(db, key, keyring)?;
    }
    Ok(Adopted {
        digests: Digests::new(key, mode != Mode::Off),
        mode,
    })
}

/// What the file keeps of itself.
pub(super) fn secret(db: &Connection) -> DbResult<Secret> {
    let sql = "SELECT key FROM secret WHERE id = 0";
    let bytes: Vec<u8> = db.query_row(sql, [], |row| row.get(0))?;
    Secret::read(&bytes).ok_or(DbError::Value("key"))
}

/// The ids of the configured keys that any data key is wrapped by, sorted.
pub(super) fn wrapped_by(db: &Connection) -> DbResult<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    let sql = "SELECT wrapped_by FROM data_keys WHERE wrapped_by > ?1 ORDER BY wrapped_by LIMIT 1";
    let mut statement = db.prepare_cached(sql)?;
    loop {
        let last = found.last().map_or("", String::as_str);
        let next = statement.query_row(params![last], |row| row.get(0)).optional()?;
        match next {
            Some(next) => found.push(next),
            None => return Ok(found),
        }
    }
}

fn begin(db: &mut Connection, key: [u8; INDEX_KEY], keyring: &Keyring) -> DbResult<Mode> {
    let mode = if is_empty(db)? { Mode::Wholly } else { Mode::Partly };
    let wrapped = Secret::wrap(&key, mode, keyring).ok_or(DbError::Value("key"))?;
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("UPDATE secret SET key = ?1 WHERE id = 0", params![wrapped])?;
    let digests = Digests::new(key, true);
    let mut events = transaction.prepare("SELECT merchant, id, event_id, content FROM incoming_events")?;
    let mut update = transaction
        .prepare("UPDATE incoming_events SET event_id = ?3, content = ?4 WHERE merchant = ?1 AND id = ?2")?;
    let found = events.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let found: Vec<(i64, Vec<u8>, String, String)> = found.collect::<Result<_, _>>()?;
    for (merchant, id, event_id, content) in found {
        let event_id = digests.text(Kind::EventId, &event_id);
        let content = digests.text(Kind::EventContent, &content);
        update.execute(params![merchant, id, event_id, content])?;
    }
    let mut keys = transaction.prepare("SELECT id, key FROM idempotency")?;
    let mut update_key = transaction.prepare("UPDATE idempotency SET key = ?2 WHERE id = ?1")?;
    let found = keys.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let found: Vec<(i64, Vec<u8>)> = found.collect::<Result<_, _>>()?;
    for (id, key) in found {
        update_key.execute(params![id, digests.hash(Kind::IdempotencyKey, &key)])?;
    }
    // What a page was to tell once is not worth sealing.
    transaction.execute("UPDATE sessions SET notice = NULL", [])?;
    drop((events, update, keys, update_key));
    transaction.commit()?;
    Ok(mode)
}

fn is_empty(db: &Connection) -> DbResult<bool> {
    for part in PARTS {
        let sql = format!("{} LIMIT 1", read_of(part, false).text);
        if db.prepare(&sql)?.exists([])? {
            return Ok(false);
        }
    }
    Ok(!db.prepare("SELECT 1 FROM sessions LIMIT 1")?.exists([])?)
}
