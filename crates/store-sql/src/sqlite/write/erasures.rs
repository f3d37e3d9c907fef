//! Writes about customers that are erased.

use rusqlite::params;

use upsert_core::{ErasureId, EventId};
use upsert_store::{ErasureRecord, KeptAnswerKey, StoredAnswer, TombstoneKey};

use super::super::pen::Pen;
use super::super::rows::{DbResult, blob, execute, signed};
use super::keys::KeyRow;
use crate::copy::form::{ERASURES, IDEMPOTENCY};
use crate::kept::{ERASED, tombstone_digest};

impl Pen<'_, '_> {
    pub(in super::super) fn put_erasure(&self, row: &ErasureRecord) -> DbResult<()> {
        let sql = "INSERT OR REPLACE INTO erasures (merchant, id, open, revision, body) VALUES (?1, ?2, ?3, ?4, ?5)";
        let (id, revision) = (blob(row.id.as_uuid()), signed(row.revision(), "revision")?);
        let body = self.sealed((&ERASURES, "body"), &[id], Some(revision), row)?;
        let params = params![self.merchant, id, row.ended_at().is_none(), revision, body];
        execute(self.db, sql, params).map(drop)
    }

    /// A tombstone's keys stand among those of customers, in a place of their own.
    pub(in super::super) fn tombstone(&mut self, key: &TombstoneKey, erasure: ErasureId) -> DbResult<KeyRow> {
        Ok(KeyRow {
            digest: tombstone_digest(self.digests, key),
            connection: self.number(ERASED)?,
            customer: erasure.customer(),
        })
    }

    pub(in super::super) fn erase_answer(&self, key: &KeptAnswerKey) -> DbResult<()> {
        let sql = "UPDATE idempotency SET answer = ?3 WHERE merchant = ?1 AND key = ?2";
        let answer = self.sealed((&IDEMPOTENCY, "answer"), &[&key.0], None, &StoredAnswer::erased())?;
        execute(self.db, sql, params![self.merchant, key.0, answer]).map(drop)
    }

    pub(in super::super) fn forget_incoming_event(&self, id: EventId) -> DbResult<()> {
        let sql = "DELETE FROM incoming_events WHERE merchant = ?1 AND id = ?2";
        execute(self.db, sql, params![self.merchant, blob(id.as_uuid())]).map(drop)
    }

    pub(in super::super) fn forget_outgoing_event(&self, id: EventId) -> DbResult<()> {
        let sql = "DELETE FROM outgoing_events WHERE merchant = ?1 AND id = ?2";
        execute(self.db, sql, params![self.merchant, blob(id.as_uuid())]).map(drop)
    }
}
