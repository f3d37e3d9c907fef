//! Writes about incidents.

use rusqlite::params;

use upsert_core::IncidentId;
use upsert_store::IncidentRecord;

use super::super::pen::Pen;
use super::super::rows::{DbResult, blob, execute, micros, signed};
use crate::copy::form::INCIDENTS;

impl Pen<'_, '_> {
    pub(in super::super) fn put_incident(&mut self, row: &IncidentRecord) -> DbResult<()> {
        let sql = "INSERT OR REPLACE INTO incidents (merchant, id, connection, ended_at, revision, body) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let connection = self.number(&row.connection)?;
        let (id, revision) = (blob(row.id.as_uuid()), signed(row.revision(), "revision")?);
        let body = self.sealed((&INCIDENTS, "body"), &[id], Some(revision), row)?;
        let ended_at = row.ended_at().map(micros);
        let params = params![self.merchant, id, connection, ended_at, revision, body];
        execute(self.db, sql, params).map(drop)
    }

    pub(in super::super) fn forget_incident(&self, id: IncidentId) -> DbResult<()> {
        let sql = "DELETE FROM incidents WHERE merchant = ?1 AND id = ?2";
        execute(self.db, sql, params![self.merchant, blob(id.as_uuid())]).map(drop)
    }
}
