//! Each question goes to a reader of its own thread.

use super::work::Work;
use super::{Reader, SqliteStore};
use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;

use upsert_core::{CustomerId, DeliveryId, EventId, MatchKey, MerchantMark, UpsertId};
use upsert_store::{
    AttemptRecord, ConnectionRecord, ConnectionStore, Counted, CustomerFilter, CustomerPage, CustomerStore,
    DeliveryFilter, DeliveryPage, DeliveryRecord, DeliveryStore, EndpointRecord, EventCount, EventMarks, EventStore,
    FailedCount, HistoryPage, IdempotencyRecord, IdentityQuery, IdentityView, IncomingEvent, IncomingFilter,
    IncomingPage, IncomingState, Known, OutgoingEvent, OutgoingFilter, OutgoingPage, OutgoingState, StoreError,
    UpsertFilter, UpsertPage, UpsertRecord, UpsertStore, WaitingCount,
};

#[async_trait]
impl CustomerStore for SqliteStore {
    async fn identify(&self, merchant: &str, query: &IdentityQuery) -> Result<IdentityView, StoreError> {
        self.readers.look(|db| db.identify(merchant, query))
    }

    async fn customer(&self, merchant: &str, id: CustomerId) -> Result<Option<Known>, StoreError> {
        self.readers.look(|db| db.customer(merchant, id))
    }

    async fn customers(
        &self,
        merchant: &str,
        filter: &CustomerFilter,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Result<CustomerPage, StoreError> {
        let (merchant, filter) = (merchant.to_owned(), filter.clone());
        self.readers
            .ask(move |db| db.customers(&merchant, &filter, after, limit))
            .await
    }

    async fn history(
        &self,
        merchant: &str,
        customer: CustomerId,
        before: Option<UpsertId>,
        limit: usize,
    ) -> Result<HistoryPage, StoreError> {
        let merchant = merchant.to_owned();
        self.readers
            .ask(move |db| db.history(&merchant, customer, before, limit))
            .await
    }

    async fn key_holders(
        &self,
        merchant: &str,
        connection: &str,
        keys: &[MatchKey],
        except: CustomerId,
    ) -> Result<Vec<(MatchKey, CustomerId)>, StoreError> {
        self.readers
            .look(|db| db.key_holders(merchant, connection, keys, except))
    }

    async fn record_owners(
        &self,
        merchant: &str,
        connection: &str,
        provider_customer_id: &str,
    ) -> Result<Vec<CustomerId>, StoreError> {
        self.readers
            .look(|db| db.record_owners(merchant, connection, provider_customer_id))
    }
}

#[async_trait]
impl UpsertStore for SqliteStore {
    async fn upsert(
        &self,
        merchant: &str,
        id: UpsertId,
    ) -> Result<Option<(UpsertRecord, Vec<DeliveryRecord>)>, StoreError> {
        self.find(|db| db.upsert(merchant, id)).await
    }

    async fn upserts(
        &self,
        filter: &UpsertFilter,
        before: Option<UpsertId>,
        limit: usize,
    ) -> Result<UpsertPage, StoreError> {
        let filter = filter.clone();
        self.readers.ask(move |db| db.upserts(&filter, before, limit)).await
    }

    async fn unsettled(&self, after: Option<&UpsertRecord>, limit: usize) -> Result<Vec<UpsertRecord>, StoreError> {
        let after = after.map(|after| (after.merchant.clone(), after.id));
        self.readers
            .ask(move |db| db.unsettled(after.as_ref().map(|(merchant, id)| (merchant.as_str(), *id)), limit))
            .await
    }

    async fn owing(&self, after: Option<&UpsertRecord>, limit: usize) -> Result<Vec<UpsertRecord>, StoreError> {
        let after = after.map(|after| (after.merchant.clone(), after.id));
        self.readers
            .ask(move |db| db.owing(after.as_ref().map(|(merchant, id)| (merchant.as_str(), *id)), limit))
            .await
    }

    async fn older_upserts(
        &self,
        after: Option<&UpsertRecord>,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(UpsertRecord, Vec<DeliveryRecord>)>, StoreError> {
        let after = after.map(|after| (after.merchant.clone(), after.id));
        let question = move |db: &mut Reader| {
            let after = after.as_ref().map(|(merchant, id)| (merchant.as_str(), *id));
            db.older_upserts(after, before, limit)
        };
        self.readers.ask(question).await
    }

    async fn idempotency(
        &self,
        merchant: &str,
        key: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.readers.look(|db| db.idempotency(merchant, key, now))
    }

    async fn merchants_of(&self, mark: MerchantMark) -> Result<Vec<String>, StoreError> {
        self.readers.look(|db| db.merchants_of(mark))
    }

    async fn made_until(&self) -> Result<Option<Timestamp>, StoreError> {
        self.readers.look(Reader::made_until)
    }

    async fn forget_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.forget(Work::Forget { now, limit }).await
    }
}

#[async_trait]
impl DeliveryStore for SqliteStore {
    async fn delivery(&self, merchant: &str, id: DeliveryId) -> Result<Option<DeliveryRecord>, StoreError> {
        self.find(|db| db.delivery(merchant, id)).await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        before: Option<DeliveryId>,
        limit: usize,
    ) -> Result<DeliveryPage, StoreError> {
        let filter = filter.clone();
        self.readers.ask(move |db| db.deliveries(&filter, before, limit)).await
    }

    async fn count_deliveries(&self, filter: &DeliveryFilter, most: usize) -> Result<Counted, StoreError> {
        let filter = filter.clone();
        self.readers.ask(move |db| db.count_deliveries(&filter, most)).await
    }

    async fn attempts(&self, merchant: &str, delivery: DeliveryId) -> Result<Vec<AttemptRecord>, StoreError> {
        let merchant = merchant.to_owned();
        self.readers.ask(move |db| db.attempts(&merchant, delivery)).await
    }

    async fn due_connections(&self, now: Timestamp) -> Result<Vec<(String, String)>, StoreError> {
        self.readers.ask(move |db| db.due_connections(now)).await
    }

    async fn due_at(
        &self,
        merchant: &str,
        connection: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let (merchant, connection) = (merchant.to_owned(), connection.to_owned());
        self.readers
            .ask(move |db| db.due_at(&merchant, &connection, now, limit))
            .await
    }

    async fn waiting_at(
        &self,
        merchant: &str,
        connection: &str,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let (merchant, connection) = (merchant.to_owned(), connection.to_owned());
        self.readers
            .ask(move |db| db.waiting_at(&merchant, &connection, after, limit))
            .await
    }

    async fn abandoned(&self, now: Option<Timestamp>, limit: usize) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.readers.ask(move |db| db.abandoned(now, limit)).await
    }

    async fn waiting(&self) -> Result<Vec<WaitingCount>, StoreError> {
        self.readers.ask(Reader::waiting).await
    }

    async fn failed_deliveries(&self) -> Result<Vec<FailedCount>, StoreError> {
        self.readers.ask(Reader::failed_deliveries).await
    }
}

#[async_trait]
impl ConnectionStore for SqliteStore {
    async fn connections(&self) -> Result<Vec<ConnectionRecord>, StoreError> {
        self.readers.ask(Reader::connections).await
    }

    async fn calls(&self, day: Date) -> Result<Vec<(String, String, u32)>, StoreError> {
        self.readers.ask(move |db| db.calls(day)).await
    }

    async fn endpoints(&self) -> Result<Vec<EndpointRecord>, StoreError> {
        self.readers.ask(Reader::endpoints).await
    }
}

#[async_trait]
impl EventStore for SqliteStore {
    async fn incoming_event(&self, merchant: &str, id: EventId) -> Result<Option<IncomingEvent>, StoreError> {
        self.readers.look(|db| db.incoming_event(merchant, id))
    }

    async fn event_of_source(
        &self,
        merchant: &str,
        source: &str,
        event_id: &str,
        content: &str,
    ) -> Result<Option<IncomingEvent>, StoreError> {
        self.readers
            .look(|db| db.event_of_source(merchant, source, event_id, content))
    }

    async fn incoming_events(
        &self,
        filter: &IncomingFilter,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<IncomingPage, StoreError> {
        let filter = filter.clone();
        self.readers
            .ask(move |db| db.incoming_events(&filter, before, limit))
            .await
    }

    async fn failed_incoming(&self) -> Result<Vec<EventCount<IncomingState>>, StoreError> {
        self.readers.ask(Reader::failed_incoming).await
    }

    async fn event_marks(
        &self,
        merchant: &str,
        customer: CustomerId,
        source: &str,
    ) -> Result<Option<EventMarks>, StoreError> {
        self.readers.look(|db| db.event_marks(merchant, customer, source))
    }

    async fn outgoing_event(&self, merchant: &str, id: EventId) -> Result<Option<OutgoingEvent>, StoreError> {
        self.readers.look(|db| db.outgoing_event(merchant, id))
    }

    async fn outgoing_events(
        &self,
        filter: &OutgoingFilter,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<OutgoingPage, StoreError> {
        let filter = filter.clone();
        self.readers
            .ask(move |db| db.outgoing_events(&filter, before, limit))
            .await
    }

    async fn due_endpoints(&self, now: Timestamp) -> Result<Vec<(String, String)>, StoreError> {
        self.readers.ask(move |db| db.due_endpoints(now)).await
    }

    async fn due_to(
        &self,
        merchant: &str,
        endpoint: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<OutgoingEvent>, StoreError> {
        let (merchant, endpoint) = (merchant.to_owned(), endpoint.to_owned());
        self.readers
            .ask(move |db| db.due_to(&merchant, &endpoint, now, limit))
            .await
    }

    async fn waiting_for_endpoint(
        &self,
        merchant: &str,
        endpoint: &str,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<OutgoingEvent>, StoreError> {
        let (merchant, endpoint) = (merchant.to_owned(), endpoint.to_owned());
        self.readers
            .ask(move |db| db.waiting_for_endpoint(&merchant, &endpoint, after, limit))
            .await
    }

    async fn open_outgoing(&self) -> Result<Vec<EventCount<OutgoingState>>, StoreError> {
        self.readers.ask(Reader::open_outgoing).await
    }

    async fn forget_events(
        &self,
        done_before: Timestamp,
        failed_before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let work = Work::ForgetEvents {
            done_before,
            failed_before,
            limit,
        };
        self.forget(work).await
    }
}
