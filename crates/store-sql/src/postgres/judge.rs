//! Changesets over the rows of their batch: what they need, and what they leave.

use upsert_store::{Applied, Changeset};

use super::batch::Batch;
use super::error::DbResult;

impl Batch<'_> {
    /// Notes what these changesets need.
    pub(super) fn need(&mut self, changesets: &[&Changeset]) {
        for changes in changesets {
            for expect in &changes.expect {
                self.need_to_judge(&changes.merchant, expect);
            }
            for write in &changes.write {
                self.need_to_write(&changes.merchant, write);
            }
        }
    }

    /// Applies one of them, as far as it can be applied.
    pub(super) fn apply(&mut self, changes: &Changeset) -> DbResult<Applied> {
        for (index, expect) in changes.expect.iter().enumerate() {
            if !self.holds(&changes.merchant, expect) {
                return Ok(Applied::Unmet(index));
            }
        }
        // Lists go through all places: a merchant that was only put has nothing yet to be listed.
        if !changes.is_of_merchant_alone() {
            self.note_place(&changes.merchant, "merchant", "");
        }
        for write in &changes.write {
            self.write(&changes.merchant, write)?;
        }
        Ok(Applied::Done)
    }
}
