//! From Rotor's answer to a receipt, or to what its error means.

use serde_json::{Map, Value as Json};

use upsert_core::{
    ErrorKind, Evidence, FieldError, Form, Held, Outcome, PreparedUpsert, ProviderError, RetryAdvice, StateAtVendor,
    UpsertReceipt, WaitingFor,
};
use upsert_provider_kit::{WireReply, classify, fates, unreadable};

/// The longest text of the vendor's that is passed on, in characters.
const MOST_CHARS: usize = 500;

pub(crate) fn decode(
    form: &Form,
    prepared: &PreparedUpsert,
    reply: &WireReply,
) -> Result<UpsertReceipt, ProviderError> {
    if reply.is_success() {
        return accepted(prepared, reply);
    }
    let said = VendorSaid::of(reply);
    let mut error = said.explain(meaning(reply, &said));
    for complaint in &mut error.errors {
        complaint.pointer = pointer_of(form, prepared, &complaint.vendor_field);
    }
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
fn accepted(prepared: &PreparedUpsert, reply: &WireReply) -> Result<UpsertReceipt, ProviderError> {
    let mut echo = object(reply)?;
    let id = match echo.get("id").and_then(Json::as_str) {
        Some(id) if !id.trim().is_empty() => id.to_owned(),
        _ => return Err(unreadable(reply, "it has no id")),
    };
    let message = echo.remove("message");
    let message = message.as_ref().and_then(Json::as_str).unwrap_or_default();
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
        fields: fates(&prepared.sent, &Json::Object(echo)),
        vendor_request_id: None,
    })
}

/// 201 is documented for leads, whose upsert is the same; the words for customers `[S1]`.
fn outcome(status: u16, message: &str, linked: bool) -> (Outcome, Evidence) {
    let message = message.to_ascii_lowercase();
    if status == 201 || message.contains("created") {
        (Outcome::Created, Evidence::VendorSaid)
    } else if message.contains("updated") {
        (Outcome::Updated, Evidence::VendorSaid)
    } else if linked {
        (Outcome::Updated, Evidence::Link)
    } else {
        (Outcome::Upserted, Evidence::None)
    }
}

/// The body of a 2xx, which has to be an object and no error in disguise.
pub(crate) fn object(reply: &WireReply) -> Result<Map<String, Json>, ProviderError> {
    match serde_json::from_slice(&reply.body) {
        Ok(Json::Object(body)) if body.get("status").and_then(Json::as_str) == Some("error") => {
            let error = unreadable(reply, "it calls itself an error under a status of success");
            Err(VendorSaid::of(reply).explain(error))
        }
        Ok(Json::Object(body)) => Ok(body),
        Ok(_) => Err(unreadable(reply, "it is no JSON object")),
        Err(_) => Err(unreadable(reply, "it is no JSON")),
    }
}

/// What a status other than 2xx means at Rotor.
pub(crate) fn meaning(reply: &WireReply, said: &VendorSaid) -> ProviderError {
    if reply.status == 429 && (reply.retry_after.is_none() || said.names_the_daily_limit()) {
        quota_spent(reply)
    } else {
        classify(reply)
    }
}

/// Rotor knows one limit, by the day `[S1]`; when the day starts is not documented.
fn quota_spent(reply: &WireReply) -> ProviderError {
    let mut error = ProviderError::new(
        ErrorKind::QuotaSpent,
        StateAtVendor::Unchanged,
        reply.retry_after.map_or(RetryAdvice::Never, RetryAdvice::After),
        "the vendor's calls of this day are used up",
    );
    error.held = Some(Held {
        waiting_for: WaitingFor::Quota,
        for_at_least: reply.retry_after,
    });
    error.vendor_status = Some(reply.status);
    error
}

/// Our pointer of the field that the vendor complains of: as it was sent, else as the table has it. A complaint of a
/// part (`tags.0`, `tags[0]`) is one of the whole.
fn pointer_of(form: &Form, prepared: &PreparedUpsert, complaint: &str) -> Option<String> {
    let whole = complaint.split(['.', '[']).next().unwrap_or_default();
    [complaint, whole].into_iter().find_map(|name| {
        let sent = prepared.sent.get(name).map(|sent| sent.pointer.clone());
        sent.or_else(|| {
            let map = form.fields.iter().find(|map| map.vendor_field == name)?;
            Some(map.field.pointer().to_owned())
        })
    })
}

/// The body of an error, `{status, message, error_code?, errors?: [{field, message}]}` `[S1]`, read leniently.
#[derive(Default)]
pub(crate) struct VendorSaid {
    message: Option<String>,
    code: Option<String>,
    errors: Vec<FieldError>,
}

impl VendorSaid {
    pub(crate) fn of(reply: &WireReply) -> Self {
        let Ok(body) = serde_json::from_slice::<Json>(&reply.body) else {
            return Self::default();
        };
        let complaints = body.get("errors").and_then(Json::as_array);
        Self {
            message: text(&body, "message"),
            code: text(&body, "error_code"),
            errors: complaints.into_iter().flatten().filter_map(complaint).collect(),
        }
    }

    fn names_the_daily_limit(&self) -> bool {
        [&self.message, &self.code].into_iter().flatten().any(|text| {
            let text = text.to_ascii_lowercase();
            text.contains("daily") || text.contains("per day")
        })
    }

    /// Adds the vendor's words to what the answer means. Only what is no free text goes where operators read it.
    pub(crate) fn explain(&self, mut error: ProviderError) -> ProviderError {
        let mut known = vec![std::mem::take(&mut error.context)];
        known.extend(self.code.clone().filter(|code| is_code(code)));
        if let Some(message) = &self.message {
            error.detail = format!("{}: {message}", error.detail);
            if error.kind == ErrorKind::Unauthorised {
                known.extend(scope_in(message).map(|scope| format!("scope {scope}")));
            }
        }
        known.retain(|part| !part.is_empty());
        error.context = known.join(", ");
        error.code.clone_from(&self.code);
        error.errors.clone_from(&self.errors);
        error
    }
}

fn complaint(entry: &Json) -> Option<FieldError> {
    let (field, detail) = (text(entry, "field"), text(entry, "message"));
    (field.is_some() || detail.is_some()).then(|| FieldError {
        pointer: None,
        vendor_field: field.unwrap_or_default(),
        detail: detail.unwrap_or_default(),
    })
}

fn text(body: &Json, name: &str) -> Option<String> {
    let text = body.get(name)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.chars().take(MOST_CHARS).collect())
}

/// Whether it is a constant of the vendor's, such as `INSUFFICIENT_SCOPE`, and so no personal datum.
fn is_code(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
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
