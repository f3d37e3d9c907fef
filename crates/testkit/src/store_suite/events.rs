//! Webhook events: those that came in, those that go out, and what is forgotten of both.

pub(super) mod incoming;
pub(super) mod outgoing;

use std::sync::Arc;

use jiff::Timestamp;

use upsert_store::{Expect, IncomingFilter, IncomingState, OutgoingFilter, OutgoingState, Store, Write};

use super::{holds, put, put_for, put_upserts};
use crate::records::{
    content_of, customer_id, customer_record, event_id, event_marks, incoming_event, outgoing_event, seconds,
    upsert_id, upsert_record,
};

pub(super) async fn an_upsert_owes_its_event_until_it_is_put_without(store: Arc<dyn Store>) {
    assert!(store.owing(None, 10).await.unwrap().is_empty());
    let upserts = [
        ("acme", 4, true),
        ("globex", 2, true),
        ("acme", 3, false),
        ("acme", 1, true),
    ];
    let [mut fourth, second, third, first] = upserts.map(|(merchant, number, owes_event)| {
        let mut record = upsert_record(merchant, upsert_id(number), customer_id(1));
        if owes_event {
            record.owe_event();
        }
        record
    });
    put_upserts(&*store, &[fourth.clone(), second.clone(), third.clone(), first.clone()]).await;
    let all = [first.clone(), fourth.clone(), second.clone()];
    assert_eq!(store.owing(None, 10).await.unwrap(), all, "by merchant, then by id");
    assert_eq!(store.owing(None, 1).await.unwrap(), all[..1]);
    assert_eq!(store.owing(Some(&first), 10).await.unwrap(), all[1..]);
    assert_eq!(store.owing(Some(&first), 1).await.unwrap(), all[1..2]);
    assert_eq!(store.owing(Some(&third), 10).await.unwrap(), all[1..]);

    fourth.pay_event();
    put_upserts(&*store, std::slice::from_ref(&fourth)).await;
    assert_eq!(store.owing(Some(&first), 10).await.unwrap(), all[2..]);
    fourth.owe_event();
    put_upserts(&*store, std::slice::from_ref(&fourth)).await;
    assert_eq!(store.owing(Some(&first), 10).await.unwrap(), all[1..]);
    assert_eq!(store.owing(Some(&fourth), 10).await.unwrap(), all[2..]);
    assert!(store.owing(Some(&second), 10).await.unwrap().is_empty());
}

pub(super) async fn what_events_said_is_kept_by_customer_and_source_and_goes_with_the_customer(store: Arc<dyn Store>) {
    let expect = |number, source: &str, revision| Expect::EventMarks {
        customer: customer_id(number),
        source: source.to_owned(),
        revision,
    };
    assert!(holds(&*store, expect(1, "shop", None)).await);
    assert!(!holds(&*store, expect(1, "shop", Some(1))).await);
    let mut shop = event_marks(customer_id(1), "shop");
    let erp = event_marks(customer_id(1), "erp");
    let other = event_marks(customer_id(2), "shop");
    let mut writes = vec![Write::PutCustomer(customer_record("acme", customer_id(1)))];
    writes.extend([&shop, &erp, &other].map(|marks| Write::PutEventMarks(marks.clone())));
    put(&*store, writes).await;
    shop.revision = 2;
    shop.marks.clear();
    put(&*store, vec![Write::PutEventMarks(shop.clone())]).await;
    assert_eq!(
        store.event_marks("acme", customer_id(1), "shop").await.unwrap(),
        Some(shop)
    );
    assert_eq!(
        store.event_marks("acme", customer_id(1), "erp").await.unwrap(),
        Some(erp)
    );
    assert_eq!(store.event_marks("acme", customer_id(1), "nobody").await.unwrap(), None);
    assert!(holds(&*store, expect(1, "shop", Some(2))).await);
    assert!(holds(&*store, expect(2, "erp", None)).await);
    for unmet in [
        expect(1, "shop", None),
        expect(1, "shop", Some(1)),
        expect(1, "erp", None),
    ] {
        assert!(!holds(&*store, unmet).await);
    }

    put(&*store, vec![Write::DeleteCustomer(customer_id(1))]).await;
    for source in ["shop", "erp"] {
        assert!(holds(&*store, expect(1, source, None)).await);
        assert_eq!(store.event_marks("acme", customer_id(1), source).await.unwrap(), None);
    }
    assert_eq!(
        store.event_marks("acme", customer_id(2), "shop").await.unwrap(),
        Some(other)
    );
}

/// Events in every state and both directions: what came in has odd numbers, those that go out even ones.
async fn in_every_state(store: &dyn Store) {
    use {IncomingState as In, OutgoingState as Out};
    let incoming = [
        In::Accepted,
        In::Failed,
        In::Echo,
        In::Outdated,
        In::Discarded,
        In::Failed,
    ];
    let outgoing = [
        Out::Pending,
        Out::Failed,
        Out::Succeeded,
        Out::Retrying,
        Out::Discarded,
        Out::Failed,
    ];
    for (index, (came_in, goes_out)) in (0..).zip(incoming.into_iter().zip(outgoing)) {
        let merchant = ["acme", "globex"][usize::from(index % 2 == 1)];
        let came_in = incoming_event(merchant, "shop", index * 2 + 1, came_in);
        let goes_out = outgoing_event(merchant, "hook", index * 2 + 2, goes_out);
        let writes = vec![Write::PutIncomingEvent(came_in), Write::PutOutgoingEvent(goes_out)];
        put_for(store, merchant, writes).await;
    }
}

/// The numbers of the events that are there, in both directions.
async fn numbers_left(store: &dyn Store) -> Vec<u32> {
    let mut left = Vec::new();
    for number in 1..=12 {
        for merchant in ["acme", "globex"] {
            let came_in = store.incoming_event(merchant, event_id(number)).await.unwrap();
            let goes_out = store.outgoing_event(merchant, event_id(number)).await.unwrap();
            if came_in.is_some() || goes_out.is_some() {
                left.push(number);
            }
        }
    }
    left
}

pub(super) async fn what_is_over_is_forgotten_by_age_and_what_is_to_be_sent_never(store: Arc<dyn Store>) {
    in_every_state(&*store).await;
    let forget = async |done_before, failed_before, limit| {
        let forgotten = store.forget_events(done_before, failed_before, limit).await;
        (forgotten.unwrap(), numbers_left(&*store).await)
    };
    let (never, later) = (Timestamp::UNIX_EPOCH, seconds(100));
    let all: Vec<u32> = (1..=12).collect();
    assert_eq!(forget(never, never, 100).await, (0, all.clone()));
    assert_eq!(
        forget(seconds(1), seconds(3), 100).await,
        (0, all.clone()),
        "of that moment is not before it"
    );
    assert_eq!(forget(later, later, 0).await, (0, all));
    assert_eq!(
        forget(seconds(7), seconds(4), 2).await,
        (2, vec![2, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    );
    assert_eq!(
        forget(seconds(7), seconds(4), 100).await,
        (2, vec![2, 4, 7, 8, 9, 10, 11, 12])
    );
    assert_eq!(
        forget(later, never, 1).await,
        (1, vec![2, 4, 8, 9, 10, 11, 12]),
        "the oldest first, in both directions"
    );
    assert_eq!(
        forget(later, later, 100).await,
        (5, vec![2, 8]),
        "what is pending or retried is not over"
    );
}

pub(super) async fn what_nothing_dates_is_kept_unless_it_is_a_dead_letter(store: Arc<dyn Store>) {
    for (number, state) in [
        (1, IncomingState::Accepted),
        (2, IncomingState::Failed),
        (3, IncomingState::Echo),
    ] {
        let mut row = incoming_event("acme", "list", number, state);
        row.is_ageless = true;
        put_for(&*store, "acme", vec![Write::PutIncomingEvent(row)]).await;
    }
    let dated = incoming_event("acme", "list", 4, IncomingState::Accepted);
    put_for(&*store, "acme", vec![Write::PutIncomingEvent(dated)]).await;
    let later = seconds(100);
    assert_eq!(store.forget_events(later, later, 100).await.unwrap(), 2);
    assert_eq!(numbers_left(&*store).await, [1, 3]);
}

pub(super) async fn a_forgotten_event_is_in_no_list_and_its_sender_may_bring_it_again(store: Arc<dyn Store>) {
    in_every_state(&*store).await;
    store.forget_events(seconds(100), seconds(100), 100).await.unwrap();
    let page = store
        .incoming_events(&IncomingFilter::default(), None, 100)
        .await
        .unwrap();
    assert!(page.entries.is_empty() && page.next.is_none());
    assert!(store.failed_incoming().await.unwrap().is_empty());
    let page = store
        .outgoing_events(&OutgoingFilter::default(), None, 100)
        .await
        .unwrap();
    assert_eq!(page.entries.len(), 2);
    assert_eq!(store.open_outgoing().await.unwrap().len(), 2);

    assert!(
        store
            .event_of_source("acme", "shop", "in-1", &content_of("in-1"))
            .await
            .unwrap()
            .is_none()
    );
    let unknown = Expect::IncomingEvent {
        source: "shop".to_owned(),
        event_id: "in-1".to_owned(),
        content: content_of("in-1"),
        revision: None,
    };
    assert!(holds(&*store, unknown).await);
    let mut again = incoming_event("acme", "shop", 20, IncomingState::Accepted);
    "in-1".clone_into(&mut again.event_id);
    again.content = content_of("in-1");
    put(&*store, vec![Write::PutIncomingEvent(again.clone())]).await;
    assert_eq!(
        store
            .event_of_source("acme", "shop", "in-1", &content_of("in-1"))
            .await
            .unwrap(),
        Some(again)
    );
}
