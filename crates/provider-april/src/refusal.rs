//! From a refusal to its meaning, with April's code, words and tracer.

use serde_json::Value as Json;

use upsert_core::{ProviderError, RetryAdvice};
use upsert_provider_kit::{WireReply, classify};

use crate::decode::text;

/// Longest text of April's that is handed on, in characters.
const LONGEST: usize = 1_000;

/// Reads what is not a 2xx: `statusCode`, `errorCode`, `message`, `tracer`, `detail`, `errorTypeDescription`, `metadata`
/// `[S4]`; any of them may be missing. What it means is told by the HTTP status alone, since the codes that are known
/// are about payments `[D]`. April names no fields in its errors.
pub(crate) fn refusal(reply: &WireReply) -> ProviderError {
    let mut error = classify(reply);
    if reply.status == 409 {
        // Nothing says when April answers 409 to an upsert; a race goes away the second time.
        error.advice = RetryAdvice::Once;
    }
    let body: Json = serde_json::from_slice(&reply.body).unwrap_or_default();
    error.code = text(&body, "errorCode").map(cut);
    // April's support asks for it `[S4]`.
    error.vendor_request_id = text(&body, "tracer").map(cut);
    let category = text(&body, "errorTypeDescription");
    let words: Vec<&str> = [text(&body, "message").or(category), text(&body, "detail")]
        .into_iter()
        .flatten()
        .collect();
    if !words.is_empty() {
        error.detail = cut(&words.join(": "));
    }
    error
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
