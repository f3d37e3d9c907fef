//! Attempts of deliveries.

use std::sync::Arc;

use upsert_store::{AttemptRecord, DeliveryState, Store, Write};

use super::{put, put_deliveries};
use crate::records::{attempt_record, delivery_id, delivery_record, full_delivery_error, noon, seconds, sent_request};

use DeliveryState::{InFlight, Pending};

/// Deliveries in flight, each with an attempt that was begun.
async fn put_attempts(store: &dyn Store, attempts: &[AttemptRecord]) {
    let write = |attempt: &AttemptRecord| {
        let delivery = delivery_record("acme", "crm", attempt.delivery, InFlight);
        Write::PutDelivery(delivery, Some(attempt.clone()))
    };
    put(store, attempts.iter().map(write).collect()).await;
}

pub(super) async fn attempts_are_kept_by_number(store: Arc<dyn Store>) {
    let (first, mut second) = (attempt_record(delivery_id(1), 1), attempt_record(delivery_id(1), 2));
    let other = attempt_record(delivery_id(2), 1);
    put_attempts(&*store, &[second.clone(), other.clone(), first.clone()]).await;
    assert_eq!(
        store.attempts("acme", delivery_id(1)).await.unwrap(),
        [first.clone(), second.clone()]
    );
    second.ended_at = Some(seconds(2));
    second.result = Some("transient".to_owned());
    second.vendor_status = Some(503);
    second.fence = 2;
    second.started_at = noon();
    put_attempts(&*store, &[second.clone()]).await;
    assert_eq!(store.attempts("acme", delivery_id(1)).await.unwrap(), [first, second]);
    assert_eq!(store.attempts("acme", delivery_id(2)).await.unwrap(), [other]);
    assert!(store.attempts("acme", delivery_id(3)).await.unwrap().is_empty());
}

pub(super) async fn an_attempt_keeps_what_went_out_and_has_a_failure_of_its_own(store: Arc<dyn Store>) {
    for number in [1, 2] {
        let mut attempt = attempt_record(delivery_id(number.into()), number);
        put_attempts(&*store, &[attempt.clone()]).await;
        let kept = || async { store.attempts("acme", attempt.delivery).await.unwrap() };
        assert_eq!(kept().await, [attempt.clone()]);

        let mut ended = attempt.clone();
        ended.request = None;
        ended.ended_at = Some(seconds(2));
        ended.result = Some("not_sent".to_owned());
        ended.error = Some(full_delivery_error());
        put_attempts(&*store, &[ended.clone()]).await;
        ended.request.clone_from(&attempt.request);
        assert_eq!(kept().await, [ended], "what went out is put once");

        attempt.request = Some(sent_request(7));
        put_attempts(&*store, &[attempt.clone()]).await;
        let kept = store.attempts("acme", attempt.delivery).await.unwrap();
        assert_eq!(kept, [attempt], "one that was not sent is begun anew");
    }
    let mut without = attempt_record(delivery_id(3), 1);
    without.request = None;
    put_attempts(&*store, &[without.clone()]).await;
    assert_eq!(store.attempts("acme", delivery_id(3)).await.unwrap(), [without]);
}

/// As they are made: each is begun with its request, and ends without it and with the delivery.
pub(super) async fn the_first_attempt_and_later_ones_come_in_order_with_their_requests(store: Arc<dyn Store>) {
    let mut delivery = delivery_record("acme", "crm", delivery_id(1), Pending);
    let mut expected = Vec::new();
    for number in 1..=12 {
        let mut attempt = attempt_record(delivery.id, number);
        delivery.claim(1, noon());
        delivery.start(seconds(60));
        attempt.fence = delivery.fence();
        put(
            &*store,
            vec![Write::PutDelivery(delivery.clone(), Some(attempt.clone()))],
        )
        .await;
        expected.push(attempt.clone());
        assert_eq!(store.attempts("acme", delivery.id).await.unwrap(), expected);

        attempt.request = None;
        attempt.ended_at = Some(seconds(number.into()));
        attempt.error = Some(full_delivery_error());
        delivery.note_failed_call(&full_delivery_error(), true, 1);
        delivery.retry_at(seconds(number.into()));
        put(
            &*store,
            vec![Write::PutDelivery(delivery.clone(), Some(attempt.clone()))],
        )
        .await;
        attempt.request = Some(sent_request(number));
        expected.pop();
        expected.push(attempt);
        assert_eq!(store.attempts("acme", delivery.id).await.unwrap(), expected);
    }
    // Put again without any, a delivery keeps those that it has.
    let without_any = delivery_record("acme", "crm", delivery_id(2), Pending);
    put_deliveries(&*store, &[delivery.clone(), without_any]).await;
    assert_eq!(store.attempts("acme", delivery.id).await.unwrap(), expected);
    assert_eq!(store.delivery("acme", delivery.id).await.unwrap(), Some(delivery));
    assert!(store.attempts("acme", delivery_id(2)).await.unwrap().is_empty());
}
