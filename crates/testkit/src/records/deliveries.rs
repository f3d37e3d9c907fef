//! Deliveries in every state, and their attempts.

use std::collections::BTreeMap;

use jiff::Timestamp;

use upsert_core::{
    DeliveryId, ErrorKind, Evidence, FieldError, FieldOutcomes, KeyKind, Outcome, Priority, StateAtVendor, WaitingFor,
    Warning, WarningCode,
};
use upsert_store::{AttemptRecord, DeliveryError, DeliveryRecord, DeliveryState, Progress, SentRequest, Success};

use super::{customer_id, delivery_id, noon, seconds, upsert_record};

/// A delivery of the first customer's in this state that was made at noon, with as little known of it as can be.
pub fn delivery_record(merchant: &str, connection: &str, id: DeliveryId, state: DeliveryState) -> DeliveryRecord {
    let upsert = upsert_record(merchant, id.upsert(), customer_id(1));
    DeliveryRecord::new(id.part(), &upsert, connection, "acme-crm", true).with_progress(plain_progress(state))
}

/// A state with as little in it as can be. What has to be due is due at noon, and what has ended did so then.
pub fn plain_progress(state: DeliveryState) -> Progress {
    match state {
        DeliveryState::Pending => Progress::Pending { due: noon() },
        DeliveryState::InFlight => Progress::InFlight { lease_until: None },
        DeliveryState::Retrying => Progress::Retrying { due: noon() },
        DeliveryState::Waiting => Progress::Waiting {
            waiting_for: WaitingFor::Breaker,
            until: None,
        },
        DeliveryState::Succeeded => Progress::Succeeded(Box::new(Success {
            outcome: Outcome::Created,
            evidence: Evidence::VendorSaid,
            matched_by: None,
            provider_customer_id: None,
            fields: FieldOutcomes::default(),
            ended_at: noon(),
        })),
        DeliveryState::Superseded => Progress::Superseded {
            by: delivery_id(99),
            ended_at: noon(),
        },
        DeliveryState::Failed => Progress::Failed {
            error: Box::new(delivery_error(ErrorKind::Transient, None)),
            ended_at: noon(),
        },
        DeliveryState::Discarded => Progress::Discarded { ended_at: noon() },
    }
}

/// The same, to be tried at this moment, where it is a state of that kind.
pub fn due_progress(state: DeliveryState, at: Timestamp) -> Progress {
    match plain_progress(state) {
        Progress::Pending { .. } => Progress::Pending { due: at },
        Progress::Retrying { .. } => Progress::Retrying { due: at },
        Progress::Waiting { waiting_for, .. } => Progress::Waiting {
            waiting_for,
            until: Some(at),
        },
        other => other,
    }
}

/// A delivery in this state with every member set that it can have then.
pub fn full_delivery_record(merchant: &str, connection: &str, id: DeliveryId, state: DeliveryState) -> DeliveryRecord {
    let mut record = delivery_record(merchant, connection, id, DeliveryState::Pending);
    record.warnings = [Warning::new(WarningCode::MayBeCut, "/notes", "long")].into();
    record.force = true;
    record.priority = Priority::Bulk;
    record.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    record.tracestate = Some("rojo=00f0,congo=t61r".to_owned());
    for number in [3, 5] {
        let mut older = delivery_record(merchant, connection, delivery_id(number), DeliveryState::Waiting);
        older.give_way_to(&mut record, noon());
    }
    record.wait(WaitingFor::Paused, None, noon());
    record.claim(2, seconds(1));
    record.start(seconds(60));
    record.note_failed_call(&full_delivery_error(), true, 412);
    record.wait(WaitingFor::Quota, Some(seconds(30)), seconds(10));
    if state == DeliveryState::Waiting {
        return record;
    }
    record.with_progress(full_progress(state))
}

fn full_progress(state: DeliveryState) -> Progress {
    match state {
        DeliveryState::InFlight => Progress::InFlight {
            lease_until: Some(seconds(60)),
        },
        DeliveryState::Succeeded => Progress::Succeeded(Box::new(Success {
            outcome: Outcome::Upserted,
            evidence: Evidence::Inferred,
            matched_by: Some(KeyKind::Phone),
            provider_customer_id: Some("vendor-7".to_owned()),
            fields: FieldOutcomes {
                confirmed: vec!["/email".into()],
                differs: vec![upsert_core::Differs {
                    pointer: "/notes".into(),
                    kept: serde_json::json!(["cut", null]),
                }],
                unconfirmed: vec!["/tags".into()],
            },
            ended_at: seconds(90),
        })),
        DeliveryState::Failed => Progress::Failed {
            error: Box::new(full_delivery_error()),
            ended_at: seconds(90),
        },
        other => due_progress(other, seconds(30)),
    }
}

/// An error of this kind, with nothing else known of it.
pub fn delivery_error(kind: ErrorKind, code: Option<&str>) -> DeliveryError {
    DeliveryError {
        kind,
        state_at_vendor: StateAtVendor::Unchanged,
        code: code.map(str::to_owned),
        detail: "no".to_owned(),
        vendor_status: None,
        vendor_request_id: None,
        errors: Vec::new(),
        vendor_headers: BTreeMap::new(),
        vendor_body: None,
    }
}

/// An error with every member set.
pub fn full_delivery_error() -> DeliveryError {
    DeliveryError {
        kind: ErrorKind::Transient,
        state_at_vendor: StateAtVendor::Unknown,
        code: Some("E42".to_owned()),
        detail: "later, \"perhaps\" — ü".to_owned(),
        vendor_status: Some(503),
        vendor_request_id: Some("req-1".to_owned()),
        errors: vec![FieldError {
            pointer: Some("/email".to_owned()),
            vendor_field: "emailAddress".to_owned(),
            detail: "taken".to_owned(),
        }],
        vendor_headers: [("server".to_owned(), "nginx \"ä\"".to_owned())].into(),
        vendor_body: Some(serde_json::json!({ "code": "E42\0\u{202e}", "at": [null, 1.5] })),
    }
}

/// A first attempt whose end nobody knows.
pub fn attempt_record(delivery: DeliveryId, number: u32) -> AttemptRecord {
    AttemptRecord {
        delivery,
        number,
        fence: 1,
        started_at: noon(),
        ended_at: None,
        result: None,
        vendor_status: None,
        vendor_said: serde_json::Map::from_iter([("message".to_owned(), "Done, \"twice\"".into())]),
        request: Some(sent_request(number)),
        error: None,
    }
}

/// A request told apart by a number.
pub fn sent_request(number: u32) -> SentRequest {
    SentRequest {
        method: "POST".to_owned(),
        path: format!("/customers/a%20{number}"),
        body: serde_json::json!({ "name": "Ada \"é\"", "tags": ["vip", null], "number": number, "gone": null }),
    }
}
