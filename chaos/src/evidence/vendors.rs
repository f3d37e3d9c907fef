//! What the vendors' journals and shelves hold.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};
use upsert_simulators::{Answered, Entry};

use super::span_of;
use super::{Call, Evidence, Record, VendorSide, micros};
use crate::vendors::Vendored;

/// Reads journals and records of all vendors into the evidence.
pub fn read_vendors(vendors: &[Vendored], evidence: &mut Evidence) {
    for vendor in vendors {
        let records = vendor.simulator.records().into_iter();
        let records: Vec<Record> = records
            .map(|record| Record {
                id: shown_id(vendor.provider, record.id, &record.fields),
                fields: record.fields,
            })
            .collect();
        let people: HashMap<&str, &str> = records
            .iter()
            .filter_map(|record| Some((record.id.as_str(), email(&record.fields)?)))
            .collect();
        let entries = vendor.simulator.journal().entries();
        let side = VendorSide {
            provider: vendor.provider.to_owned(),
            calls: entries
                .iter()
                .filter(|entry| !is_read(entry))
                .map(|entry| call(entry, &people))
                .collect(),
            records,
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

/// A read is no attempt of a delivery: it finds out whether the vendor is there, when a connection is resumed or probed.
fn is_read(entry: &Entry) -> bool {
    entry.method == "GET" && entry.write.is_none()
}

fn call(entry: &Entry, people: &HashMap<&str, &str>) -> Call {
    Call {
        received_at: micros(entry.received_at),
        received_tick: entry.received_tick,
        finished_tick: entry.finished_tick,
        span: entry.header("traceparent").and_then(span_of),
        person: person(&entry.body, people),
        wrote: entry.write.as_ref().map(|write| write.record.clone()),
        created: entry.write.as_ref().is_some_and(|write| write.created),
        status: match entry.answered {
            Some(Answered::Status { status, .. }) => Some(status),
            _ => None,
        },
    }
}

/// The e-mail address in a body of any of the vendors, or in the record that the body names: nobody's changes here.
fn person(body: &str, people: &HashMap<&str, &str>) -> Option<String> {
    let body: Json = serde_json::from_str(body).ok()?;
    let inner = body.get("UpsertConsumerCustomer").unwrap_or(&body).as_object()?;
    let id = inner.get("id").or_else(|| inner.get("externalId"));
    let named = || people.get(id?.as_str()?).copied();
    email(inner).or_else(named).map(str::to_owned)
}

fn email(fields: &Map<String, Json>) -> Option<&str> {
    fields.get("email").or_else(|| fields.get("emailAddress"))?.as_str()
}
