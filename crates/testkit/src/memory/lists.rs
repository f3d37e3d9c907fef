//! Answering questions about all merchants.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use upsert_core::{DeliveryId, MerchantMark};

use super::tables::{AllTables, Tables};
use upsert_store::{
    Counted, DeliveryFilter, DeliveryPage, DeliveryRecord, DeliveryState, FailedCount, UpsertRecord, WaitingCount,
};

impl AllTables {
    /// Every delivery, oldest first.
    fn every_delivery(&self) -> Vec<&DeliveryRecord> {
        let mut rows: Vec<_> = self.0.values().flat_map(|tables| tables.deliveries.values()).collect();
        rows.sort_by_key(|row| row.id);
        rows
    }

    pub(crate) fn deliveries(&self, filter: &DeliveryFilter, before: Option<DeliveryId>, limit: usize) -> DeliveryPage {
        let newest_first = self.every_delivery().into_iter().rev();
        let below = newest_first.filter(|row| before.is_none_or(|before| row.id < before));
        let mut matching = below.filter(|row| row.matches(filter));
        let entries: Vec<_> = matching.by_ref().take(limit).cloned().collect();
        let has_more = matching.next().is_some();
        let next = entries.last().filter(|_| has_more).map(|last| last.id);
        DeliveryPage { entries, next }
    }

    pub(crate) fn count_deliveries(&self, filter: &DeliveryFilter, most: usize) -> Counted {
        let matching = self.every_delivery().into_iter().filter(|row| row.matches(filter));
        let found = matching.take(most.saturating_add(1)).count();
        Counted {
            count: found.min(most),
            is_all: found <= most,
        }
    }

    pub(crate) fn due_connections(&self, now: Timestamp) -> Vec<(String, String)> {
        let is_due = |row: &&DeliveryRecord| row.next_attempt_at().is_some_and(|at| at <= now);
        let due = self.every_delivery().into_iter().filter(is_due);
        let connections: BTreeSet<_> = due.map(|row| (row.merchant.clone(), row.connection.clone())).collect();
        connections.into_iter().collect()
    }

    pub(crate) fn abandoned(&self, now: Option<Timestamp>, limit: usize) -> Vec<DeliveryRecord> {
        let is_over = |row: &&DeliveryRecord| now.is_none_or(|now| row.lease_until().is_some_and(|until| until <= now));
        let rows = self.every_delivery().into_iter();
        let in_flight = rows.filter(|row| row.state() == DeliveryState::InFlight);
        in_flight.filter(is_over).take(limit).cloned().collect()
    }

    pub(crate) fn waiting(&self) -> Vec<WaitingCount> {
        let mut counts = BTreeMap::new();
        // By id, so the first one of a group is its oldest.
        for row in self.every_delivery().into_iter().filter(|row| !row.state().has_ended()) {
            let group = (row.merchant.clone(), row.connection.clone(), row.state());
            counts.entry(group).or_insert((0, row.created_at)).0 += 1;
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

    pub(crate) fn failed_deliveries(&self) -> Vec<FailedCount> {
        let mut counts = BTreeMap::new();
        // By id, so the last one of a group is its newest.
        let rows = self.every_delivery().into_iter();
        for row in rows.filter(|row| row.state() == DeliveryState::Failed) {
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

    /// Those of these upserts that come after one, by merchant and id.
    pub(crate) fn after<'a>(
        &'a self,
        after: Option<&UpsertRecord>,
        limit: usize,
        of: impl Fn(&'a Tables) -> Vec<&'a UpsertRecord>,
    ) -> Vec<UpsertRecord> {
        let place = |row: &UpsertRecord| (row.merchant.clone(), row.id);
        let after = after.map(place);
        let rows = self.0.values().flat_map(of);
        let wanted = rows.filter(|row| after.as_ref().is_none_or(|after| place(row) > *after));
        wanted.take(limit).cloned().collect()
    }

    pub(crate) fn forget_expired(&mut self, now: Timestamp, limit: usize) -> usize {
        let mut expired: Vec<_> = Vec::new();
        for (merchant, tables) in &self.0 {
            let over = tables.idempotency.values().filter(|row| row.expires_at <= now);
            expired.extend(over.map(|row| (row.expires_at, row.key, merchant.clone())));
        }
        expired.sort_unstable();
        expired.truncate(limit);
        for (_, key, merchant) in &expired {
            if let Some(tables) = self.0.get_mut(merchant) {
                tables.idempotency.remove(key);
            }
        }
        expired.len()
    }

    pub(crate) fn merchants_of(&self, mark: MerchantMark) -> Vec<String> {
        let marked = self.0.keys().filter(|merchant| MerchantMark::of(merchant) == mark);
        marked.cloned().collect()
    }

    pub(crate) fn made_until(&self) -> Option<Timestamp> {
        self.0.values().filter_map(Tables::made_until).max()
    }
}
