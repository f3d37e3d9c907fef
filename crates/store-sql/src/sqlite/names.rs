//! Merchants, connections, sources and endpoints as small integers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::params;

use upsert_core::MerchantMark;

use super::rows::{DbError, DbResult, all, first};
use super::statements::Prepare;

/// What one connection knows of the table `names`. A name keeps its number for ever, so what is known stays true
/// unless the transaction that made it was taken back.
#[derive(Default)]
pub(super) struct Names {
    known: HashMap<String, i64>,
    called: RefCell<HashMap<i64, Arc<str>>>,
}

impl Names {
    /// The number of a name; none if it has none yet, so that nothing in the file can belong to it.
    pub(super) fn find(&mut self, db: &impl Prepare, name: &str) -> DbResult<Option<i64>> {
        if let Some(id) = self.known.get(name) {
            return Ok(Some(*id));
        }
        let found = first(db, "SELECT id FROM names WHERE name = ?1", params![name], |row| {
            Ok(row.get(0)?)
        })?;
        if let Some(id) = found {
            self.known.insert(name.to_owned(), id);
        }
        Ok(found)
    }

    /// The number of a name, a new one if it has none.
    pub(super) fn number(&mut self, db: &impl Prepare, name: &str) -> DbResult<i64> {
        if let Some(id) = self.find(db, name)? {
            return Ok(id);
        }
        let mark = MerchantMark::of(name).number();
        let sql = "INSERT INTO names (name, mark) VALUES (?1, ?2) RETURNING id";
        let id = first(db, sql, params![name, mark], |row| Ok(row.get(0)?))?;
        let id = id.ok_or(DbError::Value("names"))?;
        self.known.insert(name.to_owned(), id);
        Ok(id)
    }

    /// The name of this number.
    pub(super) fn called(&self, db: &impl Prepare, number: i64) -> DbResult<Arc<str>> {
        if let Some(name) = self.called.borrow().get(&number) {
            return Ok(name.clone());
        }
        let name: Arc<str> = name(db, number)?.into();
        self.called.borrow_mut().insert(number, name.clone());
        Ok(name)
    }

    /// Forgets everything, after a transaction was taken back.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.called.borrow_mut().clear();
    }
}

/// The name of this number.
pub(super) fn name(db: &impl Prepare, number: i64) -> DbResult<String> {
    let sql = "SELECT name FROM names WHERE id = ?1";
    let found = first(db, sql, params![number], |row| Ok(row.get(0)?))?;
    found.ok_or(DbError::Value("names"))
}

/// Names with this mark, sorted.
pub(super) fn marked(db: &impl Prepare, mark: MerchantMark) -> DbResult<Vec<String>> {
    let sql = "SELECT name FROM names WHERE mark = ?1 ORDER BY name";
    all(db, sql, params![mark.number()], |row| Ok(row.get(0)?))
}
