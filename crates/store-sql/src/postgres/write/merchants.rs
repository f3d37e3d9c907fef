//! Merchants themselves.

use upsert_store::MerchantRecord;

use super::super::batch::Batch;
use super::super::error::DbResult;
use super::super::rows::Key;
use super::super::tables::{MERCHANT_CHANGES, MERCHANTS};
use crate::copy::form;
use crate::kept::signed;

/// The one row that counts changes.
fn counter() -> Key {
    vec![0.into()]
}

impl Batch<'_> {
    pub(super) fn need_merchant(&mut self, row: &MerchantRecord) {
        self.of(&MERCHANTS).need(vec![row.id.as_str().into()]);
        self.of(&MERCHANT_CHANGES).need(counter());
    }

    pub(super) fn put_merchant(&mut self, row: &MerchantRecord) -> DbResult<()> {
        let last = self.judged(&MERCHANT_CHANGES, &counter());
        let change = last.and_then(|last| last.first()?.big()).unwrap_or_default() + 1;
        self.of(&MERCHANT_CHANGES).put(counter(), vec![change.into()]);
        let revision = signed(row.revision, "revision")?;
        let body = self.sealed(&row.id, (&form::MERCHANTS, "body"), &[], Some(revision), row)?;
        let values = vec![
            revision.into(),
            change.into(),
            row.body.is_none().into(),
            row.sealed_with.clone().into(),
            body,
        ];
        self.of(&MERCHANTS).put(vec![row.id.as_str().into()], values);
        Ok(())
    }
}
