//! All of it or nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::civil::date;

use upsert_core::ErasureId;
use upsert_store::{
    Applied, Changeset, DeliveryState, Expect, IncomingState, MerchantRecord, OutgoingState, Store, TombstoneKey, Write,
};

use super::erasures::erasure;
use super::{holds, put};
use crate::records::{
    attempt_record, audit_head, audit_record, content_of, customer_change, customer_id, customer_record, delivery_id,
    delivery_of, delivery_record, disabled_endpoint, email, email_key, event_id, event_marks, idempotency_record,
    incident_id, incident_record, incoming_event, linked_lane, noon, outgoing_event, paused_connection, seconds,
    stored_answer, stored_merchant, upsert_id, upsert_record,
};
use crate::store_model::observe;

pub(super) async fn an_empty_changeset_is_done(store: Arc<dyn Store>) {
    put(&*store, Vec::new()).await;
}

/// One that does not hold in an empty store (or, for those that ask for absence, in one that `occupied` filled), for
/// each variant.
fn unmet() -> Vec<Expect> {
    vec![
        Expect::Customer {
            id: customer_id(1),
            revision: Some(9),
        },
        Expect::Holders {
            identifier: email("a@example.com"),
            customers: vec![customer_id(9)],
        },
        Expect::Lane {
            customer: customer_id(1),
            connection: "crm".to_owned(),
            revision: Some(9),
        },
        Expect::KeysFree {
            connection: "crm".to_owned(),
            keys: vec![email_key("free@example.com"), email_key("b@example.com")],
            customer: customer_id(1),
        },
        Expect::RecordFree {
            connection: "crm".to_owned(),
            provider_customer_id: "v-2".to_owned(),
            customer: customer_id(1),
        },
        Expect::Upsert {
            id: upsert_id(1),
            revision: 9,
        },
        Expect::Delivery {
            id: delivery_id(1),
            fence: 9,
        },
        Expect::IdempotencyFree {
            key: [2; 32],
            now: noon(),
        },
        Expect::IncomingEvent {
            source: "shop".to_owned(),
            event_id: "in-2".to_owned(),
            content: content_of("in-2"),
            revision: None,
        },
        Expect::EventMarks {
            customer: customer_id(2),
            source: "shop".to_owned(),
            revision: None,
        },
        Expect::OutgoingEvent {
            id: event_id(2),
            revision: 9,
        },
        Expect::Connection {
            connection: "erp".to_owned(),
            revision: None,
        },
        Expect::Endpoint {
            endpoint: "audit".to_owned(),
            revision: Some(2),
        },
        Expect::CallsBelow {
            connection: "crm".to_owned(),
            day: date(2026, 11, 20),
            limit: 1,
        },
        Expect::Merchant { revision: None },
        Expect::AuditHead { revision: None },
        Expect::Erasure {
            id: ErasureId::of(customer_id(2)),
            revision: None,
        },
        Expect::Incident {
            id: incident_id(2),
            revision: None,
        },
    ]
}

/// Like [`unmet`], but these hold once `occupied` was written.
fn met() -> Vec<Expect> {
    vec![
        Expect::Customer {
            id: customer_id(2),
            revision: Some(1),
        },
        Expect::Holders {
            identifier: email("b@example.com"),
            customers: vec![customer_id(2)],
        },
        Expect::Lane {
            customer: customer_id(2),
            connection: "crm".to_owned(),
            revision: Some(1),
        },
        Expect::KeysFree {
            connection: "crm".to_owned(),
            keys: vec![email_key("a@example.com"), email_key("b@example.com")],
            customer: customer_id(2),
        },
        Expect::RecordFree {
            connection: "crm".to_owned(),
            provider_customer_id: "v-2".to_owned(),
            customer: customer_id(2),
        },
        Expect::Upsert {
            id: upsert_id(2),
            revision: 1,
        },
        Expect::Delivery {
            id: delivery_id(2),
            fence: 0,
        },
        Expect::IdempotencyFree {
            key: [2; 32],
            now: seconds(86_400),
        },
        Expect::IncomingEvent {
            source: "shop".to_owned(),
            event_id: "in-2".to_owned(),
            content: content_of("in-2"),
            revision: Some(1),
        },
        Expect::EventMarks {
            customer: customer_id(2),
            source: "shop".to_owned(),
            revision: Some(1),
        },
        Expect::OutgoingEvent {
            id: event_id(2),
            revision: 1,
        },
        Expect::Connection {
            connection: "erp".to_owned(),
            revision: Some(1),
        },
        Expect::Endpoint {
            endpoint: "audit".to_owned(),
            revision: Some(1),
        },
        Expect::CallsBelow {
            connection: "crm".to_owned(),
            day: date(2026, 11, 20),
            limit: 2,
        },
        Expect::Merchant { revision: Some(2) },
        Expect::AuditHead { revision: Some(2) },
        Expect::Erasure {
            id: ErasureId::of(customer_id(2)),
            revision: Some(1),
        },
        Expect::Incident {
            id: incident_id(2),
            revision: Some(1),
        },
    ]
}

/// Its place among the variants; a new variant has to be given one here and a row above.
fn variant(expect: &Expect) -> usize {
    match expect {
        Expect::Customer { .. } => 0,
        Expect::Holders { .. } => 1,
        Expect::Lane { .. } => 2,
        Expect::KeysFree { .. } => 3,
        Expect::RecordFree { .. } => 4,
        Expect::Upsert { .. } => 5,
        Expect::Delivery { .. } => 6,
        Expect::IdempotencyFree { .. } => 7,
        Expect::IncomingEvent { .. } => 8,
        Expect::EventMarks { .. } => 9,
        Expect::OutgoingEvent { .. } => 10,
        Expect::Connection { .. } => 11,
        Expect::Endpoint { .. } => 12,
        Expect::CallsBelow { .. } => 13,
        Expect::Merchant { .. } => 14,
        Expect::AuditHead { .. } => 15,
        Expect::Erasure { .. } => 16,
        Expect::Incident { .. } => 17,
    }
}

const VARIANTS: usize = 18;

fn covers_every_variant(expects: &[Expect]) {
    let seen: BTreeSet<usize> = expects.iter().map(variant).collect();
    assert_eq!(seen, (0..VARIANTS).collect());
}

/// What customer 2 has.
fn occupied() -> Vec<Write> {
    all_writes(2, "b@example.com", "v-2")
}

/// Every write that makes something, for the customer (and upsert, delivery, key) of this number.
fn all_writes(number: u8, address: &str, vendor_id: &str) -> Vec<Write> {
    let (customer, upsert, delivery) = (
        customer_id(number.into()),
        upsert_id(number.into()),
        delivery_id(number.into()),
    );
    let due = delivery_record("acme", "crm", delivery, DeliveryState::Pending);
    let dead_letter = delivery_of(number.into(), 2);
    let mut owing = upsert_record("acme", upsert, customer);
    owing.owe_event();
    vec![
        Write::PutCustomer(customer_record("acme", customer)),
        Write::AddIdentifier {
            identifier: email(address),
            customer,
        },
        Write::PutUpsert(owing, Some(customer_change("Ada"))),
        Write::PutDelivery(due, Some(attempt_record(delivery, 1))),
        Write::PutDelivery(delivery_record("acme", "crm", dead_letter, DeliveryState::Failed), None),
        Write::PutLane(linked_lane("acme", customer, "crm", vendor_id)),
        Write::Reserve {
            connection: "crm".to_owned(),
            key: email_key(address),
            customer,
        },
        Write::PutIdempotency(idempotency_record("acme", number, upsert)),
        Write::PutAnswer {
            key: [number; 32],
            answer: stored_answer(201),
        },
        Write::PutConnection(paused_connection("acme", if number == 1 { "crm" } else { "erp" })),
        Write::CountCall {
            connection: "crm".to_owned(),
            day: date(2026, 11, 20),
        },
        Write::PutIncomingEvent(incoming_event("acme", "shop", number.into(), IncomingState::Failed)),
        Write::PutEventMarks(event_marks(customer, "shop")),
        Write::PutOutgoingEvent(outgoing_event("acme", "hook", number.into(), OutgoingState::Pending)),
        Write::PutEndpoint(disabled_endpoint("acme", if number == 1 { "hook" } else { "audit" })),
        Write::PutMerchant(MerchantRecord {
            sealed_with: Some(format!("key-{number}")),
            ..stored_merchant("acme", number.into())
        }),
        Write::PutAuditEntry(audit_record(number.into())),
        Write::PutAuditHead(audit_head(number.into())),
        Write::PutErasure(erasure("acme", number.into())),
        Write::PutIncident(incident_record("acme", "crm", number.into())),
        Write::AddTombstone {
            key: TombstoneKey::Identifier(email(address)),
            erasure: ErasureId::of(customer),
        },
    ]
}

/// Writes that take away what customer 2 has.
fn removals() -> Vec<Write> {
    vec![
        Write::ForgetAuditEntry(2),
        Write::ForgetIncident(incident_id(2)),
        Write::DeleteCustomer(customer_id(2)),
        Write::RemoveIdentifier {
            identifier: email("b@example.com"),
            customer: customer_id(2),
        },
        Write::Release {
            connection: "crm".to_owned(),
            key: email_key("b@example.com"),
            customer: customer_id(2),
        },
    ]
}

pub(super) async fn no_unmet_expectation_of_any_kind_lets_a_write_through(store: Arc<dyn Store>) {
    covers_every_variant(&unmet());
    put(&*store, occupied()).await;
    let before = observe(&*store).await;
    for expect in unmet() {
        let what = variant(&expect);
        let mut write = all_writes(1, "a@example.com", "v-1");
        write.extend(removals());
        let changes = Changeset {
            expect: vec![expect],
            write,
            ..Changeset::of("acme")
        };
        assert_eq!(store.apply(changes).await.unwrap(), Applied::Unmet(0), "variant {what}");
        observe(&*store).await.assert_same(&before);
    }
}

pub(super) async fn every_expectation_can_be_met_and_then_every_write_is_seen(store: Arc<dyn Store>) {
    covers_every_variant(&met());
    put(&*store, occupied()).await;
    for expect in met() {
        let what = variant(&expect);
        assert!(holds(&*store, expect).await, "variant {what}");
    }
    let mut before = observe(&*store).await;
    let changes = Changeset {
        expect: met(),
        write: all_writes(1, "a@example.com", "v-1"),
        ..Changeset::of("acme")
    };
    assert_eq!(store.apply(changes).await.unwrap(), Applied::Done);
    let after = observe(&*store).await;
    after.assert_each_part_differs_from(&before);
    before = after;
    put(&*store, removals()).await;
    assert!(observe(&*store).await != before);
}

pub(super) async fn the_first_unmet_expectation_is_named(store: Arc<dyn Store>) {
    let absent = |number| Expect::Customer {
        id: customer_id(number),
        revision: None,
    };
    let present = |number| Expect::Customer {
        id: customer_id(number),
        revision: Some(1),
    };
    let changes = Changeset {
        expect: vec![absent(1), absent(2), present(3), present(4)],
        write: vec![Write::PutCustomer(customer_record("acme", customer_id(1)))],
        ..Changeset::of("acme")
    };
    assert_eq!(store.apply(changes).await.unwrap(), Applied::Unmet(2));
    assert!(store.customer("acme", customer_id(1)).await.unwrap().is_none());
}

pub(super) async fn expectations_are_judged_before_any_write(store: Arc<dyn Store>) {
    let changes = Changeset {
        expect: vec![Expect::Customer {
            id: customer_id(1),
            revision: None,
        }],
        write: vec![Write::PutCustomer(customer_record("acme", customer_id(1)))],
        ..Changeset::of("acme")
    };
    assert_eq!(store.apply(changes.clone()).await.unwrap(), Applied::Done);
    assert_eq!(store.apply(changes).await.unwrap(), Applied::Unmet(0));
}

pub(super) async fn writes_are_applied_in_order(store: Arc<dyn Store>) {
    let mut second = customer_record("acme", customer_id(1));
    second.revision = 2;
    put(
        &*store,
        vec![
            Write::PutCustomer(customer_record("acme", customer_id(1))),
            Write::PutCustomer(second.clone()),
            Write::PutCustomer(customer_record("acme", customer_id(2))),
            Write::DeleteCustomer(customer_id(2)),
            Write::DeleteCustomer(customer_id(3)),
            Write::PutCustomer(customer_record("acme", customer_id(3))),
        ],
    )
    .await;
    let known = store.customer("acme", customer_id(1)).await.unwrap().unwrap();
    assert_eq!(known.record, second);
    assert!(store.customer("acme", customer_id(2)).await.unwrap().is_none());
    assert!(store.customer("acme", customer_id(3)).await.unwrap().is_some());
}

pub(super) async fn a_store_in_order_passes_its_check(store: Arc<dyn Store>) {
    let before = observe(&*store).await;
    store.check().await.unwrap();
    store.check().await.unwrap();
    observe(&*store).await.assert_same(&before);
}
