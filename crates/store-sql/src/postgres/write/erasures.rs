//! Customers that are erased.

use upsert_core::EventId;
use upsert_store::{ErasureRecord, IncidentRecord, KeptAnswerKey, StoredAnswer, Write};

use super::super::batch::Batch;
use super::super::error::DbResult;
use super::super::rows::Key;
use super::super::table::Table;
use super::super::tables::{ERASURES, IDEMPOTENCY, INCIDENTS, INCOMING, KEYS, OUTGOING};
use crate::copy::form;
use crate::kept::signed;

impl Batch<'_> {
    /// Notes the rows that a write of an erasure, or of an incident, changes.
    pub(in super::super) fn need_to_erase(&mut self, merchant: &str, write: &Write) {
        let (table, key): (&'static Table, Key) = match write {
            Write::PutErasure(row) => (&ERASURES, vec![merchant.into(), row.id.as_uuid().into()]),
            Write::AddTombstone { key, .. } => (&KEYS, self.tombstone_key(merchant, key)),
            Write::EraseAnswer { key } => (&IDEMPOTENCY, vec![merchant.into(), key.0.clone().into()]),
            Write::PutIncident(IncidentRecord { id, .. }) | Write::ForgetIncident(id) => {
                (&INCIDENTS, vec![merchant.into(), id.as_uuid().into()])
            }
            Write::ForgetIncomingEvent(id) => (&INCOMING, vec![merchant.into(), id.as_uuid().into()]),
            Write::ForgetOutgoingEvent(id) => (&OUTGOING, vec![merchant.into(), id.as_uuid().into()]),
            _ => return,
        };
        self.of(table).need(key);
    }

    pub(in super::super) fn put_erasure(&mut self, merchant: &str, row: &ErasureRecord) -> DbResult<()> {
        let revision = signed(row.revision(), "revision")?;
        let key = [&row.id.as_uuid().as_bytes()[..]];
        let body = self.sealed(merchant, (&form::ERASURES, "body"), &key, Some(revision), row)?;
        let values = vec![revision.into(), row.ended_at().is_none().into(), body];
        self.of(&ERASURES)
            .put(vec![merchant.into(), row.id.as_uuid().into()], values);
        Ok(())
    }

    /// All of the row but the answer stays as it is.
    pub(in super::super) fn erase_answer(&mut self, merchant: &str, kept: &KeptAnswerKey) -> DbResult<()> {
        let key = vec![merchant.into(), kept.0.clone().into()];
        let Some([others @ .., _]) = self.judged(&IDEMPOTENCY, &key) else {
            return Ok(());
        };
        let mut values = others.to_vec();
        let part = (&form::IDEMPOTENCY, "answer");
        values.push(self.sealed(merchant, part, &[&kept.0], None, &StoredAnswer::erased())?);
        self.of(&IDEMPOTENCY).put(key, values);
        Ok(())
    }

    pub(in super::super) fn forget_event(&mut self, merchant: &str, id: EventId, is_outgoing: bool) {
        let table = if is_outgoing { &OUTGOING } else { &INCOMING };
        self.of(table).remove(&vec![merchant.into(), id.as_uuid().into()]);
        if !is_outgoing {
            // Whoever comes with the same content later in the batch makes a row of its own.
            for known in self
                .by_content
                .values_mut()
                .filter(|known| **known == Some(*id.as_uuid()))
            {
                *known = None;
            }
        }
    }
}
