//! Answering questions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use jiff::Timestamp;

use upsert_core::{CustomerId, DeliveryId, Field, UpsertId, Value, Word as _};

use super::Tables;
use upsert_store::{
    CustomerFilter, CustomerRecord, DeliveryRecord, DeliveryState, FailedCount, HistoryPage, IdentityQuery,
    IdentityView, Known, UpsertRecord, UpsertState, WaitingCount,
};

impl Tables {
    pub(super) fn known(&self, merchant: &str, id: CustomerId) -> Option<Known> {
        let record = self.customers.get(&id).filter(|row| row.merchant == merchant)?.clone();
        let lanes = self.lanes.range((id, String::new())..);
        let lanes = lanes.take_while(|((customer, _), _)| *customer == id);
        Some(Known {
            record,
            lanes: lanes.map(|(_, lane)| lane.clone()).collect(),
        })
    }

    pub(super) fn identify(&self, merchant: &str, query: &IdentityQuery) -> IdentityView {
        let holders = query.identifiers.iter().map(|identifier| {
            self.holders(merchant, identifier)
                .filter_map(|id| self.known(merchant, id))
                .take(IdentityView::MOST)
                .collect()
        });
        IdentityView {
            by_id: query.id.and_then(|id| self.known(merchant, id)),
            holders: holders.collect(),
        }
    }

    pub(super) fn customers(
        &self,
        merchant: &str,
        filter: &CustomerFilter,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Vec<CustomerRecord> {
        self.customers
            .values()
            .filter(|row| row.merchant == merchant && after.is_none_or(|after| row.id > after))
            .filter(|row| self.matches(row, filter))
            .take(limit)
            .cloned()
            .collect()
    }

    fn matches(&self, row: &CustomerRecord, filter: &CustomerFilter) -> bool {
        let holds = |identifier| self.holders(&row.merchant, identifier).any(|id| id == row.id);
        let carries =
            |tag: &String| matches!(row.customer.get(Field::Tags), Some(Value::Tags(tags)) if tags.contains(tag));
        let status = row.customer.text(Field::Status);
        filter.identifiers.iter().all(holds)
            && filter.tag.as_ref().is_none_or(carries)
            && filter.status.as_deref().is_none_or(|wanted| status == Some(wanted))
            && filter
                .kind
                .as_deref()
                .is_none_or(|kind| row.customer.kind().as_str() == kind)
            && filter.updated_since.is_none_or(|since| row.updated_at >= since)
    }

    pub(super) fn history(&self, customer: CustomerId, before: Option<UpsertId>, limit: usize) -> HistoryPage {
        let versions = self.history.iter().rev().filter(|((of, _), _)| *of == customer);
        let mut versions = versions
            .map(|(_, row)| row)
            .filter(|row| before.is_none_or(|before| row.upsert < before));
        let entries: Vec<_> = versions.by_ref().take(limit).cloned().collect();
        let below = versions.find(|row| !row.refused).filter(|_| !entries.is_empty());
        let below = below.cloned();
        HistoryPage { entries, below }
    }

    pub(super) fn upsert(&self, merchant: &str, id: UpsertId) -> Option<(UpsertRecord, Vec<DeliveryRecord>)> {
        let upsert = self.upserts.get(&id).filter(|row| row.merchant == merchant)?.clone();
        let deliveries = self.deliveries.values().filter(|row| row.upsert == id);
        Some((upsert, deliveries.cloned().collect()))
    }

    fn due(&self, now: Timestamp) -> impl Iterator<Item = &DeliveryRecord> {
        let is_due = move |row: &&DeliveryRecord| row.next_attempt_at().is_some_and(|at| at <= now);
        self.deliveries.values().filter(is_due)
    }

    pub(super) fn due_connections(&self, now: Timestamp) -> Vec<(String, String)> {
        let connections: BTreeSet<_> = self
            .due(now)
            .map(|row| (row.merchant.clone(), row.connection.clone()))
            .collect();
        connections.into_iter().collect()
    }

    pub(super) fn due_at(&self, merchant: &str, connection: &str, now: Timestamp, limit: usize) -> Vec<DeliveryRecord> {
        let mut due: Vec<_> = self
            .due(now)
            .filter(|row| row.merchant == merchant && row.connection == connection)
            .collect();
        due.sort_by_key(|row| (row.next_attempt_at(), row.id));
        due.into_iter().take(limit).cloned().collect()
    }

    pub(super) fn waiting_at(
        &self,
        merchant: &str,
        connection: &str,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Vec<DeliveryRecord> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.deliveries
            .range((from, Bound::Unbounded))
            .map(|(_, row)| row)
            .filter(|row| row.may_be_tried() && row.merchant == merchant && row.connection == connection)
            .take(limit)
            .cloned()
            .collect()
    }

    pub(super) fn unsettled(&self, after: Option<UpsertId>, limit: usize) -> Vec<UpsertRecord> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let has_open = |upsert: &UpsertRecord| {
            let mut own = self.deliveries.values().filter(|row| row.upsert == upsert.id);
            own.any(|row| !row.state().has_ended())
        };
        self.upserts
            .range((from, Bound::Unbounded))
            .map(|(_, row)| row)
            .filter(|row| row.state() == UpsertState::Pending && !has_open(row))
            .take(limit)
            .cloned()
            .collect()
    }

    pub(super) fn abandoned(&self, now: Option<Timestamp>, limit: usize) -> Vec<DeliveryRecord> {
        self.deliveries
            .values()
            .filter(|row| row.state() == DeliveryState::InFlight)
            .filter(|row| now.is_none_or(|now| row.lease_until().is_some_and(|until| until <= now)))
            .take(limit)
            .cloned()
            .collect()
    }

    pub(super) fn waiting(&self) -> Vec<WaitingCount> {
        let mut counts = BTreeMap::new();
        for row in self.deliveries.values().filter(|row| !row.state().has_ended()) {
            let group = (row.merchant.clone(), row.connection.clone(), row.state());
            let (count, oldest) = counts.entry(group).or_insert((0, row.created_at));
            *count += 1;
            *oldest = row.created_at.min(*oldest);
        }
        let count = |((merchant, connection, state), (count, oldest))| WaitingCount {
            merchant,
            connection,
            state,
            count,
            oldest,
        };
        counts.into_iter().map(count).collect()
    }

    pub(super) fn failed_deliveries(&self) -> Vec<FailedCount> {
        let mut counts = BTreeMap::new();
        // By id, so the last one of a group is its newest.
        for row in self
            .deliveries
            .values()
            .filter(|row| row.state() == DeliveryState::Failed)
        {
            let group = (row.merchant.clone(), row.connection.clone());
            let (count, newest) = counts.entry(group).or_insert((0, row.id));
            *count += 1;
            *newest = row.id;
        }
        let count = |((merchant, connection), (count, newest))| FailedCount {
            merchant,
            connection,
            count,
            newest,
        };
        counts.into_iter().map(count).collect()
    }

    pub(super) fn forget_expired(&mut self, now: Timestamp, limit: usize) -> usize {
        let expired = self.idempotency.values().filter(|row| row.expires_at <= now);
        let mut expired: Vec<_> = expired.map(|row| (row.expires_at, row.key)).collect();
        expired.sort_unstable();
        expired.truncate(limit);
        for (_, key) in &expired {
            self.idempotency.remove(key);
        }
        expired.len()
    }
}
