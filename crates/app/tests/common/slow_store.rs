//! A store that takes a millisecond for whatever it is asked, so that what happens at once really does, and that may be
//! told to fail.
#![allow(
    unreachable_pub,
    dead_code,
    missing_docs,
    reason = "each test file uses its own part"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;

use upsert_core::{CustomerId, DeliveryId, EventId, MatchKey, UpsertId};
use upsert_store::{
    Applied, AttemptRecord, Changeset, ConnectionRecord, Counted, CustomerFilter, CustomerRecord, DeliveryFilter,
    DeliveryPage, DeliveryRecord, EndpointRecord, EventCount, EventMarks, FailedCount, HistoryPage, IdempotencyRecord,
    IdentityQuery, IdentityView, IncomingEvent, IncomingFilter, IncomingPage, IncomingState, Known, OutgoingEvent,
    OutgoingFilter, OutgoingPage, OutgoingState, Store, StoreError, UpsertFilter, UpsertPage, UpsertRecord,
    WaitingCount,
};

#[derive(Debug)]
pub struct SlowStore {
    pub inner: Arc<dyn Store>,
    /// Writes until one fails; below zero: none does.
    pub fails_in: AtomicI64,
}

impl SlowStore {
    pub fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        let fails_in = AtomicI64::new(-1);
        Arc::new(Self { inner, fails_in })
    }
}

macro_rules! passed_on {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Store for SlowStore {
            async fn apply(&self, changes: Changeset) -> Result<Applied, StoreError> {
                tokio::time::sleep(Duration::from_millis(1)).await;
                if self.fails_in.fetch_sub(1, Ordering::SeqCst) == 0 {
                    return Err(StoreError::Failed("told to fail".to_owned()));
                }
                self.inner.apply(changes).await
            }
            $(async fn $name(&self, $($argument: $kind),*) -> Result<$answer, StoreError> {
                tokio::time::sleep(Duration::from_millis(1)).await;
                self.inner.$name($($argument),*).await
            })*
        }
    };
}

passed_on! {
    identify(merchant: &str, query: &IdentityQuery) -> IdentityView;
    customer(merchant: &str, id: CustomerId) -> Option<Known>;
    customers(merchant: &str, filter: &CustomerFilter, after: Option<CustomerId>, limit: usize) -> Vec<CustomerRecord>;
    history(customer: CustomerId, before: Option<UpsertId>, limit: usize) -> HistoryPage;
    key_holders(merchant: &str, connection: &str, keys: &[MatchKey], except: CustomerId) -> Vec<(MatchKey, CustomerId)>;
    record_owners(merchant: &str, connection: &str, provider_customer_id: &str) -> Vec<CustomerId>;
    idempotency(key: &[u8; 32], now: Timestamp) -> Option<IdempotencyRecord>;
    upsert(merchant: &str, id: UpsertId) -> Option<(UpsertRecord, Vec<DeliveryRecord>)>;
    delivery(id: DeliveryId) -> Option<DeliveryRecord>;
    deliveries(filter: &DeliveryFilter, before: Option<DeliveryId>, limit: usize) -> DeliveryPage;
    count_deliveries(filter: &DeliveryFilter, most: usize) -> Counted;
    upserts(filter: &UpsertFilter, before: Option<UpsertId>, limit: usize) -> UpsertPage;
    attempts(delivery: DeliveryId) -> Vec<AttemptRecord>;
    due_connections(now: Timestamp) -> Vec<(String, String)>;
    due_at(merchant: &str, connection: &str, now: Timestamp, limit: usize) -> Vec<DeliveryRecord>;
    waiting_at(merchant: &str, connection: &str, after: Option<DeliveryId>, limit: usize) -> Vec<DeliveryRecord>;
    unsettled(after: Option<UpsertId>, limit: usize) -> Vec<UpsertRecord>;
    owing(after: Option<UpsertId>, limit: usize) -> Vec<UpsertRecord>;
    abandoned(now: Option<Timestamp>, limit: usize) -> Vec<DeliveryRecord>;
    waiting() -> Vec<WaitingCount>;
    failed_deliveries() -> Vec<FailedCount>;
    connections() -> Vec<ConnectionRecord>;
    calls(day: Date) -> Vec<(String, String, u32)>;
    forget_expired(now: Timestamp, limit: usize) -> usize;
    incoming_event(id: EventId) -> Option<IncomingEvent>;
    event_of_source(merchant: &str, source: &str, event_id: &str, content: &str) -> Option<IncomingEvent>;
    incoming_events(filter: &IncomingFilter, before: Option<EventId>, limit: usize) -> IncomingPage;
    failed_incoming() -> Vec<EventCount<IncomingState>>;
    event_marks(customer: CustomerId, source: &str) -> Option<EventMarks>;
    outgoing_event(id: EventId) -> Option<OutgoingEvent>;
    outgoing_events(filter: &OutgoingFilter, before: Option<EventId>, limit: usize) -> OutgoingPage;
    due_endpoints(now: Timestamp) -> Vec<(String, String)>;
    due_to(merchant: &str, endpoint: &str, now: Timestamp, limit: usize) -> Vec<OutgoingEvent>;
    waiting_for_endpoint(merchant: &str, endpoint: &str, after: Option<EventId>, limit: usize) -> Vec<OutgoingEvent>;
    open_outgoing() -> Vec<EventCount<OutgoingState>>;
    endpoints() -> Vec<EndpointRecord>;
    forget_events(done_before: Timestamp, failed_before: Timestamp, limit: usize) -> usize;
    check() -> ();
}
