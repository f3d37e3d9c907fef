//! From a refusal to its meaning, with the vendor's code, words and fields.

use serde_json::Value as Json;

use upsert_core::{Capabilities, PreparedUpsert, ProviderError, RetryAdvice};
use upsert_provider_kit::{FieldNames, WireReply, classify, cut, error_in_disguise, record_id};

use crate::capabilities::EXTERNAL_ID;

/// Reads what is not a 2xx, or an error's document under one. The body is the vendor's envelope
/// `{"error":{code,message,details[]}}` `[D]` or its framework's own `{"statusCode","message","error"}` `[A]`; any member
/// may be missing.
pub(crate) fn refusal(
    capabilities: &Capabilities,
    prepared: Option<&PreparedUpsert>,
    reply: &WireReply,
) -> ProviderError {
    let is_disguised = reply.is_success();
    let mut error = if is_disguised {
        error_in_disguise(reply)
    } else {
        classify(reply)
    };
    if reply.status == 409 {
        // The vendor's DUPLICATE: on an upsert that is a race, so once more.
        error.advice = RetryAdvice::Once;
    }
    let body = reply.json().unwrap_or_default();
    let envelope = body.get("error").filter(|envelope| envelope.is_object());
    let said = envelope.unwrap_or(&body);
    error.code = said.get("code").and_then(Json::as_str).map(cut);
    let words = words(said);
    if !words.is_empty() {
        let words = words.join("; ");
        error.detail = if is_disguised {
            cut(&format!("{}: {words}", error.detail))
        } else {
            cut(&words)
        };
    }
    let names = FieldNames::new(&capabilities.forms, prepared.map(|prepared| &prepared.sent));
    error.errors = match said.get("details").or_else(|| said.get("errors")) {
        Some(details) => names.complaints(details),
        None => words.iter().flat_map(|words| names.in_words(words)).collect(),
    };
    error
}

/// Whether the body is an error's, whatever the status says: it holds an error and no record.
pub(crate) fn is_error(body: &Json) -> bool {
    let is_there = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    body.get(EXTERNAL_ID).and_then(record_id).is_none()
        && (is_there("error") || (is_there("statusCode") && is_there("message")))
}

/// A framework gives one text or a list of them; the envelope's `error` may be a text itself.
fn words(said: &Json) -> Vec<&str> {
    match (said.get("message"), said.get("error")) {
        (Some(Json::String(text)), _) => vec![text.as_str()],
        (Some(Json::Array(texts)), _) => texts.iter().filter_map(Json::as_str).collect(),
        (_, Some(Json::String(text))) => vec![text.as_str()],
        _ => Vec::new(),
    }
}
