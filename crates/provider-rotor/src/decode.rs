//! From Rotor's answer to a receipt, or to what its error means.

use serde_json::{Map, Value as Json};

use upsert_core::{Evidence, Outcome, PreparedUpsert, ProviderError, UpsertReceipt};
use upsert_provider_kit::{Refusals as _, WireReply, field_outcomes, record_id, unreadable};

use crate::Rotor;

/// What an answer says beside the record's fields `[S0]`.
const BESIDE: [&str; 2] = ["message", "created_at"];

pub(crate) fn decode(
    rotor: &Rotor,
    prepared: &PreparedUpsert,
    reply: &WireReply,
) -> Result<UpsertReceipt, ProviderError> {
    if reply.is_success() {
        return accepted(rotor, prepared, reply);
    }
    let mut error = rotor.refusal(Some(prepared), reply);
    if reply.status == 404 && prepared.expected_id.is_some() {
        error.code = Some("link_stale".to_owned());
        error.detail = format!(
            "the vendor does not know the record of this link any more: unlink it, then replay ({})",
            error.detail
        );
        "the vendor does not know the linked record".clone_into(&mut error.context);
    }
    Err(error)
}

/// The record as the vendor keeps it, flat, with a message beside it `[S0]`.
fn accepted(rotor: &Rotor, prepared: &PreparedUpsert, reply: &WireReply) -> Result<UpsertReceipt, ProviderError> {
    let mut echo = object(rotor, Some(prepared), reply)?;
    let Some(id) = echo.get("id").and_then(record_id) else {
        return Err(unreadable(reply, "it has no id"));
    };
    let said = reply.said(&Json::Object(echo.clone()), &BESIDE);
    let message = said.members.get("message").and_then(Json::as_str).unwrap_or_default();
    let (outcome, evidence) = outcome(reply.status, message, prepared.expected_id.is_some());
    // `status` is the customer's own here; the word of an envelope would be no echo of it.
    if !matches!(
        echo.get("status").and_then(Json::as_str),
        None | Some("active" | "inactive")
    ) {
        echo.remove("status");
    }
    Ok(UpsertReceipt {
        outcome,
        evidence,
        matched_by: match outcome {
            Outcome::Created => None,
            _ => prepared.match_key.as_ref().map(|key| key.kind),
        },
        provider_customer_id: id,
        fields: field_outcomes(&prepared.sent, &Json::Object(echo)),
        vendor_request_id: None,
        vendor_said: said,
    })
}

/// A record whose id was sent was there before, whatever status and message say: another id in the answer fails the
/// delivery anyway. 201 is documented for leads, whose upsert is the same; the sentences for customers `[S1]`, of which
/// no other wording decides: `0 created` is none.
fn outcome(status: u16, message: &str, id_was_sent: bool) -> (Outcome, Evidence) {
    let message = message.trim().trim_end_matches('.').to_ascii_lowercase();
    match (id_was_sent, message.as_str()) {
        (true, "customer updated successfully") => (Outcome::Updated, Evidence::VendorSaid),
        (true, _) => (Outcome::Updated, Evidence::Link),
        (false, _) if status == 201 => (Outcome::Created, Evidence::VendorSaid),
        (false, "customer created successfully") => (Outcome::Created, Evidence::VendorSaid),
        (false, "customer updated successfully") => (Outcome::Updated, Evidence::VendorSaid),
        (false, _) => (Outcome::Upserted, Evidence::None),
    }
}

/// The body of a 2xx, which has to be an object and no error in disguise.
pub(crate) fn object(
    rotor: &Rotor,
    prepared: Option<&PreparedUpsert>,
    reply: &WireReply,
) -> Result<Map<String, Json>, ProviderError> {
    match reply.json() {
        _ if !reply.is_success() => Err(rotor.refusal(prepared, reply)),
        Some(body) if rotor.is_error(&body) => Err(rotor.refusal(prepared, reply)),
        Some(Json::Object(body)) => Ok(body),
        Some(_) => Err(unreadable(reply, "it is no JSON object")),
        None => Err(unreadable(reply, "it is no JSON")),
    }
}
