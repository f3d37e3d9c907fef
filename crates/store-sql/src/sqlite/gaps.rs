//! What SQLite leaves behind although it overwrites what it deletes (`secure_delete`). When it balances a tree it copies rows
//! from one page to another and builds the first one anew; where these rows stood there, their bytes stay, between the
//! pointers of the page and its first row. To SQLite that is empty, so nobody overwrites it when the rows go. Here it is
//! zeroed, over the table of the file's pages (`sqlite_dbpage`): each change is a page's like any other, in the log and in a
//! transaction, and changes nothing that SQLite reads.

use std::ops::Range;

use rusqlite::{Connection, params};

use super::rows::{DbError, DbResult, execute, first};
use super::statements::Prepare;

/// Pages that are looked at in one read transaction.
const LOOKED_AT: u32 = 1_024;

/// Pages that are changed in one transaction.
pub(super) const ZEROED: usize = 32;

/// A page of a row that is too long begins with the number of the next one. Up to here its first byte is 0, and it cannot be
/// taken for a page of a tree: 256 GiB in pages of 8 KiB.
const MOST_PAGES: u32 = 1 << 25;

/// What stands before the first page's own header.
const FILE_HEADER: usize = 100;

const COUNT: &str = "PRAGMA page_count";
const PAGE: &str = "SELECT data FROM sqlite_dbpage WHERE pgno = ?1";
const PUT: &str = "UPDATE sqlite_dbpage SET data = ?2 WHERE pgno = ?1";

/// What a look at some pages found.
pub(super) struct Looked {
    /// Numbers of pages in which anything was left behind.
    pub(super) found: Vec<u32>,
    /// Where the next look begins; none: that was the last page.
    pub(super) next: Option<u32>,
}

/// Looks at some pages, from this one on. The first one is 1.
pub(super) fn look(db: &Connection, from: u32) -> DbResult<Looked> {
    let pages: u32 = first(db, COUNT, [], |row| Ok(row.get(0)?))?.unwrap_or_default();
    if pages >= MOST_PAGES {
        tracing::warn!(
            pages,
            "the store's file is too large to be looked through for what was left behind in its pages"
        );
        return Ok(Looked {
            found: Vec::new(),
            next: None,
        });
    }
    let until = from.saturating_add(LOOKED_AT);
    let mut found = Vec::new();
    for number in from..until.min(pages.saturating_add(1)) {
        if first(db, PAGE, params![number], |row| {
            let page = row.get_ref("data")?.as_blob().map_err(|_| DbError::Value("data"))?;
            Ok(is_left_in(page, number))
        })? == Some(true)
        {
            found.push(number);
        }
    }
    Ok(Looked {
        found,
        next: (until <= pages).then_some(until),
    })
}

/// Zeroes what was left behind in these pages, as they are now. How many were changed. It is part of the transaction.
pub(super) fn zero(db: &impl Prepare, numbers: &[u32]) -> DbResult<usize> {
    let mut changed = 0;
    for number in numbers {
        let page: Option<Vec<u8>> = first(db, PAGE, params![number], |row| Ok(row.get("data")?))?;
        let Some(mut page) = page.filter(|page| is_left_in(page, *number)) else {
            continue;
        };
        if let Some(gap) = gap(&page, *number).and_then(|gap| page.get_mut(gap)) {
            gap.fill(0);
            changed += execute(db, PUT, params![number, page])?;
        }
    }
    Ok(changed)
}

fn is_left_in(page: &[u8], number: u32) -> bool {
    let gap = gap(page, number).and_then(|gap| page.get(gap));
    gap.is_some_and(|gap| gap.iter().any(|byte| *byte != 0))
}

/// Between a page's pointers and its first row (<https://www.sqlite.org/fileformat2.html#b_tree_pages>). None: it is no page of
/// a tree, or of a form that this does not know.
fn gap(page: &[u8], number: u32) -> Option<Range<usize>> {
    let head = if number == 1 { FILE_HEADER } else { 0 };
    let &[kind, _, _, rows @ .., _, _, _] = page.get(head..)?.first_chunk::<8>()?;
    let rows = usize::from(u16::from_be_bytes(rows));
    let &[high, low] = page.get(head + 5..)?.first_chunk::<2>()?;
    let begins = match u16::from_be_bytes([high, low]) {
        0 => 65_536,
        at => usize::from(at),
    };
    let pointers = match kind {
        2 | 5 => head + 12,
        10 | 13 => head + 8,
        _ => return None,
    };
    let ends = pointers + 2 * rows;
    (ends <= begins && begins <= page.len()).then_some(ends..begins)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::rngs::StdRng;
    use rand::seq::SliceRandom as _;
    use rand::{Rng as _, SeedableRng as _};

    use super::super::open::{self, SqliteOptions};
    use super::*;

    const ROWS: u32 = 2_000;

    fn name(row: u32) -> String {
        format!("<row {row:05}>")
    }

    fn body(row: u32, random: &mut StdRng) -> Vec<u8> {
        let mut body = name(row).into_bytes();
        body.resize(random.random_range(50..2_500), b'x');
        body
    }

    /// Rows that come, grow, shrink and go.
    fn lived_in(path: &std::path::Path) -> (Connection, Vec<u32>) {
        std::fs::File::create_new(path).unwrap();
        let db = open::writer(path, SqliteOptions::default()).unwrap();
        db.pragma_update(None, "synchronous", "OFF").unwrap();
        let sql = "CREATE TABLE t (id INTEGER, more BLOB, body BLOB, PRIMARY KEY (id, more)) WITHOUT ROWID; \
                   CREATE INDEX by_body ON t (body)";
        db.execute_batch(sql).unwrap();
        let mut random = StdRng::seed_from_u64(7);
        db.execute_batch("BEGIN").unwrap();
        for row in 0..ROWS {
            db.execute(
                "INSERT INTO t VALUES (?1, x'', ?2)",
                params![row, body(row, &mut random)],
            )
            .unwrap();
        }
        for _ in 0..2 * ROWS {
            let row = random.random_range(0..ROWS);
            db.execute(
                "UPDATE t SET body = ?2 WHERE id = ?1",
                params![row, body(row, &mut random)],
            )
            .unwrap();
        }
        let mut rows: Vec<u32> = (0..ROWS).collect();
        rows.shuffle(&mut random);
        let gone = rows.split_off(rows.len() / 2);
        for row in &gone {
            db.execute("DELETE FROM t WHERE id = ?1", params![row]).unwrap();
        }
        db.execute_batch("COMMIT").unwrap();
        (db, gone)
    }

    /// Those of these rows that stand anywhere in the file.
    fn left(db: &Connection, path: &std::path::Path, rows: &[u32]) -> usize {
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        let bytes = std::fs::read(path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let there: BTreeSet<&str> = text
            .match_indices("<row ")
            .filter_map(|(at, _)| text.get(at..at + 11))
            .collect();
        rows.iter().filter(|row| there.contains(name(**row).as_str())).count()
    }

    fn all_zeroed(db: &Connection) -> usize {
        let (mut changed, mut from) = (0, Some(1));
        while let Some(number) = from {
            let looked = look(db, number).unwrap();
            changed += zero(db, &looked.found).unwrap();
            from = looked.next;
        }
        changed
    }

    #[test]
    fn rows_that_were_moved_and_then_deleted_are_left_in_no_page() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.db");
        let (db, gone) = lived_in(&path);
        assert!(
            left(&db, &path, &gone) > 0,
            "SQLite leaves none behind any more: this can go"
        );
        let sum = "SELECT count(*), sum(length(body)) FROM t";
        let before: (i64, i64) = db.query_row(sum, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert!(all_zeroed(&db) > 0);
        assert_eq!(left(&db, &path, &gone), 0);
        assert_eq!(all_zeroed(&db), 0, "once is enough");
        // All else is as it was, for this connection and for one that reads the file anew; and it can be written to.
        let anew = Connection::open(&path).unwrap();
        for db in [&db, &anew] {
            let after = db.query_row(sum, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            assert_eq!(before, after);
        }
        db.execute("UPDATE t SET body = body || body", []).unwrap();
        for db in [&db, &anew] {
            let integrity: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(integrity, "ok");
        }
    }

    #[test]
    fn what_is_no_page_of_a_tree_has_no_gap() {
        let mut page = vec![0; 512];
        assert_eq!(gap(&page, 2), None, "of a long row, or free");
        page[..8].copy_from_slice(&[10, 0, 0, 0, 2, 1, 0, 0]);
        assert_eq!(gap(&page, 2), Some(12..256));
        page[3] = 255;
        assert_eq!(gap(&page, 2), None, "more pointers than there is room for");
        page[..8].copy_from_slice(&[5, 0, 0, 0, 0, 3, 0, 0]);
        assert_eq!(gap(&page, 2), None, "a first row behind the page");
        page[100..108].copy_from_slice(&[13, 0, 0, 0, 1, 2, 0, 0]);
        assert_eq!(gap(&page, 1), Some(110..512), "the first page has a header of the file");
        assert_eq!(gap(&page[..4], 2), None);
    }
}
