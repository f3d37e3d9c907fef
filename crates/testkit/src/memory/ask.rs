//! Answering questions about one merchant.

use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;

use upsert_core::{CustomerId, DeliveryId, MatchKey, UpsertId};

use super::tables::Tables;
use upsert_store::{
    AttemptRecord, CustomerFilter, CustomerPage, CustomerRecord, DeliveryRecord, HistoryPage, HistoryRecord,
    IdentityQuery, IdentityView, Known, UpsertFilter, UpsertPage, UpsertRecord, UpsertState,
};

impl Tables {
    /// When the newest id was made.
    pub(crate) fn made_until(&self) -> Option<Timestamp> {
        let newest = [
            self.customers.last_key_value().map(|(id, _)| id.made_at()),
            self.upserts.last_key_value().map(|(id, _)| id.made_at()),
            self.deliveries.last_key_value().map(|(id, _)| id.made_at()),
            self.events.incoming.last_key_value().map(|(id, _)| id.made_at()),
            self.events.outgoing.last_key_value().map(|(id, _)| id.made_at()),
        ];
        newest.into_iter().flatten().max()
    }

    pub(crate) fn known(&self, id: CustomerId) -> Option<Known> {
        let record = self.customers.get(&id)?.clone();
        let lanes = self.lanes.range((id, String::new())..);
        let lanes = lanes.take_while(|((customer, _), _)| *customer == id);
        Some(Known {
            record,
            lanes: lanes.map(|(_, lane)| lane.clone()).collect(),
        })
    }

    pub(crate) fn identify(&self, query: &IdentityQuery) -> IdentityView {
        let holders = query.identifiers.iter().map(|identifier| {
            let known = self.holders(identifier).filter_map(|id| self.known(id));
            known.take(IdentityView::MOST).map(Arc::new).collect()
        });
        IdentityView {
            by_id: query.id.and_then(|id| self.known(id)).map(Arc::new),
            holders: holders.collect(),
        }
    }

    pub(crate) fn customers(&self, filter: &CustomerFilter, after: Option<CustomerId>, limit: usize) -> CustomerPage {
        let holds = |row: &CustomerRecord| {
            let mut wanted = filter.identifiers.iter();
            wanted.all(|identifier| self.holders(identifier).any(|id| id == row.id))
        };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.customers.range((from, Bound::Unbounded)).map(|(_, row)| row);
        let mut matching = rows.filter(|row| row.matches_but_for_identifiers(filter) && holds(row));
        let entries: Vec<_> = matching.by_ref().take(limit).cloned().collect();
        let has_more = matching.next().is_some();
        let next = entries.last().filter(|_| has_more).map(|last| last.id);
        CustomerPage { entries, next }
    }

    pub(crate) fn history(&self, customer: CustomerId, before: Option<UpsertId>, limit: usize) -> HistoryPage {
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let changes = self.changes.range((Bound::Unbounded, end)).rev();
        let versions = changes.filter_map(|(id, change)| {
            let upsert = self.upserts.get(id).filter(|row| row.customer == customer)?;
            Some(HistoryRecord::of(upsert.clone(), change.clone()))
        });
        let mut versions = versions;
        let entries: Vec<_> = versions.by_ref().take(limit).collect();
        let below = versions.find(|row| !row.refused).filter(|_| !entries.is_empty());
        HistoryPage { entries, below }
    }

    pub(crate) fn key_holders(
        &self,
        connection: &str,
        keys: &[MatchKey],
        except: CustomerId,
    ) -> Vec<(MatchKey, CustomerId)> {
        let of_key = |key: &MatchKey| -> Vec<_> {
            let holders = self.holders_of_key(connection, key);
            holders.filter(|id| *id != except).map(|id| (key.clone(), id)).collect()
        };
        keys.iter().flat_map(of_key).collect()
    }

    pub(crate) fn upsert(&self, id: UpsertId) -> Option<(UpsertRecord, Vec<DeliveryRecord>)> {
        let upsert = self.upserts.get(&id).filter(|upsert| !upsert.is_forgotten())?;
        Some((upsert.clone(), self.deliveries_of(id)))
    }

    pub(crate) fn deliveries_of(&self, id: UpsertId) -> Vec<DeliveryRecord> {
        let deliveries = self.deliveries.values().filter(|row| row.upsert() == id);
        deliveries.cloned().collect()
    }

    /// Upserts that are older.
    pub(crate) fn older(&self, before: Timestamp) -> Vec<&UpsertRecord> {
        let older = self.upserts.range(..UpsertId::oldest_at(before));
        older.map(|(_, upsert)| upsert).collect()
    }

    pub(crate) fn upserts(&self, filter: &UpsertFilter, before: Option<UpsertId>, limit: usize) -> UpsertPage {
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let ids = self.upserts.range((Bound::Unbounded, end)).rev().map(|(id, _)| *id);
        let mut matching = ids
            .filter_map(|id| self.upsert(id))
            .filter(|(upsert, deliveries)| upsert.matches(filter, deliveries));
        let entries: Vec<_> = matching.by_ref().take(limit).collect();
        let has_more = matching.next().is_some();
        let next = entries.last().filter(|_| has_more).map(|(last, _)| last.id);
        UpsertPage { entries, next }
    }

    pub(crate) fn attempts(&self, delivery: DeliveryId) -> Vec<AttemptRecord> {
        let attempts = self.attempts.range((delivery, 0)..=(delivery, u32::MAX));
        attempts.map(|(_, attempt)| attempt.clone()).collect()
    }

    pub(crate) fn due_at(&self, connection: &str, now: Timestamp, limit: usize) -> Vec<DeliveryRecord> {
        let is_due =
            |row: &&DeliveryRecord| row.connection == connection && row.next_attempt_at().is_some_and(|at| at <= now);
        let mut due: Vec<_> = self.deliveries.values().filter(is_due).collect();
        due.sort_by_key(|row| (row.next_attempt_at(), row.id));
        due.into_iter().take(limit).cloned().collect()
    }

    pub(crate) fn waiting_at(&self, connection: &str, after: Option<DeliveryId>, limit: usize) -> Vec<DeliveryRecord> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.deliveries.range((from, Bound::Unbounded)).map(|(_, row)| row);
        let waiting = rows.filter(|row| row.may_be_tried() && row.connection == connection);
        waiting.take(limit).cloned().collect()
    }

    /// Upserts that are pending though nothing of their own is open.
    pub(crate) fn unsettled(&self) -> Vec<&UpsertRecord> {
        let has_open = |upsert: &UpsertRecord| {
            let mut own = self.deliveries.values().filter(|row| row.upsert() == upsert.id);
            own.any(|row| !row.state().has_ended())
        };
        let pending = self.upserts.values().filter(|row| row.state() == UpsertState::Pending);
        pending.filter(|row| !has_open(row)).collect()
    }

    /// Upserts of which an event is owed.
    pub(crate) fn owing(&self) -> Vec<&UpsertRecord> {
        self.upserts.values().filter(|row| row.owes_event()).collect()
    }
}
