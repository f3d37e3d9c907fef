//! Who did what when.

use upsert_store::{AuditHead, AuditRecord, Write};

use super::super::batch::Batch;
use super::super::error::DbResult;
use super::super::rows::Key;
use super::super::tables::{AUDIT, AUDIT_HEAD};
use crate::kept::signed;

/// The one row that tells where the chain ends.
pub(in super::super) fn head_key() -> Key {
    vec![0.into()]
}

impl Batch<'_> {
    /// Notes the rows that a write to the audit trail changes.
    pub(in super::super) fn need_audit(&mut self, write: &Write) {
        match write {
            Write::PutAuditEntry(AuditRecord { number, .. }) | Write::ForgetAuditEntry(number) => {
                // One that cannot be kept is refused when it is written.
                if let Ok(number) = signed(*number, "number") {
                    self.of(&AUDIT).need(vec![number.into()]);
                }
            }
            Write::PutAuditHead(_) => self.of(&AUDIT_HEAD).need(head_key()),
            _ => {}
        }
    }

    pub(in super::super) fn put_audit_entry(&mut self, entry: &AuditRecord) -> DbResult<()> {
        let values = vec![
            entry.at.as_microsecond().into(),
            entry.merchant.clone().into(),
            entry.by.as_str().into(),
            entry.action.as_str().into(),
            entry.subject.as_str().into(),
            entry.detail.clone().into(),
            entry.key.clone().into(),
            entry.before.to_vec().into(),
            entry.hash.to_vec().into(),
        ];
        self.of(&AUDIT)
            .put(vec![signed(entry.number, "number")?.into()], values);
        Ok(())
    }

    pub(in super::super) fn forget_audit_entry(&mut self, number: u64) -> DbResult<()> {
        self.of(&AUDIT).remove(&vec![signed(number, "number")?.into()]);
        Ok(())
    }

    pub(in super::super) fn put_audit_head(&mut self, head: &AuditHead) -> DbResult<()> {
        let values = vec![
            signed(head.revision, "revision")?.into(),
            signed(head.number, "number")?.into(),
            head.at.as_microsecond().into(),
            head.hash.to_vec().into(),
            signed(head.forgotten, "forgotten")?.into(),
            head.forgotten_hash.to_vec().into(),
            head.key.clone().into(),
            head.seal.to_vec().into(),
        ];
        self.of(&AUDIT_HEAD).put(head_key(), values);
        Ok(())
    }
}
