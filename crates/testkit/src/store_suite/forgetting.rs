//! Upserts that are forgotten.

use std::sync::Arc;

use upsert_core::DeliveryId;
use upsert_store::{
    Applied, Changeset, DeliveryFilter, DeliveryState, Expect, Store, UpsertFilter, UpsertRecord, UpsertState, Write,
};

use super::put;
use crate::records::{
    attempt_record, customer_change, customer_id, delivery_of, delivery_record, full_delivery_error, noon,
    plain_progress, seconds, upsert_id, upsert_in_state,
};

/// One that has ended well, with two deliveries of three attempts each.
fn ended(merchant: &str, number: u128) -> (UpsertRecord, Vec<Write>) {
    let upsert = upsert_in_state(merchant, upsert_id(number), customer_id(1), UpsertState::Succeeded);
    let mut write = vec![Write::PutUpsert(upsert.clone(), Some(customer_change("Ada")))];
    for part in 1..=2 {
        let id = delivery_of(number, part);
        for attempt in 1..=3 {
            let delivery = delivery_record(merchant, "crm", id, DeliveryState::Succeeded);
            write.push(Write::PutDelivery(delivery, Some(attempt_record(id, attempt))));
        }
    }
    (upsert, write)
}

fn forget(deliveries: [DeliveryId; 2]) -> Vec<Write> {
    let forget = |id| Write::ForgetDelivery { id, attempts: 3 };
    deliveries.map(forget).into()
}

async fn left_of(store: &dyn Store, number: u128) -> (bool, usize, usize, usize) {
    let upsert = store.upsert("acme", upsert_id(number)).await.unwrap();
    let (mut deliveries, mut attempts) = (0, 0);
    for part in 1..=2 {
        let id = delivery_of(number, part);
        deliveries += usize::from(store.delivery("acme", id).await.unwrap().is_some());
        attempts += store.attempts("acme", id).await.unwrap().len();
    }
    let history = store.history("acme", customer_id(1), None, 10).await.unwrap();
    let versions = history.entries.iter().filter(|entry| entry.upsert == upsert_id(number));
    (upsert.is_some(), deliveries, attempts, versions.count())
}

pub(super) async fn what_is_forgotten_of_an_upsert_is_gone_and_nothing_else_is(store: Arc<dyn Store>) {
    for number in [1, 2, 3] {
        put(&*store, ended("acme", number).1).await;
    }
    assert_eq!(left_of(&*store, 1).await, (true, 2, 6, 1));
    let mut write = forget([delivery_of(1, 1), delivery_of(1, 2)]);
    write.push(Write::ForgetUpsert(upsert_id(1)));
    put(&*store, write).await;
    assert_eq!(left_of(&*store, 1).await, (false, 0, 0, 0));
    // Twice does no harm, and neither does another merchant's.
    put(&*store, vec![Write::ForgetUpsert(upsert_id(1))]).await;
    let elsewhere = Changeset {
        write: vec![
            Write::ForgetUpsert(upsert_id(2)),
            Write::ForgetDelivery {
                id: delivery_of(2, 1),
                attempts: 3,
            },
        ],
        ..Changeset::of("globex")
    };
    assert_eq!(store.apply(elsewhere).await.unwrap(), Applied::Done);
    for number in [2, 3] {
        assert_eq!(left_of(&*store, number).await, (true, 2, 6, 1));
    }
    let counted = store.count_deliveries(&DeliveryFilter::default(), 10).await.unwrap();
    assert_eq!(counted.count, 4);
}

pub(super) async fn an_upsert_of_which_the_history_is_left_is_found_by_nobody(store: Arc<dyn Store>) {
    let (mut upsert, write) = ended("acme", 1);
    put(&*store, write).await;
    put(&*store, ended("acme", 2).1).await;
    let read = upsert.clone();
    let mut forgotten = Changeset::of("acme");
    forgotten.expect.push(upsert.change());
    upsert.forget();
    forgotten.write = forget([delivery_of(1, 1), delivery_of(1, 2)]);
    forgotten.write.push(Write::PutUpsert(upsert.clone(), None));
    assert_eq!(store.apply(forgotten).await.unwrap(), Applied::Done);
    assert_eq!(left_of(&*store, 1).await, (false, 0, 0, 1));
    let stale = Changeset {
        expect: vec![Expect::Upsert {
            id: read.id,
            revision: read.revision(),
        }],
        ..Changeset::of("acme")
    };
    assert_eq!(store.apply(stale).await.unwrap(), Applied::Unmet(0));
    for customer_id in [None, Some(customer_id(1))] {
        let filter = UpsertFilter {
            merchant: "acme".to_owned(),
            customer_id,
            ..UpsertFilter::default()
        };
        let page = store.upserts(&filter, None, 10).await.unwrap();
        let found: Vec<_> = page.entries.iter().map(|(upsert, _)| upsert.id).collect();
        assert_eq!(found, [upsert_id(2)]);
    }
    let older = store.older_upserts(None, seconds(2), 10).await.unwrap();
    assert_eq!(older, [(upsert, Vec::new())], "its history may be too old some day");
}

pub(super) async fn older_upserts_are_answered_by_merchant_and_age_with_their_deliveries(store: Arc<dyn Store>) {
    for number in [1, 2, 3] {
        put(&*store, ended("acme", number).1).await;
    }
    let of_others = Changeset {
        write: ended("globex", 4).1,
        ..Changeset::of("globex")
    };
    store.apply(of_others).await.unwrap();
    let mut after = None;
    let mut found = Vec::new();
    loop {
        let page = store.older_upserts(after.as_ref(), seconds(3), 1).await.unwrap();
        let Some((upsert, deliveries)) = page.into_iter().next() else {
            break;
        };
        assert!(deliveries.iter().all(|delivery| delivery.upsert() == upsert.id));
        found.push((upsert.merchant.clone(), upsert.id, deliveries.len()));
        after = Some(upsert);
    }
    let acme = |number| ("acme".to_owned(), upsert_id(number), 2);
    assert_eq!(found, [acme(1), acme(2)], "the third is not older");
    let all = store.older_upserts(None, seconds(100), 10).await.unwrap();
    let ids: Vec<_> = all.iter().map(|(upsert, _)| upsert.id).collect();
    assert_eq!(ids, [1, 2, 3, 4].map(upsert_id));
}

pub(super) async fn a_delivery_whose_attempts_are_forgotten_has_none_and_stays(store: Arc<dyn Store>) {
    for number in [1, 2] {
        put(&*store, ended("acme", number).1).await;
    }
    let mut delivery = delivery_record("acme", "crm", delivery_of(1, 1), DeliveryState::Pending);
    for _ in 0..2 {
        delivery.start(noon());
        delivery.take_back(full_delivery_error(), noon());
    }
    let mut delivery = delivery.with_progress(plain_progress(DeliveryState::Succeeded));
    delivery.forget_attempts();
    put(&*store, vec![Write::PutDelivery(delivery.clone(), None)]).await;
    let kept = store.delivery("acme", delivery.id).await.unwrap();
    assert_eq!(kept, Some(delivery));
    assert_eq!(
        left_of(&*store, 1).await,
        (true, 2, 3, 1),
        "the other delivery's are there"
    );
    assert_eq!(left_of(&*store, 2).await, (true, 2, 6, 1));
}
