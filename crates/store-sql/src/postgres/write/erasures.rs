//! Customers that are erased.

use upsert_core::{ErasureId, EventId};
use upsert_store::{ErasureRecord, StoredAnswer, TombstoneKey};

use super::super::batch::Batch;
use super::super::error::DbResult;
use super::super::keys::key_of_digest;
use super::super::rows::Key;
use super::super::tables::{ERASURES, IDEMPOTENCY, INCOMING, KEYS, OUTGOING};
use crate::kept::{ERASED, signed, to_bytes, tombstone_digest};

impl Batch<'_> {
    /// A tombstone's keys stand among those of customers, in a place of their own.
    fn tombstone_key(&self, merchant: &str, key: &TombstoneKey) -> Key {
        key_of_digest(merchant, ERASED, &tombstone_digest(self.digests, key).bytes())
    }

    pub(in super::super) fn need_tombstone(&mut self, merchant: &str, key: &TombstoneKey) {
        let key = self.tombstone_key(merchant, key);
        self.of(&KEYS).need(key);
    }

    pub(in super::super) fn add_tombstone(&mut self, merchant: &str, key: &TombstoneKey, erasure: ErasureId) {
        let key = self.tombstone_key(merchant, key);
        self.add_holder(key, *erasure.as_uuid());
    }

    pub(in super::super) fn put_erasure(&mut self, merchant: &str, row: &ErasureRecord) -> DbResult<()> {
        let values = vec![
            signed(row.revision(), "revision")?.into(),
            row.ended_at().is_none().into(),
            to_bytes(row, "body")?.into(),
        ];
        self.of(&ERASURES)
            .put(vec![merchant.into(), row.id.as_uuid().into()], values);
        Ok(())
    }

    /// All of the row but the answer stays as it is.
    pub(in super::super) fn erase_answer(&mut self, merchant: &str, key: &[u8; 32]) -> DbResult<()> {
        let key = vec![merchant.into(), key.to_vec().into()];
        let Some([others @ .., _]) = self.judged(&IDEMPOTENCY, &key) else {
            return Ok(());
        };
        let mut values = others.to_vec();
        values.push(to_bytes(&StoredAnswer::erased(), "answer")?.into());
        self.of(&IDEMPOTENCY).put(key, values);
        Ok(())
    }

    pub(in super::super) fn need_event_to_forget(&mut self, merchant: &str, id: EventId, is_outgoing: bool) {
        let table = if is_outgoing { &OUTGOING } else { &INCOMING };
        self.of(table).need(vec![merchant.into(), id.as_uuid().into()]);
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
