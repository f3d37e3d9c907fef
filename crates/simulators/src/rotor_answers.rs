//! Rotor's answers to a write, and its error bodies \[S1\].

use serde_json::{Map, Value, json};

use crate::checks::{Field, FieldProblem, Shape};
use crate::clock::iso_millis;
use crate::record::{Record, Written};
use crate::wire::Reply;

/// The body parameters of `POST /customers` \[S0\]. `id` is no stored field.
pub(crate) const FIELDS: [Field; 25] = [
    ("id", Shape::Uuid),
    ("billing_city", Shape::Text),
    ("billing_country", Shape::Text),
    ("billing_same_as_property", Shape::Flag),
    ("billing_state", Shape::Text),
    ("billing_street1", Shape::Text),
    ("billing_street2", Shape::Text),
    ("billing_zip", Shape::Text),
    ("company_name", Shape::Text),
    ("email", Shape::Email),
    ("first_name", Shape::Text),
    ("last_name", Shape::Text),
    ("notes", Shape::Text),
    ("phone", Shape::Text),
    ("property_city", Shape::Text),
    ("property_country", Shape::Text),
    ("property_state", Shape::Text),
    ("property_street1", Shape::Text),
    ("property_street2", Shape::Text),
    ("property_zip", Shape::Text),
    ("service_frequency", Shape::Text),
    ("service_type", Shape::Text),
    ("source", Shape::Text),
    ("status", Shape::OneOf(&["active", "inactive"])),
    ("tags", Shape::TextList),
];

/// The record's flat body with a message; of fields that are rewritten silently, what was sent.
pub(crate) fn success(written: Written, as_sent: Map<String, Value>) -> Reply {
    let (status, word) = if written.created {
        (201, "created")
    } else {
        (200, "updated")
    };
    let mut body = flat(&written.record);
    body.extend(as_sent);
    body.insert("message".to_owned(), json!(format!("Customer {word} successfully")));
    Reply::json(status, &Value::Object(body)).with_write(written)
}

/// Every field, unset ones as null, with id and stamp.
pub(crate) fn flat(record: &Record) -> Map<String, Value> {
    let field = |(name, _): &Field| ((*name).to_owned(), record.value(name));
    let mut body: Map<String, Value> = FIELDS.iter().map(field).collect();
    body.insert("id".to_owned(), json!(record.id));
    body.insert("created_at".to_owned(), json!(iso_millis(record.created_at)));
    body
}

/// 400 with the problems.
pub(crate) fn invalid(problems: &[FieldProblem]) -> Reply {
    Reply::json(400, &validation_failed(problems))
}

/// 403 with the scope that is missing.
pub(crate) fn out_of_scope(scope: &str) -> Reply {
    Reply::json(403, &forbidden(scope))
}

/// The bodies of S1; `limit` is the day's. Those of 502 to 504 are on no page.
pub(crate) fn error(status: u16, limit: u64) -> Value {
    match status {
        400 => validation_failed(&[FieldProblem::new("email", "Invalid email format")]),
        401 => coded(
            "Authentication required. Provide x-api-key header.",
            "AUTHENTICATION_REQUIRED",
        ),
        403 => forbidden("leads:read"),
        404 => json!({"status": "error", "message": "Not found"}),
        429 => coded(
            &format!("Daily API key request limit of {limit} exceeded"),
            "RATE_LIMIT_EXCEEDED",
        ),
        _ => json!({"status": "error", "message": "Internal server error"}),
    }
}

fn forbidden(scope: &str) -> Value {
    coded(
        &format!("Forbidden: required scope '{scope}' not granted for this API key"),
        "INSUFFICIENT_SCOPE",
    )
}

fn coded(message: &str, code: &str) -> Value {
    json!({"status": "error", "message": message, "error_code": code})
}

fn validation_failed(problems: &[FieldProblem]) -> Value {
    let errors: Vec<Value> = problems
        .iter()
        .map(|it| json!({"field": it.field, "message": it.message}))
        .collect();
    json!({"status": "error", "message": "Validation failed", "errors": errors})
}
