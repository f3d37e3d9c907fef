//! Statements, prepared once.

use std::cell::RefCell;
use std::collections::BTreeMap;

use rusqlite::{Connection, Statement};

use super::db_error::DbResult;

/// Where statements are run.
pub(super) trait Prepare {
    /// Runs one. Another one cannot be run within it.
    fn prepared<T>(&self, sql: &'static str, run: impl FnOnce(&mut Statement<'_>) -> DbResult<T>) -> DbResult<T>;
}

/// As many as SQLite's own cache holds; whoever reads asks few.
impl Prepare for Connection {
    fn prepared<T>(&self, sql: &'static str, run: impl FnOnce(&mut Statement<'_>) -> DbResult<T>) -> DbResult<T> {
        let mut statement = self.prepare_cached(sql)?;
        run(&mut statement)
    }
}

/// The statements of one connection that runs some twenty for each upsert. Each is found by where its text stands in the
/// program, not by the text.
pub(super) struct Statements<'db> {
    pub(super) db: &'db Connection,
    prepared: RefCell<BTreeMap<(usize, usize), Statement<'db>>>,
}

impl<'db> Statements<'db> {
    pub(super) fn of(db: &'db Connection) -> Self {
        Self {
            db,
            prepared: RefCell::default(),
        }
    }
}

impl Prepare for Statements<'_> {
    fn prepared<T>(&self, sql: &'static str, run: impl FnOnce(&mut Statement<'_>) -> DbResult<T>) -> DbResult<T> {
        let place = (sql.as_ptr().addr(), sql.len());
        let mut prepared = self.prepared.borrow_mut();
        if let Some(known) = prepared.get_mut(&place) {
            return run(known);
        }
        let new = self.db.prepare(sql)?;
        run(prepared.entry(place).or_insert(new))
    }
}
