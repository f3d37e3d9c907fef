//! Opening what the database keeps of itself: the key of its digests, and whether its rows can be opened. A database whose first
//! key is configured is taken over: its own key is wrapped, and what is looked for by its whole stands as a digest from then on.

use tokio_postgres::Client;
use upsert_sealing::{Keyring, NotOpened};
use uuid::Uuid;

use super::copying_sql::read_of;
use super::data_keys::wrapped_by;
use super::error::{DbError, DbResult};
use super::{schema, text};
use crate::copy::form::PARTS;
use crate::digest::{Digests, Kind};
use crate::sealed::secret::{INDEX_KEY, Mode, Secret};

const EVENTS: &str = "SELECT merchant, id, event_id, content FROM incoming_events";
const SET_EVENTS: &str = "UPDATE incoming_events t SET event_id = w.event_id, content = w.content \
    FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[]) AS w(merchant, id, event_id, content) \
    WHERE t.merchant = w.merchant AND t.id = w.id";
const SET_KEYS: &str = "UPDATE idempotency t SET key = w.new FROM unnest($1::text[], $2::bytea[], $3::bytea[]) \
    AS w(merchant, old, new) WHERE t.merchant = w.merchant AND t.key = w.old";

/// What is needed to work with the database.
pub(super) struct Adopted {
    pub(super) digests: Digests,
    pub(super) mode: Mode,
}

/// The database cannot be worked with.
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

impl From<tokio_postgres::Error> for NotAdopted {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Db(error.into())
    }
}

/// Looks whether all that is sealed can be opened, and takes the database over where a key is new to it.
pub(super) async fn adopt(client: &Client, keyring: &Keyring) -> Result<Adopted, NotAdopted> {
    let secret = Secret::read(&schema::secret(client).await?).ok_or(DbError::Value("key"))?;
    let wrapped_by = wrapped_by(client).await?;
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
        client.batch_execute("BEGIN; SET LOCAL statement_timeout = 0").await?;
        mode = begin(client, keyring).await?;
        client.batch_execute("COMMIT").await?;
    }
    Ok(Adopted {
        digests: Digests::new(key, mode != Mode::Off),
        mode,
    })
}

/// Of processes that begin at once the first one does it.
async fn begin(client: &Client, keyring: &Keyring) -> Result<Mode, NotAdopted> {
    let row = client
        .query_one("SELECT key FROM secret WHERE id = 0 FOR UPDATE", &[])
        .await?;
    let key: &[u8] = row.try_get(0)?;
    let key = match Secret::read(key).ok_or(DbError::Value("key"))? {
        Secret::Clear(key) => key,
        wrapped @ Secret::Wrapped(..) => return Ok(wrapped.open(keyring).map_err(NotAdopted::Sealed)?.1),
    };
    let mode = if is_empty(client).await? {
        Mode::Wholly
    } else {
        Mode::Partly
    };
    let wrapped = Secret::wrap(&key, mode, keyring).ok_or(DbError::Value("key"))?;
    client
        .execute("UPDATE secret SET key = $1 WHERE id = 0", &[&wrapped])
        .await?;
    hide(client, key).await?;
    Ok(mode)
}

async fn hide(client: &Client, key: [u8; INDEX_KEY]) -> DbResult<()> {
    let digests = Digests::new(key, true);
    let (mut merchants, mut ids, mut event_ids, mut contents) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in client.query(EVENTS, &[]).await? {
        merchants.push(row.try_get::<_, String>(0)?);
        ids.push(row.try_get::<_, Uuid>(1)?);
        let (event_id, content): (&str, &str) = (row.try_get(2)?, row.try_get(3)?);
        event_ids.push(digests.text(Kind::EventId, &text::read(event_id)).into_owned());
        contents.push(digests.text(Kind::EventContent, &text::read(content)).into_owned());
    }
    client
        .execute(SET_EVENTS, &[&merchants, &ids, &event_ids, &contents])
        .await?;
    let (mut merchants, mut old, mut new) = (Vec::new(), Vec::new(), Vec::new());
    for row in client.query("SELECT merchant, key FROM idempotency", &[]).await? {
        merchants.push(row.try_get::<_, String>(0)?);
        let key: Vec<u8> = row.try_get(1)?;
        new.push(digests.hash(Kind::IdempotencyKey, &key).into_owned());
        old.push(key);
    }
    client.execute(SET_KEYS, &[&merchants, &old, &new]).await?;
    // What a page was to tell once is not worth sealing.
    client.batch_execute("UPDATE sessions SET notice = NULL").await?;
    Ok(())
}

async fn is_empty(client: &Client) -> DbResult<bool> {
    for part in PARTS {
        if !client.query(&read_of(part, false), &[&1_i64]).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(client.query("SELECT 1 FROM sessions LIMIT 1", &[]).await?.is_empty())
}
