//! The rows of the customer that is copied.

use std::hash::Hasher as _;

use anyhow::{Context as _, ensure};
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, Params, params};
use siphasher::sip128::{Hasher128 as _, SipHasher24};
use upsert_core::{CustomerId, DeliveryId, UpsertId};
use uuid::Uuid;

use super::{ORIGINAL, merchant, reference};

/// What digests are of, by their numbers in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Reference = 1,
    Email = 2,
    VendorRecord = 4,
}

/// Makes digests as the store does; [`Original::read`] would find nothing otherwise.
pub(super) struct Digests {
    key: [u8; 16],
}

impl Digests {
    pub(super) fn digest(&self, kind: Kind, value: &str) -> (i64, i64) {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write(&[kind as u8]);
        hasher.write(value.as_bytes());
        let hash = hasher.finish128();
        (hash.h1.cast_signed(), hash.h2.cast_signed())
    }
}

/// A row: its table, and each column with its value.
pub(super) struct Row {
    pub(super) table: &'static str,
    pub(super) columns: Vec<(String, SqlValue)>,
    pub(super) of: Of,
}

/// Whose it is.
#[derive(Clone, Copy)]
pub(super) struct Of {
    pub(super) customer: CustomerId,
    pub(super) upsert: UpsertId,
}

/// All that the gateway wrote for one customer: the customer and its lanes, its upsert and the deliveries of that. Its keys
/// apart: of each kind the connections (0: the gateway itself).
pub(super) struct Original {
    pub(super) digests: Digests,
    pub(super) rows: Vec<Row>,
    pub(super) keys: Vec<(Kind, Vec<i64>)>,
}

impl Original {
    pub(super) fn read(db: &Connection) -> anyhow::Result<Self> {
        let key: Vec<u8> = db.query_row("SELECT key FROM secret", [], |row| row.get(0))?;
        let digests = Digests {
            key: key.try_into().ok().context("the file's secret has another length")?,
        };
        let find = "SELECT id FROM names WHERE name = ?1";
        let number: i64 = db.query_row(find, params![merchant(0)], |row| row.get(0))?;
        let (hash, rest) = digests.digest(Kind::Reference, &reference(ORIGINAL));
        let find = "SELECT customer FROM keys WHERE merchant = ?1 AND hash = ?2 AND rest = ?3 AND connection = 0";
        let customer = db.query_row(find, params![number, hash, rest], |row| row.get(0));
        let customer: Vec<u8> = customer.context("there is no original, or digests are made otherwise")?;
        let find = "SELECT id FROM upserts WHERE merchant = ?1 AND customer = ?2";
        let upsert: Vec<u8> = db.query_row(find, params![number, customer], |row| row.get(0))?;
        let of = Of {
            customer: CustomerId::from_uuid(Uuid::from_slice(&customer)?),
            upsert: UpsertId::from_uuid(Uuid::from_slice(&upsert)?),
        };
        let last = DeliveryId::of(of.upsert, DeliveryId::MOST);
        let last = last.as_uuid().as_bytes();
        let own = "SELECT * FROM customers WHERE merchant = ?1 AND customer = ?2";
        let mut rows = rows(db, "customers", own, params![number, customer], of)?;
        let own = "SELECT * FROM upserts WHERE merchant = ?1 AND id >= ?2 AND id <= ?3";
        rows.extend(self::rows(db, "upserts", own, params![number, upsert, &last[..]], of)?);
        let mut keys = Vec::new();
        for kind in [Kind::Reference, Kind::Email] {
            let (hash, rest) = digests.key(kind, ORIGINAL);
            let own = "SELECT connection FROM keys WHERE merchant = ?1 AND hash = ?2 AND rest = ?3 ORDER BY connection";
            let mut statement = db.prepare(own)?;
            let connections = statement.query_map(params![number, hash, rest], |row| row.get(0))?;
            keys.push((kind, connections.collect::<Result<_, _>>()?));
        }
        let original = Self { digests, rows, keys };
        original.check()?;
        Ok(original)
    }

    /// Where the vendor's record is known by what we copy it by.
    fn check(&self) -> anyhow::Result<()> {
        let expected = self.digests.record(&reference(ORIGINAL));
        for (column, value) in self.rows.iter().flat_map(|row| &row.columns) {
            if let (true, SqlValue::Blob(record)) = (column == "record", value) {
                ensure!(
                    record[..] == expected,
                    "the vendor's record has another id than its reference"
                );
            }
        }
        Ok(())
    }
}

fn rows(db: &Connection, table: &'static str, sql: &str, params: impl Params, of: Of) -> anyhow::Result<Vec<Row>> {
    let mut statement = db.prepare(sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut found = statement.query(params)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let mut columns = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            columns.push((name.clone(), row.get(index)?));
        }
        rows.push(Row { table, columns, of });
    }
    Ok(rows)
}
