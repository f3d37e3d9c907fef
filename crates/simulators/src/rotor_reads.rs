//! Rotor's reads: another shape than its write, with a nested address and without billing and service \[S2\].

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::checks::FieldProblem;
use crate::clock::iso_millis;
use crate::options::RotorKey;
use crate::record::Record;
use crate::records::Records;
use crate::rotor_answers::invalid;
use crate::wire::{Call, Reply};

/// "max 1000"; 50 is what the sample shows.
const MOST: usize = 1000;
const DEFAULT: usize = 50;
const SEARCHED: [&str; 5] = ["first_name", "last_name", "company_name", "email", "phone"];

/// `GET /customers`.
pub(crate) fn list(records: &Records, company: &str, call: &Call<'_>) -> Result<Reply, Reply> {
    let refuse = |field: &str, message: &str| invalid(&[FieldProblem::new(field, message)]);
    let limit = call
        .number("limit", DEFAULT, 1..=MOST)
        .ok_or_else(|| refuse("limit", "Must be 1 to 1000"))?;
    let page = call
        .number("page", 1, 1..=usize::MAX / MOST)
        .ok_or_else(|| refuse("page", "Must be 1 or more"))?;
    let archived = match call.parameter("archived") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(refuse("archived", "Expected boolean")),
    };
    let status = call.parameter("status");
    if status.is_some_and(|word| !["active", "inactive"].contains(&word)) {
        return Err(refuse("status", "Expected one of active, inactive"));
    }
    let search = call.parameter("search");
    // Whether a customer must have all of the tags or one is on no page: one is taken to be enough.
    let tags: Vec<&str> = call
        .parameter("tags")
        .map(|text| text.split(',').map(str::trim).collect())
        .unwrap_or_default();
    let found = records.select(|record| {
        record.account == company
            && (archived || !record.archived)
            && status.is_none_or(|word| record.text("status") == word)
            && search.is_none_or(|text| record.mentions(text, &SEARCHED))
            && (tags.is_empty() || has_a_tag(record, &tags))
    });
    let shown: Vec<Value> = found
        .iter()
        .skip((page - 1) * limit)
        .take(limit)
        .map(read_shape)
        .collect();
    let has_more = page * limit < found.len();
    let pagination = json!({"has_more": has_more, "limit": limit, "page": page, "total": found.len()});
    Ok(Reply::json(
        200,
        &json!({"data": shown, "pagination": pagination, "status": "success"}),
    ))
}

/// `GET /customers/{id}`.
pub(crate) fn one(records: &Records, company: &str, id: &str) -> Option<Reply> {
    let record = records.get(id, |record| record.account == company)?;
    Some(Reply::json(
        200,
        &json!({"data": read_shape(&record), "status": "success"}),
    ))
}

/// `GET /auth/test`, members as the vendor's page lists them.
pub(crate) fn auth(key: &RotorKey, now: Timestamp) -> Reply {
    let body = json!({
        "status": "success",
        "message": "Authentication successful",
        "authenticated": true,
        "company_id": key.company,
        "user_id": format!("user-of-{}", key.company),
        "auth_method": "api_key",
        "scopes": key.scopes,
        "timestamp": iso_millis(now),
    });
    Reply::json(200, &body)
}

fn has_a_tag(record: &Record, wanted: &[&str]) -> bool {
    let tags = record.fields.get("tags").and_then(Value::as_array);
    tags.is_some_and(|tags| tags.iter().filter_map(Value::as_str).any(|tag| wanted.contains(&tag)))
}

fn read_shape(record: &Record) -> Value {
    json!({
        "id": record.id,
        "address": address(record),
        "company_name": record.value("company_name"),
        "created_at": iso_millis(record.created_at),
        "email": record.value("email"),
        "first_name": record.value("first_name"),
        "is_auto_pay": false,
        "last_name": record.value("last_name"),
        "location": location(record),
        "notes": record.value("notes"),
        "phone": record.value("phone"),
        "source": record.value("source"),
        "status": record.value("status"),
        "tags": record.value("tags"),
    })
}

/// Latitude and longitude of the property, made up; null without one: a list of numbers \[S2\].
fn location(record: &Record) -> Value {
    match address(record) {
        Value::Null => Value::Null,
        _ => json!([44.98, -93.27]),
    }
}

/// Five members are always text, `street2` is optional \[S2\]; a customer without a property address has none.
fn address(record: &Record) -> Value {
    let part = |name: &str| record.text(&format!("property_{name}")).to_owned();
    if ["street1", "street2", "city", "state", "zip", "country"]
        .iter()
        .all(|name| part(name).is_empty())
    {
        return Value::Null;
    }
    let mut address = json!({
        "street1": part("street1"),
        "city": part("city"),
        "state": part("state"),
        "zip": part("zip"),
        "country": part("country"),
    });
    if !part("street2").is_empty() {
        address["street2"] = json!(part("street2"));
    }
    address
}
