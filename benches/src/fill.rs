//! A store that has seen much: customers, each with an upsert and a delivery, written through the store itself.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;

use upsert_core::{
    Customer, ErrorKind, Evidence, FieldOutcomes, IdSource, KeyKind, MatchKey, Outcome, StateAtVendor, SystemClock,
    UpsertReceipt, VendorSaid, WaitingFor,
};
use upsert_store::{
    Applied, Changeset, ConnectionRecord, CustomerChange, CustomerRecord, DeliveryError, DeliveryRecord, DeliveryState,
    Lane, Link, Pause, PausedBy, Store as _, UpsertRecord, UpsertState, Write,
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
        by: PausedBy::Operator,
        since: now(),
        reason: "paused by the benchmark".to_owned(),
        fingerprint: String::new(),
    };
    let paused = Write::PutConnection(ConnectionRecord {
        revision: 1,
        pause: Some(pause),
        ..ConnectionRecord::new(MERCHANT, CONNECTIONS[2])
    });
    apply(&store, vec![paused]).await?;
    let closing = Arc::clone(&store);
    tokio::task::spawn_blocking(move || closing.close()).await?;
    filled.context("a full store has customers")
}

async fn apply(store: &SqliteStore, write: Vec<Write>) -> anyhow::Result<()> {
    let changes = Changeset {
        write,
        ..Changeset::of(MERCHANT)
    };
    let applied = store.apply(changes).await?;
    anyhow::ensure!(applied == Applied::Done, "the store did not take it");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a tool that writes what happened just now")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn customer(ids: &IdSource, number: u64) -> anyhow::Result<(Vec<Write>, Filled)> {
    let (id, upsert, at) = (ids.customer(MERCHANT), ids.upsert(MERCHANT), now());
    let phone = format!("+1202{number:07}");
    let record = json!({
        "kind": "person", "reference": format!("FULL-{number}"), "given_name": "Ann", "family_name": format!("Lee{number}"),
        "email": format!("ann.{number}@example.com"), "phone": phone, "status": "active", "tags": ["full"],
        "addresses": { "billing": { "line1": "1 Main St", "city": "Springfield", "state": "IL", "postal_code": "62701", "country": "US" } },
    });
    let customer = Customer::from_json(&record).context("the record is a customer's")?;
    let mut accepted = UpsertRecord::new(upsert, MERCHANT, id, 1, "fill", at);
    (accepted.new_customer, accepted.changed) = (true, true);
    let delivery = delivery(number, &accepted);
    end(&mut accepted, &delivery);
    let mut write: Vec<Write> = customer
        .identifiers()
        .into_iter()
        .map(|identifier| Write::AddIdentifier {
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
    let change = CustomerChange {
        record: customer,
        links: std::collections::BTreeMap::new(),
    };
    write.push(Write::PutUpsert(accepted, Some(change)));
    write.push(Write::PutLane(lane(&delivery, number)));
    let filled = Filled {
        customer: id.to_string(),
        phone,
        failed: delivery.id.to_string(),
    };
    write.push(Write::PutDelivery(delivery, None));
    Ok((write, filled))
}

/// How it ended; it waits where it has not.
fn end(upsert: &mut UpsertRecord, delivery: &DeliveryRecord) {
    match delivery.state() {
        DeliveryState::Succeeded => upsert.end(UpsertState::Succeeded, upsert.created_at),
        DeliveryState::Failed => upsert.end(UpsertState::Failed, upsert.created_at),
        _ => {}
    }
}

fn lane(delivery: &DeliveryRecord, number: u64) -> Lane {
    let mut lane = Lane::new(MERCHANT, delivery.customer, &delivery.connection);
    let _it_is_new = lane.change();
    match delivery.state() {
        DeliveryState::Succeeded => {
            let link = Link {
                provider_customer_id: format!("v{number}"),
                key: MatchKey {
                    kind: KeyKind::Reference,
                    value: format!("FULL-{number}"),
                },
                shared: false,
                adopted: None,
            };
            return lane.with_link(link, delivery.ended_at());
        }
        DeliveryState::Failed => lane.mark_failed(1),
        _ => lane.queue(delivery.id),
    }
    lane
}

fn delivery(number: u64, upsert: &UpsertRecord) -> DeliveryRecord {
    let (part, at) = (number % 1_000, upsert.created_at);
    let waits = (FAILED..FAILED + WAITING).contains(&part);
    let connection = if waits {
        CONNECTIONS[2]
    } else {
        CONNECTIONS[usize::try_from(number % 2).unwrap_or_default()]
    };
    let mut delivery = DeliveryRecord::new(1, upsert, connection, connection, true);
    delivery.start_at_once(at);
    if part < FAILED {
        let error = refused(number);
        delivery.note_failed_call(&error, true, 12);
        delivery.fail(error, at);
    } else if waits {
        delivery.wait(WaitingFor::Paused, None, at);
    } else {
        delivery.succeed(&created(number), 12, at);
    }
    delivery
}

fn created(number: u64) -> UpsertReceipt {
    UpsertReceipt {
        outcome: Outcome::Created,
        evidence: Evidence::VendorSaid,
        matched_by: None,
        provider_customer_id: format!("v{number}"),
        fields: FieldOutcomes::default(),
        vendor_request_id: None,
        vendor_said: VendorSaid::default(),
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
        vendor_headers: std::collections::BTreeMap::new(),
        vendor_body: None,
    }
}
