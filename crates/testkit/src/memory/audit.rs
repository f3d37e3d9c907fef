//! Who did what when.

use async_trait::async_trait;

use upsert_store::{AuditFilter, AuditHead, AuditPage, AuditStore, AuditStretch, StoreError};

use super::MemoryStore;

#[async_trait]
impl AuditStore for MemoryStore {
    async fn audit_head(&self) -> Result<Option<AuditHead>, StoreError> {
        Ok(self.tables()?.2.head.clone())
    }

    async fn audit_entries(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        let tables = self.tables()?;
        let below = tables.2.entries.range(..before.unwrap_or(u64::MAX)).rev();
        Ok(AuditPage::of(below.map(|(_, entry)| entry.clone()), filter, limit))
    }

    async fn audit_after(&self, after: u64, limit: usize) -> Result<AuditStretch, StoreError> {
        let tables = self.tables()?;
        let above = tables.2.entries.range(after.saturating_add(1)..).take(limit);
        Ok(AuditStretch {
            head: tables.2.head.clone(),
            entries: above.map(|(_, entry)| entry.clone()).collect(),
        })
    }
}
