//! Upserts and deliveries.

use std::sync::Arc;

use upsert_core::{DeliveryId, UpsertId};
use upsert_store::{
    DeliveryFilter, DeliveryRecord, DeliveryState, Expect, FailedCount, Progress, Store, UpsertState, WaitingCount,
};

use super::{holds, put_deliveries, put_upserts};
use crate::records::{
    customer_id, delivery_id, delivery_of, delivery_record, due_progress, full_delivery_record, noon, seconds,
    upsert_id, upsert_in_state, upsert_record,
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
    let of_other = in_state(2, DeliveryState::Pending);
    let third = delivery_record("acme", "crm", delivery_of(1, 3), DeliveryState::Pending);
    let first = in_state(1, DeliveryState::Failed);
    put_upserts(&*store, &[upsert.clone(), other.clone()]).await;
    put_deliveries(&*store, &[third.clone(), of_other.clone(), first.clone()]).await;
    let found = store.upsert("acme", upsert_id(1)).await.unwrap().unwrap();
    assert_eq!(found, (upsert.clone(), vec![first.clone(), third.clone()]));
    let found = store.upsert("acme", upsert_id(2)).await.unwrap().unwrap();
    assert_eq!(found, (other, vec![of_other]));
    assert!(store.upsert("globex", upsert_id(1)).await.unwrap().is_none());
    assert!(store.upsert("acme", upsert_id(3)).await.unwrap().is_none());

    assert!(holds(&*store, upsert.change()).await);
    upsert.end(UpsertState::PartiallyFailed, seconds(3));
    upsert.roll_back();
    put_upserts(&*store, &[upsert.clone()]).await;
    let found = store.upsert("acme", upsert_id(1)).await.unwrap().unwrap();
    assert_eq!(found, (upsert, vec![first, third]));
}

pub(super) async fn deliveries_of_an_upsert_come_in_the_order_of_their_parts(store: Arc<dyn Store>) {
    let parts = [1, 2, 255, 256, 257, 1_022, DeliveryId::MOST];
    let deliveries_of = |number| {
        let of_part = |part| delivery_record("acme", "crm", delivery_of(number, part), DeliveryState::Pending);
        parts.map(of_part).to_vec()
    };
    let upserts = [1, 2, 3].map(|number| upsert_record("acme", upsert_id(number), customer_id(1)));
    // The second one's come from the last to the first, the others' lie right before and right after them.
    let mut backwards = deliveries_of(2);
    backwards.reverse();
    put_deliveries(&*store, &backwards).await;
    put_upserts(&*store, &upserts).await;
    put_deliveries(&*store, &[deliveries_of(3), deliveries_of(1)].concat()).await;
    for (number, upsert) in (1..).zip(upserts) {
        let found = store.upsert("acme", upsert.id).await.unwrap().unwrap();
        assert_eq!(found, (upsert, deliveries_of(number)));
        for delivery in deliveries_of(number) {
            let found = store.delivery("acme", delivery.id).await.unwrap();
            assert_eq!(found, Some(delivery));
        }
    }
    assert_eq!(store.delivery("acme", delivery_of(1, 3)).await.unwrap(), None);
}

pub(super) async fn an_id_of_an_upsert_finds_no_delivery_and_that_of_a_delivery_no_upsert(store: Arc<dyn Store>) {
    put_upserts(&*store, &[upsert_record("acme", upsert_id(1), customer_id(1))]).await;
    put_deliveries(&*store, &[in_state(1, Pending)]).await;
    let of_upsert = DeliveryId::from_uuid(*upsert_id(1).as_uuid());
    assert_eq!(store.delivery("acme", of_upsert).await.unwrap(), None);
    assert!(store.attempts("acme", of_upsert).await.unwrap().is_empty());
    let of_delivery = UpsertId::from_uuid(*delivery_id(1).as_uuid());
    assert_eq!(store.upsert("acme", of_delivery).await.unwrap(), None);
    let filter = DeliveryFilter {
        upsert_id: Some(of_delivery),
        ..DeliveryFilter::default()
    };
    let page = store.deliveries(&filter, None, 10).await.unwrap();
    assert!(page.entries.is_empty() && page.next.is_none());
}

pub(super) async fn an_upsert_is_expected_at_its_revision(store: Arc<dyn Store>) {
    let at = |revision| Expect::Upsert {
        id: upsert_id(1),
        revision,
    };
    assert!(!holds(&*store, at(0)).await, "it is not there");
    put_upserts(&*store, &[upsert_record("acme", upsert_id(1), customer_id(1))]).await;
    assert!(holds(&*store, at(1)).await);
    assert!(!holds(&*store, at(2)).await);
}

pub(super) async fn a_delivery_comes_back_as_it_was_put(store: Arc<dyn Store>) {
    assert!(store.delivery("acme", delivery_id(1)).await.unwrap().is_none());
    for state in EVERY_STATE {
        let (full, bare) = (
            full_delivery_record("acme", "crm", delivery_id(1), state),
            in_state(2, state),
        );
        put_deliveries(&*store, &[full.clone(), bare.clone()]).await;
        assert_eq!(store.delivery("acme", delivery_id(1)).await.unwrap(), Some(full));
        assert_eq!(store.delivery("acme", delivery_id(2)).await.unwrap(), Some(bare));
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
    put_deliveries(&*store, &[record]).await;
    assert!(holds(&*store, at(4)).await);
    assert!(!holds(&*store, at(3)).await);
}

pub(super) async fn only_what_may_be_tried_is_due_oldest_due_first(store: Arc<dyn Store>) {
    let of_every_state = (1..).zip(EVERY_STATE).map(|(number, state)| due_at(number, state, 10));
    let mut rows: Vec<_> = of_every_state.collect();
    rows.push(due_at(20, DeliveryState::Retrying, 5));
    rows.push(due_at(21, DeliveryState::Waiting, 11));
    rows.push(in_state(22, DeliveryState::Waiting));
    put_deliveries(&*store, &rows).await;
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
    put_deliveries(&*store, &[due_at(1, Retrying, 10)]).await;
    assert_eq!(due().await, 1);
    put_deliveries(&*store, &[due_at(1, InFlight, 10)]).await;
    assert_eq!(due().await, 0);
    put_deliveries(&*store, &[due_at(1, Retrying, 11)]).await;
    assert_eq!(due().await, 0);
    put_deliveries(&*store, &[due_at(1, Retrying, 9)]).await;
    assert_eq!(due().await, 1);
    put_deliveries(&*store, &[in_state(1, Succeeded)]).await;
    assert_eq!(due().await, 0);
}

pub(super) async fn what_is_due_is_asked_for_by_connection(store: Arc<dyn Store>) {
    let at = |number, merchant: &str, connection: &str, due: i64| {
        let record = delivery_record(merchant, connection, delivery_id(number), Waiting);
        record.with_progress(due_progress(Waiting, seconds(due)))
    };
    let rows = [
        at(1, "globex", "crm", 10),
        at(2, "acme", "erp", 10),
        at(3, "acme", "crm", 20),
        at(4, "acme", "erp", 5),
        at(5, "acme", "crm", 30),
    ];
    put_deliveries(&*store, &rows).await;
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
    let of_every_state = (1..).zip(EVERY_STATE).map(|(number, state)| in_state(number, state));
    let mut rows: Vec<_> = of_every_state.collect();
    rows.push(due_at(20, Waiting, 99));
    rows.push(delivery_record("acme", "erp", delivery_id(21), Waiting));
    put_deliveries(&*store, &rows).await;
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
    let upserts = [
        ("acme", 1, UpsertState::Pending),
        ("acme", 2, UpsertState::Pending),
        ("acme", 3, UpsertState::Succeeded),
        ("acme", 4, UpsertState::Pending),
        ("acme", 7, UpsertState::Pending),
        ("globex", 5, UpsertState::Pending),
        ("globex", 6, UpsertState::Pending),
    ];
    let upserts =
        upserts.map(|(merchant, number, state)| upsert_in_state(merchant, upsert_id(number), customer_id(1), state));
    let deliveries = [
        ("acme", 1, 1, Succeeded),
        ("acme", 1, 2, DeliveryState::Superseded),
        ("acme", 2, 1, Succeeded),
        ("acme", 2, 2, InFlight),
        ("acme", 3, 1, Succeeded),
        ("acme", 4, 1, DeliveryState::Failed),
        ("globex", 5, 1, Succeeded),
        ("globex", 6, 1, Waiting),
    ];
    let deliveries = deliveries
        .map(|(merchant, number, part, state)| delivery_record(merchant, "crm", delivery_of(number, part), state));
    put_deliveries(&*store, &deliveries).await;
    put_upserts(&*store, &upserts).await;
    let unsettled = |after: Option<usize>, limit| {
        let store = Arc::clone(&store);
        let after = after.map(|index| upserts[index].clone());
        async move {
            let found = store.unsettled(after.as_ref(), limit).await.unwrap();
            found.iter().map(|upsert| upsert.id).collect::<Vec<_>>()
        }
    };
    // By merchant, then by id.
    let all = [1, 4, 7, 5].map(upsert_id);
    assert_eq!(unsettled(None, 10).await, all);
    assert_eq!(unsettled(None, 1).await, all[..1]);
    assert_eq!(unsettled(Some(0), 10).await, all[1..]);
    assert_eq!(unsettled(Some(0), 2).await, all[1..3]);
    assert_eq!(unsettled(Some(4), 10).await, all[3..]);
    assert!(unsettled(Some(5), 10).await.is_empty());
}

pub(super) async fn deliveries_in_flight_are_abandoned_when_their_lease_ends(store: Arc<dyn Store>) {
    let leased = |number, until: Option<i64>| {
        let lease_until = until.map(seconds);
        in_state(number, InFlight).with_progress(Progress::InFlight { lease_until })
    };
    let rows = [
        leased(5, Some(10)),
        leased(3, Some(20)),
        leased(4, Some(5)),
        leased(2, None),
        in_state(1, Retrying),
    ];
    put_deliveries(&*store, &rows).await;
    let expect = |numbers: &[u128]| numbers.iter().copied().map(delivery_id).collect::<Vec<_>>();
    let abandoned = |at: Option<i64>, limit| {
        let store = Arc::clone(&store);
        async move {
            let mut found = ids(&store.abandoned(at.map(seconds), limit).await.unwrap());
            found.sort_unstable();
            found
        }
    };
    assert_eq!(abandoned(Some(4), 10).await, expect(&[]));
    assert_eq!(abandoned(Some(10), 10).await, expect(&[4, 5]));
    assert_eq!(abandoned(Some(99), 10).await, expect(&[3, 4, 5]));
    assert_eq!(abandoned(None, 10).await, expect(&[2, 3, 4, 5]));
    let two = abandoned(None, 2).await;
    assert_eq!(two.len(), 2);
    assert!(two.iter().all(|id| expect(&[2, 3, 4, 5]).contains(id)), "{two:?}");
}

pub(super) async fn what_has_not_ended_is_counted_by_connection_and_state(store: Arc<dyn Store>) {
    assert!(store.waiting().await.unwrap().is_empty());
    let mut number = 0;
    let mut rows = Vec::new();
    for (merchant, connection) in [("globex", "crm"), ("acme", "erp"), ("acme", "crm"), ("acme", "crm")] {
        for state in EVERY_STATE {
            number += 1;
            let mut record = delivery_record(merchant, connection, delivery_id(number), state);
            record.created_at = seconds(100 - i64::try_from(number).unwrap());
            rows.push(record);
        }
    }
    put_deliveries(&*store, &rows).await;
    let group = |merchant: &str, connection: &str, state, count, oldest| WaitingCount {
        merchant: merchant.to_owned(),
        connection: connection.to_owned(),
        state,
        count,
        oldest: seconds(oldest),
    };
    let expected = [
        group("acme", "crm", Pending, 2, 83),
        group("acme", "crm", InFlight, 2, 82),
        group("acme", "crm", Retrying, 2, 80),
        group("acme", "crm", Waiting, 2, 79),
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
    let mut rows = Vec::new();
    for (merchant, connection) in [("globex", "crm"), ("acme", "erp"), ("acme", "crm"), ("acme", "crm")] {
        for state in EVERY_STATE {
            number += 1;
            let record = delivery_record(merchant, connection, delivery_id(number), state);
            rows.push(record);
        }
    }
    put_deliveries(&*store, &rows).await;
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
    let replayed = delivery_record("globex", "crm", delivery_id(7), Succeeded);
    put_deliveries(&*store, &[in_state(31, DeliveryState::Superseded), replayed]).await;
    let expected = [group("acme", "crm", 1, 23), erp];
    assert_eq!(store.failed_deliveries().await.unwrap(), expected);
}
