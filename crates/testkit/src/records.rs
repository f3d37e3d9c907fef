//! Ids and records to start from; tests change the members that they are about.

mod deliveries;
mod events;
mod incidents;
mod lanes;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use upsert_core::{
    Customer, CustomerId, DeliveryId, EventId, Field, Identifier, IdentifierKind, Ignored, KeyKind, MatchKey, UpsertId,
    Value, VendorBlocks,
};
use upsert_store::{
    AuditHead, AuditRecord, ConnectionRecord, CustomerChange, CustomerRecord, Disabled, EndpointRecord,
    IdempotencyRecord, MerchantRecord, Pause, PausedBy, StoredAnswer, UpsertRecord, UpsertState,
};

pub use deliveries::{
    attempt_record, delivery_error, delivery_record, due_progress, full_delivery_error, full_delivery_record,
    plain_progress, sent_request,
};
pub use events::{
    content_of, event_marks, event_problem, failed_attempt, incoming_event, incoming_event_about, outgoing_event,
    outgoing_event_due,
};
pub use incidents::{ended_incident, incident_id, incident_record};
pub use lanes::{at_revision, full_lane, linked_lane};

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

/// The first delivery of the upsert of this number.
pub fn delivery_id(number: u128) -> DeliveryId {
    delivery_of(number, 1)
}

/// The delivery of the upsert of this number that is this one of its deliveries (from 1).
pub fn delivery_of(number: u128, part: u16) -> DeliveryId {
    DeliveryId::of(upsert_id(number), part)
}

/// The event of this number, made so many seconds after [`noon`].
pub fn event_id(number: u32) -> EventId {
    EventId::from_uuid(made_at(number.into()))
}

/// It begins with that moment, as ids do, and leaves what tells an upsert's deliveries apart at zero. A greater number is
/// younger, also where there are not so many seconds.
fn made_at(number: u128) -> Uuid {
    let after_noon = u32::try_from(number).unwrap_or(u32::MAX);
    let time = EventId::oldest_at(seconds(after_noon.into())).as_uuid().as_u128();
    Uuid::from_u128(time + (number << 10))
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

/// What an upsert made of a customer: a person with this first name, and no vendor's record adopted.
pub fn customer_change(given_name: &str) -> CustomerChange {
    CustomerChange {
        record: person(given_name),
        links: BTreeMap::new(),
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
    let mut record = UpsertRecord::new(id, merchant, customer, 1, "tests", noon());
    (record.new_customer, record.changed) = (true, true);
    record
}

/// The same, which ended at noon where it is in a state of that kind.
pub fn upsert_in_state(merchant: &str, id: UpsertId, customer: CustomerId, state: UpsertState) -> UpsertRecord {
    let mut record = upsert_record(merchant, id, customer);
    if state != UpsertState::Pending {
        record.end(state, noon());
    }
    record
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
        revision: 1,
        pause: Some(Pause {
            by: PausedBy::Operator,
            since: noon(),
            reason: "maintenance".to_owned(),
            fingerprint: "f00d".to_owned(),
        }),
        quota_told: None,
        open_until: None,
        blocks: VendorBlocks {
            throttled_until: Some(seconds(30)),
            spent_until: None,
        },
        lifts: 2,
        incident: Some(incident_id(7)),
        incident_ended_at: Some(seconds(9)),
    }
}

/// An endpoint that answered 410 at noon.
pub fn disabled_endpoint(merchant: &str, endpoint: &str) -> EndpointRecord {
    EndpointRecord {
        merchant: merchant.to_owned(),
        endpoint: endpoint.to_owned(),
        revision: 1,
        disabled: Some(Disabled {
            by: "endpoint".to_owned(),
            since: noon(),
        }),
    }
}

/// A merchant that was put so often.
pub fn stored_merchant(id: &str, revision: u64) -> MerchantRecord {
    MerchantRecord {
        id: id.to_owned(),
        revision,
        put_at: noon(),
        put_by: "platform".to_owned(),
        sealed_with: Some("2026-11".to_owned()),
        body: Some(format!("{{\"config\":{{\"id\":\"{id}\"}},\"of\":{revision}}}")),
    }
}

/// The entry of the audit trail with this number, made so many seconds after [`noon`]. Its hashes are made up.
///
/// # Panics
///
/// Where the number is 0 or greater than 255.
pub fn audit_record(number: u64) -> AuditRecord {
    let hash = u8::try_from(number).unwrap();
    AuditRecord {
        number,
        at: seconds(i64::from(hash)),
        by: "ann".to_owned(),
        action: "connection.pause".to_owned(),
        merchant: Some("acme".to_owned()),
        subject: format!("connections/acme/{number}"),
        detail: Some(format!("{{\"of\":{number}}}")),
        key: Some("2026-11".to_owned()),
        before: [hash - 1; 32],
        hash: [hash; 32],
    }
}

/// A head that tells of the entry with this number, which is its revision too.
///
/// # Panics
///
/// Where the number is greater than 255.
pub fn audit_head(number: u64) -> AuditHead {
    let hash = u8::try_from(number).unwrap();
    AuditHead {
        revision: number,
        number,
        at: seconds(i64::from(hash)),
        hash: [hash; 32],
        forgotten: 0,
        forgotten_hash: [0; 32],
        key: Some("2026-11".to_owned()),
        seal: [hash ^ 0xFF; 32],
    }
}
