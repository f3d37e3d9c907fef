//! Who has signed in at the dashboard. They are no merchant's and in no changeset: each write is a statement of its own.

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_postgres::Row;

use upsert_store::{Notice, SessionId, SessionRecord, SessionStore, SessionWrite, StoreError};

use super::super::PostgresStore;
use super::super::data_keys::ensure;
use super::super::error::{DbError, DbResult};
use super::super::reader::{Client, execute, first, get, moment};
use crate::copy::form::SESSIONS;
use crate::kept::limit;
use crate::sealed::Place;

const SESSION: &str = "SELECT session, key_hash, begun_at, seen_at, notice FROM sessions WHERE session = $1";
const BEGIN: &str = "INSERT INTO sessions (session, key_hash, begun_at, seen_at, notice) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (session) DO NOTHING";
/// All of a key's but so many, those that were looked at last. It is a statement after the insert, so that of two that begin at
/// once the later one sees both.
const MAKE_ROOM: &str = "DELETE FROM sessions WHERE session IN (SELECT session FROM sessions \
    WHERE key_hash = $1 ORDER BY seen_at DESC, session DESC OFFSET $2 FOR UPDATE)";
const SEEN: &str = "UPDATE sessions SET seen_at = $2 WHERE session = $1 AND seen_at < $2";
const TELL: &str = "UPDATE sessions SET notice = $2 WHERE session = $1";
const NOTICE: &str = "SELECT session, notice FROM sessions WHERE session = $1 AND notice IS NOT NULL";
const TOLD: &str = "UPDATE sessions SET notice = NULL WHERE session = $1 AND notice = $2";
const END: &str = "DELETE FROM sessions WHERE session = $1";
/// There are few.
const TELL_NOTHING: &str = "UPDATE sessions SET notice = NULL WHERE notice IS NOT NULL";
/// What somebody else is at is left for the next time.
const FORGET: &str = "DELETE FROM sessions WHERE session IN (SELECT session FROM sessions WHERE seen_at < $1 \
    ORDER BY seen_at LIMIT $2 FOR UPDATE SKIP LOCKED)";

fn hash(row: &Row, column: &'static str) -> DbResult<[u8; 32]> {
    let bytes: &[u8] = get(row, column)?;
    bytes.try_into().map_err(|_| DbError::Value(column))
}

fn read(client: &Client, row: &Row) -> DbResult<SessionRecord> {
    Ok(SessionRecord {
        id: SessionId(hash(row, "session")?),
        key_hash: hash(row, "key_hash")?,
        begun_at: moment(row, "begun_at")?,
        seen_at: moment(row, "seen_at")?,
        notice: client.record(row, (&SESSIONS, "notice"), "")?,
    })
}

async fn write(client: &Client, write: &SessionWrite) -> DbResult<()> {
    match write {
        SessionWrite::Begin(session, most) => return begin(client, session, *most).await,
        SessionWrite::Seen(id, at) => execute(client, SEEN, &[&id.0.as_slice(), &at.as_microsecond()]).await?,
        SessionWrite::Tell(id, notice) => {
            let notice = sealed(client, id, notice).await?;
            execute(client, TELL, &[&id.0.as_slice(), &notice]).await?
        }
        SessionWrite::Told(id, notice) => return told(client, id, notice).await,
        SessionWrite::End(id) => execute(client, END, &[&id.0.as_slice()]).await?,
        SessionWrite::TellNothing => execute(client, TELL_NOTHING, &[]).await?,
    };
    Ok(())
}

/// A session is no merchant's.
async fn sealed(client: &Client, id: &SessionId, notice: &Notice) -> DbResult<Vec<u8>> {
    ensure(&client.object, &client.seals, "", 1).await?;
    let sealed = client.seals.seal("", || Place::of_notice(id), notice, "notice");
    Ok(sealed?)
}

/// What is to be told by now instead stays: whoever writes it writes other bytes.
async fn told(client: &Client, id: &SessionId, notice: &Notice) -> DbResult<()> {
    let Some(row) = first(client, NOTICE, &[&id.0.as_slice()]).await? else {
        return Ok(());
    };
    if client.record::<Notice>(&row, (&SESSIONS, "notice"), "")?.as_ref() == Some(notice) {
        let kept: &[u8] = get(&row, "notice")?;
        execute(client, TOLD, &[&id.0.as_slice(), &kept]).await?;
    }
    Ok(())
}

async fn begin(client: &Client, session: &SessionRecord, most: usize) -> DbResult<()> {
    let notice = match &session.notice {
        Some(notice) => Some(sealed(client, &session.id, notice).await?),
        None => None,
    };
    let most = limit(most);
    let (id, key_hash) = (session.id.0.as_slice(), session.key_hash.as_slice());
    let (begun_at, seen_at) = (session.begun_at.as_microsecond(), session.seen_at.as_microsecond());
    execute(client, BEGIN, &[&id, &key_hash, &begun_at, &seen_at, &notice]).await?;
    execute(client, MAKE_ROOM, &[&key_hash, &most]).await?;
    Ok(())
}

#[async_trait]
impl SessionStore for PostgresStore {
    async fn session(&self, id: &SessionId) -> Result<Option<SessionRecord>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let row = first(&client, SESSION, &[&id.0.as_slice()]).await?;
            row.map(|row| read(&client, &row)).transpose()
        };
        self.patiently(question).await
    }

    async fn write_session(&self, write: &SessionWrite) -> Result<(), StoreError> {
        let client = self.client().await?;
        self.patiently(self::write(&client, write)).await
    }

    async fn forget_sessions(&self, seen_before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let client = self.client().await?;
        let (seen_before, most) = (seen_before.as_microsecond(), self::limit(limit));
        let forgotten = self.patiently(execute(&client, FORGET, &[&seen_before, &most])).await?;
        Ok(usize::try_from(forgotten).unwrap_or(usize::MAX))
    }
}
