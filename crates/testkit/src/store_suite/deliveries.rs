//! Upserts, deliveries, attempts.

use std::sync::Arc;

use upsert_core::DeliveryId;
use upsert_store::{
    DeliveryRecord, DeliveryState, Expect, FailedCount, Progress, Store, UpsertState, WaitingCount, Write,
};

use super::{holds, put};
use crate::records::{
    attempt_record, customer_id, delivery_id, delivery_record, due_progress, full_delivery_error, full_delivery_record,
    noon, seconds, sent_request, upsert_id, upsert_in_state, upsert_record,
};

use DeliveryState::{InFlight, Pending, Retrying, Succeeded, Waiting};

const EVERY_STATE: [DeliveryState; 8] = [
    DeliveryState::Pending,
    DeliveryState::InFlight,
    DeliveryState::Succeeded,
    DeliveryState::Retrying,
    DeliveryState::Waiting,
    DeliveryState::Superseded,
    DeliveryState::Failed,
    DeliveryState::Discarded,
];

fn in_state(number: u128, state: DeliveryState) -> DeliveryRecord {
    delivery_record("acme", "crm", delivery_id(number), state)
}

fn due_at(number: u128, state: DeliveryState, at: i64) -> DeliveryRecord {
    in_state(number, state).with_progress(due_progress(state, seconds(at)))
}

fn ids(records: &[DeliveryRecord]) -> Vec<DeliveryId> {
    records.iter().map(|record| record.id).collect()
}

pub(super) async fn an_upsert_comes_with_its_deliveries_in_order(store: Arc<dyn Store>) {
    let mut upsert = upsert_record("acme", upsert_id(1), customer_id(1));
    let other = upsert_record("acme", upsert_id(2), customer_id(1));
    let mut of_other = in_state(2, DeliveryState::Pending);
    of_other.upsert = upsert_id(2);
    let (third, first) = (in_state(3, DeliveryState::Pending), in_state(1, DeliveryState::Failed));
    let mut writes = vec![Write::PutUpsert(upsert.clone()), Write::PutUpsert(other.clone())];
    writes.extend([&third, &of_other, &first].map(|record| Write::PutDelivery(record.clone())));
    put(&*store, writes).await;
    let found = store.upsert("acme", upsert_id(1)).await.unwrap().unwrap();
    assert_eq!(found, (upsert.clone(), vec![first.clone(), third.clone()]));
    let found = store.upsert("acme", upsert_id(2)).await.unwrap().unwrap();
    assert_eq!(found, (other, vec![of_other]));
    assert!(store.upsert("globex", upsert_id(1)).await.unwrap().is_none());
    assert!(store.upsert("acme", upsert_id(3)).await.unwrap().is_none());

    assert!(holds(&*store, upsert.change()).await);
    upsert.end(UpsertState::PartiallyFailed, seconds(3));
    upsert.roll_back();
    put(&*store, vec![Write::PutUpsert(upsert.clone())]).await;
    let found = store.upsert("acme", upsert_id(1)).await.unwrap().unwrap();
    assert_eq!(found, (upsert, vec![first, third]));
}

pub(super) async fn an_upsert_is_expected_at_its_revision(store: Arc<dyn Store>) {
    let at = |revision| Expect::Upsert {
        id: upsert_id(1),
        revision,
    };
    assert!(!holds(&*store, at(0)).await, "it is not there");
    put(
        &*store,
        vec![Write::PutUpsert(upsert_record("acme", upsert_id(1), customer_id(1)))],
    )
    .await;
    assert!(holds(&*store, at(1)).await);
    assert!(!holds(&*store, at(2)).await);
}

pub(super) async fn a_delivery_comes_back_as_it_was_put(store: Arc<dyn Store>) {
    assert!(store.delivery(delivery_id(1)).await.unwrap().is_none());
    for state in EVERY_STATE {
        let (full, bare) = (
            full_delivery_record("acme", "crm", delivery_id(1), state),
            in_state(2, state),
        );
        let writes = [&full, &bare].map(|record| Write::PutDelivery(record.clone()));
        put(&*store, writes.to_vec()).await;
        assert_eq!(store.delivery(delivery_id(1)).await.unwrap(), Some(full));
        assert_eq!(store.delivery(delivery_id(2)).await.unwrap(), Some(bare));
    }
}

pub(super) async fn a_delivery_is_expected_at_its_fence(store: Arc<dyn Store>) {
    let at = |fence| Expect::Delivery {
        id: delivery_id(1),
        fence,
    };
    assert!(!holds(&*store, at(0)).await, "it is not there");
    let mut record = in_state(1, DeliveryState::Pending);
    (0..4).for_each(|_| record.claim(1, noon()));
    put(&*store, vec![Write::PutDelivery(record)]).await;
    assert!(holds(&*store, at(4)).await);
    assert!(!holds(&*store, at(3)).await);
}

pub(super) async fn only_what_may_be_tried_is_due_oldest_due_first(store: Arc<dyn Store>) {
    let mut writes: Vec<_> = (1..)
        .zip(EVERY_STATE)
        .map(|(number, state)| Write::PutDelivery(due_at(number, state, 10)))
        .collect();
    writes.push(Write::PutDelivery(due_at(20, DeliveryState::Retrying, 5)));
    writes.push(Write::PutDelivery(due_at(21, DeliveryState::Waiting, 11)));
    writes.push(Write::PutDelivery(in_state(22, DeliveryState::Waiting)));
    put(&*store, writes).await;
    // Pending, retrying and waiting of EVERY_STATE have the numbers 1, 4 and 5.
    let expect = |numbers: &[u128]| numbers.iter().copied().map(delivery_id).collect::<Vec<_>>();
    let due = |at, limit| {
        let store = Arc::clone(&store);
        async move { ids(&store.due_at("acme", "crm", seconds(at), limit).await.unwrap()) }
    };
    assert_eq!(due(10, 100).await, expect(&[20, 1, 4, 5]));
    assert_eq!(due(11, 100).await, expect(&[20, 1, 4, 5, 21]));
    assert_eq!(due(9, 100).await, expect(&[20]));
    assert_eq!(due(4, 100).await, expect(&[]));
    assert_eq!(due(11, 2).await, expect(&[20, 1]));
}

pub(super) async fn a_delivery_is_due_no_longer_once_it_is_sent_or_has_ended(store: Arc<dyn Store>) {
    let due = || async {
        let due = store.due_at("acme", "crm", seconds(10), 10).await.unwrap().len();
        let connections = store.due_connections(seconds(10)).await.unwrap();
        assert_eq!(connections.len(), due, "one connection, where anything is due at all");
        due
    };
    put(&*store, vec![Write::PutDelivery(due_at(1, Retrying, 10))]).await;
    assert_eq!(due().await, 1);
    put(&*store, vec![Write::PutDelivery(due_at(1, InFlight, 10))]).await;
    assert_eq!(due().await, 0);
    put(&*store, vec![Write::PutDelivery(due_at(1, Retrying, 11))]).await;
    assert_eq!(due().await, 0);
    put(&*store, vec![Write::PutDelivery(due_at(1, Retrying, 9))]).await;
    assert_eq!(due().await, 1);
    put(&*store, vec![Write::PutDelivery(in_state(1, Succeeded))]).await;
    assert_eq!(due().await, 0);
}

pub(super) async fn what_is_due_is_asked_for_by_connection(store: Arc<dyn Store>) {
    let at = |number, merchant: &str, connection: &str, due: i64| {
        let record = delivery_record(merchant, connection, delivery_id(number), Waiting);
        Write::PutDelivery(record.with_progress(due_progress(Waiting, seconds(due))))
    };
    let writes = vec![
        at(1, "globex", "crm", 10),
        at(2, "acme", "erp", 10),
        at(3, "acme", "crm", 20),
        at(4, "acme", "erp", 5),
        at(5, "acme", "crm", 30),
    ];
    put(&*store, writes).await;
    let connections = |now| {
        let store = Arc::clone(&store);
        async move { store.due_connections(seconds(now)).await.unwrap() }
    };
    let named = |names: &[(&str, &str)]| -> Vec<(String, String)> {
        let owned = names
            .iter()
            .map(|(merchant, name)| ((*merchant).to_owned(), (*name).to_owned()));
        owned.collect()
    };
    assert_eq!(connections(4).await, named(&[]));
    assert_eq!(connections(5).await, named(&[("acme", "erp")]));
    assert_eq!(connections(10).await, named(&[("acme", "erp"), ("globex", "crm")]));
    let all = named(&[("acme", "crm"), ("acme", "erp"), ("globex", "crm")]);
    assert_eq!(connections(25).await, all);
    let due = store.due_at("acme", "erp", seconds(99), 10).await.unwrap();
    assert_eq!(ids(&due), [delivery_id(4), delivery_id(2)]);
    assert!(
        store
            .due_at("acme", "nowhere", seconds(99), 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(store.due_at("nobody", "erp", seconds(99), 10).await.unwrap().is_empty());
}

pub(super) async fn what_waits_at_a_connection_is_read_page_by_page_whether_it_is_due_or_not(store: Arc<dyn Store>) {
    let mut writes: Vec<_> = (1..)
        .zip(EVERY_STATE)
        .map(|(number, state)| Write::PutDelivery(in_state(number, state)))
        .collect();
    writes.push(Write::PutDelivery(due_at(20, Waiting, 99)));
    let elsewhere = delivery_record("acme", "erp", delivery_id(21), Waiting);
    writes.push(Write::PutDelivery(elsewhere));
    put(&*store, writes).await;
    // Pending, retrying and waiting of EVERY_STATE have the numbers 1, 4 and 5.
    let page = |after: Option<u128>, limit| {
        let store = Arc::clone(&store);
        let after = after.map(delivery_id);
        async move { ids(&store.waiting_at("acme", "crm", after, limit).await.unwrap()) }
    };
    assert_eq!(page(None, 2).await, [delivery_id(1), delivery_id(4)]);
    assert_eq!(page(Some(4), 2).await, [delivery_id(5), delivery_id(20)]);
    assert_eq!(page(Some(20), 2).await, []);
    assert_eq!(page(None, 10).await.len(), 4);
}

pub(super) async fn an_upsert_is_unsettled_while_it_is_pending_and_nothing_of_its_own_is_open(store: Arc<dyn Store>) {
    let mut writes = Vec::new();
    for (number, state) in [
        (1, UpsertState::Pending),
        (2, UpsertState::Pending),
        (3, UpsertState::Succeeded),
        (4, UpsertState::Pending),
    ] {
        let upsert = upsert_in_state("acme", upsert_id(number), customer_id(1), state);
        writes.push(Write::PutUpsert(upsert));
    }
    for (number, of, state) in [
        (1, 1, Succeeded),
        (2, 1, DeliveryState::Superseded),
        (3, 2, Succeeded),
        (4, 2, InFlight),
        (5, 3, Succeeded),
        (6, 4, DeliveryState::Failed),
    ] {
        let mut delivery = in_state(number, state);
        delivery.upsert = upsert_id(of);
        writes.push(Write::PutDelivery(delivery));
    }
    put(&*store, writes).await;
    let unsettled = |after: Option<u128>, limit| {
        let store = Arc::clone(&store);
        let after = after.map(upsert_id);
        async move {
            let found = store.unsettled(after, limit).await.unwrap();
            found.iter().map(|upsert| upsert.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(unsettled(None, 10).await, [upsert_id(1), upsert_id(4)]);
    assert_eq!(unsettled(None, 1).await, [upsert_id(1)]);
    assert_eq!(unsettled(Some(1), 10).await, [upsert_id(4)]);
}

pub(super) async fn deliveries_in_flight_are_abandoned_when_their_lease_ends(store: Arc<dyn Store>) {
    let leased = |number, until: Option<i64>| {
        let lease_until = until.map(seconds);
        Write::PutDelivery(in_state(number, InFlight).with_progress(Progress::InFlight { lease_until }))
    };
    let writes = vec![
        leased(5, Some(10)),
        leased(3, Some(20)),
        leased(4, Some(5)),
        leased(2, None),
        Write::PutDelivery(in_state(1, Retrying)),
    ];
    put(&*store, writes).await;
    let expect = |numbers: &[u128]| numbers.iter().copied().map(delivery_id).collect::<Vec<_>>();
    let abandoned = |at: Option<i64>, limit| {
        let store = Arc::clone(&store);
        async move { ids(&store.abandoned(at.map(seconds), limit).await.unwrap()) }
    };
    assert_eq!(abandoned(Some(4), 10).await, expect(&[]));
    assert_eq!(abandoned(Some(10), 10).await, expect(&[4, 5]));
    assert_eq!(abandoned(Some(99), 10).await, expect(&[3, 4, 5]));
    assert_eq!(abandoned(None, 10).await, expect(&[2, 3, 4, 5]));
    assert_eq!(abandoned(None, 2).await, expect(&[2, 3]));
}

pub(super) async fn what_has_not_ended_is_counted_by_connection_and_state(store: Arc<dyn Store>) {
    assert!(store.waiting().await.unwrap().is_empty());
    let mut number = 0;
    let mut writes = Vec::new();
    for (merchant, connection) in [("globex", "crm"), ("acme", "erp"), ("acme", "crm"), ("acme", "crm")] {
        for state in EVERY_STATE {
            number += 1;
            let mut record = delivery_record(merchant, connection, delivery_id(number), state);
            record.created_at = seconds(100 - i64::try_from(number).unwrap());
            writes.push(Write::PutDelivery(record));
        }
    }
    put(&*store, writes).await;
    let group = |merchant: &str, connection: &str, state, count, oldest| WaitingCount {
        merchant: merchant.to_owned(),
        connection: connection.to_owned(),
        state,
        count,
        oldest: seconds(oldest),
    };
    let expected = [
        group("acme", "crm", Pending, 2, 75),
        group("acme", "crm", InFlight, 2, 74),
        group("acme", "crm", Retrying, 2, 72),
        group("acme", "crm", Waiting, 2, 71),
        group("acme", "erp", Pending, 1, 91),
        group("acme", "erp", InFlight, 1, 90),
        group("acme", "erp", Retrying, 1, 88),
        group("acme", "erp", Waiting, 1, 87),
        group("globex", "crm", Pending, 1, 99),
        group("globex", "crm", InFlight, 1, 98),
        group("globex", "crm", Retrying, 1, 96),
        group("globex", "crm", Waiting, 1, 95),
    ];
    assert_eq!(store.waiting().await.unwrap(), expected);
}

pub(super) async fn dead_letters_are_counted_by_connection(store: Arc<dyn Store>) {
    assert!(store.failed_deliveries().await.unwrap().is_empty());
    let mut number = 0;
    let mut writes = Vec::new();
    for (merchant, connection) in [("globex", "crm"), ("acme", "erp"), ("acme", "crm"), ("acme", "crm")] {
        for state in EVERY_STATE {
            number += 1;
            let record = delivery_record(merchant, connection, delivery_id(number), state);
            writes.push(Write::PutDelivery(record));
        }
    }
    put(&*store, writes).await;
    let group = |merchant: &str, connection: &str, count, newest| FailedCount {
        merchant: merchant.to_owned(),
        connection: connection.to_owned(),
        count,
        newest: delivery_id(newest),
    };
    // Failed is the seventh of EVERY_STATE.
    let (crm, erp) = (group("acme", "crm", 2, 31), group("acme", "erp", 1, 15));
    let expected = [crm, erp.clone(), group("globex", "crm", 1, 7)];
    assert_eq!(store.failed_deliveries().await.unwrap(), expected);
    let mut writes = vec![Write::PutDelivery(in_state(31, DeliveryState::Superseded))];
    let replayed = delivery_record("globex", "crm", delivery_id(7), Succeeded);
    writes.push(Write::PutDelivery(replayed));
    put(&*store, writes).await;
    let expected = [group("acme", "crm", 1, 23), erp];
    assert_eq!(store.failed_deliveries().await.unwrap(), expected);
}

pub(super) async fn attempts_are_kept_by_number(store: Arc<dyn Store>) {
    let (first, mut second) = (attempt_record(delivery_id(1), 1), attempt_record(delivery_id(1), 2));
    let other = attempt_record(delivery_id(2), 1);
    let writes = [&second, &other, &first].map(|record| Write::PutAttempt(record.clone()));
    put(&*store, writes.to_vec()).await;
    assert_eq!(
        store.attempts(delivery_id(1)).await.unwrap(),
        [first.clone(), second.clone()]
    );
    second.ended_at = Some(seconds(2));
    second.result = Some("transient".to_owned());
    second.vendor_status = Some(503);
    second.fence = 2;
    second.started_at = noon();
    put(&*store, vec![Write::PutAttempt(second.clone())]).await;
    assert_eq!(store.attempts(delivery_id(1)).await.unwrap(), [first, second]);
    assert_eq!(store.attempts(delivery_id(2)).await.unwrap(), [other]);
    assert!(store.attempts(delivery_id(3)).await.unwrap().is_empty());
}

pub(super) async fn an_attempt_keeps_what_went_out_and_has_a_failure_of_its_own(store: Arc<dyn Store>) {
    let mut attempt = attempt_record(delivery_id(1), 1);
    put(&*store, vec![Write::PutAttempt(attempt.clone())]).await;
    let kept = || async { store.attempts(delivery_id(1)).await.unwrap() };
    assert_eq!(kept().await, [attempt.clone()]);

    let mut ended = attempt.clone();
    ended.request = None;
    ended.ended_at = Some(seconds(2));
    ended.result = Some("not_sent".to_owned());
    ended.error = Some(full_delivery_error());
    put(&*store, vec![Write::PutAttempt(ended.clone())]).await;
    ended.request.clone_from(&attempt.request);
    assert_eq!(kept().await, [ended], "what went out is put once");

    attempt.request = Some(sent_request(2));
    put(&*store, vec![Write::PutAttempt(attempt.clone())]).await;
    assert_eq!(kept().await, [attempt], "one that was not sent is begun anew");

    let mut older = attempt_record(delivery_id(2), 1);
    older.request = None;
    put(&*store, vec![Write::PutAttempt(older.clone())]).await;
    assert_eq!(store.attempts(delivery_id(2)).await.unwrap(), [older]);
}
