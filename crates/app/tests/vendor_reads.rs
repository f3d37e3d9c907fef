//! What a vendor holds is read for somebody who may ask for it when the read leaves, and told to somebody who may when it is back.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use common::{House, Vendor, connection};
use jiff::tz::TimeZone;

use upsert_api::ProblemCode;
use upsert_app::{Connection, Merchant, Refusal};
use upsert_core::{
    CallContext, Clock as _, CustomerReader, ListQuery, Problem, ProviderError, ReadCustomer, ReadPage, Repeat,
};
use upsert_store::ConnectionStore as _;

/// Holds nothing, and counts who asks.
#[derive(Debug, Default)]
struct Empty(AtomicUsize);

#[async_trait]
impl CustomerReader for Empty {
    fn check(&self, _: &ListQuery) -> Result<(), Vec<Problem>> {
        Ok(())
    }

    async fn list(&self, _: &CallContext, _: &ListQuery) -> Result<ReadPage, ProviderError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(ReadPage {
            data: Vec::new(),
            next: None,
            vendor_fields: serde_json::Map::new(),
        })
    }

    async fn read(&self, _: &CallContext, _: &str) -> Result<Option<ReadCustomer>, ProviderError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(None)
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_for_or_told_to_somebody_who_may_not_ask_any_more() {
    let reader = Arc::new(Empty::default());
    let readable = Connection {
        counts_calls: true,
        reader: Some(reader.clone()),
        ..connection("v", &Vendor::new(Repeat::Safe))
    };
    let house = House::new(vec![readable]).await;
    let merchant: Arc<Merchant> = house.gateway.directory().iter().next().unwrap();
    let operations = &house.gateway.operations;
    // So often it still may; who reads asks twice.
    for (allowed, reads, told) in [
        (0, 0, [Some(ProblemCode::Unauthenticated); 2]),
        (1, 2, [Some(ProblemCode::Unauthenticated); 2]),
        (2, 4, [None, Some(ProblemCode::NotFound)]),
    ] {
        let asked = AtomicUsize::new(0);
        let still_may = || {
            let is_allowed = asked.fetch_add(1, Ordering::Relaxed) < allowed;
            let removed = || Refusal::new(ProblemCode::Unauthenticated, "the API key was removed");
            is_allowed.then_some(()).ok_or_else(removed)
        };
        let page = operations
            .vendor_customers(&merchant, "v", ListQuery::default(), &still_may)
            .await;
        asked.store(0, Ordering::Relaxed);
        let one = operations.vendor_customer(&merchant, "v", "1", &still_may).await;
        let codes = [page.map(drop).err(), one.map(drop).err()].map(|refused| refused.map(|refused| refused.code));
        assert_eq!((codes, reader.0.load(Ordering::Relaxed)), (told, reads));
        let today = house.clock.now().to_zoned(TimeZone::UTC).date();
        let counted: u32 = house
            .store
            .calls(today)
            .await
            .unwrap()
            .iter()
            .map(|(_, _, calls)| calls)
            .sum();
        assert_eq!(
            usize::try_from(counted).unwrap(),
            reads,
            "what was not read counts for nothing"
        );
    }
}
