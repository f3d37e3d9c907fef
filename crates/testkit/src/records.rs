//! Ids and records to start from; tests change the members that they are about.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use upsert_core::{
    Customer, CustomerId, DeliveryId, ErrorKind, EventId, Evidence, Field, FieldError, FieldOutcomes, Identifier,
    IdentifierKind, Ignored, KeyKind, MatchKey, Outcome, Priority, StateAtVendor, UpsertId, Value, WaitingFor, Warning,
    WarningCode,
};
use upsert_store::{
    AttemptRecord, ConnectionRecord, CustomerRecord, DeliveryError, DeliveryRecord, DeliveryState, Disabled,
    EndpointRecord, EventMark, EventMarks, HistoryRecord, IdempotencyRecord, IncomingEvent, IncomingState, Lane, Link,
    OutgoingEvent, OutgoingState, Pause, PausedBy, SentRequest, StoredAnswer, UpsertRecord, UpsertState,
};

/// 2026-11-20, 12:00 UTC.
pub const fn noon() -> Timestamp {
    Timestamp::constant(1_795_176_000, 0)
}

/// So many seconds after [`noon`].
///
/// # Panics
///
/// Where that leads past the end of time (year 9999).
pub fn seconds(after_noon: i64) -> Timestamp {
    noon().checked_add(SignedDuration::from_secs(after_noon)).unwrap()
}

/// The customer of this number; a greater one is younger.
pub fn customer_id(number: u128) -> CustomerId {
    CustomerId::from_uuid(Uuid::from_u128(number))
}

/// The upsert of this number, made so many seconds after [`noon`].
pub fn upsert_id(number: u128) -> UpsertId {
    UpsertId::from_uuid(made_at(number))
}

/// The delivery of this number, made so many seconds after [`noon`].
pub fn delivery_id(number: u128) -> DeliveryId {
    DeliveryId::from_uuid(made_at(number))
}

/// The event of this number, made so many seconds after [`noon`].
pub fn event_id(number: u32) -> EventId {
    EventId::from_uuid(made_at(number.into()))
}

/// It begins with that moment, as ids do. A greater number is younger, also where there are not so many seconds.
fn made_at(number: u128) -> Uuid {
    let after_noon = u32::try_from(number).unwrap_or(u32::MAX);
    let time = EventId::oldest_at(seconds(after_noon.into())).as_uuid().as_u128();
    Uuid::from_u128(time + number)
}

/// An e-mail address as identifier.
pub fn email(value: &str) -> Identifier {
    identifier(IdentifierKind::Email, value)
}

/// A phone number as identifier.
pub fn phone(value: &str) -> Identifier {
    identifier(IdentifierKind::Phone, value)
}

/// A reference as identifier.
pub fn reference(value: &str) -> Identifier {
    identifier(IdentifierKind::Reference, value)
}

/// An identifier of this kind.
pub fn identifier(kind: IdentifierKind, value: &str) -> Identifier {
    Identifier {
        kind,
        value: value.to_owned(),
    }
}

/// An e-mail address as match key.
pub fn email_key(value: &str) -> MatchKey {
    MatchKey::new(KeyKind::Email, value)
}

/// A person with this first name and nothing else.
pub fn person(given_name: &str) -> Customer {
    let mut customer = Customer::default();
    customer.set(Field::Kind, Value::Text("person".to_owned()));
    customer.set(Field::GivenName, Value::Text(given_name.to_owned()));
    customer
}

/// A person with a reference, an e-mail address and a phone number.
pub fn reachable(reference: &str, email: &str, phone: &str) -> Customer {
    let mut customer = person("Ada");
    for (field, value) in [
        (Field::Reference, reference),
        (Field::Email, email),
        (Field::Phone, phone),
    ] {
        customer.set(field, Value::Text(value.to_owned()));
    }
    customer
}

/// Version 1 of a person, made at noon.
pub fn customer_record(merchant: &str, id: CustomerId) -> CustomerRecord {
    CustomerRecord {
        id,
        merchant: merchant.to_owned(),
        version: 1,
        revision: 1,
        customer: person("Ada"),
        created_at: noon(),
        updated_at: noon(),
    }
}

/// An accepted version 1.
pub fn history_record(customer: CustomerId, upsert: UpsertId) -> HistoryRecord {
    HistoryRecord {
        customer,
        version: 1,
        upsert,
        at: noon(),
        by: "tests".to_owned(),
        refused: false,
        record: person("Ada"),
        links: BTreeMap::new(),
        ignored: Vec::new(),
    }
}

/// A phone number that could not be read.
pub fn ignored_phone() -> Ignored {
    Ignored {
        pointer: "/phone".to_owned(),
        code: "invalid_phone".to_owned(),
        detail: "is \"no\" phone number".to_owned(),
    }
}

/// An upsert of a new customer that has not ended.
pub fn upsert_record(merchant: &str, id: UpsertId, customer: CustomerId) -> UpsertRecord {
    UpsertRecord {
        id,
        merchant: merchant.to_owned(),
        customer,
        version: 1,
        revision: 1,
        state: UpsertState::Pending,
        new_customer: true,
        changed: true,
        rolled_back: false,
        owes_event: false,
        by: "tests".to_owned(),
        through: None,
        ignored: Vec::new(),
        created_at: noon(),
        ended_at: None,
    }
}

/// A delivery in this state that was made at noon, with nothing known of it.
pub fn delivery_record(merchant: &str, connection: &str, id: DeliveryId, state: DeliveryState) -> DeliveryRecord {
    DeliveryRecord {
        id,
        upsert: upsert_id(1),
        merchant: merchant.to_owned(),
        customer: customer_id(1),
        connection: connection.to_owned(),
        provider: "acme-crm".to_owned(),
        required: true,
        version: 1,
        state,
        waiting_for: None,
        superseded_by: None,
        took_over: Vec::new(),
        outcome: None,
        evidence: None,
        matched_by: None,
        provider_customer_id: None,
        attempts: 0,
        next_attempt_at: None,
        duration_ms: 0,
        fields: FieldOutcomes::default(),
        warnings: Vec::new(),
        error: None,
        force: false,
        priority: Priority::Interactive,
        fence: 0,
        lease_until: None,
        created_at: noon(),
        ended_at: None,
        parked_ms: 0,
        parked_since: None,
        maybe_written: false,
        traceparent: None,
    }
}

/// A delivery with every member set.
pub fn full_delivery_record(merchant: &str, connection: &str, id: DeliveryId) -> DeliveryRecord {
    DeliveryRecord {
        waiting_for: Some(WaitingFor::Quota),
        superseded_by: Some(delivery_id(99)),
        took_over: vec![delivery_id(3), delivery_id(5)],
        outcome: Some(Outcome::Upserted),
        evidence: Some(Evidence::Inferred),
        matched_by: Some(KeyKind::Phone),
        provider_customer_id: Some("vendor-7".to_owned()),
        attempts: 3,
        next_attempt_at: Some(seconds(30)),
        duration_ms: 412,
        fields: FieldOutcomes {
            confirmed: vec!["/email".to_owned()],
            differs: vec![upsert_core::Differs {
                pointer: "/notes".to_owned(),
                kept: serde_json::json!(["cut", null]),
            }],
            unconfirmed: vec!["/tags".to_owned()],
        },
        warnings: vec![Warning::new(WarningCode::MayBeCut, "/notes", "long")],
        error: Some(DeliveryError {
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
            vendor_body: Some(serde_json::json!({ "code": "E42", "at": [null, 1.5] })),
        }),
        force: true,
        priority: Priority::Bulk,
        fence: 7,
        lease_until: Some(seconds(60)),
        ended_at: Some(seconds(90)),
        parked_ms: 1_000,
        parked_since: Some(seconds(10)),
        maybe_written: true,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        ..delivery_record(merchant, connection, id, DeliveryState::Waiting)
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

/// A lane of revision 1 that is linked to this vendor record.
pub fn linked_lane(merchant: &str, customer: CustomerId, connection: &str, vendor_id: &str) -> Lane {
    let mut lane = Lane::new(merchant, customer, connection);
    lane.revision = 1;
    lane.link = Some(Link {
        provider_customer_id: vendor_id.to_owned(),
        key: email_key("ada@example.com"),
        shared: false,
        adopted: None,
    });
    lane
}

/// A key that was used at noon and is kept for a day.
pub fn idempotency_record(merchant: &str, key: u8, upsert: UpsertId) -> IdempotencyRecord {
    IdempotencyRecord {
        key: [key; 32],
        fingerprint: [0xAB; 32],
        merchant: merchant.to_owned(),
        upsert,
        created_at: noon(),
        expires_at: seconds(86_400),
        answer: None,
    }
}

/// An answer with this status.
pub fn stored_answer(status: u16) -> StoredAnswer {
    StoredAnswer {
        status,
        location: Some("/v1/customers/1".to_owned()),
        content_type: "application/json".to_owned(),
        body: "{\"name\":\"Ada\"}".to_owned(),
    }
}

/// A connection that an operator paused at noon.
pub fn paused_connection(merchant: &str, connection: &str) -> ConnectionRecord {
    ConnectionRecord {
        merchant: merchant.to_owned(),
        connection: connection.to_owned(),
        pause: Some(Pause {
            by: PausedBy::Operator,
            since: noon(),
            reason: "maintenance".to_owned(),
            fingerprint: "f00d".to_owned(),
        }),
        quota_told: None,
    }
}

/// The event of this number, which the sender calls `in-` and its number, as it came and was taken.
pub fn incoming_event(merchant: &str, source: &str, number: u32, state: IncomingState) -> IncomingEvent {
    IncomingEvent {
        id: event_id(number),
        merchant: merchant.to_owned(),
        source: source.to_owned(),
        event_id: format!("in-{number}"),
        content: content_of(&format!("in-{number}")),
        revision: 1,
        state,
        received_at: seconds(number.into()),
        tried_at: seconds(number.into()),
        tries: 1,
        customer: None,
        upsert: None,
        problem: None,
        ignored: Vec::new(),
        unbelieved_time: None,
        raw: None,
    }
}

/// The fingerprint of an event that the sender calls so.
pub fn content_of(event_id: &str) -> String {
    format!("content of {event_id}")
}

/// What one source said at noon of one field of a customer.
pub fn event_marks(customer: CustomerId, source: &str) -> EventMarks {
    EventMarks {
        customer,
        source: source.to_owned(),
        revision: 1,
        marks: vec![EventMark {
            order: "2026-11-20T12:00:00.000000Z".to_owned(),
            fields: ["/email".to_owned()].into(),
        }],
        given: BTreeMap::new(),
    }
}

/// The event of this number on its way to an endpoint; due when it was made, while it is to be sent.
pub fn outgoing_event(merchant: &str, endpoint: &str, number: u32, state: OutgoingState) -> OutgoingEvent {
    OutgoingEvent {
        id: event_id(number),
        merchant: merchant.to_owned(),
        endpoint: endpoint.to_owned(),
        kind: "customer.upserted".to_owned(),
        revision: 1,
        state,
        created_at: seconds(number.into()),
        attempts: 0,
        next_attempt_at: state.is_open().then(|| seconds(number.into())),
        last_attempt_at: None,
        last_status: None,
        last_error: None,
        ended_at: None,
        replayed_at: None,
        body: "{\"type\":\"customer.upserted\"}".to_owned(),
    }
}

/// An endpoint that answered 410 at noon.
pub fn disabled_endpoint(merchant: &str, endpoint: &str) -> EndpointRecord {
    EndpointRecord {
        merchant: merchant.to_owned(),
        endpoint: endpoint.to_owned(),
        disabled: Some(Disabled {
            by: "endpoint".to_owned(),
            since: noon(),
        }),
    }
}
