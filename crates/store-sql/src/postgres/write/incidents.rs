//! Incidents.

use upsert_store::IncidentRecord;

use super::super::batch::Batch;
use super::super::error::DbResult;
use super::super::tables::INCIDENTS;
use super::super::value::Value;
use crate::copy::form;
use crate::kept::signed;

impl Batch<'_> {
    pub(in super::super) fn put_incident(&mut self, merchant: &str, row: &IncidentRecord) -> DbResult<()> {
        let revision = signed(row.revision(), "revision")?;
        let key = [&row.id.as_uuid().as_bytes()[..]];
        let body = self.sealed(merchant, (&form::INCIDENTS, "body"), &key, Some(revision), row)?;
        let ended_at = row.ended_at().map_or(Value::Null, |at| at.as_microsecond().into());
        let values = vec![revision.into(), row.connection.as_str().into(), ended_at, body];
        self.of(&INCIDENTS)
            .put(vec![merchant.into(), row.id.as_uuid().into()], values);
        Ok(())
    }
}
