//! Who did what when.

use rusqlite::params;

use upsert_store::{AuditHead, AuditRecord};

use super::super::pen::Pen;
use super::super::rows::{DbResult, execute, micros, signed};

const ENTRY: &str = "INSERT OR REPLACE INTO audit \
    (number, happened_at, merchant, actor, action, subject, detail, key_id, previous, hash) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const FORGET: &str = "DELETE FROM audit WHERE number = ?1";
const HEAD: &str = "INSERT OR REPLACE INTO audit_head \
    (id, revision, number, happened_at, hash, forgotten, forgotten_hash, key_id, seal) \
    VALUES (0, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

impl Pen<'_, '_> {
    pub(in super::super) fn put_audit_entry(&self, entry: &AuditRecord) -> DbResult<()> {
        let params = params![
            signed(entry.number, "number")?,
            micros(entry.at),
            entry.merchant,
            entry.by,
            entry.action,
            entry.subject,
            entry.detail,
            entry.key,
            entry.before,
            entry.hash,
        ];
        execute(self.db, ENTRY, params).map(drop)
    }

    pub(in super::super) fn forget_audit_entry(&self, number: u64) -> DbResult<()> {
        execute(self.db, FORGET, params![signed(number, "number")?]).map(drop)
    }

    pub(in super::super) fn put_audit_head(&self, head: &AuditHead) -> DbResult<()> {
        let params = params![
            signed(head.revision, "revision")?,
            signed(head.number, "number")?,
            micros(head.at),
            head.hash,
            signed(head.forgotten, "forgotten")?,
            head.forgotten_hash,
            head.key,
            head.seal,
        ];
        execute(self.db, HEAD, params).map(drop)
    }
}
