//! What is one merchant's is not another's, whatever it is kept under.

use std::sync::Arc;

use upsert_core::{CustomerId, EventId, MerchantMark};
use upsert_store::{
    CustomerFilter, DeliveryFilter, DeliveryRecord, DeliveryState, Expect, IdempotencyRecord, IdentityQuery,
    IncomingFilter, IncomingState, OutgoingFilter, OutgoingState, Store, UpsertFilter, UpsertState, Write,
};

use super::{holds_for, put, put_for};
use crate::records::{
    attempt_record, content_of, customer_change, customer_id, customer_record, delivery_id, delivery_record, email,
    email_key, event_id, event_marks, idempotency_record, incoming_event, linked_lane, noon, outgoing_event, person,
    plain_progress, seconds, stored_answer, upsert_id, upsert_in_state,
};

const MERCHANTS: [&str; 2] = ["acme", "globex"];

pub(super) async fn an_id_leads_to_its_merchant(store: Arc<dyn Store>) {
    for merchant in ["zulu", "acme"] {
        let write = vec![Write::PutCustomer(customer_record(merchant, customer_id(1)))];
        put_for(&*store, merchant, write).await;
    }
    for merchant in ["acme", "zulu"] {
        // Somebody of whom nothing is kept may be named too.
        let found = store.merchants_of(MerchantMark::of(merchant)).await.unwrap();
        assert!(
            found.is_sorted() && found.iter().any(|name| name == merchant),
            "{found:?}"
        );
        let has_its_mark = |name: &String| MerchantMark::of(name) == MerchantMark::of(merchant);
        assert!(found.iter().all(has_its_mark), "{found:?}");
    }
    let found = store.merchants_of(MerchantMark::of("nobody")).await.unwrap();
    assert!(
        !found.iter().any(|name| MERCHANTS.contains(&name.as_str())),
        "{found:?}"
    );
}

pub(super) async fn ids_of_what_is_kept_were_made_until_a_moment_that_is_told(store: Arc<dyn Store>) {
    assert_eq!(store.made_until().await.unwrap(), None);
    let made = |after: i64| noon() + jiff::SignedDuration::from_secs(after);
    let tells = async |after: i64| {
        let until = store.made_until().await.unwrap().unwrap();
        let ahead = until.duration_since(made(after));
        assert!((0..=1_000).contains(&ahead.as_millis()), "{until}");
    };
    let customer = |after: i64| customer_record("acme", CustomerId::oldest_at(made(after)));
    put_for(&*store, "acme", vec![Write::PutCustomer(customer(0))]).await;
    tells(0).await;
    let mut event = incoming_event("globex", "shop", 1, IncomingState::Failed);
    event.id = EventId::oldest_at(made(20));
    put_for(&*store, "globex", vec![Write::PutIncomingEvent(event)]).await;
    tells(20).await;
    put_for(&*store, "acme", vec![Write::PutCustomer(customer(10))]).await;
    tells(20).await;
}

/// What this merchant has of the customer: told apart by its name, and by the revision where it is asked for.
fn customer_of(merchant: &str, revision: u64) -> Vec<Write> {
    let id = customer_id(1);
    let mut record = customer_record(merchant, id);
    (record.customer, record.revision) = (person(merchant), revision);
    let mut marks = event_marks(id, "shop");
    marks.revision = revision;
    vec![
        Write::PutCustomer(record),
        Write::PutLane(linked_lane(merchant, id, "crm", merchant)),
        Write::AddIdentifier {
            identifier: email("a@example.com"),
            customer: id,
        },
        Write::Reserve {
            connection: "crm".to_owned(),
            key: email_key("a@example.com"),
            customer: id,
        },
        Write::PutEventMarks(marks),
    ]
}

pub(super) async fn two_merchants_have_each_a_customer_under_one_id(store: Arc<dyn Store>) {
    let id = customer_id(1);
    for (merchant, revision) in MERCHANTS.into_iter().zip(1..) {
        put_for(&*store, merchant, customer_of(merchant, revision)).await;
    }
    let keys = [email_key("a@example.com")];
    for (merchant, revision) in MERCHANTS.into_iter().zip(1..) {
        let known = store.customer(merchant, id).await.unwrap().unwrap();
        assert_eq!(
            (&*known.record.merchant, &known.record.customer),
            (merchant, &person(merchant))
        );
        assert_eq!(known.lanes, [linked_lane(merchant, id, "crm", merchant)]);
        let expect = Expect::Customer {
            id,
            revision: Some(revision),
        };
        assert!(holds_for(&*store, merchant, expect).await);
        let marks = store.event_marks(merchant, id, "shop").await.unwrap();
        assert_eq!(marks.map(|marks| marks.revision), Some(revision));
        let owners = async |record| store.record_owners(merchant, "crm", record).await.unwrap().len();
        let of_each = (owners("acme").await, owners("globex").await);
        assert_eq!(
            of_each,
            (usize::from(merchant == "acme"), usize::from(merchant == "globex"))
        );
    }
    let gone = vec![
        Write::DeleteCustomer(id),
        Write::RemoveIdentifier {
            identifier: email("a@example.com"),
            customer: id,
        },
        Write::Release {
            connection: "crm".to_owned(),
            key: keys[0].clone(),
            customer: id,
        },
    ];
    put(&*store, gone).await;
    for (merchant, is_there) in [("acme", false), ("globex", true)] {
        let query = IdentityQuery {
            id: Some(id),
            identifiers: vec![email("a@example.com")],
        };
        let view = store.identify(merchant, &query).await.unwrap();
        assert_eq!(
            (view.by_id.is_some(), !view.holders[0].is_empty()),
            (is_there, is_there)
        );
        let all = CustomerFilter::default();
        let listed = store.customers(merchant, &all, None, 10).await.unwrap();
        assert_eq!(listed.entries.len(), usize::from(is_there));
        let held = store.key_holders(merchant, "crm", &keys, customer_id(9)).await.unwrap();
        assert_eq!(held.len(), usize::from(is_there));
        let marks = store.event_marks(merchant, id, "shop").await.unwrap();
        assert_eq!(marks.is_some(), is_there);
    }
}

fn delivery_of_revision(merchant: &str, state: DeliveryState, revision: u64) -> DeliveryRecord {
    let mut delivery = delivery_record(merchant, merchant, delivery_id(1), DeliveryState::Pending);
    (0..revision).for_each(|_| delivery.claim(1, noon()));
    delivery.with_progress(plain_progress(state))
}

/// An upsert of this merchant's with a delivery to a connection of the merchant's name, and two attempts.
fn work_of(merchant: &str, state: DeliveryState, revision: u64) -> Vec<Write> {
    let mut upsert = upsert_in_state(merchant, upsert_id(1), customer_id(1), UpsertState::Succeeded);
    while upsert.revision() < revision {
        let _nobody_asks = upsert.change();
    }
    let delivery = delivery_of_revision(merchant, state, revision);
    let mut attempt = attempt_record(delivery_id(1), 1);
    attempt.result = Some(merchant.to_owned());
    let mut second = attempt_record(delivery_id(1), 2);
    second.result = Some(merchant.to_owned());
    vec![
        Write::PutUpsert(upsert, Some(customer_change(merchant))),
        Write::PutDelivery(delivery.clone(), Some(attempt)),
        Write::PutDelivery(delivery, Some(second)),
    ]
}

pub(super) async fn two_merchants_have_each_an_upsert_with_its_work_under_one_id(store: Arc<dyn Store>) {
    let states = [DeliveryState::Failed, DeliveryState::Waiting];
    for ((merchant, state), revision) in MERCHANTS.into_iter().zip(states).zip(1..) {
        put_for(&*store, merchant, work_of(merchant, state, revision)).await;
    }
    for ((merchant, state), revision) in MERCHANTS.into_iter().zip(states).zip(1..) {
        let expected = delivery_of_revision(merchant, state, revision);
        let id = upsert_id(1);
        assert!(holds_for(&*store, merchant, Expect::Upsert { id, revision }).await);
        assert!(holds_for(&*store, merchant, expected.expected()).await);
        let (upsert, deliveries) = store.upsert(merchant, upsert_id(1)).await.unwrap().unwrap();
        assert_eq!((&*upsert.merchant, deliveries), (merchant, vec![expected.clone()]));
        let found = store.delivery(merchant, delivery_id(1)).await.unwrap();
        assert_eq!(found, Some(expected.clone()));
        let attempts = store.attempts(merchant, delivery_id(1)).await.unwrap();
        assert_eq!(attempts.len(), 2);
        assert!(
            attempts
                .iter()
                .all(|attempt| attempt.result.as_deref() == Some(merchant))
        );
        let history = store.history(merchant, customer_id(1), None, 10).await.unwrap();
        assert_eq!(history.entries.len(), 1);
        assert_eq!(history.entries[0].record, person(merchant));
        let upserts = UpsertFilter {
            merchant: merchant.to_owned(),
            ..UpsertFilter::default()
        };
        assert_eq!(store.upserts(&upserts, None, 10).await.unwrap().entries.len(), 1);
        let of_upsert = DeliveryFilter {
            merchants: Some([merchant.to_owned()].into()),
            upsert_id: Some(upsert_id(1)),
            ..DeliveryFilter::default()
        };
        let of_customer = DeliveryFilter {
            upsert_id: None,
            customer_id: Some(customer_id(1)),
            ..of_upsert.clone()
        };
        for filter in [of_upsert, of_customer] {
            let page = store.deliveries(&filter, None, 10).await.unwrap();
            assert!(page.entries.iter().eq([&expected]));
            let of_anybody = DeliveryFilter {
                merchants: None,
                ..filter
            };
            assert_eq!(store.count_deliveries(&of_anybody, 10).await.unwrap().count, 2);
        }
    }
}

pub(super) async fn two_merchants_have_each_an_event_under_one_id(store: Arc<dyn Store>) {
    let states = [
        (IncomingState::Failed, OutgoingState::Failed),
        (IncomingState::Echo, OutgoingState::Pending),
    ];
    let events_of = |merchant, (came_in, goes_out)| {
        (
            incoming_event(merchant, "shop", 1, came_in),
            outgoing_event(merchant, "hook", 1, goes_out),
        )
    };
    for (merchant, states) in MERCHANTS.into_iter().zip(states) {
        let (came_in, goes_out) = events_of(merchant, states);
        let writes = vec![Write::PutIncomingEvent(came_in), Write::PutOutgoingEvent(goes_out)];
        put_for(&*store, merchant, writes).await;
    }
    for (merchant, states) in MERCHANTS.into_iter().zip(states) {
        let (came_in, goes_out) = events_of(merchant, states);
        let found = store.incoming_event(merchant, event_id(1)).await.unwrap();
        assert_eq!(found, Some(came_in.clone()));
        let content = content_of("in-1");
        let found = store.event_of_source(merchant, "shop", "in-1", &content).await;
        assert_eq!(found.unwrap(), Some(came_in.clone()));
        let found = store.outgoing_event(merchant, event_id(1)).await.unwrap();
        assert_eq!(found, Some(goes_out.clone()));
        let merchants = Some([merchant.to_owned()].into());
        let filter = IncomingFilter {
            merchants: merchants.clone(),
            ..IncomingFilter::default()
        };
        let listed = store.incoming_events(&filter, None, 10).await.unwrap();
        assert_eq!(listed.entries, [came_in]);
        let filter = OutgoingFilter {
            merchants,
            ..OutgoingFilter::default()
        };
        let listed = store.outgoing_events(&filter, None, 10).await.unwrap();
        assert_eq!(listed.entries, [goes_out]);
    }
    let listed = store.incoming_events(&IncomingFilter::default(), None, 10).await;
    assert_eq!(listed.unwrap().entries.len(), 2);
    let listed = store.outgoing_events(&OutgoingFilter::default(), None, 10).await;
    assert_eq!(listed.unwrap().entries.len(), 2);

    // Acme's have failed, globex' incoming one is done, and what it is to be sent stays.
    let forgot = store.forget_events(noon(), seconds(100), 10).await.unwrap();
    assert_eq!(forgot, 2);
    for (merchant, is_there) in [("acme", false), ("globex", true)] {
        let came_in = store.incoming_event(merchant, event_id(1)).await.unwrap();
        let goes_out = store.outgoing_event(merchant, event_id(1)).await.unwrap();
        assert_eq!((came_in.is_some(), goes_out.is_some()), (is_there, is_there));
    }
}

pub(super) async fn two_merchants_have_each_a_use_of_one_idempotency_key(store: Arc<dyn Store>) {
    let used_by = |merchant, expires_at| IdempotencyRecord {
        expires_at: seconds(expires_at),
        ..idempotency_record(merchant, 1, upsert_id(1))
    };
    let free = || Expect::IdempotencyFree {
        key: [1; 32],
        now: noon(),
    };
    put(&*store, vec![Write::PutIdempotency(used_by("acme", 10))]).await;
    assert!(!holds_for(&*store, "acme", free()).await);
    assert!(holds_for(&*store, "globex", free()).await);
    let answer = Write::PutAnswer {
        key: [1; 32],
        answer: stored_answer(201),
    };
    let writes = vec![Write::PutIdempotency(used_by("globex", 20)), answer];
    put_for(&*store, "globex", writes).await;
    let kept = async |merchant| store.idempotency(merchant, &[1; 32], noon()).await.unwrap();
    assert_eq!(kept("acme").await, Some(used_by("acme", 10)));
    let answered = IdempotencyRecord {
        answer: Some(stored_answer(201)),
        ..used_by("globex", 20)
    };
    assert_eq!(kept("globex").await, Some(answered.clone()));
    assert_eq!(store.forget_expired(seconds(10), 10).await.unwrap(), 1);
    assert_eq!(kept("acme").await, None);
    assert_eq!(kept("globex").await, Some(answered));
}
