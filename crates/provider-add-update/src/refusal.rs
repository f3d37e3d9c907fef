//! From a refusal to its meaning, with the vendor's code, words and fields.

use serde_json::Value as Json;

use upsert_core::{Capabilities, FieldError, PreparedUpsert, ProviderError, RetryAdvice};
use upsert_provider_kit::{WireReply, classify};

/// Longest text of the vendor's that is handed on, in characters.
const LONGEST: usize = 1_000;
/// Most complaints that are handed on.
const MOST: usize = 50;

/// Reads what is not a 2xx. The body is the vendor's envelope `{"error":{code,message,details[]}}` `[D]` or its
/// framework's own `{"statusCode","message","error"}` `[A]`; any member may be missing.
pub(crate) fn refusal(
    capabilities: &Capabilities,
    prepared: Option<&PreparedUpsert>,
    reply: &WireReply,
) -> ProviderError {
    let mut error = classify(reply);
    if reply.status == 409 {
        // The vendor's DUPLICATE: on an upsert that is a race, so once more.
        error.advice = RetryAdvice::Once;
    }
    let body: Json = serde_json::from_slice(&reply.body).unwrap_or_default();
    let pointer = |vendor_field: &str| pointer_of(capabilities, prepared, vendor_field);
    let envelope = body.get("error").filter(|envelope| envelope.is_object());
    let said = envelope.unwrap_or(&body);
    error.code = said.get("code").and_then(Json::as_str).map(cut);
    let words = words(said.get("message"));
    if !words.is_empty() {
        error.detail = cut(&words.join("; "));
    }
    error.errors = match said.get("details").and_then(Json::as_array) {
        Some(details) => details
            .iter()
            .take(MOST)
            .filter_map(|d| complaint(d, &pointer))
            .collect(),
        None if envelope.is_none() => words
            .iter()
            .take(MOST)
            .filter_map(|w| complaint_in(w, &pointer))
            .collect(),
        None => Vec::new(),
    };
    error
}

/// A framework gives one text or a list of them.
fn words(message: Option<&Json>) -> Vec<&str> {
    match message {
        Some(Json::String(text)) => vec![text.as_str()],
        Some(Json::Array(texts)) => texts.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn complaint(detail: &Json, pointer: &dyn Fn(&str) -> Option<String>) -> Option<FieldError> {
    let vendor_field = detail.get("field")?.as_str()?;
    Some(FieldError {
        pointer: pointer(vendor_field),
        vendor_field: cut(vendor_field),
        detail: cut(detail.get("message").and_then(Json::as_str).unwrap_or_default()),
    })
}

/// The framework's texts start with the field: `email must be an email`. Texts that do not are no complaint of a field.
fn complaint_in(text: &str, pointer: &dyn Fn(&str) -> Option<String>) -> Option<FieldError> {
    let vendor_field = text.split_whitespace().next()?;
    Some(FieldError {
        pointer: Some(pointer(vendor_field)?),
        vendor_field: cut(vendor_field),
        detail: cut(text),
    })
}

/// Our pointer of a vendor's field (`a.b` for `b` in `a`): as it was sent, else as the table has it.
fn pointer_of(capabilities: &Capabilities, prepared: Option<&PreparedUpsert>, vendor_field: &str) -> Option<String> {
    let path = vendor_field.replace('.', "/");
    let sent = prepared.and_then(|prepared| prepared.sent.get(&path));
    sent.map(|sent| sent.pointer.clone()).or_else(|| {
        let mut maps = capabilities.forms.iter().flat_map(|form| &form.fields);
        let map = maps.find(|map| map.vendor_field == path)?;
        Some(map.field.pointer().to_owned())
    })
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
