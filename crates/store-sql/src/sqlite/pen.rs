//! What judges expectations and writes, for one changeset.

use rusqlite::Params;
use serde::Serialize;

use super::names::Names;
use super::rows::{DbResult, execute};
use super::statements::Statements;
use crate::copy::form::Part;
use crate::digest::Digests;
use crate::sealed::{Place, Seals};

/// The writer's transaction and whose changeset it is at: where expectations are judged and writes go.
pub(super) struct Pen<'writer, 'db> {
    pub(super) db: &'writer Statements<'db>,
    pub(super) names: &'writer mut Names,
    pub(super) digests: &'writer Digests,
    pub(super) seals: &'writer Seals,
    /// Its number; 0, which nobody has: it has none yet, and gets none with what is written.
    pub(super) merchant: i64,
    pub(super) merchant_id: &'writer str,
}

impl Pen<'_, '_> {
    /// The first of two statements that has a row to change. Both take the same parameters.
    pub(super) fn put(&self, statements: [&'static str; 2], params: impl Params + Clone) -> DbResult<()> {
        if execute(self.db, statements[0], params.clone())? == 0 {
            execute(self.db, statements[1], params)?;
        }
        Ok(())
    }

    /// A record as a column keeps it: its row is the merchant's with this key, and its revision, where the column is written
    /// anew with it, this one.
    pub(super) fn sealed<T: Serialize>(
        &self,
        (part, column): (&'static Part, &'static str),
        key: &[&[u8]],
        revision: Option<i64>,
        record: &T,
    ) -> DbResult<Vec<u8>> {
        let place = || Place::whole(part, column, self.merchant_id, key, revision);
        Ok(self.seals.seal(self.merchant_id, place, record, column)?)
    }

    /// The same of bytes, which stand as they are where nothing is sealed.
    pub(super) fn sealed_bytes(
        &self,
        (part, column): (&'static Part, &'static str),
        key: &[&[u8]],
        bytes: &[u8],
    ) -> DbResult<Vec<u8>> {
        let place = || Place::whole(part, column, self.merchant_id, key, None);
        Ok(self.seals.seal_bytes(self.merchant_id, place, bytes, column)?)
    }

    pub(super) fn number(&mut self, name: &str) -> DbResult<i64> {
        self.names.number(self.db, name)
    }
}
