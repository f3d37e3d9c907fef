//! What recognises customers: keys are added many at a time, since a statement of its own costs more than its row.

use std::fmt::Write as _;
use std::sync::LazyLock;

use rusqlite::{ToSql, params};

use upsert_core::{CustomerId, Identifier, MatchKey};
use upsert_store::Write;

use super::super::pen::Pen;
use super::super::rows::{DbResult, OURS, blob, execute, identifier_kind, key_kind};
use crate::digest::Digest;

/// Keys in one statement at most: those of an upsert at two connections.
const MOST: usize = 12;

/// The statements that add one key, two keys, and so on.
static ADD: LazyLock<Vec<String>> = LazyLock::new(|| (1..=MOST).map(add_statement).collect());

const REMOVE: &str =
    "DELETE FROM keys WHERE merchant = ?1 AND hash = ?2 AND rest = ?3 AND connection = ?4 AND customer = ?5";

/// A row, but for its merchant.
#[derive(Clone, Copy)]
pub(in super::super) struct KeyRow {
    pub(in super::super) digest: Digest,
    pub(in super::super) connection: i64,
    pub(in super::super) customer: CustomerId,
}

impl Pen<'_, '_> {
    pub(in super::super) fn identifier(&self, identifier: &Identifier, customer: CustomerId) -> KeyRow {
        KeyRow {
            digest: self.digests.digest(identifier_kind(identifier.kind), &identifier.value),
            connection: OURS,
            customer,
        }
    }

    pub(in super::super) fn reservation(
        &mut self,
        connection: &str,
        key: &MatchKey,
        customer: CustomerId,
    ) -> DbResult<KeyRow> {
        Ok(KeyRow {
            digest: self.digests.digest(key_kind(key.kind), &key.value),
            connection: self.number(connection)?,
            customer,
        })
    }

    /// The row that a write adds, where that is all it does.
    pub(in super::super) fn added_key(&mut self, write: &Write) -> DbResult<Option<KeyRow>> {
        match write {
            Write::AddIdentifier { identifier, customer } => Ok(Some(self.identifier(identifier, *customer))),
            Write::Reserve {
                connection,
                key,
                customer,
            } => self.reservation(connection, key, *customer).map(Some),
            Write::AddTombstone { key, erasure } => self.tombstone(key, *erasure).map(Some),
            _ => Ok(None),
        }
    }

    /// Adds them, and leaves none.
    pub(in super::super) fn add_keys(&self, rows: &mut Vec<KeyRow>) -> DbResult<()> {
        for some in rows.chunks(MOST) {
            let customers: Vec<&[u8]> = some.iter().map(|row| blob(row.customer.as_uuid())).collect();
            let values = some.iter().zip(&customers).flat_map(|(row, customer)| {
                let values: [&dyn ToSql; 4] = [&row.digest.hash, &row.digest.rest, &row.connection, customer];
                values
            });
            let merchant: &dyn ToSql = &self.merchant;
            let values: Vec<&dyn ToSql> = std::iter::once(merchant).chain(values).collect();
            execute(self.db, &ADD[some.len() - 1], &values[..])?;
        }
        rows.clear();
        Ok(())
    }

    pub(in super::super) fn remove_key(&self, row: KeyRow) -> DbResult<()> {
        let KeyRow {
            digest,
            connection,
            customer,
        } = row;
        let customer = blob(customer.as_uuid());
        let params = params![self.merchant, digest.hash, digest.rest, connection, customer];
        execute(self.db, REMOVE, params).map(drop)
    }
}

fn add_statement(keys: usize) -> String {
    let mut sql = "INSERT OR IGNORE INTO keys (merchant, hash, rest, connection, customer) VALUES ".to_owned();
    for key in 0..keys {
        let (first, comma) = (2 + key * 4, if key > 0 { ", " } else { "" });
        // Writing to a string does not fail.
        let _ = write!(
            sql,
            "{comma}(?1, ?{}, ?{}, ?{}, ?{})",
            first,
            first + 1,
            first + 2,
            first + 3
        );
    }
    sql
}
