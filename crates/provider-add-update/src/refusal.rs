//! From a refusal to its meaning, with the vendor's code, words and fields.

use serde_json::Value as Json;

use upsert_core::{Form, ProviderError, RetryAdvice};
use upsert_provider_kit::{FieldNames, Refusals, WireReply, cut, record_id};

use crate::AddUpdate;
use crate::capabilities::EXTERNAL_ID;

/// The body is the vendor's envelope `{"error":{code,message,details[]}}` `[D]` or its framework's own
/// `{"statusCode","message","error"}` `[A]`; any member may be missing.
impl Refusals for AddUpdate {
    fn forms(&self) -> &[Form] {
        &self.capabilities.forms
    }

    /// It holds an error and no record.
    fn is_error(&self, body: &Json) -> bool {
        let is_there = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
        body.get(EXTERNAL_ID).and_then(record_id).is_none()
            && (is_there("error") || (is_there("statusCode") && is_there("message")))
    }

    fn explain(&self, error: &mut ProviderError, reply: &WireReply, said: &Json, names: &FieldNames) {
        if reply.status == 409 {
            // The vendor's DUPLICATE: on an upsert that is a race, so once more.
            error.advice = RetryAdvice::Once;
        }
        let envelope = said.get("error").filter(|envelope| envelope.is_object());
        let said = envelope.unwrap_or(said);
        error.code = said.get("code").and_then(Json::as_str).map(cut);
        let words = words(said);
        if !words.is_empty() {
            let words = words.join("; ");
            error.detail = if reply.is_success() {
                cut(&format!("{}: {words}", error.detail))
            } else {
                cut(&words)
            };
        }
        error.errors = match said.get("details").or_else(|| said.get("errors")) {
            Some(details) => names.complaints(details),
            None => words.iter().flat_map(|words| names.in_words(words)).collect(),
        };
    }
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
