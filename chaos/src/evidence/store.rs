//! What the store holds, read with SQL of our own from its file or its database.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use rusqlite::Connection;
use serde_json::{Map, Value as Json};
use tokio::task::JoinSet;
use uuid::Uuid;

use upsert_core::traceparent_of_attempt;
use upsert_core::{CustomerId, DeliveryId, UpsertId};

use super::{Attempt, Delivery, Evidence, Upsert, Version, span_of};

/// The rows that matter, in the order of their keys.
#[derive(Default)]
struct Rows {
    /// Upserts and, right behind each, its deliveries.
    upserts: Vec<UpsertRow>,
    /// Later attempts.
    attempts: Vec<Vec<u8>>,
    /// Customers and, right behind each, its lanes.
    customers: Vec<CustomerRow>,
}

struct UpsertRow {
    /// Of an upsert; a delivery has none.
    customer: Option<Vec<u8>>,
    body: Vec<u8>,
    change: Option<Vec<u8>>,
    attempt: Option<Vec<u8>>,
}

struct CustomerRow {
    merchant: String,
    customer: Vec<u8>,
    is_lane: bool,
    body: Vec<u8>,
}

/// Reads the file into the evidence. Nobody may be writing to it.
///
/// # Errors
/// It is no store, or it is broken.
pub fn read_store(file: &Path, evidence: &mut Evidence) -> anyhow::Result<()> {
    let db = Connection::open(file)?;
    evidence.integrity = integrity(&db)?;
    understand(&of_file(&db)?, evidence)
}

/// Reads the database into the evidence. Nobody may be writing to it.
///
/// # Errors
/// It is no store, or it cannot be reached.
pub async fn read_database(url: &str, evidence: &mut Evidence) -> anyhow::Result<()> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let rows = of_database(&client).await?;
    // Whoever can read all of it found it sound.
    "ok".clone_into(&mut evidence.integrity);
    understand(&rows, evidence)
}

fn understand(rows: &Rows, evidence: &mut Evidence) -> anyhow::Result<()> {
    let seen = upserts(&rows.upserts, evidence)?;
    later_attempts(&rows.attempts, &seen, &mut evidence.deliveries)?;
    customers(&rows.customers, &seen, evidence)
}

fn of_file(db: &Connection) -> anyhow::Result<Rows> {
    let mut rows = Rows::default();
    let mut statement = db.prepare("SELECT customer, body, change, attempt FROM upserts ORDER BY merchant, id")?;
    let found = statement.query_map([], |row| {
        Ok(UpsertRow {
            customer: row.get(0)?,
            body: row.get(1)?,
            change: row.get(2)?,
            attempt: row.get(3)?,
        })
    })?;
    rows.upserts = found.collect::<Result<_, _>>()?;
    let mut statement = db.prepare("SELECT attempt FROM attempts ORDER BY merchant, delivery, number")?;
    rows.attempts = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let sql = "SELECT n.name, c.customer, c.connection, c.body FROM customers c \
               JOIN names n ON n.id = c.merchant ORDER BY c.merchant, c.customer, c.connection";
    let mut statement = db.prepare(sql)?;
    let found = statement.query_map([], |row| {
        Ok(CustomerRow {
            merchant: row.get(0)?,
            customer: row.get(1)?,
            is_lane: row.get::<_, i64>(2)? != 0,
            body: row.get(3)?,
        })
    })?;
    rows.customers = found.collect::<Result<_, _>>()?;
    Ok(rows)
}

async fn of_database(client: &tokio_postgres::Client) -> anyhow::Result<Rows> {
    let bytes = |id: Uuid| id.as_bytes().to_vec();
    let mut rows = Rows::default();
    let sql = "SELECT customer, body, change, attempt FROM upserts ORDER BY merchant, id";
    for row in client.query(sql, &[]).await? {
        rows.upserts.push(UpsertRow {
            customer: row.try_get::<_, Option<Uuid>>(0)?.map(bytes),
            body: row.try_get(1)?,
            change: row.try_get(2)?,
            attempt: row.try_get(3)?,
        });
    }
    for row in client
        .query("SELECT attempt FROM attempts ORDER BY merchant, delivery, number", &[])
        .await?
    {
        rows.attempts.push(row.try_get(0)?);
    }
    let sql = "SELECT merchant, customer, connection, body FROM customers ORDER BY merchant, customer, connection";
    for row in client.query(sql, &[]).await? {
        rows.customers.push(CustomerRow {
            merchant: row.try_get(0)?,
            customer: bytes(row.try_get(1)?),
            is_lane: !row.try_get::<_, &str>(2)?.is_empty(),
            body: row.try_get(3)?,
        });
    }
    Ok(rows)
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

/// An id as the API shows it.
fn id<T: fmt::Display>(record: &Json, member: &str, of: fn(Uuid) -> T) -> anyhow::Result<String> {
    Ok(of(text(record, member)?.parse()?).to_string())
}

fn text(record: &Json, member: &str) -> anyhow::Result<String> {
    let text = record[member].as_str();
    Ok(text
        .with_context(|| format!("a stored record has no {member}: {record}"))?
        .to_owned())
}

fn upsert(record: &Json) -> anyhow::Result<Upsert> {
    Ok(Upsert {
        customer: id(record, "customer", CustomerId::from_uuid)?,
        state: record["ended"]["state"].as_str().unwrap_or("pending").to_owned(),
        rolled_back: record["rolled_back"] == true,
        changed: record["changed"] == true,
    })
}

fn delivery(record: &Json, upsert: String) -> anyhow::Result<Delivery> {
    let course = &record["course"];
    let progress = course["progress"]
        .as_object()
        .and_then(|progress| progress.iter().next());
    let (state, progress) = progress.with_context(|| format!("a delivery without a state: {record}"))?;
    let maybe = |member: &str| progress[member].as_str().map(str::to_owned);
    let error = match &progress["error"] {
        Json::Null => &course["last_error"],
        error => error,
    };
    let by = maybe("by").map(|by| by.parse()).transpose()?;
    Ok(Delivery {
        upsert,
        customer: id(record, "customer", CustomerId::from_uuid)?,
        connection: text(record, "connection")?,
        state: state.clone(),
        outcome: maybe("outcome"),
        waiting_for: maybe("waiting_for"),
        superseded_by: by.map(|by| DeliveryId::from_uuid(by).to_string()),
        version: record["version"].as_u64().unwrap_or_default(),
        trace: record["traceparent"].as_str().and_then(trace_of),
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

/// What is needed to read the rest.
#[derive(Default)]
struct Seen {
    /// How the ids of customers are spelled, which their own rows do not say.
    customers: BTreeMap<Vec<u8>, String>,
    /// Deliveries' `traceparent`s.
    traceparents: BTreeMap<String, String>,
}

/// Upserts, what each changed, and its deliveries, which stand right behind it.
fn upserts(rows: &[UpsertRow], evidence: &mut Evidence) -> anyhow::Result<Seen> {
    let (mut seen, mut last) = (Seen::default(), None);
    for row in rows {
        let record = read(&row.body)?;
        if let Some(customer) = &row.customer {
            let id = id(&record, "id", UpsertId::from_uuid)?;
            let spelled = CustomerId::from_uuid(Uuid::from_slice(customer)?);
            seen.customers.insert(customer.clone(), spelled.to_string());
            if let Some(change) = row.change.as_ref().filter(|_| record["rolled_back"] != true) {
                evidence.versions.push(version(&record, &read(change)?)?);
            }
            evidence.upserts.insert(id.clone(), upsert(&record)?);
            last = Some(id);
        } else {
            let id = id(&record, "id", DeliveryId::from_uuid)?;
            let of = last.clone().context("a delivery without an upsert")?;
            let traceparent = record["traceparent"].as_str();
            let mut delivery = delivery(&record, of)?;
            if let Some(first) = &row.attempt {
                delivery.attempts.push(attempt(&read(first)?, traceparent)?);
            }
            let traceparent = traceparent.map(|traceparent| (id.clone(), traceparent.to_owned()));
            seen.traceparents.extend(traceparent);
            evidence.deliveries.insert(id, delivery);
        }
    }
    evidence
        .versions
        .sort_by(|one, other| (&one.customer, one.version).cmp(&(&other.customer, other.version)));
    Ok(seen)
}

fn read(bytes: &[u8]) -> anyhow::Result<Json> {
    let mut bytes = bytes;
    Ok(json(rmpv::decode::read_value(&mut bytes)?))
}

/// As JSON; bytes are ids.
fn json(value: rmpv::Value) -> Json {
    match value {
        rmpv::Value::Nil | rmpv::Value::Ext(..) => Json::Null,
        rmpv::Value::Boolean(flag) => flag.into(),
        rmpv::Value::Integer(number) => match number.as_u64() {
            Some(number) => number.into(),
            None => number.as_i64().into(),
        },
        rmpv::Value::F32(number) => number.into(),
        rmpv::Value::F64(number) => number.into(),
        rmpv::Value::String(text) => text.into_str().into(),
        rmpv::Value::Binary(bytes) => Uuid::from_slice(&bytes).map_or(Json::Null, |id| id.to_string().into()),
        rmpv::Value::Array(items) => items.into_iter().map(json).collect(),
        rmpv::Value::Map(members) => members
            .into_iter()
            .map(|(name, value)| (name.as_str().unwrap_or_default().to_owned(), json(value)))
            .collect(),
    }
}

fn version(upsert: &Json, change: &Json) -> anyhow::Result<Version> {
    Ok(Version {
        customer: id(upsert, "customer", CustomerId::from_uuid)?,
        version: upsert["version"].as_u64().context("an upsert without a version")?,
        upsert: id(upsert, "id", UpsertId::from_uuid)?,
        record: nested(&change["record"]),
    })
}

/// A customer's values are kept by JSON Pointer; accounts are compared as the API shows them.
fn nested(kept: &Json) -> Json {
    let mut record = Json::Object(Map::new());
    for (pointer, value) in kept.as_object().into_iter().flatten() {
        let mut place = &mut record;
        for name in pointer.trim_start_matches('/').split('/') {
            place = &mut place[name];
        }
        *place = value.clone();
    }
    record
}

fn attempt(record: &Json, traceparent: Option<&str>) -> anyhow::Result<Attempt> {
    let number = record["number"].as_u64().context("an attempt without a number")?;
    let number = u32::try_from(number)?;
    let traceparent = traceparent_of_attempt(
        traceparent,
        DeliveryId::from_uuid(text(record, "delivery")?.parse()?),
        number,
    );
    Ok(Attempt {
        number,
        span: span_of(&traceparent).context("an attempt without a span")?,
        started_at: record["started_at"]
            .as_i64()
            .context("an attempt without a beginning")?,
        ended_at: record["ended_at"].as_i64(),
        result: record["result"].as_str().map(str::to_owned),
        vendor_status: record["vendor_status"].as_u64().map(u16::try_from).transpose()?,
    })
}

fn later_attempts(rows: &[Vec<u8>], seen: &Seen, deliveries: &mut BTreeMap<String, Delivery>) -> anyhow::Result<()> {
    for row in rows {
        let record = read(row)?;
        let id = id(&record, "delivery", DeliveryId::from_uuid)?;
        let attempt = attempt(&record, seen.traceparents.get(&id).map(String::as_str))?;
        deliveries
            .get_mut(&id)
            .context("an unknown delivery")?
            .attempts
            .push(attempt);
    }
    Ok(())
}

/// Customers and, right behind each, its lanes.
fn customers(rows: &[CustomerRow], seen: &Seen, evidence: &mut Evidence) -> anyhow::Result<()> {
    for row in rows {
        let body = read(&row.body)?;
        if row.is_lane {
            note_lane(&body, evidence)?;
            continue;
        }
        let name = seen.customers.get(&row.customer);
        let name = name.context("a customer without a history")?;
        let customer = evidence.customers.entry(name.clone()).or_default();
        customer.merchant.clone_from(&row.merchant);
        customer.version = body["version"].as_u64().context("a customer without a version")?;
        customer.record = nested(&body["customer"]);
    }
    Ok(())
}

fn note_lane(lane: &Json, evidence: &mut Evidence) -> anyhow::Result<()> {
    let customer = id(lane, "customer", CustomerId::from_uuid)?;
    let connection = text(lane, "connection")?;
    for (what, member) in [("in flight", &lane["call"]["delivery"]), ("queued", &lane["queued"])] {
        if let Some(id) = member.as_str() {
            let id = DeliveryId::from_uuid(id.parse()?);
            let line = format!("{what} {id} of {customer} at {connection}");
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
    Ok(())
}
