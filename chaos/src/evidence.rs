//! All that is known after a run: what clients were told, what the vendors' journals and shelves hold, and what the
//! store holds. The checker needs nothing else, so a test can make up any of it.

mod store;
mod vendors;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::load::Exchange;
use crate::receiver::ToldEvent;

pub use store::{integrity_of_a_copy, read_database, read_store};
pub use vendors::read_vendors;

/// Everything after a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Evidence {
    /// What clients sent and were told.
    pub exchanges: Vec<Exchange>,
    /// The store's upserts by id.
    pub upserts: BTreeMap<String, Upsert>,
    /// The store's deliveries by id.
    pub deliveries: BTreeMap<String, Delivery>,
    /// Every version that stands in a customer's history.
    pub versions: Vec<Version>,
    /// The customers as they are.
    pub customers: BTreeMap<String, Customer>,
    /// What lanes still hold: customer, connection, and which delivery.
    pub busy_lanes: Vec<String>,
    /// What SQLite says about its file; `ok` if it is sound.
    pub integrity: String,
    /// What each vendor has, by connection.
    pub vendors: BTreeMap<String, VendorSide>,
    /// What the merchants' own system was told, where there is one.
    pub told: Option<Vec<ToldEvent>>,
    /// No vendor takes as long as a lease lasts, so whatever becomes of a gateway its calls are over when the next may begin.
    pub calls_are_short: bool,
}

/// An upsert as the store has it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Upsert {
    /// The customer's id.
    pub customer: String,
    /// `pending`, `succeeded`, …
    pub state: String,
    /// Whether the change was taken back.
    pub rolled_back: bool,
    /// Whether it changed the customer.
    pub changed: bool,
}

/// A delivery as the store has it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Delivery {
    /// Its upsert's id.
    pub upsert: String,
    /// The customer's id.
    pub customer: String,
    /// The connection.
    pub connection: String,
    /// `pending`, `waiting`, …
    pub state: String,
    /// `created`, `unchanged`, …
    pub outcome: Option<String>,
    /// Why it waits.
    pub waiting_for: Option<String>,
    /// The one that went in its place.
    pub superseded_by: Option<String>,
    /// The customer's version that it brought.
    pub version: u64,
    /// The trace of the request that it came from.
    pub trace: Option<String>,
    /// What went wrong last: kind and code.
    pub error: Option<String>,
    /// Its attempts, in order.
    pub attempts: Vec<Attempt>,
}

/// One attempt row.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Attempt {
    /// Its number.
    pub number: u32,
    /// The trace and the span that its call carries: no other attempt's does.
    pub span: String,
    /// When it was about to be sent, in microseconds since 1970.
    pub started_at: i64,
    /// When it was over; none: nobody knows what became of it.
    pub ended_at: Option<i64>,
    /// An outcome's or an error kind's name, or `not_sent`.
    pub result: Option<String>,
    /// The HTTP status of a refusal.
    pub vendor_status: Option<u16>,
}

/// One version of a customer's history that was not taken back.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Version {
    /// The customer's id.
    pub customer: String,
    /// From 1.
    pub version: u64,
    /// The upsert that made it.
    pub upsert: String,
    /// The record after it.
    pub record: Json,
}

/// A customer as it is now.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Customer {
    /// Whose.
    pub merchant: String,
    /// Its version.
    pub version: u64,
    /// The record.
    pub record: Json,
    /// The vendor's id of its record, by connection.
    pub links: BTreeMap<String, String>,
    /// Connections whose latest delivery failed, or at which an operator gave something up.
    pub failed: Vec<String>,
}

/// What a vendor has seen and holds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct VendorSide {
    /// The provider in the gateway.
    pub provider: String,
    /// Every call, in the order of their arrival.
    pub calls: Vec<Call>,
    /// Every record.
    pub records: Vec<Record>,
}

/// One line of a vendor's journal.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Call {
    /// When its head was read, in microseconds since 1970.
    pub received_at: i64,
    /// The same on a counter that never stands still.
    pub received_tick: u64,
    /// When the answer was handed over, on that counter; none where it never was.
    pub finished_tick: Option<u64>,
    /// The trace and the span that it carried, as in a `traceparent`: `{trace}-{span}`.
    pub span: Option<String>,
    /// The person's e-mail address, from its body or from the record that it names.
    pub person: Option<String>,
    /// The record that it wrote, if it wrote.
    pub wrote: Option<String>,
    /// Whether that record was new.
    pub created: bool,
    /// The HTTP status that was answered.
    pub status: Option<u16>,
}

/// A vendor's record.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Record {
    /// The vendor's id of it, as the gateway gets to see it.
    pub id: String,
    /// The fields in the vendor's words.
    pub fields: Map<String, Json>,
}

impl Evidence {
    /// The delivery, or the last of those that went in its place.
    pub fn effective<'a>(&'a self, delivery: &'a Delivery) -> &'a Delivery {
        let mut last = delivery;
        // More steps than there are deliveries would be a ring.
        for _ in 0..self.deliveries.len() {
            match last.superseded_by.as_ref().and_then(|id| self.deliveries.get(id)) {
                Some(next) => last = next,
                None => break,
            }
        }
        last
    }

    /// Writes it into a folder, for whoever looks into a failure.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn keep(&self, folder: &Path) -> anyhow::Result<()> {
        let lines: Result<Vec<String>, _> = self.exchanges.iter().map(serde_json::to_string).collect();
        fs::write(folder.join("clients.jsonl"), lines?.join("\n"))?;
        for (connection, side) in &self.vendors {
            let name = format!("vendor-{connection}.json");
            fs::write(folder.join(name), serde_json::to_string_pretty(side)?)?;
        }
        let store = serde_json::json!({
            "upserts": self.upserts, "deliveries": self.deliveries, "versions": self.versions,
            "customers": self.customers, "busy_lanes": self.busy_lanes, "integrity": self.integrity,
        });
        fs::write(folder.join("store.json"), serde_json::to_string_pretty(&store)?)?;
        Ok(())
    }
}

impl Attempt {
    /// Whether the vendor's answer is known to have been an acceptance.
    pub fn was_accepted(&self) -> bool {
        let outcomes = ["created", "updated", "upserted", "unchanged"];
        self.result.as_deref().is_some_and(|result| outcomes.contains(&result))
    }

    /// Whether nobody can tell what it did at the vendor: no end, no answer, or one that says nothing.
    pub fn is_unknown(&self) -> bool {
        match (self.result.as_deref(), self.vendor_status) {
            (None | Some("broken_contract"), _) | (Some("transient"), None) => true,
            (Some("transient"), Some(status)) => matches!(status, 408 | 500 | 502 | 504),
            _ => false,
        }
    }

    /// Whether an answer of the vendor's was read.
    pub fn was_answered(&self) -> bool {
        self.was_accepted() || self.vendor_status.is_some()
    }
}

/// Trace and span of a `traceparent`: `{trace}-{span}`.
fn span_of(traceparent: &str) -> Option<String> {
    let mut parts = traceparent.split('-').skip(1);
    Some(format!("{}-{}", parts.next()?, parts.next()?))
}

/// A moment as the store counts.
pub(crate) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}
