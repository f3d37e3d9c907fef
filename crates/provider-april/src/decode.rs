//! From an answer to a receipt.

use serde_json::Value as Json;

use upsert_core::{Evidence, Intent, Outcome, PreparedUpsert, ProviderError, UpsertReceipt};
use upsert_provider_kit::{Refusals as _, WireReply, field_outcomes, record_id, unreadable};

use crate::April;

/// What an answer says beside the record's id `[S4]`.
const BESIDE: [&str; 1] = [MERCHANT];

/// Whose record it is.
pub(crate) const MERCHANT: &str = "merchantId";

/// Reads the answer: `{customerId, merchantId}` `[S4]`, which echoes nothing, so that every field stays unconfirmed.
pub(crate) fn decode(
    vendor: &April,
    prepared: &PreparedUpsert,
    reply: &WireReply,
) -> Result<UpsertReceipt, ProviderError> {
    let answer = vendor.accepted(Some(prepared), reply)?;
    let Some(id) = answer.get("customerId").and_then(record_id) else {
        return Err(unreadable(reply, "it has no customerId"));
    };
    if vendor.is_of_another_merchant(&answer) {
        return Err(other_merchant(reply));
    }
    let (outcome, evidence) = outcome(prepared.intent, reply.status);
    let matched_by = prepared.match_key.as_ref().map(|key| key.kind);
    Ok(UpsertReceipt {
        outcome,
        evidence,
        matched_by: matched_by.filter(|_| outcome != Outcome::Created),
        provider_customer_id: id,
        fields: field_outcomes(&prepared.sent, &Json::Null),
        vendor_request_id: None,
        vendor_said: reply.said(&answer, &BESIDE),
    })
}

/// The answer is about somebody else's customer.
pub(crate) fn other_merchant(reply: &WireReply) -> ProviderError {
    unreadable(reply, "it names another merchant than settings.merchant_id").with_code("other_merchant")
}

impl April {
    /// Whether it names another merchant than the connection's, if that has one. A name that cannot be read is none of
    /// ours.
    pub(crate) fn is_of_another_merchant(&self, shown: &Json) -> bool {
        let theirs = shown.get(MERCHANT).filter(|theirs| !theirs.is_null());
        match (self.settings.merchant_id.as_deref(), theirs) {
            (Some(ours), Some(theirs)) => record_id(theirs).as_deref() != Some(ours),
            _ => false,
        }
    }
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
