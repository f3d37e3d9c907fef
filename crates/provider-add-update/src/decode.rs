//! From an answer to a receipt.

use jiff::Timestamp;
use serde_json::Value as Json;

use upsert_core::{Evidence, Intent, KeyKind, Outcome, PreparedUpsert, ProviderError, UpsertReceipt};
use upsert_provider_kit::{WireReply, fates, unreadable};

use crate::AddUpdate;
use crate::capabilities::EXTERNAL_ID;
use crate::refusal::refusal;

/// Reads the answer: the record as it stands afterwards `[S3]`. Its id is our `externalId`: there is no other one in it.
/// An id other than the one sent is handed on as it is, since the caller compares.
pub(crate) fn decode(
    vendor: &AddUpdate,
    prepared: &PreparedUpsert,
    reply: &WireReply,
) -> Result<UpsertReceipt, ProviderError> {
    if !reply.is_success() {
        return Err(refusal(&vendor.capabilities, Some(prepared), reply));
    }
    let record: Json = serde_json::from_slice(&reply.body).map_err(|_| unreadable(reply, "the body is not JSON"))?;
    let Some(id) = record_id(&record) else {
        return Err(unreadable(reply, "the record has no externalId"));
    };
    let (outcome, evidence) = outcome(prepared.intent, reply.status, &record);
    Ok(UpsertReceipt {
        outcome,
        evidence,
        matched_by: (outcome != Outcome::Created).then_some(KeyKind::Reference),
        provider_customer_id: id.to_owned(),
        fields: fates(&prepared.sent, &record),
        vendor_request_id: None,
    })
}

/// The record's `externalId`, if it has one.
pub(crate) fn record_id(record: &Json) -> Option<&str> {
    record.get(EXTERNAL_ID)?.as_str().filter(|id| !id.is_empty())
}

/// 201 is the vendor's word `[A]`, then what the gateway knew, then the record's two moments `[A]`.
fn outcome(intent: Intent, status: u16, record: &Json) -> (Outcome, Evidence) {
    if status == 201 {
        return (Outcome::Created, Evidence::VendorSaid);
    }
    if intent == Intent::Update {
        return (Outcome::Updated, Evidence::Link);
    }
    match (moment(record, "createdAt"), moment(record, "updatedAt")) {
        (Some(created), Some(updated)) if created == updated => (Outcome::Created, Evidence::Inferred),
        (Some(_), Some(_)) => (Outcome::Updated, Evidence::Inferred),
        _ => (Outcome::Upserted, Evidence::None),
    }
}

/// Compared as moments: one and the same may be written with and without fractions of a second.
fn moment(record: &Json, name: &str) -> Option<Timestamp> {
    record.get(name)?.as_str()?.parse().ok()
}
