//! Deliveries, and the parts that they share with others.

use serde_json::{Map, json};
use upsert_core::{
    Change, CustomerId, DeliveryId, Differs, ErrorKind, Evidence, FieldError, FieldOutcomes, Ignored, KeyKind, Outcome,
    Problem as Wrong, StateAtVendor, UpsertId, WaitingFor, Warning, WarningCode,
};

use super::{noon, open, secret, secret_pointer, some_secret};
use crate::{Attempt, Delivery, DeliveryError, DeliveryState, ListedDelivery, SentRequest, WholeDelivery};

pub(crate) fn change() -> Change {
    Change {
        pointer: secret_pointer(),
        from: json!({ (secret("name")): secret("old value"), "flag": true }),
        to: json!(secret("new value")),
    }
}

pub(crate) fn ignored() -> Ignored {
    Ignored {
        pointer: secret_pointer(),
        code: open("too_long"),
        detail: open("is too long"),
    }
}

pub(crate) fn wrong() -> Wrong {
    Wrong {
        pointer: secret_pointer(),
        code: open("too_long"),
        detail: secret("is too long"),
        connection: Some(open("crm")),
    }
}

pub(crate) fn warning() -> Warning {
    Warning {
        code: WarningCode::MayBeCut,
        pointer: secret_pointer().into(),
        detail: open("is longer than 64 characters").into(),
    }
}

pub(crate) fn differs() -> Differs {
    Differs {
        pointer: secret_pointer().into(),
        kept: json!({ (secret("name")): secret("value"), "flag": true }),
    }
}

pub(crate) fn field_error() -> FieldError {
    FieldError {
        pointer: Some(secret_pointer()),
        vendor_field: secret("field"),
        detail: secret("is wrong"),
    }
}

pub(crate) fn delivery_error() -> DeliveryError {
    DeliveryError {
        kind: ErrorKind::Rejected,
        state_at_vendor: StateAtVendor::Unchanged,
        code: some_secret("is known"),
        detail: secret("is known already"),
        vendor_status: Some(422),
        vendor_request_id: some_secret("call"),
        errors: vec![field_error()],
        vendor_headers: [("server".to_owned(), secret("proxy"))].into(),
        vendor_body: Some(json!({ (secret("name")): [secret("value"), true, 7] })),
    }
}

pub(crate) fn delivery() -> Delivery {
    Delivery {
        id: DeliveryId::oldest_at(noon()),
        connection: open("crm"),
        provider: open("rotor"),
        required: true,
        state: DeliveryState::Superseded,
        waiting_for: Some(WaitingFor::Quota),
        superseded_by: Some(DeliveryId::oldest_at(noon())),
        outcome: Some(Outcome::Upserted),
        evidence: Some(Evidence::Inferred),
        matched_by: Some(KeyKind::Phone),
        provider_customer_id: some_secret("record"),
        attempts: 2,
        next_attempt_at: Some(noon()),
        duration_ms: 412,
        fields: FieldOutcomes {
            confirmed: vec![secret_pointer().into()],
            differs: vec![differs()],
            unconfirmed: vec![secret_pointer().into()],
        },
        warnings: vec![warning()],
        error: Some(delivery_error()),
    }
}

pub(crate) fn listed_delivery() -> ListedDelivery {
    ListedDelivery {
        delivery: delivery(),
        merchant_id: open("acme"),
        customer_id: CustomerId::oldest_at(noon()),
        upsert_id: UpsertId::oldest_at(noon()),
        created_at: noon(),
        ended_at: Some(noon()),
    }
}

pub(crate) fn sent_request() -> SentRequest {
    SentRequest {
        method: open("PUT"),
        path: some_secret("record"),
        body: json!({ "name": secret("name"), "vip": true, "age": 41, (secret("by mail")): [secret("value")] }),
    }
}

pub(crate) fn attempt() -> Attempt {
    let said = json!({
        "message": secret("was taken"),
        "createdAt": noon(),
        "new": true,
        "inner": { (secret("name")): secret("value") },
        (secret("by mail")): secret("value"),
    });
    Attempt {
        number: 1,
        started_at: noon(),
        ended_at: Some(noon()),
        result: Some(open("rejected")),
        vendor_status: Some(422),
        vendor_said: said.as_object().cloned().unwrap_or_else(Map::new),
        request: Some(sent_request()),
        error: Some(delivery_error()),
    }
}

pub(crate) fn whole_delivery() -> WholeDelivery {
    WholeDelivery {
        listed: listed_delivery(),
        attempt_log: vec![attempt()],
    }
}
