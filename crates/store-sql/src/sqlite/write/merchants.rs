//! Merchants themselves.

use rusqlite::params;

use upsert_store::MerchantRecord;

use super::super::pen::Pen;
use super::super::rows::{DbResult, execute, signed};
use crate::copy::form::MERCHANTS;

impl Pen<'_, '_> {
    /// There is one writer, so the greatest number is the last one.
    pub(in super::super) fn put_merchant(&self, row: &MerchantRecord) -> DbResult<()> {
        let sql = "INSERT OR REPLACE INTO merchants (merchant, revision, change, gone, sealed_with, body) \
                   VALUES (?1, ?2, (SELECT coalesce(max(change), 0) + 1 FROM merchants), ?3, ?4, ?5)";
        let (revision, is_gone) = (signed(row.revision, "revision")?, row.body.is_none());
        let body = self.sealed((&MERCHANTS, "body"), &[], Some(revision), row)?;
        let params = params![row.id, revision, is_gone, row.sealed_with, body];
        execute(self.db, sql, params).map(drop)
    }
}
