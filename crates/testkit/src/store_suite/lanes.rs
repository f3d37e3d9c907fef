//! Lanes, reserved keys, owners of vendor records.

use std::sync::Arc;

use upsert_core::{CustomerId, KeyKind, MatchKey};
use upsert_store::{Expect, Lane, Store, Write};

use super::{holds, holds_for, put};
use crate::records::{customer_id, customer_record, email_key, full_lane, linked_lane};

pub(super) async fn a_lane_comes_back_as_it_was_put(store: Arc<dyn Store>) {
    let id = customer_id(1);
    let mut lane = full_lane("acme", id, "crm");
    let plain = Lane::new("acme", id, "erp");
    put(
        &*store,
        vec![
            Write::PutCustomer(customer_record("acme", id)),
            Write::PutLane(plain.clone()),
            Write::PutLane(lane.clone()),
        ],
    )
    .await;
    let known = store.customer("acme", id).await.unwrap().unwrap();
    assert_eq!(known.lane("crm"), Some(&lane));
    assert_eq!(known.lanes, [lane.clone(), plain.clone()]);

    let _expected = lane.change();
    lane.note_told("notes", "/notes", "new".into());
    put(&*store, vec![Write::PutLane(lane.clone())]).await;
    let known = store.customer("acme", id).await.unwrap().unwrap();
    assert_eq!(known.lanes, [lane, plain]);
}

pub(super) async fn a_lane_is_expected_at_its_revision(store: Arc<dyn Store>) {
    let at = |connection: &str, revision| Expect::Lane {
        customer: customer_id(1),
        connection: connection.to_owned(),
        revision,
    };
    assert!(holds(&*store, at("crm", None)).await);
    assert!(!holds(&*store, at("crm", Some(1))).await);
    put(
        &*store,
        vec![Write::PutLane(linked_lane("acme", customer_id(1), "crm", "v"))],
    )
    .await;
    assert!(holds(&*store, at("crm", Some(1))).await);
    assert!(!holds(&*store, at("crm", Some(0))).await);
    assert!(!holds(&*store, at("crm", None)).await);
    assert!(holds(&*store, at("erp", None)).await);
    let others = linked_lane("acme", customer_id(2), "erp", "v");
    put(&*store, vec![Write::PutLane(others)]).await;
    assert!(holds(&*store, at("erp", None)).await);
}

fn reserve(connection: &str, key: &MatchKey, customer: u128) -> Write {
    Write::Reserve {
        connection: connection.to_owned(),
        key: key.clone(),
        customer: customer_id(customer),
    }
}

pub(super) async fn a_key_is_free_unless_another_customer_has_reserved_it(store: Arc<dyn Store>) {
    let free = |connection: &str, key: &MatchKey, customer| Expect::KeysFree {
        connection: connection.to_owned(),
        keys: vec![email_key("other@example.com"), key.clone()],
        customer: customer_id(customer),
    };
    let key = email_key("a@example.com");
    assert!(holds(&*store, free("crm", &key, 1)).await);
    put(&*store, vec![reserve("crm", &key, 1), reserve("crm", &key, 1)]).await;
    assert!(holds(&*store, free("crm", &key, 1)).await);
    assert!(!holds(&*store, free("crm", &key, 2)).await);
    assert!(holds(&*store, free("erp", &key, 2)).await);
    assert!(holds_for(&*store, "globex", free("crm", &key, 2)).await);
    let same_text = MatchKey::new(KeyKind::Reference, key.value.clone());
    assert!(holds(&*store, free("crm", &same_text, 2)).await);

    put(&*store, vec![reserve("crm", &key, 2)]).await;
    assert!(!holds(&*store, free("crm", &key, 1)).await);
    let release = |customer| Write::Release {
        connection: "crm".to_owned(),
        key: key.clone(),
        customer: customer_id(customer),
    };
    put(&*store, vec![release(1), release(9)]).await;
    assert!(holds(&*store, free("crm", &key, 2)).await);
    assert!(!holds(&*store, free("crm", &key, 1)).await);
}

pub(super) async fn holders_of_keys_are_answered_in_the_order_of_the_keys(store: Arc<dyn Store>) {
    let (a, b) = (email_key("a@example.com"), email_key("b@example.com"));
    let writes = vec![
        reserve("crm", &a, 3),
        reserve("crm", &a, 1),
        reserve("crm", &b, 2),
        reserve("crm", &b, 1),
        reserve("erp", &b, 4),
    ];
    put(&*store, writes).await;
    let keys = [b.clone(), email_key("free@example.com"), a.clone()];
    let held = store.key_holders("acme", "crm", &keys, customer_id(1)).await.unwrap();
    assert_eq!(held, [(b.clone(), customer_id(2)), (a.clone(), customer_id(3))]);
    let held = store
        .key_holders("acme", "crm", std::slice::from_ref(&a), customer_id(9))
        .await
        .unwrap();
    assert_eq!(held, [(a.clone(), customer_id(1)), (a, customer_id(3))]);
    let held = store.key_holders("globex", "crm", &keys, customer_id(1)).await.unwrap();
    assert!(held.is_empty());
    assert!(
        store
            .key_holders("acme", "crm", &[], customer_id(1))
            .await
            .unwrap()
            .is_empty()
    );
}

fn link(store_id: &str, customer: u128, vendor_id: &str) -> Write {
    Write::PutLane(linked_lane("acme", customer_id(customer), store_id, vendor_id))
}

pub(super) async fn a_vendor_record_is_free_unless_another_customer_is_linked_to_it(store: Arc<dyn Store>) {
    let free = |connection: &str, vendor_id: &str, customer| Expect::RecordFree {
        connection: connection.to_owned(),
        provider_customer_id: vendor_id.to_owned(),
        customer: customer_id(customer),
    };
    assert!(holds(&*store, free("crm", "v-1", 2)).await);
    put(&*store, vec![link("crm", 1, "v-1")]).await;
    assert!(holds(&*store, free("crm", "v-1", 1)).await);
    assert!(!holds(&*store, free("crm", "v-1", 2)).await);
    assert!(holds(&*store, free("crm", "v-2", 2)).await);
    assert!(holds(&*store, free("erp", "v-1", 2)).await);
    assert!(holds_for(&*store, "globex", free("crm", "v-1", 2)).await);
    put(&*store, vec![link("crm", 2, "v-1")]).await;
    assert!(!holds(&*store, free("crm", "v-1", 1)).await);
}

async fn owners(store: &dyn Store, vendor_id: &str) -> Vec<CustomerId> {
    store.record_owners("acme", "crm", vendor_id).await.unwrap()
}

pub(super) async fn owners_follow_the_link(store: Arc<dyn Store>) {
    assert!(owners(&*store, "v-1").await.is_empty());
    put(
        &*store,
        vec![link("crm", 2, "v-1"), link("crm", 1, "v-1"), link("erp", 3, "v-1")],
    )
    .await;
    assert_eq!(owners(&*store, "v-1").await, [customer_id(1), customer_id(2)]);
    put(&*store, vec![link("crm", 1, "v-2")]).await;
    assert_eq!(owners(&*store, "v-1").await, [customer_id(2)]);
    assert_eq!(owners(&*store, "v-2").await, [customer_id(1)]);
    let unlinked = Lane::new("acme", customer_id(2), "crm");
    put(&*store, vec![Write::PutLane(unlinked)]).await;
    assert!(owners(&*store, "v-1").await.is_empty());
    let foreign = store.record_owners("globex", "crm", "v-2").await.unwrap();
    assert!(foreign.is_empty());
}
