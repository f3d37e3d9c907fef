//! Events that come while something else happens, and stores that fail in between.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use common::events::{Listener, event, source};
use common::slow_store::SlowStore;
use common::{House, TokioClock, Vendor, connection, merchant};
use upsert_core::Repeat;
use upsert_testkit::MemoryStore;

struct Slow {
    house: House,
    store: Arc<SlowStore>,
    listener: Arc<Listener>,
}

async fn slow(vendor: &Arc<Vendor>) -> Slow {
    let (store, listener) = (Arc::new(MemoryStore::new()), Listener::new());
    let slow = SlowStore::new(store.clone());
    let mut merchant = merchant(vec![connection("v", vendor)]);
    merchant.sources = vec![Arc::new(source("crm", Some("v")))];
    merchant.endpoints = vec![Arc::new(listener.endpoint("hooks"))];
    let house = House::through(slow.clone(), store, TokioClock::new(), merchant).await;
    house.gateway.run_background();
    tokio::time::sleep(Duration::from_millis(500)).await;
    Slow {
        house,
        store: slow,
        listener,
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_changes_nothing_is_remembered_beside_one_that_comes_at_once() {
    for nothing_first in [true, false] {
        let slow = slow(&Vendor::new(Repeat::Safe)).await;
        let house = &slow.house;
        let first = event("e1", 1, &json!({ "ref": "r", "first": "One", "notes": "n" }));
        assert_eq!(house.told("crm", &first).await, "accepted");
        tokio::time::sleep(Duration::from_secs(600)).await;
        let nothing = event("e5", 5, &json!({ "ref": "r", "first": "One" }));
        let edit = event("e6", 6, &json!({ "ref": "r", "notes": "new" }));
        let told = if nothing_first {
            tokio::join!(house.told("crm", &nothing), house.told("crm", &edit))
        } else {
            let (edit, nothing) = tokio::join!(house.told("crm", &edit), house.told("crm", &nothing));
            (nothing, edit)
        };
        // The reference is in both of them.
        assert!(["echo", "outdated"].contains(&&*told.0));
        assert_eq!(told.1, "accepted");
        tokio::time::sleep(Duration::from_secs(600)).await;
        let late = event("e4", 4, &json!({ "ref": "r", "first": "Old", "notes": "old" }));
        assert_eq!(house.told("crm", &late).await, "outdated");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upsert_is_told_of_although_the_store_failed_as_it_ended() {
    for fails_in in 1..4 {
        let slow = slow(&Vendor::new(Repeat::Safe)).await;
        slow.store.fails_in.store(fails_in, Ordering::SeqCst);
        slow.house.upsert(json!({ "reference": "r" })).await.unwrap();
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert!(slow.store.fails_in.load(Ordering::SeqCst) < 0);
        let mut ids: Vec<String> = slow.listener.got().into_iter().map(|got| got.id).collect();
        ids.dedup();
        assert_eq!(ids.len(), 1, "when write {fails_in} failed");
    }
}
