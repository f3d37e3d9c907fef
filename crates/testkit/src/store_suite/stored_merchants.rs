//! Merchants that live in the store.

use std::sync::Arc;

use jiff::civil::date;

use upsert_store::{Expect, MerchantRecord, Store, Write};

use super::{holds_for, put_for};
use crate::records::stored_merchant;

async fn put_merchant(store: &dyn Store, row: &MerchantRecord) {
    put_for(store, &row.id, vec![Write::PutMerchant(row.clone())]).await;
}

fn gone(id: &str, revision: u64) -> MerchantRecord {
    MerchantRecord {
        body: None,
        sealed_with: None,
        ..stored_merchant(id, revision)
    }
}

pub(super) async fn a_merchant_comes_back_as_it_was_put_and_is_known_to_be_gone(store: Arc<dyn Store>) {
    assert_eq!(store.merchant("acme").await.unwrap(), None);
    for row in [stored_merchant("acme", 1), stored_merchant("acme", 2), gone("acme", 3)] {
        put_merchant(&*store, &row).await;
        assert_eq!(store.merchant("acme").await.unwrap(), Some(row));
        assert_eq!(store.merchant("globex").await.unwrap(), None);
    }
    assert!(store.merchants(None, 10).await.unwrap().is_empty());
}

pub(super) async fn a_merchant_is_expected_at_its_revision(store: Arc<dyn Store>) {
    let expect = |revision| Expect::Merchant { revision };
    assert!(holds_for(&*store, "acme", expect(None)).await);
    assert!(!holds_for(&*store, "acme", expect(Some(1))).await);
    put_merchant(&*store, &stored_merchant("acme", 1)).await;
    assert!(holds_for(&*store, "acme", expect(Some(1))).await);
    assert!(holds_for(&*store, "globex", expect(None)).await);
    put_merchant(&*store, &gone("acme", 2)).await;
    assert!(holds_for(&*store, "acme", expect(Some(2))).await);
    assert!(
        !holds_for(&*store, "acme", expect(None)).await,
        "a revision would be used twice"
    );
}

pub(super) async fn merchants_that_are_there_are_paged_by_id(store: Arc<dyn Store>) {
    for id in ["globex", "acme", "initech", "hooli"] {
        put_merchant(&*store, &stored_merchant(id, 1)).await;
    }
    put_merchant(&*store, &gone("hooli", 2)).await;
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.merchants(after.as_deref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        seen.extend(page.into_iter().map(|row| row.id));
    }
    assert_eq!(seen, ["acme", "globex", "initech"]);
}

pub(super) async fn changes_of_merchants_are_numbered_in_the_order_of_their_commits(store: Arc<dyn Store>) {
    assert_eq!(store.last_merchant_change().await.unwrap(), 0);
    let both = vec![
        Write::PutMerchant(stored_merchant("acme", 1)),
        Write::PutMerchant(stored_merchant("acme", 2)),
    ];
    put_for(&*store, "acme", both).await;
    put_merchant(&*store, &stored_merchant("globex", 1)).await;
    put_merchant(&*store, &gone("acme", 3)).await;
    let last = store.last_merchant_change().await.unwrap();
    let changes = store.merchant_changes(0, 10).await.unwrap();
    let ids: Vec<_> = changes.iter().map(|change| change.id.as_str()).collect();
    assert_eq!(ids, ["globex", "acme"], "the last change of each");
    assert_eq!(changes[1].number, last);
    assert!(changes[0].number < last);
    assert_eq!(
        store.merchant_changes(changes[0].number, 10).await.unwrap(),
        changes[1..]
    );
    assert_eq!(store.merchant_changes(0, 1).await.unwrap(), changes[..1]);
    assert!(store.merchant_changes(last, 10).await.unwrap().is_empty());
}

pub(super) async fn keys_that_seal_are_named_once_with_the_merchants_that_they_seal(store: Arc<dyn Store>) {
    assert!(store.sealing_keys().await.unwrap().is_empty());
    for (id, key) in [("a", "new"), ("b", "old"), ("c", "new"), ("d", "old")] {
        let row = MerchantRecord {
            sealed_with: Some(key.to_owned()),
            ..stored_merchant(id, 1)
        };
        put_merchant(&*store, &row).await;
    }
    let none = MerchantRecord {
        sealed_with: None,
        ..stored_merchant("e", 1)
    };
    put_merchant(&*store, &none).await;
    assert_eq!(store.sealing_keys().await.unwrap(), ["new", "old"]);
    let sealed = async |key: &str, limit| {
        let rows = store.merchants_sealed_with(key, limit).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(sealed("old", 10).await, ["b", "d"]);
    assert_eq!(sealed("old", 1).await, ["b"]);
    assert!(sealed("other", 10).await.is_empty());
    for id in ["b", "d"] {
        put_merchant(&*store, &gone(id, 2)).await;
    }
    assert_eq!(store.sealing_keys().await.unwrap(), ["new"]);
}

pub(super) async fn todays_calls_of_one_merchant_are_asked_for_alone(store: Arc<dyn Store>) {
    let day = date(2026, 11, 20);
    let call = |connection: &str, day| Write::CountCall {
        connection: connection.to_owned(),
        day,
    };
    assert!(store.calls_of("acme", day).await.unwrap().is_empty());
    let calls = vec![
        call("erp", day),
        call("crm", day),
        call("erp", day),
        call("crm", date(2026, 11, 21)),
    ];
    put_for(&*store, "acme", calls).await;
    put_for(&*store, "globex", vec![call("crm", day)]).await;
    let counts = [("crm".to_owned(), 1), ("erp".to_owned(), 2)];
    assert_eq!(store.calls_of("acme", day).await.unwrap(), counts);
}
