//! Incidents.

use std::cmp::Reverse;

use async_trait::async_trait;
use jiff::Timestamp;

use upsert_core::IncidentId;
use upsert_store::{IncidentFilter, IncidentRecord, IncidentStore, StoreError};

use super::MemoryStore;

#[async_trait]
impl IncidentStore for MemoryStore {
    async fn incident(&self, merchant: &str, id: IncidentId) -> Result<Option<IncidentRecord>, StoreError> {
        self.of(merchant, |tables| tables.incidents.get(&id).cloned())
    }

    async fn incidents(
        &self,
        filter: &IncidentFilter,
        before: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<IncidentRecord>, StoreError> {
        let tables = self.tables()?;
        let all = tables.0.values().flat_map(|tables| tables.incidents.values());
        let meant = all.filter(|row| row.matches(filter) && before.is_none_or(|before| row.id < before));
        let mut found: Vec<IncidentRecord> = meant.cloned().collect();
        found.sort_by_key(|row| Reverse(row.id));
        found.truncate(limit);
        Ok(found)
    }

    async fn incidents_ended_before(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(String, IncidentId)>, StoreError> {
        let tables = self.tables()?;
        let all = tables.0.values().flat_map(|tables| tables.incidents.values());
        let mut ended: Vec<_> = all
            .filter_map(|row| Some((row.ended_at().filter(|at| *at < before)?, row.id, row.merchant.clone())))
            .collect();
        ended.sort_unstable();
        Ok(ended
            .into_iter()
            .take(limit)
            .map(|(_, id, merchant)| (merchant, id))
            .collect())
    }
}
