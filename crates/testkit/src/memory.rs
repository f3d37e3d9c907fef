//! Everything in ordered maps behind one lock: for tests and for trying things out.

mod apply;
mod ask;
mod events;
mod lists;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use parking_lot::{Mutex, MutexGuard};

use upsert_core::{CustomerId, DeliveryId, EventId, Identifier, MatchKey, UpsertId};

use upsert_store::{
    Applied, AttemptRecord, Changeset, ConnectionRecord, ConnectionStore, Counted, CustomerFilter, CustomerRecord,
    CustomerStore, DeliveryFilter, DeliveryPage, DeliveryRecord, DeliveryStore, EndpointRecord, EventCount, EventMarks,
    EventStore, FailedCount, HistoryPage, HistoryRecord, IdempotencyRecord, IdentityQuery, IdentityView, IncomingEvent,
    IncomingFilter, IncomingPage, IncomingState, Known, Lane, OutgoingEvent, OutgoingFilter, OutgoingPage,
    OutgoingState, Store, StoreError, UpsertFilter, UpsertPage, UpsertRecord, UpsertStore, WaitingCount,
};

/// Keeps everything for the life of the process. It is as strict as a database: one changeset at a time, all of it or
/// nothing.
#[derive(Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
    failing: Mutex<u32>,
}

/// What a database would have as tables, by their keys.
#[derive(Default)]
struct Tables {
    customers: BTreeMap<CustomerId, CustomerRecord>,
    identifiers: BTreeSet<(String, Identifier, CustomerId)>,
    history: BTreeMap<(CustomerId, UpsertId), HistoryRecord>,
    upserts: BTreeMap<UpsertId, UpsertRecord>,
    deliveries: BTreeMap<DeliveryId, DeliveryRecord>,
    attempts: BTreeMap<(DeliveryId, u32), AttemptRecord>,
    lanes: BTreeMap<(CustomerId, String), Lane>,
    reservations: BTreeSet<(String, String, MatchKey, CustomerId)>,
    idempotency: BTreeMap<[u8; 32], IdempotencyRecord>,
    connections: BTreeMap<(String, String), ConnectionRecord>,
    calls: BTreeMap<(Date, String, String), u32>,
    events: events::EventTables,
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

    /// Makes the next `calls` calls fail, whatever they ask; nothing of them is applied.
    pub fn fail_next(&self, calls: u32) {
        *self.failing.lock() = calls;
    }

    /// The tables, for one call. No step between lock and unlock can panic half-way through a changeset, so a
    /// poisoned lock still guards whole changesets.
    fn tables(&self) -> Result<MutexGuard<'_, Tables>, StoreError> {
        let mut failing = self.failing.lock();
        if *failing > 0 {
            *failing -= 1;
            return Err(StoreError::Failed("told to fail".to_owned()));
        }
        Ok(self.tables.lock())
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn apply(&self, changes: Changeset) -> Result<Applied, StoreError> {
        let mut tables = self.tables()?;
        if let Some(unmet) = changes.expect.iter().position(|expect| !tables.holds(expect)) {
            return Ok(Applied::Unmet(unmet));
        }
        for write in changes.write {
            tables.write(write);
        }
        Ok(Applied::Done)
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.tables().map(drop)
    }
}

#[async_trait]
impl CustomerStore for MemoryStore {
    async fn identify(&self, merchant: &str, query: &IdentityQuery) -> Result<IdentityView, StoreError> {
        Ok(self.tables()?.identify(merchant, query))
    }

    async fn customer(&self, merchant: &str, id: CustomerId) -> Result<Option<Known>, StoreError> {
        Ok(self.tables()?.known(merchant, id))
    }

    async fn customers(
        &self,
        merchant: &str,
        filter: &CustomerFilter,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Result<Vec<CustomerRecord>, StoreError> {
        Ok(self.tables()?.customers(merchant, filter, after, limit))
    }

    async fn history(
        &self,
        customer: CustomerId,
        before: Option<UpsertId>,
        limit: usize,
    ) -> Result<HistoryPage, StoreError> {
        Ok(self.tables()?.history(customer, before, limit))
    }

    async fn key_holders(
        &self,
        merchant: &str,
        connection: &str,
        keys: &[MatchKey],
        except: CustomerId,
    ) -> Result<Vec<(MatchKey, CustomerId)>, StoreError> {
        let tables = self.tables()?;
        let of_key = |key: &MatchKey| -> Vec<_> {
            let holders = tables.holders_of_key(merchant, connection, key);
            holders.filter(|id| *id != except).map(|id| (key.clone(), id)).collect()
        };
        Ok(keys.iter().flat_map(of_key).collect())
    }

    async fn record_owners(
        &self,
        merchant: &str,
        connection: &str,
        provider_customer_id: &str,
    ) -> Result<Vec<CustomerId>, StoreError> {
        let tables = self.tables()?;
        Ok(tables.owners(merchant, connection, provider_customer_id).collect())
    }
}

#[async_trait]
impl UpsertStore for MemoryStore {
    async fn upsert(
        &self,
        merchant: &str,
        id: UpsertId,
    ) -> Result<Option<(UpsertRecord, Vec<DeliveryRecord>)>, StoreError> {
        Ok(self.tables()?.upsert(merchant, id))
    }

    async fn upserts(
        &self,
        filter: &UpsertFilter,
        before: Option<UpsertId>,
        limit: usize,
    ) -> Result<UpsertPage, StoreError> {
        Ok(self.tables()?.upserts(filter, before, limit))
    }

    async fn unsettled(&self, after: Option<UpsertId>, limit: usize) -> Result<Vec<UpsertRecord>, StoreError> {
        Ok(self.tables()?.unsettled(after, limit))
    }

    async fn owing(&self, after: Option<UpsertId>, limit: usize) -> Result<Vec<UpsertRecord>, StoreError> {
        Ok(self.tables()?.owing(after, limit))
    }

    async fn idempotency(&self, key: &[u8; 32], now: Timestamp) -> Result<Option<IdempotencyRecord>, StoreError> {
        let tables = self.tables()?;
        Ok(tables
            .idempotency
            .get(key)
            .filter(|record| record.expires_at > now)
            .cloned())
    }

    async fn forget_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        Ok(self.tables()?.forget_expired(now, limit))
    }
}

#[async_trait]
impl DeliveryStore for MemoryStore {
    async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryRecord>, StoreError> {
        Ok(self.tables()?.deliveries.get(&id).cloned())
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

    async fn attempts(&self, delivery: DeliveryId) -> Result<Vec<AttemptRecord>, StoreError> {
        let tables = self.tables()?;
        let attempts = tables.attempts.range((delivery, 0)..=(delivery, u32::MAX));
        Ok(attempts.map(|(_, attempt)| attempt.clone()).collect())
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
        Ok(self.tables()?.due_at(merchant, connection, now, limit))
    }

    async fn waiting_at(
        &self,
        merchant: &str,
        connection: &str,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        Ok(self.tables()?.waiting_at(merchant, connection, after, limit))
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
        Ok(self.tables()?.connections.values().cloned().collect())
    }

    async fn calls(&self, day: Date) -> Result<Vec<(String, String, u32)>, StoreError> {
        let tables = self.tables()?;
        let of_day = tables.calls.iter().filter(|((on, _, _), _)| *on == day);
        Ok(of_day
            .map(|((_, merchant, connection), count)| (merchant.clone(), connection.clone(), *count))
            .collect())
    }

    async fn endpoints(&self) -> Result<Vec<EndpointRecord>, StoreError> {
        Ok(self.tables()?.events.endpoints())
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn incoming_event(&self, id: EventId) -> Result<Option<IncomingEvent>, StoreError> {
        Ok(self.tables()?.events.incoming(id).cloned())
    }

    async fn event_of_source(
        &self,
        merchant: &str,
        source: &str,
        event_id: &str,
        content: &str,
    ) -> Result<Option<IncomingEvent>, StoreError> {
        let tables = self.tables()?;
        Ok(tables.events.of_source(merchant, source, event_id, content).cloned())
    }

    async fn incoming_events(
        &self,
        filter: &IncomingFilter,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<IncomingPage, StoreError> {
        Ok(self.tables()?.events.incoming_page(filter, before, limit))
    }

    async fn failed_incoming(&self) -> Result<Vec<EventCount<IncomingState>>, StoreError> {
        Ok(self.tables()?.events.failed_incoming())
    }

    async fn event_marks(&self, customer: CustomerId, source: &str) -> Result<Option<EventMarks>, StoreError> {
        Ok(self.tables()?.events.marks(customer, source).cloned())
    }

    async fn outgoing_event(&self, id: EventId) -> Result<Option<OutgoingEvent>, StoreError> {
        Ok(self.tables()?.events.outgoing(id).cloned())
    }

    async fn outgoing_events(
        &self,
        filter: &OutgoingFilter,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<OutgoingPage, StoreError> {
        Ok(self.tables()?.events.outgoing_page(filter, before, limit))
    }

    async fn due_endpoints(&self, now: Timestamp) -> Result<Vec<(String, String)>, StoreError> {
        Ok(self.tables()?.events.due_endpoints(now))
    }

    async fn due_to(
        &self,
        merchant: &str,
        endpoint: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<OutgoingEvent>, StoreError> {
        Ok(self.tables()?.events.due_to(merchant, endpoint, now, limit))
    }

    async fn waiting_for_endpoint(
        &self,
        merchant: &str,
        endpoint: &str,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<OutgoingEvent>, StoreError> {
        Ok(self.tables()?.events.waiting_for(merchant, endpoint, after, limit))
    }

    async fn open_outgoing(&self) -> Result<Vec<EventCount<OutgoingState>>, StoreError> {
        Ok(self.tables()?.events.open_outgoing())
    }

    async fn forget_events(
        &self,
        done_before: Timestamp,
        failed_before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        Ok(self.tables()?.events.forget(done_before, failed_before, limit))
    }
}
