//! From an answer to a receipt.

use serde_json::Value as Json;

use upsert_core::{Evidence, Intent, Outcome, PreparedUpsert, ProviderError, UpsertReceipt};
use upsert_provider_kit::{WireReply, fates, unreadable};

use crate::April;
use crate::refusal::refusal;

/// Reads the answer: `{customerId, merchantId}` `[S4]`, which echoes nothing, so that every field stays unconfirmed.
pub(crate) fn decode(
    vendor: &April,
    prepared: &PreparedUpsert,
    reply: &WireReply,
) -> Result<UpsertReceipt, ProviderError> {
    if !reply.is_success() {
        return Err(refusal(reply));
    }
    let answer: Json = serde_json::from_slice(&reply.body).map_err(|_| unreadable(reply, "the body is not JSON"))?;
    let Some(id) = text(&answer, "customerId") else {
        return Err(unreadable(reply, "it has no customerId"));
    };
    if let (Some(ours), Some(theirs)) = (vendor.settings.merchant_id.as_deref(), text(&answer, "merchantId"))
        && ours != theirs
    {
        return Err(unreadable(reply, "it names another merchant than settings.merchant_id"));
    }
    let (outcome, evidence) = outcome(prepared.intent, reply.status);
    let matched_by = prepared.match_key.as_ref().map(|key| key.kind);
    Ok(UpsertReceipt {
        outcome,
        evidence,
        matched_by: matched_by.filter(|_| outcome != Outcome::Created),
        provider_customer_id: id.to_owned(),
        fields: fates(&prepared.sent, &Json::Null),
        vendor_request_id: None,
    })
}

/// A member that is a text and not empty.
pub(crate) fn text<'a>(object: &'a Json, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// One status for both `[S4]`, so only the link can tell; a 201 would be the vendor's word `[A]`.
fn outcome(intent: Intent, status: u16) -> (Outcome, Evidence) {
    match (status, intent) {
        (201, _) => (Outcome::Created, Evidence::VendorSaid),
        (_, Intent::Update) => (Outcome::Updated, Evidence::Link),
        _ => (Outcome::Upserted, Evidence::None),
    }
}
