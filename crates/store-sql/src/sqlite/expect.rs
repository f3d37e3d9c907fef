//! Whether an expectation holds, as the writer sees the file.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use uuid::Uuid;

use upsert_core::{CustomerId, Identifier, MatchKey};
use upsert_store::{Expect, IdentityView};

use super::names::Names;
use super::rows::{DbResult, OURS, all, blob, first, identifier_kind, key_kind, limit, micros, unsigned, uuid};

/// Whether it holds.
pub(super) fn holds(db: &Connection, names: &mut Names, expect: &Expect) -> DbResult<bool> {
    match expect {
        Expect::Customer { id, revision } => {
            let sql = "SELECT revision AS number FROM customers WHERE id = ?1";
            Ok(number(db, sql, id.as_uuid())? == *revision)
        }
        Expect::Holders {
            merchant,
            identifier,
            customers,
        } => {
            let expected: BTreeSet<CustomerId> = customers.iter().copied().collect();
            let found = holders(db, names, merchant, identifier)?;
            Ok(found.into_iter().eq(expected.into_iter().take(IdentityView::MOST)))
        }
        Expect::Lane {
            customer,
            connection,
            revision,
        } => lane_has(db, names, *customer, connection, *revision),
        Expect::KeysFree {
            merchant,
            connection,
            keys,
            customer,
        } => keys_are_free(db, names, (merchant, connection), keys, *customer),
        Expect::RecordFree {
            merchant,
            connection,
            provider_customer_id,
            customer,
        } => record_is_free(db, names, (merchant, connection), provider_customer_id, *customer),
        Expect::Upsert { id, revision } => {
            let sql = "SELECT revision AS number FROM upserts WHERE id = ?1";
            Ok(number(db, sql, id.as_uuid())? == Some(*revision))
        }
        Expect::Delivery { id, fence } => {
            let sql = "SELECT fence AS number FROM deliveries WHERE id = ?1";
            Ok(number(db, sql, id.as_uuid())? == Some(*fence))
        }
        Expect::IncomingEvent {
            merchant,
            source,
            event_id,
            content,
            revision,
        } => Ok(incoming_revision(db, names, (merchant, source), event_id, content)? == *revision),
        Expect::EventMarks {
            customer,
            source,
            revision,
        } => Ok(marks_revision(db, names, *customer, source)? == *revision),
        Expect::OutgoingEvent { id, revision } => {
            let sql = "SELECT revision AS number FROM outgoing_events WHERE id = ?1";
            Ok(number(db, sql, id.as_uuid())? == Some(*revision))
        }
        Expect::IdempotencyFree { key, now } => {
            let sql = "SELECT 1 FROM idempotency WHERE key = ?1 AND expires_at > ?2";
            Ok(first(db, sql, params![&key[..], micros(*now)], |_| Ok(()))?.is_none())
        }
    }
}

fn number(db: &Connection, sql: &str, id: &Uuid) -> DbResult<Option<u64>> {
    first(db, sql, params![blob(id)], |row| unsigned(row, "number"))
}

fn holders(db: &Connection, names: &mut Names, merchant: &str, identifier: &Identifier) -> DbResult<Vec<CustomerId>> {
    let Some(merchant) = names.find(db, merchant)? else {
        return Ok(Vec::new());
    };
    let sql = "SELECT customer FROM keys WHERE merchant = ?1 AND kind = ?2 AND value = ?3 AND connection = ?4 \
               ORDER BY customer LIMIT ?5";
    let (kind, most) = (identifier_kind(identifier.kind), limit(IdentityView::MOST));
    all(db, sql, params![merchant, kind, identifier.value, OURS, most], |row| {
        Ok(CustomerId::from_uuid(uuid(row, "customer")?))
    })
}

fn lane_has(
    db: &Connection,
    names: &mut Names,
    customer: CustomerId,
    connection: &str,
    revision: Option<u64>,
) -> DbResult<bool> {
    let Some(connection) = names.find(db, connection)? else {
        return Ok(revision.is_none());
    };
    let sql = "SELECT revision FROM lanes WHERE customer = ?1 AND connection = ?2";
    let found = first(db, sql, params![blob(customer.as_uuid()), connection], |row| {
        unsigned(row, "revision")
    })?;
    Ok(found == revision)
}

fn keys_are_free(
    db: &Connection,
    names: &mut Names,
    (merchant, connection): (&str, &str),
    keys: &[MatchKey],
    customer: CustomerId,
) -> DbResult<bool> {
    let (Some(merchant), Some(connection)) = (names.find(db, merchant)?, names.find(db, connection)?) else {
        return Ok(true);
    };
    let sql =
        "SELECT 1 FROM keys WHERE merchant = ?1 AND connection = ?2 AND kind = ?3 AND value = ?4 AND customer <> ?5";
    let customer = blob(customer.as_uuid());
    for key in keys {
        let params = params![merchant, connection, key_kind(key.kind), key.value, customer];
        if first(db, sql, params, |_| Ok(()))?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn record_is_free(
    db: &Connection,
    names: &mut Names,
    (merchant, connection): (&str, &str),
    vendor_id: &str,
    customer: CustomerId,
) -> DbResult<bool> {
    let (Some(merchant), Some(connection)) = (names.find(db, merchant)?, names.find(db, connection)?) else {
        return Ok(true);
    };
    let sql = "SELECT 1 FROM lanes WHERE merchant = ?1 AND connection = ?2 AND vendor_id = ?3 AND customer <> ?4";
    let customer = blob(customer.as_uuid());
    let other = first(db, sql, params![merchant, connection, vendor_id, customer], |_| Ok(()))?;
    Ok(other.is_none())
}

fn incoming_revision(
    db: &Connection,
    names: &mut Names,
    (merchant, source): (&str, &str),
    event_id: &str,
    content: &str,
) -> DbResult<Option<u64>> {
    let (Some(merchant), Some(source)) = (names.find(db, merchant)?, names.find(db, source)?) else {
        return Ok(None);
    };
    let sql = "SELECT revision FROM incoming_events WHERE merchant = ?1 AND source = ?2 AND event_id = ?3 \
               AND content = ?4";
    first(db, sql, params![merchant, source, event_id, content], |row| {
        unsigned(row, "revision")
    })
}

fn marks_revision(db: &Connection, names: &mut Names, customer: CustomerId, source: &str) -> DbResult<Option<u64>> {
    let Some(source) = names.find(db, source)? else {
        return Ok(None);
    };
    let sql = "SELECT revision FROM event_marks WHERE customer = ?1 AND source = ?2";
    first(db, sql, params![blob(customer.as_uuid()), source], |row| {
        unsigned(row, "revision")
    })
}
