//! What the vendors' journals and shelves hold.

use serde_json::{Map, Value as Json};
use upsert_simulators::{Answered, Entry};

use super::store::trace_of;
use super::{Call, Evidence, Record, VendorSide, micros};
use crate::vendors::Vendored;

/// Reads journals and records of all vendors into the evidence.
pub fn read_vendors(vendors: &[Vendored], evidence: &mut Evidence) {
    for vendor in vendors {
        let entries = vendor.simulator.journal().entries();
        let records = vendor.simulator.records().into_iter();
        let side = VendorSide {
            provider: vendor.provider.to_owned(),
            calls: entries.iter().map(call).collect(),
            records: records
                .map(|record| Record {
                    id: shown_id(vendor.provider, record.id, &record.fields),
                    fields: record.fields,
                })
                .collect(),
        };
        evidence.vendors.insert(vendor.connection.to_owned(), side);
    }
}

/// add-update never shows its own id: the gateway's link names ours.
fn shown_id(provider: &str, id: String, fields: &Map<String, Json>) -> String {
    match fields.get("externalId").and_then(Json::as_str) {
        Some(ours) if provider == "add-update" => ours.to_owned(),
        _ => id,
    }
}

fn call(entry: &Entry) -> Call {
    Call {
        received_at: micros(entry.received_at),
        received_tick: entry.received_tick,
        finished_tick: entry.finished_tick,
        trace: entry.header("traceparent").and_then(trace_of),
        person: person(&entry.body),
        wrote: entry.write.as_ref().map(|write| write.record.clone()),
        created: entry.write.as_ref().is_some_and(|write| write.created),
        status: match entry.answered {
            Some(Answered::Status { status, .. }) => Some(status),
            _ => None,
        },
    }
}

/// The e-mail address in a body of any of the vendors.
fn person(body: &str) -> Option<String> {
    let body: Json = serde_json::from_str(body).ok()?;
    let inner = body.get("UpsertConsumerCustomer").unwrap_or(&body);
    let email = inner.get("email").or_else(|| inner.get("emailAddress"))?;
    email.as_str().map(str::to_owned)
}
