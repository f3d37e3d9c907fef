//! The in-memory store under the contract suite.

use std::sync::Arc;

use upsert_store::{Changeset, CustomerStore as _, Store, StoreError, Write};
use upsert_testkit::MemoryStore;
use upsert_testkit::records::{customer_id, customer_record};

mod suite {
    upsert_testkit::store_suite!(128 cases, || (super::Arc::new(super::MemoryStore::new()), ()));
}

#[tokio::test]
async fn a_store_that_is_told_to_fail_applies_nothing_and_then_goes_on() {
    let store = MemoryStore::new();
    let changes = || Changeset {
        write: vec![Write::PutCustomer(customer_record("acme", customer_id(1)))],
        ..Changeset::of("acme")
    };
    store.fail_next(2);
    assert!(matches!(store.apply(changes()).await, Err(StoreError::Failed(_))));
    assert!(store.check().await.is_err());
    assert!(store.customer("acme", customer_id(1)).await.unwrap().is_none());
    store.apply(changes()).await.unwrap();
    assert!(store.customer("acme", customer_id(1)).await.unwrap().is_some());
}
