//! Who has signed in at the dashboard.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Row, params};

use upsert_store::{SessionId, SessionRecord, SessionStore, SessionWrite, StoreError};

use super::SqliteStore;
use super::readers::Reader;
use super::rows::{DbResult, first, hash, moment};
use super::session_work::SessionWork;
use super::work::{Done, Work};
use crate::copy::form::SESSIONS;

const SESSION: &str = "SELECT session, key_hash, begun_at, seen_at, notice FROM sessions WHERE session = ?1";

fn read(reader: &Reader, row: &Row<'_>) -> DbResult<SessionRecord> {
    Ok(SessionRecord {
        id: SessionId(hash(row, "session")?),
        key_hash: hash(row, "key_hash")?,
        begun_at: moment(row, "begun_at")?,
        seen_at: moment(row, "seen_at")?,
        notice: reader.record(row, (&SESSIONS, "notice"), "")?,
    })
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn session(&self, id: &SessionId) -> Result<Option<SessionRecord>, StoreError> {
        self.readers
            .look(|reader| first(&reader.db, SESSION, params![id.0], |row| read(reader, row)))
    }

    async fn write_session(&self, write: &SessionWrite) -> Result<(), StoreError> {
        let work = SessionWork::Write(write.clone());
        match self.writer.order(Work::Session(work)).await? {
            Done::Sessions(_) => Ok(()),
            _ => Err(StoreError::Failed("the writer answered another question".into())),
        }
    }

    async fn forget_sessions(&self, seen_before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let work = SessionWork::Forget(seen_before, limit);
        match self.writer.order(Work::Session(work)).await? {
            Done::Sessions(count) => Ok(count),
            _ => Err(StoreError::Failed("the writer answered another question".into())),
        }
    }
}
