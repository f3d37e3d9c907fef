//! From an answer to a receipt.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use upsert_core::{Evidence, Intent, KeyKind, Outcome, PreparedUpsert, ProviderError, UpsertReceipt};
use upsert_provider_kit::{Refusals as _, WireReply, field_outcomes, record_id, unreadable};

use crate::AddUpdate;
use crate::capabilities::EXTERNAL_ID;

/// The record's two moments `[S3]`.
const TIMES: [&str; 2] = ["createdAt", "updatedAt"];

/// Two moments of one write are not further apart.
const ONE_WRITE: SignedDuration = SignedDuration::from_secs(1);

/// So far the vendor's clock may go behind ours.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(1);

/// Reads the answer: the record as it stands afterwards `[S3]`. Its id is our `externalId`: there is no other one in it.
/// An id other than the one sent is handed on as it is, since the caller compares; a number equals its text.
pub(crate) fn decode(
    vendor: &AddUpdate,
    prepared: &PreparedUpsert,
    reply: &WireReply,
) -> Result<UpsertReceipt, ProviderError> {
    let mut record = vendor.accepted(Some(prepared), reply)?;
    let Some(id) = record.get(EXTERNAL_ID).and_then(record_id) else {
        return Err(unreadable(reply, "the record has no externalId"));
    };
    record[EXTERNAL_ID] = Json::from(id.as_str());
    let (outcome, evidence) = outcome(prepared.intent, reply, &record);
    Ok(UpsertReceipt {
        outcome,
        evidence,
        matched_by: (outcome != Outcome::Created).then_some(KeyKind::Reference),
        provider_customer_id: id,
        fields: field_outcomes(&prepared.sent, &record),
        vendor_request_id: None,
        vendor_said: reply.said(&record, &TIMES),
    })
}

/// 201 is the vendor's word `[A]`, then what the gateway knew, then the record's two moments `[A]`: those of a record that
/// nobody has changed since it was made are equal too, so that it has to have been made by this call.
fn outcome(intent: Intent, reply: &WireReply, record: &Json) -> (Outcome, Evidence) {
    if reply.status == 201 {
        return (Outcome::Created, Evidence::VendorSaid);
    }
    if intent == Intent::Update {
        return (Outcome::Updated, Evidence::Link);
    }
    let [Some(created), Some(updated)] = TIMES.map(|name| moment(record, name)) else {
        return (Outcome::Upserted, Evidence::None);
    };
    if updated.duration_since(created).abs() > ONE_WRITE {
        (Outcome::Updated, Evidence::Inferred)
    } else if reply.began_at.duration_since(created) <= CLOCKS_APART {
        (Outcome::Created, Evidence::Inferred)
    } else {
        (Outcome::Upserted, Evidence::None)
    }
}

/// Compared as moments: one and the same may be written with and without fractions of a second.
fn moment(record: &Json, name: &str) -> Option<Timestamp> {
    record.get(name)?.as_str()?.trim().parse().ok()
}
