//! Answers of the API for tests: whole ones, each with what its test is about.

use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use upsert_api::{Connection, Delivery, Plan};

pub(crate) const CUSTOMER: &str = "cus_06GZW88GRDSBF772HB0WJ89TJW";
pub(crate) const DELIVERY: &str = "dlv_06GZW88GRDSBF772HB0WJ89TJW";
pub(crate) const UPSERT: &str = "ups_06GZW88GRDSBF772HB0WJ89TJW";

/// An answer with these members in the place of the usual ones.
pub(crate) fn whole<T: DeserializeOwned>(usual: Json, more: Json) -> T {
    serde_json::from_value(with(usual, more)).unwrap()
}

fn with(mut usual: Json, more: Json) -> Json {
    if let (Json::Object(usual), Json::Object(more)) = (&mut usual, more) {
        usual.extend(more);
    }
    usual
}

/// To `crm`, which has accepted it.
pub(crate) fn delivery(more: Json) -> Delivery {
    let usual = json!({ "id": DELIVERY, "connection": "crm", "provider": "rotor", "required": true, "state": "succeeded",
        "attempts": 1, "duration_ms": 1, "fields": { "confirmed": [], "differs": [], "unconfirmed": [] },
        "warnings": [] });
    whole(usual, more)
}

/// `acme/crm`, which is well.
pub(crate) fn connection(more: Json) -> Connection {
    let usual = json!({ "merchant_id": "acme", "name": "crm", "provider": "rotor", "required": true, "state": "healthy",
        "waiting": 0, "in_flight": 0, "dead_letters": 0,
        "breaker": { "state": "closed", "calls": 0, "faults": 0 },
        "rate_limit": { "used_today": 0, "opens_at": "2026-11-22T00:00:00Z" },
        "concurrency": { "places": 16, "in_use": 0, "waiting": 0 },
        "health": { "in_flight": 0 } });
    whole(usual, more)
}

/// Of a delivery.
pub(crate) fn error(more: Json) -> Json {
    let usual = json!({ "kind": "rejected", "state_at_vendor": "unchanged", "detail": "no", "errors": [] });
    with(usual, more)
}

/// Of a row or a request.
pub(crate) fn problem(more: Json) -> Json {
    let usual = json!({ "type": "about:blank", "title": "The request is not valid", "status": 422,
        "code": "validation_failed", "detail": "no", "instance": "/", "request_id": "r", "errors": [] });
    with(usual, more)
}

/// A line of a batch that was taken.
pub(crate) fn taken(more: Json) -> Json {
    let customer = json!({ "id": CUSTOMER, "version": 1, "merchant_id": "acme", "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z" });
    let usual = json!({ "line": 1, "status": 200, "upsert_id": UPSERT, "state": "succeeded", "customer": customer,
        "deliveries": [], "ignored": [] });
    with(usual, more)
}

/// What one connection would do.
pub(crate) fn planned(more: Json) -> Json {
    let usual = json!({ "connection": "crm", "provider": "rotor", "required": true, "warnings": [], "refusals": [] });
    with(usual, more)
}

pub(crate) fn plan(more: Json) -> Plan {
    whole(json!({ "customer": {}, "connections": [], "ignored": [] }), more)
}
