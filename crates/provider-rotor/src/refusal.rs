//! What Rotor's refusals mean, with its code, words and fields.

use serde_json::Value as Json;

use upsert_core::{ErrorKind, Form, Held, ProviderError, WaitingFor};
use upsert_provider_kit::{FieldNames, Refusals, RetryAfter, WireReply, documented};

use crate::Rotor;
use crate::daily_limit::{names_the_daily_limit, number_of};

/// The longest text of the vendor's that is passed on, in characters.
const MOST_CHARS: usize = 500;

/// Its codes `[S1]`.
const CODES: [&str; 3] = ["AUTHENTICATION_REQUIRED", "INSUFFICIENT_SCOPE", "RATE_LIMIT_EXCEEDED"];

/// Its scopes: those of reading `[S1]`, and of writing `[A]`.
const SCOPES: [&str; 4] = ["customers:read", "customers:write", "leads:read", "leads:write"];

/// The body is `{status, message, error_code?, errors?: [{field, message}]}` `[S1]`, read leniently.
impl Refusals for Rotor {
    fn forms(&self) -> &[Form] {
        std::slice::from_ref(&self.form)
    }

    fn is_error(&self, body: &Json) -> bool {
        body.get("status").and_then(Json::as_str) == Some("error")
    }

    fn explain(&self, error: &mut ProviderError, reply: &WireReply, said: &Json, names: &FieldNames) {
        if reply.status == 429 {
            tell_limits_apart(error, reply);
        }
        let message = text(said, "message");
        error.code = text(said, "error_code");
        error.errors = said
            .get("errors")
            .map(|said| names.complaints(said))
            .unwrap_or_default();
        error.context = context(error, message.as_deref());
        if let Some(message) = message {
            error.detail = format!("{}: {message}", error.detail);
        }
    }
}

/// Rotor knows one limit, by the day `[S1]`; when the day starts is not documented. A `Retry-After` is of some other one,
/// unless the words name the day's.
fn tell_limits_apart(error: &mut ProviderError, reply: &WireReply) {
    let words = reply.text();
    let is_daily = names_the_daily_limit(&words);
    if is_daily {
        error.daily_limit = number_of(&words);
    }
    if is_daily || reply.retry_after == RetryAfter::Absent {
        error.kind = ErrorKind::QuotaSpent;
        "the vendor's calls of this day are used up".clone_into(&mut error.detail);
        error.held = Some(Held {
            waiting_for: WaitingFor::Quota,
            for_at_least: reply.retry_after.wait(),
        });
    }
}

/// What operators read beside our own words. Of the vendor's words only those that its pages list: what looks like a code may
/// be somebody's name.
fn context(error: &ProviderError, message: Option<&str>) -> String {
    let code = error.code.as_deref().map(|code| documented(code, &CODES).to_owned());
    let scope = message
        .filter(|_| error.kind == ErrorKind::Unauthorised)
        .and_then(scope_in)
        .map(|scope| format!("scope {}", documented(scope, &SCOPES)));
    let parts = [Some(error.context.clone()), code, scope].into_iter().flatten();
    let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}

fn text(body: &Json, name: &str) -> Option<String> {
    let text = body.get(name)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.chars().take(MOST_CHARS).collect())
}

/// The scope that a refusal names, such as `customers:write`.
fn scope_in(message: &str) -> Option<&str> {
    let is_scope = |word: &&str| {
        word.rsplit_once(':').is_some_and(|(resource, right)| {
            matches!(right, "read" | "write")
                && (1..=32).contains(&resource.len())
                && resource.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        })
    };
    message
        .split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | ':')))
        .find(is_scope)
}
