//! Everything in ordered maps behind one lock: for tests and for trying things out.

mod apply;
mod ask;
mod audit;
mod erasures;
mod events;
mod incidents;
mod lists;
mod merchants;
mod sessions;
mod tables;

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use parking_lot::{Mutex, MutexGuard};

use upsert_core::{CustomerId, DeliveryId, EventId, MatchKey, MerchantMark, UpsertId};

use upsert_store::{
    Applied, AttemptRecord, Changeset, ConnectionRecord, ConnectionStore, Counted, CustomerFilter, CustomerPage,
    CustomerStore, DeliveryFilter, DeliveryPage, DeliveryRecord, DeliveryStore, EndpointRecord, EventCount, EventMarks,
    EventStore, FailedCount, HistoryPage, IdempotencyRecord, IdentityQuery, IdentityView, IncomingEvent,
    IncomingFilter, IncomingPage, IncomingState, Known, OutgoingEvent, OutgoingFilter, OutgoingPage, OutgoingState,
    Store, StoreError, UpsertFilter, UpsertPage, UpsertRecord, UpsertStore, WaitingCount,
};

use tables::{AllTables, Tables};

/// Keeps everything for the life of the process. It is as strict as a database: one changeset at a time, all of it or
/// nothing.
#[derive(Default)]
pub struct MemoryStore {
    tables: Mutex<AllTables>,
    failing: Mutex<u32>,
    is_shared: bool,
}

/// Shows nothing of what it keeps.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore")
    }
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one that several gateways work with.
    pub fn shared() -> Self {
        Self {
            is_shared: true,
            ..Self::default()
        }
    }

    /// Makes the next `calls` calls fail, whatever they ask; nothing of them is applied.
    pub fn fail_next(&self, calls: u32) {
        *self.failing.lock() = calls;
    }

    /// The tables, for one call. No step between lock and unlock can panic half-way through a changeset, so a
    /// poisoned lock still guards whole changesets.
    fn tables(&self) -> Result<MutexGuard<'_, AllTables>, StoreError> {
        let mut failing = self.failing.lock();
        if *failing > 0 {
            *failing -= 1;
            return Err(StoreError::Failed("told to fail".to_owned()));
        }
        Ok(self.tables.lock())
    }

    /// One merchant's tables, for one call: empty ones, where nothing is kept of it.
    fn of<T>(&self, merchant: &str, ask: impl FnOnce(&Tables) -> T) -> Result<T, StoreError> {
        let tables = self.tables()?;
        Ok(ask(tables.0.get(merchant).unwrap_or(&Tables::default())))
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn apply(&self, changes: Changeset) -> Result<Applied, StoreError> {
        let mut tables = self.tables()?;
        let Changeset {
            merchant,
            expect,
            write,
            ..
        } = changes;
        let mut change = tables.last_merchant_change();
        let AllTables(by_merchant, _, audit) = &mut *tables;
        let tables = by_merchant.entry(merchant).or_default();
        if let Some(unmet) = expect.iter().position(|expect| !tables.holds(expect, audit)) {
            return Ok(Applied::Unmet(unmet));
        }
        for write in write {
            tables.write(write, &mut change, audit);
        }
        Ok(Applied::Done)
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.tables().map(drop)
    }

    fn is_shared(&self) -> bool {
        self.is_shared
    }
}

#[async_trait]
impl CustomerStore for MemoryStore {
    async fn identify(&self, merchant: &str, query: &IdentityQuery) -> Result<IdentityView, StoreError> {
        self.of(merchant, |tables| tables.identify(query))
    }

    async fn customer(&self, merchant: &str, id: CustomerId) -> Result<Option<Known>, StoreError> {
        self.of(merchant, |tables| tables.known(id))
    }

    async fn customers(
        &self,
        merchant: &str,
        filter: &CustomerFilter,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Result<CustomerPage, StoreError> {
        self.of(merchant, |tables| tables.customers(filter, after, limit))
    }

    async fn history(
        &self,
        merchant: &str,
        customer: CustomerId,
        before: Option<UpsertId>,
        limit: usize,
    ) -> Result<HistoryPage, StoreError> {
        self.of(merchant, |tables| tables.history(customer, before, limit))
    }

    async fn key_holders(
        &self,
        merchant: &str,
        connection: &str,
        keys: &[MatchKey],
        except: CustomerId,
    ) -> Result<Vec<(MatchKey, CustomerId)>, StoreError> {
        self.of(merchant, |tables| tables.key_holders(connection, keys, except))
    }

    async fn record_owners(
        &self,
        merchant: &str,
        connection: &str,
        provider_customer_id: &str,
    ) -> Result<Vec<CustomerId>, StoreError> {
        self.of(merchant, |tables| {
            tables.owners(connection, provider_customer_id).collect()
        })
    }
}

#[async_trait]
impl UpsertStore for MemoryStore {
    async fn upsert(
        &self,
        merchant: &str,
        id: UpsertId,
    ) -> Result<Option<(UpsertRecord, Vec<DeliveryRecord>)>, StoreError> {
        self.of(merchant, |tables| tables.upsert(id))
    }

    async fn upserts(
        &self,
        filter: &UpsertFilter,
        before: Option<UpsertId>,
        limit: usize,
    ) -> Result<UpsertPage, StoreError> {
        self.of(&filter.merchant, |tables| tables.upserts(filter, before, limit))
    }

    async fn unsettled(&self, after: Option<&UpsertRecord>, limit: usize) -> Result<Vec<UpsertRecord>, StoreError> {
        Ok(self.tables()?.after(after, limit, Tables::unsettled))
    }

    async fn owing(&self, after: Option<&UpsertRecord>, limit: usize) -> Result<Vec<UpsertRecord>, StoreError> {
        Ok(self.tables()?.after(after, limit, Tables::owing))
    }

    async fn older_upserts(
        &self,
        after: Option<&UpsertRecord>,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(UpsertRecord, Vec<DeliveryRecord>)>, StoreError> {
        let tables = self.tables()?;
        let older = tables.after(after, limit, |tables| tables.older(before));
        let with_deliveries = older.into_iter().map(|upsert| {
            let deliveries = tables
                .0
                .get(&upsert.merchant)
                .map(|tables| tables.deliveries_of(upsert.id));
            (upsert, deliveries.unwrap_or_default())
        });
        Ok(with_deliveries.collect())
    }

    async fn idempotency(
        &self,
        merchant: &str,
        key: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.of(merchant, |tables| {
            let found = tables.idempotency.get(key).filter(|record| record.expires_at > now);
            found.cloned()
        })
    }

    async fn merchants_of(&self, mark: MerchantMark) -> Result<Vec<String>, StoreError> {
        Ok(self.tables()?.merchants_of(mark))
    }

    async fn made_until(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.tables()?.made_until())
    }

    async fn forget_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        Ok(self.tables()?.forget_expired(now, limit))
    }
}

#[async_trait]
impl DeliveryStore for MemoryStore {
    async fn delivery(&self, merchant: &str, id: DeliveryId) -> Result<Option<DeliveryRecord>, StoreError> {
        self.of(merchant, |tables| tables.deliveries.get(&id).cloned())
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        before: Option<DeliveryId>,
        limit: usize,
    ) -> Result<DeliveryPage, StoreError> {
        Ok(self.tables()?.deliveries(filter, before, limit))
    }

    async fn count_deliveries(&self, filter: &DeliveryFilter, most: usize) -> Result<Counted, StoreError> {
        Ok(self.tables()?.count_deliveries(filter, most))
    }

    async fn attempts(&self, merchant: &str, delivery: DeliveryId) -> Result<Vec<AttemptRecord>, StoreError> {
        self.of(merchant, |tables| tables.attempts(delivery))
    }

    async fn due_connections(&self, now: Timestamp) -> Result<Vec<(String, String)>, StoreError> {
        Ok(self.tables()?.due_connections(now))
    }

    async fn due_at(
        &self,
        merchant: &str,
        connection: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.of(merchant, |tables| tables.due_at(connection, now, limit))
    }

    async fn waiting_at(
        &self,
        merchant: &str,
        connection: &str,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.of(merchant, |tables| tables.waiting_at(connection, after, limit))
    }

    async fn abandoned(&self, now: Option<Timestamp>, limit: usize) -> Result<Vec<DeliveryRecord>, StoreError> {
        Ok(self.tables()?.abandoned(now, limit))
    }

    async fn waiting(&self) -> Result<Vec<WaitingCount>, StoreError> {
        Ok(self.tables()?.waiting())
    }

    async fn failed_deliveries(&self) -> Result<Vec<FailedCount>, StoreError> {
        Ok(self.tables()?.failed_deliveries())
    }
}

#[async_trait]
impl ConnectionStore for MemoryStore {
    async fn connections(&self) -> Result<Vec<ConnectionRecord>, StoreError> {
        let tables = self.tables()?;
        let rows = tables.0.values().flat_map(|tables| tables.connections.values());
        Ok(rows.cloned().collect())
    }

    async fn calls(&self, day: Date) -> Result<Vec<(String, String, u32)>, StoreError> {
        let tables = self.tables()?;
        let calls = tables.0.iter().flat_map(|(merchant, tables)| {
            let of_day = tables.calls.iter().filter(|((on, _), _)| *on == day);
            of_day.map(move |((_, connection), count)| (merchant.clone(), connection.clone(), *count))
        });
        Ok(calls.collect())
    }

    async fn endpoints(&self) -> Result<Vec<EndpointRecord>, StoreError> {
        Ok(self.tables()?.endpoints())
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn incoming_event(&self, merchant: &str, id: EventId) -> Result<Option<IncomingEvent>, StoreError> {
        self.of(merchant, |tables| tables.events.incoming.get(&id).cloned())
    }

    async fn event_of_source(
        &self,
        merchant: &str,
        source: &str,
        event_id: &str,
        content: &str,
    ) -> Result<Option<IncomingEvent>, StoreError> {
        self.of(merchant, |tables| {
            tables.events.of_source(source, event_id, content).cloned()
        })
    }

    async fn incoming_events(
        &self,
        filter: &IncomingFilter,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<IncomingPage, StoreError> {
        Ok(self.tables()?.incoming_page(filter, before, limit))
    }

    async fn failed_incoming(&self) -> Result<Vec<EventCount<IncomingState>>, StoreError> {
        Ok(self.tables()?.failed_incoming())
    }

    async fn event_marks(
        &self,
        merchant: &str,
        customer: CustomerId,
        source: &str,
    ) -> Result<Option<EventMarks>, StoreError> {
        self.of(merchant, |tables| tables.events.marks(customer, source).cloned())
    }

    async fn outgoing_event(&self, merchant: &str, id: EventId) -> Result<Option<OutgoingEvent>, StoreError> {
        self.of(merchant, |tables| tables.events.outgoing.get(&id).cloned())
    }

    async fn outgoing_events(
        &self,
        filter: &OutgoingFilter,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<OutgoingPage, StoreError> {
        Ok(self.tables()?.outgoing_page(filter, before, limit))
    }

    async fn due_endpoints(&self, now: Timestamp) -> Result<Vec<(String, String)>, StoreError> {
        Ok(self.tables()?.due_endpoints(now))
    }

    async fn due_to(
        &self,
        merchant: &str,
        endpoint: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<OutgoingEvent>, StoreError> {
        self.of(merchant, |tables| tables.events.due_to(endpoint, now, limit))
    }

    async fn waiting_for_endpoint(
        &self,
        merchant: &str,
        endpoint: &str,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<OutgoingEvent>, StoreError> {
        self.of(merchant, |tables| tables.events.waiting_for(endpoint, after, limit))
    }

    async fn open_outgoing(&self) -> Result<Vec<EventCount<OutgoingState>>, StoreError> {
        Ok(self.tables()?.open_outgoing())
    }

    async fn forget_events(
        &self,
        done_before: Timestamp,
        failed_before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        Ok(self.tables()?.forget(done_before, failed_before, limit))
    }
}
