//! From a refusal to its meaning, with April's code, words, tracer and fields.

use serde_json::Value as Json;

use upsert_core::{FieldError, Form, ProviderError, RetryAdvice};
use upsert_provider_kit::{FieldNames, Refusals, WireReply, cut};

use crate::April;
use crate::decode::text;

/// The body is `statusCode`, `errorCode`, `message`, `tracer`, `detail`, `errorTypeDescription`, `metadata` `[S4]`; any of
/// them may be missing. What it means is told by the HTTP status alone, since the codes that are known are about payments
/// `[D]`.
impl Refusals for April {
    fn forms(&self) -> &[Form] {
        &self.capabilities.forms
    }

    /// It has an error's code and no customer.
    fn is_error(&self, body: &Json) -> bool {
        let is_there = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
        is_there("errorCode") && !is_there("customerId")
    }

    fn explain(&self, error: &mut ProviderError, reply: &WireReply, said: &Json, names: &FieldNames) {
        if reply.status == 409 {
            // Nothing says when April answers 409 to an upsert; a race goes away the second time.
            error.advice = RetryAdvice::Once;
        }
        error.code = text(said, "errorCode").map(cut);
        // April's support asks for it `[S4]`.
        error.vendor_request_id = text(said, "tracer").map(cut);
        let words = ["message", "detail", "errorTypeDescription"].map(|name| text(said, name));
        let mut words: Vec<&str> = match words {
            [None, None, Some(category)] => vec![category],
            [None, Some(detail), Some(category)] => vec![category, detail],
            [message, detail, _] => [message, detail].into_iter().flatten().collect(),
        };
        if reply.is_success() {
            words.insert(0, &error.detail);
        }
        if !words.is_empty() {
            error.detail = cut(&words.join(": "));
        }
        error.errors = complaints(names, said);
    }
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
