//! What judges expectations and writes, for one changeset.

use rusqlite::Params;

use super::names::Names;
use super::rows::{DbResult, execute};
use super::statements::Statements;
use crate::digest::Digests;

/// The writer's transaction and whose changeset it is at: where expectations are judged and writes go.
pub(super) struct Pen<'writer, 'db> {
    pub(super) db: &'writer Statements<'db>,
    pub(super) names: &'writer mut Names,
    pub(super) digests: &'writer Digests,
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

    pub(super) fn number(&mut self, name: &str) -> DbResult<i64> {
        self.names.number(self.db, name)
    }
}
