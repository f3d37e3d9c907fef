//! A store that has grown: the rows that the gateway itself wrote for one customer, written again for any number of others,
//! each with ids, keys and values of its own. Much faster than to ask the gateway for each of them, and how a record is
//! encoded is not known here: what is replaced is as long as what was there.

mod original;
mod paper;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use rusqlite::{Connection, params};
use upsert_core::{CustomerId, IdSource, MerchantMark, SystemClock};
use uuid::Uuid;

use original::{Digests, Kind, Original};
use paper::{Paper, Person};

/// The customer that is copied. Its digits stand nowhere else in its rows.
pub const ORIGINAL: u64 = 98_765_432;

/// The page cache while copies are written, in KiB: entries of indexes come in random order.
const CACHE_KIB: i64 = 1_000_000;

/// Each part holds so many of the numbers that begin a digest. Within a part they come in random order, so that pages are as
/// full as they get when customers come one by one.
const PART_BITS: u32 = 58;

/// The id of merchant `number`. All are of the same length.
pub fn merchant(number: u64) -> String {
    format!("m{number:06}")
}

/// The reference of customer `number`.
pub fn reference(number: u64) -> String {
    format!("GROW-{number:08}")
}

fn email(number: u64) -> String {
    format!("g{number:08}@example.com")
}

/// The body of the customer that is copied; its source may pick a route.
pub fn body(source: Option<&str>) -> String {
    let (reference, email) = (reference(ORIGINAL), email(ORIGINAL));
    let source = source.map_or(String::new(), |source| format!(r#","source":"{source}""#));
    format!(r#"{{"reference":"{reference}","given_name":"Ann","email":"{email}"{source}}}"#)
}

/// One field of customer `number`, changed.
pub fn changed_body(number: u64, given_name: &str) -> String {
    format!(r#"{{"reference":"{}","given_name":"{given_name}"}}"#, reference(number))
}

/// Copies the original, which is a customer of merchant 0, to these customers: of these merchants in turn, each with as many
/// as the others. Nobody may have the file open.
///
/// # Errors
/// The original is not there, or is written otherwise than is known here. The disk's.
pub fn copy(database: &Path, customers: Range<u64>, merchants: Range<u64>) -> anyhow::Result<()> {
    let db = Connection::open(database)?;
    for mode in ["DELETE", "OFF"] {
        // A file that is thrown away when it has been measured needs no journal.
        db.pragma_update_and_check(None, "journal_mode", mode, |_| Ok(()))?;
    }
    db.pragma_update(None, "synchronous", "OFF")?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    let original = Original::read(&db)?;
    db.execute_batch("BEGIN")?;
    let merchants = numbered(&db, merchants)?;
    let people = write_people(&db, &original, &merchants, customers)?;
    write_keys(&db, &original, &people)?;
    // Ids of what comes later are to sort after these.
    let made = people
        .last()
        .map(|last| CustomerId::from_uuid(Uuid::from_bytes(last.customer)).made_at());
    let made = made.map(Timestamp::as_microsecond);
    db.execute(
        "UPDATE made SET until = max(until, ?1)",
        params![made.unwrap_or_default()],
    )?;
    db.execute_batch("COMMIT")?;
    drop(db);
    // What the disk has still to do would be measured otherwise.
    File::open(database)?.sync_all()?;
    Ok(())
}

/// Merchants' ids with their numbers in the file.
fn numbered(db: &Connection, merchants: Range<u64>) -> anyhow::Result<Vec<(String, i64)>> {
    let mut add = db.prepare("INSERT OR IGNORE INTO names (name, mark) VALUES (?1, ?2)")?;
    let mut find = db.prepare("SELECT id FROM names WHERE name = ?1")?;
    let mut numbered = Vec::new();
    for name in merchants.map(merchant) {
        add.execute(params![name, MerchantMark::of(&name).number()])?;
        let number = find.query_row(params![name], |row| row.get(0))?;
        numbered.push((name, number));
    }
    Ok(numbered)
}

/// Whose keys are still to be written.
struct Written {
    number: u64,
    merchant: i64,
    customer: [u8; 16],
}

fn write_people(
    db: &Connection,
    original: &Original,
    merchants: &[(String, i64)],
    customers: Range<u64>,
) -> anyhow::Result<Vec<Written>> {
    let ids = IdSource::new(Arc::new(SystemClock));
    let mut papers = Vec::new();
    for row in &original.rows {
        papers.push(Paper::of(db, row)?);
    }
    let total = usize::try_from(customers.end - customers.start)?;
    let mut written = Vec::with_capacity(total);
    for (index, number) in customers.enumerate() {
        let (name, merchant) = &merchants[index * merchants.len() / total];
        let person = Person {
            number,
            merchant: *merchant,
            name,
            customer: ids.customer(name),
            upsert: ids.upsert(name),
            record: original.digests.record(&reference(number)),
        };
        for paper in &mut papers {
            paper.write(&person)?;
        }
        written.push(Written {
            number,
            merchant: *merchant,
            customer: person.customer.as_uuid().into_bytes(),
        });
    }
    Ok(written)
}

/// Part by part of the table: at random over the whole of it, each would be a page from the disk.
fn write_keys(db: &Connection, original: &Original, people: &[Written]) -> anyhow::Result<()> {
    let mut keys: Vec<(i64, u32, Kind)> = Vec::with_capacity(people.len() * original.keys.len());
    for (index, person) in people.iter().enumerate() {
        for (kind, _) in &original.keys {
            let (hash, _) = original.digests.key(*kind, person.number);
            keys.push((hash, u32::try_from(index)?, *kind));
        }
    }
    let person = |index: u32| usize::try_from(index).ok().and_then(|index| people.get(index));
    keys.sort_unstable_by_key(|(hash, index, _)| (person(*index).map(|person| person.merchant), hash >> PART_BITS));
    let mut add =
        db.prepare("INSERT INTO keys (merchant, hash, rest, connection, customer) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (_, index, kind) in keys {
        let person = person(index).context("every key is somebody's")?;
        let (hash, rest) = original.digests.key(kind, person.number);
        let connections = original.keys.iter().filter(|(of, _)| *of == kind);
        for connection in connections.flat_map(|(_, connections)| connections) {
            add.execute(params![person.merchant, hash, rest, connection, &person.customer[..]])?;
        }
    }
    Ok(())
}

/// The digests of a customer's keys and of its record at the vendor.
impl Digests {
    fn key(&self, kind: Kind, number: u64) -> (i64, i64) {
        let value = match kind {
            Kind::Email => email(number),
            Kind::Reference | Kind::VendorRecord => reference(number),
        };
        self.digest(kind, &value)
    }

    fn record(&self, id: &str) -> [u8; 16] {
        let (hash, rest) = self.digest(Kind::VendorRecord, id);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&hash.to_be_bytes());
        bytes[8..].copy_from_slice(&rest.to_be_bytes());
        bytes
    }
}
