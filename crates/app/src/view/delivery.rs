//! A delivery and a link, as callers are shown them.

use serde_json::{Value as Json, json};

use upsert_store::{DeliveryError, DeliveryRecord, Lane};

/// A delivery as the API shows it.
pub(crate) fn delivery_json(delivery: &DeliveryRecord) -> Json {
    json!({
        "id": delivery.id,
        "connection": delivery.connection,
        "provider": delivery.provider,
        "required": delivery.required,
        "state": delivery.state,
        "waiting_for": delivery.waiting_for,
        "superseded_by": delivery.superseded_by,
        "outcome": delivery.outcome,
        "evidence": delivery.evidence,
        "matched_by": delivery.matched_by,
        "provider_customer_id": delivery.provider_customer_id,
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.next_attempt_at,
        "duration_ms": delivery.duration_ms,
        "fields": delivery.fields,
        "warnings": delivery.warnings,
        "error": delivery.error.as_ref().map(error_json),
    })
}

/// What went wrong, with the vendor's words.
pub(crate) fn error_json(error: &DeliveryError) -> Json {
    json!({
        "kind": error.kind,
        "state_at_vendor": error.state_at_vendor,
        "code": error.code,
        "detail": error.detail,
        "vendor_status": error.vendor_status,
        "vendor_request_id": error.vendor_request_id,
        "errors": error.errors,
        "vendor_body": error.vendor_body,
    })
}

/// A customer's link at one connection as the API shows it.
pub fn link_json(lane: &Lane, is_routed: bool) -> Vec<Json> {
    let shown = |link: Option<&upsert_store::Link>, state: &str| {
        json!({
            "connection": lane.connection,
            "provider_customer_id": link.map(|link| &link.provider_customer_id),
            "state": state,
            "shared": link.is_some_and(|link| link.shared),
            "last_delivered_at": lane.last_delivered_at,
        })
    };
    let state = if !is_routed {
        "unrouted"
    } else if lane.in_flight.is_some() || lane.queued.is_some() {
        "pending"
    } else if lane.failed {
        "failed"
    } else {
        "in_sync"
    };
    let old = lane.superseded.iter().map(|link| shown(Some(link), "superseded"));
    std::iter::once(shown(lane.link.as_ref(), state)).chain(old).collect()
}

/// As in an upsert's answer, and whose it is.
pub(crate) fn listed_delivery(delivery: &DeliveryRecord) -> Json {
    let mut shown = delivery_json(delivery);
    shown["merchant_id"] = json!(delivery.merchant);
    shown["customer_id"] = json!(delivery.customer);
    shown["upsert_id"] = json!(delivery.upsert);
    shown["created_at"] = json!(delivery.created_at);
    shown["ended_at"] = json!(delivery.ended_at);
    shown
}
