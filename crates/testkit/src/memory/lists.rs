//! Pages of deliveries and upserts.

use upsert_core::{DeliveryId, UpsertId};

use super::Tables;
use upsert_store::{Counted, DeliveryFilter, DeliveryPage, DeliveryRecord, UpsertFilter, UpsertPage};

impl Tables {
    pub(super) fn deliveries(&self, filter: &DeliveryFilter, before: Option<DeliveryId>, limit: usize) -> DeliveryPage {
        let newest_first = self.deliveries.values().rev();
        let below = newest_first.filter(|row| before.is_none_or(|before| row.id < before));
        let mut entries: Vec<_> = below
            .filter(|row| row.matches(filter))
            .take(limit.saturating_add(1))
            .cloned()
            .collect();
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| has_more).map(|last| last.id);
        DeliveryPage { entries, next }
    }

    pub(super) fn count_deliveries(&self, filter: &DeliveryFilter, most: usize) -> Counted {
        let matching = self.deliveries.values().filter(|row| row.matches(filter));
        let found = matching.take(most.saturating_add(1)).count();
        Counted {
            count: found.min(most),
            is_all: found <= most,
        }
    }

    pub(super) fn upserts(&self, filter: &UpsertFilter, before: Option<UpsertId>, limit: usize) -> UpsertPage {
        let of = |upsert: UpsertId| -> Vec<DeliveryRecord> {
            let deliveries = self.deliveries.values().filter(|row| row.upsert == upsert);
            deliveries.cloned().collect()
        };
        let newest_first = self.upserts.values().rev();
        let below = newest_first.filter(|row| before.is_none_or(|before| row.id < before));
        let mut entries: Vec<_> = below
            .map(|row| (row.clone(), of(row.id)))
            .filter(|(upsert, deliveries)| upsert.matches(filter, deliveries))
            .take(limit.saturating_add(1))
            .collect();
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| has_more).map(|(last, _)| last.id);
        UpsertPage { entries, next }
    }
}
