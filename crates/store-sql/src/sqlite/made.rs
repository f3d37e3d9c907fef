//! Until when the ids were made of what is kept. To look for the newest one would lead through every merchant; so the file
//! tells, a second ahead, which is one statement more in a second and not in every commit.

use jiff::Timestamp;
use rusqlite::params;

use upsert_store::Write;

use super::rows::{DbResult, execute, first, micros, moment};
use super::statements::Prepare;

const AHEAD_MICROS: i64 = 1_000_000;

/// What the file tells at the least.
#[derive(Default)]
pub(super) struct Made {
    until: i64,
}

impl Made {
    /// Has the file tell of these, in their transaction.
    pub(super) fn note(&mut self, db: &impl Prepare, writes: &[Write]) -> DbResult<()> {
        let newest = writes.iter().filter_map(made_at).max().map(micros);
        let Some(newest) = newest.filter(|newest| *newest > self.until) else {
            return Ok(());
        };
        let sql = "INSERT INTO made (id, until) VALUES (0, ?1) ON CONFLICT DO UPDATE SET until = max(until, ?1)";
        let until = newest.saturating_add(AHEAD_MICROS);
        execute(db, sql, params![until])?;
        self.until = until;
        Ok(())
    }

    /// The transaction was taken back.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// When the id was made of what is written.
fn made_at(write: &Write) -> Option<Timestamp> {
    match write {
        Write::PutCustomer(row) => Some(row.id.made_at()),
        Write::PutUpsert(row, _) => Some(row.id.made_at()),
        Write::PutDelivery(row, _) => Some(row.id.made_at()),
        Write::PutIncomingEvent(row) => Some(row.id.made_at()),
        Write::PutOutgoingEvent(row) => Some(row.id.made_at()),
        _ => None,
    }
}

/// What the file tells; none where nothing was ever kept.
pub(super) fn until(db: &impl Prepare) -> DbResult<Option<Timestamp>> {
    first(db, "SELECT until FROM made", [], |row| moment(row, "until"))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use upsert_core::CustomerId;
    use upsert_testkit::records::customer_record;

    use super::super::open::MIGRATIONS;
    use super::*;

    fn made(milliseconds: i64) -> [Write; 1] {
        let at = Timestamp::from_millisecond(milliseconds).unwrap();
        [Write::PutCustomer(customer_record("acme", CustomerId::oldest_at(at)))]
    }

    fn told(db: &Connection) -> Option<i64> {
        until(db).unwrap().map(Timestamp::as_millisecond)
    }

    #[test]
    fn the_file_tells_a_second_ahead_and_never_takes_it_back() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(MIGRATIONS[0]).unwrap();
        let mut ids = Made::default();
        assert_eq!(told(&db), None);
        ids.note(&db, &made(5_000)).unwrap();
        assert_eq!(told(&db), Some(6_000));
        ids.note(&db, &made(5_999)).unwrap();
        assert_eq!(told(&db), Some(6_000), "it has been told");
        ids.note(&db, &made(6_001)).unwrap();
        assert_eq!(told(&db), Some(7_001));
        ids.forget();
        ids.note(&db, &made(1_000)).unwrap();
        assert_eq!(told(&db), Some(7_001), "the file knows better");
    }
}
