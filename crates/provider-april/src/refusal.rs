//! From a refusal to its meaning, with April's code, words, tracer and fields.

use serde_json::Value as Json;

use upsert_core::{Capabilities, FieldError, PreparedUpsert, ProviderError, RetryAdvice};
use upsert_provider_kit::{FieldNames, WireReply, classify, cut, error_in_disguise};

use crate::decode::text;

/// Reads what is not a 2xx, or an error's document under one: `statusCode`, `errorCode`, `message`, `tracer`, `detail`,
/// `errorTypeDescription`, `metadata` `[S4]`; any of them may be missing. What it means is told by the HTTP status alone,
/// since the codes that are known are about payments `[D]`.
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
        // Nothing says when April answers 409 to an upsert; a race goes away the second time.
        error.advice = RetryAdvice::Once;
    }
    let body = reply.json().unwrap_or_default();
    error.code = text(&body, "errorCode").map(cut);
    // April's support asks for it `[S4]`.
    error.vendor_request_id = text(&body, "tracer").map(cut);
    let said = ["message", "detail", "errorTypeDescription"].map(|name| text(&body, name));
    let mut words: Vec<&str> = match said {
        [None, None, Some(category)] => vec![category],
        [None, Some(detail), Some(category)] => vec![category, detail],
        [message, detail, _] => [message, detail].into_iter().flatten().collect(),
    };
    if is_disguised {
        words.insert(0, &error.detail);
    }
    if !words.is_empty() {
        error.detail = cut(&words.join(": "));
    }
    let names = FieldNames::new(&capabilities.forms, prepared.map(|prepared| &prepared.sent));
    error.errors = complaints(&names, &body);
    error
}

/// Whether the body is an error's, whatever the status says: it has an error's code and no customer.
pub(crate) fn is_error(body: &Json) -> bool {
    let is_there = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    is_there("errorCode") && !is_there("customerId")
}

/// No page says where April names the field that it complains of: in the metadata, by a member that names one or by the
/// field's own name, or in the words. Metadata that names none is no complaint.
fn complaints(names: &FieldNames, body: &Json) -> Vec<FieldError> {
    let of_metadata = body.get("metadata").map(|metadata| names.complaints(metadata));
    let mut found = of_metadata.unwrap_or_default();
    found.retain(|complaint| complaint.pointer.is_some());
    if found.is_empty() {
        let words = ["detail", "message"].into_iter().filter_map(|name| text(body, name));
        found = words.flat_map(|words| names.in_words(words)).collect();
    }
    found
}
