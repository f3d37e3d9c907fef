//! A store that closes its file and opens it again after every changeset.

use std::path::PathBuf;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::{Mutex, MutexGuard};

use upsert_core::{CustomerId, DeliveryId, EventId, MatchKey, UpsertId};
use upsert_store::{
    Applied, AttemptRecord, Changeset, ConnectionRecord, Counted, CustomerFilter, CustomerRecord, DeliveryFilter,
    DeliveryPage, DeliveryRecord, EndpointRecord, EventCount, EventMarks, FailedCount, HistoryPage, IdempotencyRecord,
    IdentityQuery, IdentityView, IncomingEvent, IncomingFilter, IncomingPage, IncomingState, Known, OutgoingEvent,
    OutgoingFilter, OutgoingPage, OutgoingState, Store, StoreError, UpsertFilter, UpsertPage, UpsertRecord,
    WaitingCount,
};
use upsert_store_sql::sqlite::{SqliteOptions, SqliteStore};

#[derive(Debug)]
pub(crate) struct Reopening {
    path: PathBuf,
    store: Mutex<SqliteStore>,
}

impl Reopening {
    pub(crate) fn new(path: PathBuf) -> Self {
        let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
        Self {
            path,
            store: Mutex::new(store),
        }
    }

    async fn reopened(&self) -> MutexGuard<'_, SqliteStore> {
        let mut store = self.store.lock().await;
        store.close();
        *store = SqliteStore::open(&self.path, SqliteOptions::default()).unwrap();
        store
    }
}

type Answer<T> = Result<T, StoreError>;

#[async_trait]
impl Store for Reopening {
    async fn apply(&self, changes: Changeset) -> Answer<Applied> {
        self.reopened().await.apply(changes).await
    }

    async fn identify(&self, merchant: &str, query: &IdentityQuery) -> Answer<IdentityView> {
        self.reopened().await.identify(merchant, query).await
    }

    async fn customer(&self, merchant: &str, id: CustomerId) -> Answer<Option<Known>> {
        self.reopened().await.customer(merchant, id).await
    }

    async fn customers(
        &self,
        merchant: &str,
        filter: &CustomerFilter,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Answer<Vec<CustomerRecord>> {
        let store = self.reopened().await;
        store.customers(merchant, filter, after, limit).await
    }

    async fn history(&self, customer: CustomerId, before: Option<UpsertId>, limit: usize) -> Answer<HistoryPage> {
        self.reopened().await.history(customer, before, limit).await
    }

    async fn key_holders(
        &self,
        merchant: &str,
        connection: &str,
        keys: &[MatchKey],
        except: CustomerId,
    ) -> Answer<Vec<(MatchKey, CustomerId)>> {
        let store = self.reopened().await;
        store.key_holders(merchant, connection, keys, except).await
    }

    async fn record_owners(&self, merchant: &str, connection: &str, vendor_id: &str) -> Answer<Vec<CustomerId>> {
        let store = self.reopened().await;
        store.record_owners(merchant, connection, vendor_id).await
    }

    async fn idempotency(&self, key: &[u8; 32], now: Timestamp) -> Answer<Option<IdempotencyRecord>> {
        self.reopened().await.idempotency(key, now).await
    }

    async fn upsert(&self, merchant: &str, id: UpsertId) -> Answer<Option<(UpsertRecord, Vec<DeliveryRecord>)>> {
        self.reopened().await.upsert(merchant, id).await
    }

    async fn delivery(&self, id: DeliveryId) -> Answer<Option<DeliveryRecord>> {
        self.reopened().await.delivery(id).await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        before: Option<DeliveryId>,
        limit: usize,
    ) -> Answer<DeliveryPage> {
        self.reopened().await.deliveries(filter, before, limit).await
    }

    async fn count_deliveries(&self, filter: &DeliveryFilter, most: usize) -> Answer<Counted> {
        self.reopened().await.count_deliveries(filter, most).await
    }

    async fn upserts(&self, filter: &UpsertFilter, before: Option<UpsertId>, limit: usize) -> Answer<UpsertPage> {
        self.reopened().await.upserts(filter, before, limit).await
    }

    async fn attempts(&self, delivery: DeliveryId) -> Answer<Vec<AttemptRecord>> {
        self.reopened().await.attempts(delivery).await
    }

    async fn due_connections(&self, now: Timestamp) -> Answer<Vec<(String, String)>> {
        self.reopened().await.due_connections(now).await
    }

    async fn due_at(
        &self,
        merchant: &str,
        connection: &str,
        now: Timestamp,
        limit: usize,
    ) -> Answer<Vec<DeliveryRecord>> {
        let store = self.reopened().await;
        store.due_at(merchant, connection, now, limit).await
    }

    async fn waiting_at(
        &self,
        merchant: &str,
        connection: &str,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Answer<Vec<DeliveryRecord>> {
        let store = self.reopened().await;
        store.waiting_at(merchant, connection, after, limit).await
    }

    async fn unsettled(&self, after: Option<UpsertId>, limit: usize) -> Answer<Vec<UpsertRecord>> {
        self.reopened().await.unsettled(after, limit).await
    }

    async fn owing(&self, after: Option<UpsertId>, limit: usize) -> Answer<Vec<UpsertRecord>> {
        self.reopened().await.owing(after, limit).await
    }

    async fn abandoned(&self, now: Option<Timestamp>, limit: usize) -> Answer<Vec<DeliveryRecord>> {
        self.reopened().await.abandoned(now, limit).await
    }

    async fn waiting(&self) -> Answer<Vec<WaitingCount>> {
        self.reopened().await.waiting().await
    }

    async fn failed_deliveries(&self) -> Answer<Vec<FailedCount>> {
        let store = self.reopened().await;
        store.failed_deliveries().await
    }

    async fn connections(&self) -> Answer<Vec<ConnectionRecord>> {
        self.reopened().await.connections().await
    }

    async fn calls(&self, day: Date) -> Answer<Vec<(String, String, u32)>> {
        self.reopened().await.calls(day).await
    }

    async fn forget_expired(&self, now: Timestamp, limit: usize) -> Answer<usize> {
        self.reopened().await.forget_expired(now, limit).await
    }

    async fn incoming_event(&self, id: EventId) -> Answer<Option<IncomingEvent>> {
        let store = self.reopened().await;
        store.incoming_event(id).await
    }

    async fn event_of_source(
        &self,
        merchant: &str,
        source: &str,
        event_id: &str,
        content: &str,
    ) -> Answer<Option<IncomingEvent>> {
        let store = self.reopened().await;
        store.event_of_source(merchant, source, event_id, content).await
    }

    async fn incoming_events(
        &self,
        filter: &IncomingFilter,
        before: Option<EventId>,
        limit: usize,
    ) -> Answer<IncomingPage> {
        let store = self.reopened().await;
        store.incoming_events(filter, before, limit).await
    }

    async fn failed_incoming(&self) -> Answer<Vec<EventCount<IncomingState>>> {
        let store = self.reopened().await;
        store.failed_incoming().await
    }

    async fn event_marks(&self, customer: CustomerId, source: &str) -> Answer<Option<EventMarks>> {
        let store = self.reopened().await;
        store.event_marks(customer, source).await
    }

    async fn outgoing_event(&self, id: EventId) -> Answer<Option<OutgoingEvent>> {
        let store = self.reopened().await;
        store.outgoing_event(id).await
    }

    async fn outgoing_events(
        &self,
        filter: &OutgoingFilter,
        before: Option<EventId>,
        limit: usize,
    ) -> Answer<OutgoingPage> {
        let store = self.reopened().await;
        store.outgoing_events(filter, before, limit).await
    }

    async fn due_endpoints(&self, now: Timestamp) -> Answer<Vec<(String, String)>> {
        let store = self.reopened().await;
        store.due_endpoints(now).await
    }

    async fn due_to(&self, merchant: &str, endpoint: &str, now: Timestamp, limit: usize) -> Answer<Vec<OutgoingEvent>> {
        let store = self.reopened().await;
        store.due_to(merchant, endpoint, now, limit).await
    }

    async fn waiting_for_endpoint(
        &self,
        merchant: &str,
        endpoint: &str,
        after: Option<EventId>,
        limit: usize,
    ) -> Answer<Vec<OutgoingEvent>> {
        let store = self.reopened().await;
        store.waiting_for_endpoint(merchant, endpoint, after, limit).await
    }

    async fn open_outgoing(&self) -> Answer<Vec<EventCount<OutgoingState>>> {
        let store = self.reopened().await;
        store.open_outgoing().await
    }

    async fn endpoints(&self) -> Answer<Vec<EndpointRecord>> {
        let store = self.reopened().await;
        store.endpoints().await
    }

    async fn forget_events(&self, done_before: Timestamp, failed_before: Timestamp, limit: usize) -> Answer<usize> {
        let store = self.reopened().await;
        store.forget_events(done_before, failed_before, limit).await
    }

    async fn check(&self) -> Answer<()> {
        self.reopened().await.check().await
    }
}
