//! What upserts made of a customer.

use std::ops::RangeInclusive;
use std::sync::Arc;

use upsert_store::{HistoryRecord, Store, UpsertRecord, UpsertState, Write};

use super::put;
use crate::records::{customer_change, customer_id, ignored_phone, noon, person, upsert_id, upsert_record};

/// The upsert that makes this version of the first customer.
fn version(version: u64) -> UpsertRecord {
    let (id, customer) = (upsert_id(version.into()), customer_id(1));
    UpsertRecord::new(id, "acme", customer, version, "tests", noon())
}

fn versions(range: RangeInclusive<u64>, refused: &[u64]) -> Vec<Write> {
    let put = |number| {
        let mut upsert = version(number);
        if refused.contains(&number) {
            upsert.roll_back();
        }
        Write::PutUpsert(upsert, Some(customer_change(&format!("Ada {number}"))))
    };
    range.map(put).collect()
}

async fn page(store: &dyn Store, before: Option<u128>, limit: usize) -> (Vec<u64>, Option<u64>) {
    let page = store
        .history("acme", customer_id(1), before.map(upsert_id), limit)
        .await
        .unwrap();
    for entry in page.entries.iter().chain(&page.below) {
        assert_eq!(entry.record, person(&format!("Ada {}", entry.version)));
    }
    let entries = page.entries.iter().map(|entry| entry.version).collect();
    (entries, page.below.map(|below| below.version))
}

pub(super) async fn history_is_newest_first_and_paged(store: Arc<dyn Store>) {
    assert_eq!(page(&*store, None, 10).await, (vec![], None));
    put(&*store, versions(1..=5, &[])).await;
    let other = upsert_record("acme", upsert_id(6), customer_id(2));
    let changes_nothing = upsert_record("acme", upsert_id(7), customer_id(1));
    let writes = vec![
        Write::PutUpsert(other.clone(), Some(customer_change("Bob"))),
        Write::PutUpsert(changes_nothing, None),
    ];
    put(&*store, writes).await;

    assert_eq!(page(&*store, None, 2).await, (vec![5, 4], Some(3)));
    assert_eq!(page(&*store, Some(4), 2).await, (vec![3, 2], Some(1)));
    assert_eq!(page(&*store, Some(2), 2).await, (vec![1], None));
    assert_eq!(page(&*store, Some(1), 2).await, (vec![], None));
    let of_other = store.history("acme", customer_id(2), None, 10).await.unwrap();
    assert_eq!(of_other.entries, [HistoryRecord::of(other, customer_change("Bob"))]);
}

pub(super) async fn history_tells_the_accepted_version_below_a_page(store: Arc<dyn Store>) {
    put(&*store, versions(1..=5, &[2, 3, 5])).await;
    assert_eq!(page(&*store, None, 1).await, (vec![5], Some(4)));
    assert_eq!(
        page(&*store, None, 2).await,
        (vec![5, 4], Some(1)),
        "2 and 3 were refused"
    );
    assert_eq!(page(&*store, None, 5).await, (vec![5, 4, 3, 2, 1], None));
}

pub(super) async fn history_tells_of_an_upsert_as_it_was_put_last(store: Arc<dyn Store>) {
    let mut upsert = version(1);
    let mut change = customer_change("Ada");
    change.links = [("crm".to_owned(), "v-1".to_owned())].into();
    put(&*store, vec![Write::PutUpsert(upsert.clone(), Some(change.clone()))]).await;
    let _nobody_asks = upsert.change();
    "somebody else".clone_into(&mut upsert.by);
    upsert.ignored = vec![ignored_phone()];
    upsert.roll_back();
    put(&*store, vec![Write::PutUpsert(upsert.clone(), None)]).await;
    let history = store.history("acme", customer_id(1), None, 10).await.unwrap();
    assert!(history.entries[0].refused);
    assert_eq!(history.entries, [HistoryRecord::of(upsert, change)]);
}

pub(super) async fn a_change_stays_with_its_upsert_however_often_that_is_put_again(store: Arc<dyn Store>) {
    let (mut upsert, mut plain) = (version(1), version(2));
    let first = Write::PutUpsert(upsert.clone(), Some(customer_change("Ada")));
    put(&*store, vec![first, Write::PutUpsert(plain.clone(), None)]).await;
    let ends = [None, Some(UpsertState::Failed), Some(UpsertState::Succeeded)];
    for (end, change) in ends.into_iter().zip([None, Some("Bob"), None]) {
        for upsert in [&mut upsert, &mut plain] {
            let _nobody_asks = upsert.change();
            if let Some(state) = end {
                upsert.end(state, noon());
            }
        }
        let again = Write::PutUpsert(upsert.clone(), change.map(customer_change));
        put(&*store, vec![again, Write::PutUpsert(plain.clone(), None)]).await;
        let history = store.history("acme", customer_id(1), None, 10).await.unwrap();
        let expected = HistoryRecord::of(upsert.clone(), customer_change("Ada"));
        assert_eq!(
            history.entries,
            [expected],
            "one changes nothing, the other what it did first"
        );
        let found = store.upsert("acme", upsert.id).await.unwrap();
        assert_eq!(found, Some((upsert.clone(), Vec::new())));
    }
    // Put again in the revision that it began with, as a writer does that does not know of the others.
    put(
        &*store,
        vec![Write::PutUpsert(version(1), Some(customer_change("Eve")))],
    )
    .await;
    let history = store.history("acme", customer_id(1), None, 10).await.unwrap();
    assert_eq!(history.entries, [HistoryRecord::of(version(1), customer_change("Ada"))]);
}
