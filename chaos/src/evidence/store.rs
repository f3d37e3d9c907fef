//! What the store's file holds, read with SQL of our own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use rusqlite::Connection;
use serde_json::Value as Json;
use upsert_core::traceparent_of_attempt;

use super::{Attempt, Customer, Delivery, Evidence, Upsert, Version, span_of};

/// Reads the file into the evidence. Nobody may be writing to it.
///
/// # Errors
/// It is no store, or it is broken.
pub fn read_store(file: &Path, evidence: &mut Evidence) -> anyhow::Result<()> {
    let db = Connection::open(file)?;
    evidence.integrity = integrity(&db)?;
    let records = |sql: &str| -> anyhow::Result<Vec<Json>> {
        let mut statement = db.prepare(sql)?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        rows.map(|row| Ok(serde_json::from_str(&row?)?)).collect()
    };
    for record in records("SELECT record FROM upserts")? {
        evidence.upserts.insert(text(&record, "id")?, upsert(&record)?);
    }
    for record in records("SELECT record FROM deliveries")? {
        evidence.deliveries.insert(text(&record, "id")?, delivery(&record)?);
    }
    attempts(&db, &mut evidence.deliveries)?;
    versions(&db, evidence)?;
    customers(&db, evidence)?;
    for lane in records("SELECT record FROM lanes")? {
        let (customer, connection) = (text(&lane, "customer")?, text(&lane, "connection")?);
        for member in ["in_flight", "queued"] {
            if let Some(id) = lane[member].as_str() {
                let line = format!("{member} {id} of {customer} at {connection}");
                evidence.busy_lanes.push(line);
            }
        }
        // A lane of a customer that is gone shows up as a customer without a record.
        let customer = evidence.customers.entry(customer).or_default();
        let has_given_up = lane["declined"]
            .as_object()
            .is_some_and(|declined| !declined.is_empty());
        if lane["failed"] == true || has_given_up {
            customer.failed.push(connection.clone());
        }
        if let Some(id) = lane["link"]["provider_customer_id"].as_str() {
            customer.links.insert(connection, id.to_owned());
        }
    }
    Ok(())
}

/// What SQLite says of a copy of the store: the gateway itself has to recover the original.
///
/// # Errors
/// It cannot be copied or opened.
pub fn integrity_of_a_copy(file: &Path) -> anyhow::Result<String> {
    let copy = file.with_extension("copy");
    for end in ["", "-wal"] {
        let name = |path: &Path| format!("{}{end}", path.display());
        // There is no log where all of it was moved into the file.
        let _ = fs::remove_file(name(&copy));
        let _ = fs::copy(name(file), name(&copy));
    }
    let verdict = integrity(&Connection::open(&copy)?)?;
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", copy.display()));
    }
    Ok(verdict)
}

fn integrity(db: &Connection) -> anyhow::Result<String> {
    Ok(db.query_row("PRAGMA integrity_check", [], |row| row.get(0))?)
}

fn text(record: &Json, member: &str) -> anyhow::Result<String> {
    let text = record[member].as_str();
    Ok(text
        .with_context(|| format!("a stored record has no {member}: {record}"))?
        .to_owned())
}

fn upsert(record: &Json) -> anyhow::Result<Upsert> {
    Ok(Upsert {
        customer: text(record, "customer")?,
        state: text(record, "state")?,
        rolled_back: record["rolled_back"] == true,
        changed: record["changed"] == true,
    })
}

fn delivery(record: &Json) -> anyhow::Result<Delivery> {
    let maybe = |member: &str| record[member].as_str().map(str::to_owned);
    let error = &record["error"];
    Ok(Delivery {
        upsert: text(record, "upsert")?,
        customer: text(record, "customer")?,
        connection: text(record, "connection")?,
        state: text(record, "state")?,
        outcome: maybe("outcome"),
        waiting_for: maybe("waiting_for"),
        superseded_by: maybe("superseded_by"),
        version: record["version"].as_u64().unwrap_or_default(),
        trace: maybe("traceparent").as_deref().and_then(trace_of),
        error: error["kind"].as_str().map(|kind| {
            let code = error["code"].as_str().unwrap_or("-");
            format!("{kind} {code} {}", error["vendor_status"])
        }),
        attempts: Vec::new(),
    })
}

/// The trace id of a `traceparent`.
fn trace_of(traceparent: &str) -> Option<String> {
    traceparent.split('-').nth(1).map(str::to_owned)
}

fn attempts(db: &Connection, deliveries: &mut BTreeMap<String, Delivery>) -> anyhow::Result<()> {
    let sql = "SELECT d.record, a.number, a.started_at, a.ended_at, a.result, a.vendor_status FROM attempts a \
               LEFT JOIN deliveries d ON d.id = a.delivery ORDER BY a.delivery, a.number";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let record: Option<String> = row.get(0)?;
        let record: Json = serde_json::from_str(&record.context("an attempt without a delivery")?)?;
        let (id, number) = (text(&record, "id")?, row.get(1)?);
        let traceparent = traceparent_of_attempt(record["traceparent"].as_str(), id.parse()?, number);
        let attempt = Attempt {
            number,
            span: span_of(&traceparent).context("an attempt without a span")?,
            started_at: row.get(2)?,
            ended_at: row.get(3)?,
            result: row.get(4)?,
            vendor_status: row.get(5)?,
        };
        let delivery = deliveries.get_mut(&id);
        delivery.context("an unknown delivery")?.attempts.push(attempt);
    }
    Ok(())
}

fn versions(db: &Connection, evidence: &mut Evidence) -> anyhow::Result<()> {
    let sql = "SELECT u.record, h.version, h.record FROM history h LEFT JOIN upserts u ON u.id = h.upsert \
               WHERE h.refused = 0 ORDER BY h.customer, h.version";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let made_by: Option<String> = row.get(0)?;
        let made_by: Json = serde_json::from_str(&made_by.context("a version that no upsert made")?)?;
        evidence.versions.push(Version {
            customer: text(&made_by, "customer")?,
            version: row.get::<_, i64>(1)?.try_into()?,
            upsert: text(&made_by, "id")?,
            record: serde_json::from_str(&row.get::<_, String>(2)?)?,
        });
    }
    Ok(())
}

/// A customer's stored record does not name its id; the history does.
fn customers(db: &Connection, evidence: &mut Evidence) -> anyhow::Result<()> {
    let sql = "SELECT (SELECT u.record FROM history h JOIN upserts u ON u.id = h.upsert WHERE h.customer = c.id \
               LIMIT 1), n.name, c.version, c.record FROM customers c JOIN names n ON n.id = c.merchant";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let upsert: Option<String> = row.get(0)?;
        let upsert: Json = serde_json::from_str(&upsert.context("a customer without a history")?)?;
        let customer = Customer {
            merchant: row.get(1)?,
            version: row.get::<_, i64>(2)?.try_into()?,
            record: serde_json::from_str(&row.get::<_, String>(3)?)?,
            ..Customer::default()
        };
        evidence.customers.insert(text(&upsert, "customer")?, customer);
    }
    Ok(())
}
