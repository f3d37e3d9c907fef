//! A store that has seen much: customers, each with an upsert and a delivery, written through the store itself.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;

use upsert_core::{
    Customer, CustomerId, ErrorKind, Evidence, FieldOutcomes, IdSource, KeyKind, MatchKey, Outcome, Priority,
    StateAtVendor, SystemClock, WaitingFor,
};
use upsert_store::{
    Applied, Changeset, ConnectionRecord, CustomerRecord, DeliveryError, DeliveryRecord, DeliveryState, HistoryRecord,
    Lane, Link, Pause, Store as _, UpsertRecord, UpsertState, Write,
};
use upsert_store_sql::sqlite::{SqliteOptions, SqliteStore};

/// The merchant whose store is full.
pub const MERCHANT: &str = "full";
/// Its connections. The last one is paused: what waits, waits there.
pub const CONNECTIONS: [&str; 3] = ["rotor", "add-update", "april"];

const AT_ONCE: u64 = 500;

/// How many of each thousand deliveries failed, and how many wait.
const FAILED: u64 = 20;
const WAITING: u64 = 10;

/// What was written last, to look it up.
#[derive(Debug, Clone)]
pub struct Filled {
    /// A customer.
    pub customer: String,
    /// Its phone number.
    pub phone: String,
    /// A delivery that failed.
    pub failed: String,
}

/// Writes so many customers.
///
/// # Errors
/// The store's.
pub async fn fill(database: &Path, customers: u64) -> anyhow::Result<Filled> {
    let database = database.to_owned();
    let open = move || SqliteStore::open(database, SqliteOptions::default());
    let store = Arc::new(tokio::task::spawn_blocking(open).await??);
    let ids = IdSource::new(Arc::new(SystemClock));
    let mut filled = None;
    for first in (0..customers).step_by(usize::try_from(AT_ONCE)?) {
        let mut write = Vec::new();
        for number in first..customers.min(first + AT_ONCE) {
            let (writes, written) = customer(&ids, number)?;
            write.extend(writes);
            if number % 1_000 < FAILED {
                filled = Some(written);
            }
        }
        apply(&store, write).await?;
    }
    let pause = Pause {
        by: upsert_store::PausedBy::Operator,
        since: now(),
        reason: "paused by the benchmark".to_owned(),
        fingerprint: String::new(),
    };
    let paused = Write::PutConnection(ConnectionRecord {
        merchant: MERCHANT.to_owned(),
        connection: CONNECTIONS[2].to_owned(),
        pause: Some(pause),
        quota_told: None,
    });
    apply(&store, vec![paused]).await?;
    let closing = Arc::clone(&store);
    tokio::task::spawn_blocking(move || closing.close()).await?;
    filled.context("a full store has customers")
}

async fn apply(store: &SqliteStore, write: Vec<Write>) -> anyhow::Result<()> {
    let expect = Vec::new();
    let applied = store.apply(Changeset { expect, write }).await?;
    anyhow::ensure!(applied == Applied::Done, "the store did not take it");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a tool that writes what happened just now")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn customer(ids: &IdSource, number: u64) -> anyhow::Result<(Vec<Write>, Filled)> {
    let (id, upsert, at) = (ids.customer(), ids.upsert(), now());
    let phone = format!("+1202{number:07}");
    let record = json!({
        "kind": "person", "reference": format!("FULL-{number}"), "given_name": "Ann", "family_name": format!("Lee{number}"),
        "email": format!("ann.{number}@example.com"), "phone": phone, "status": "active", "tags": ["full"],
        "addresses": { "billing": { "line1": "1 Main St", "city": "Springfield", "state": "IL", "postal_code": "62701", "country": "US" } },
    });
    let customer = Customer::from_json(&record).context("the record is a customer's")?;
    let delivery = delivery(ids, number, id, upsert, at);
    let mut write: Vec<Write> = customer
        .identifiers()
        .into_iter()
        .map(|identifier| Write::AddIdentifier {
            merchant: MERCHANT.to_owned(),
            identifier,
            customer: id,
        })
        .collect();
    write.push(Write::PutCustomer(CustomerRecord {
        id,
        merchant: MERCHANT.to_owned(),
        version: 1,
        revision: 1,
        customer: customer.clone(),
        created_at: at,
        updated_at: at,
    }));
    write.push(Write::PutHistory(HistoryRecord {
        customer: id,
        version: 1,
        upsert,
        at,
        by: "fill".to_owned(),
        refused: false,
        record: customer,
        links: std::collections::BTreeMap::new(),
        ignored: Vec::new(),
    }));
    write.push(Write::PutUpsert(upsert_of(&delivery)));
    write.push(Write::PutLane(lane(&delivery, number)));
    let filled = Filled {
        customer: id.to_string(),
        phone,
        failed: delivery.id.to_string(),
    };
    write.push(Write::PutDelivery(delivery));
    Ok((write, filled))
}

fn upsert_of(delivery: &DeliveryRecord) -> UpsertRecord {
    UpsertRecord {
        id: delivery.upsert,
        merchant: delivery.merchant.clone(),
        customer: delivery.customer,
        version: 1,
        revision: 1,
        state: match delivery.state {
            DeliveryState::Succeeded => UpsertState::Succeeded,
            DeliveryState::Failed => UpsertState::Failed,
            _ => UpsertState::Pending,
        },
        new_customer: true,
        changed: true,
        rolled_back: false,
        owes_event: false,
        by: "fill".to_owned(),
        through: None,
        ignored: Vec::new(),
        created_at: delivery.created_at,
        ended_at: delivery.ended_at,
    }
}

fn lane(delivery: &DeliveryRecord, number: u64) -> Lane {
    let mut lane = Lane::new(MERCHANT, delivery.customer, &delivery.connection);
    lane.revision = 1;
    match delivery.state {
        DeliveryState::Succeeded => {
            lane.link = Some(Link {
                provider_customer_id: format!("v{number}"),
                key: MatchKey {
                    kind: KeyKind::Reference,
                    value: format!("FULL-{number}"),
                },
                shared: false,
                adopted: None,
            });
            lane.last_delivered_at = delivery.ended_at;
        }
        DeliveryState::Failed => lane.failed = true,
        _ => lane.queued = Some(delivery.id),
    }
    lane
}

fn delivery(
    ids: &IdSource,
    number: u64,
    customer: CustomerId,
    upsert: upsert_core::UpsertId,
    at: Timestamp,
) -> DeliveryRecord {
    let state = match number % 1_000 {
        part if part < FAILED => DeliveryState::Failed,
        part if part < FAILED + WAITING => DeliveryState::Waiting,
        _ => DeliveryState::Succeeded,
    };
    let connection = match state {
        DeliveryState::Waiting => CONNECTIONS[2],
        _ => CONNECTIONS[usize::try_from(number % 2).unwrap_or_default()],
    };
    let has_ended = state.has_ended();
    let succeeded = state == DeliveryState::Succeeded;
    DeliveryRecord {
        id: ids.delivery(),
        upsert,
        merchant: MERCHANT.to_owned(),
        customer,
        connection: connection.to_owned(),
        provider: connection.to_owned(),
        required: true,
        version: 1,
        state,
        waiting_for: (!has_ended).then_some(WaitingFor::Paused),
        superseded_by: None,
        took_over: Vec::new(),
        outcome: succeeded.then_some(Outcome::Created),
        evidence: succeeded.then_some(Evidence::VendorSaid),
        matched_by: None,
        provider_customer_id: succeeded.then(|| format!("v{number}")),
        attempts: u32::from(has_ended),
        next_attempt_at: None,
        duration_ms: 12,
        fields: FieldOutcomes::default(),
        warnings: Vec::new(),
        error: (state == DeliveryState::Failed).then(|| refused(number)),
        force: false,
        priority: Priority::Interactive,
        fence: 1,
        lease_until: None,
        created_at: at,
        ended_at: has_ended.then_some(at),
        parked_ms: 0,
        parked_since: None,
        maybe_written: false,
        traceparent: None,
    }
}

fn refused(number: u64) -> DeliveryError {
    DeliveryError {
        kind: ErrorKind::Rejected,
        state_at_vendor: StateAtVendor::Unchanged,
        code: Some(format!("reason_{}", number % 7)),
        detail: "the vendor does not like the last name".to_owned(),
        vendor_status: Some(422),
        vendor_request_id: Some(format!("req-{number}")),
        errors: Vec::new(),
        vendor_body: None,
    }
}
