//! Merchants themselves.

use async_trait::async_trait;
use jiff::civil::Date;

use upsert_store::{MerchantChange, MerchantRecord, MerchantStore, StoreError};

use super::MemoryStore;
use super::tables::AllTables;

impl AllTables {
    fn rows(&self) -> impl Iterator<Item = &(u64, MerchantRecord)> {
        self.0.values().filter_map(|tables| tables.own.as_ref())
    }

    fn there(&self) -> impl Iterator<Item = &MerchantRecord> {
        self.rows().map(|(_, row)| row).filter(|row| row.body.is_some())
    }

    pub(super) fn last_merchant_change(&self) -> u64 {
        self.rows().map(|(number, _)| *number).max().unwrap_or_default()
    }
}

#[async_trait]
impl MerchantStore for MemoryStore {
    async fn merchant(&self, id: &str) -> Result<Option<MerchantRecord>, StoreError> {
        self.of(id, |tables| tables.own.as_ref().map(|(_, row)| row.clone()))
    }

    async fn merchants(&self, after: Option<&str>, limit: usize) -> Result<Vec<MerchantRecord>, StoreError> {
        let tables = self.tables()?;
        let later = tables.there().filter(|row| Some(row.id.as_str()) > after);
        Ok(later.take(limit).cloned().collect())
    }

    async fn merchant_changes(&self, after: u64, limit: usize) -> Result<Vec<MerchantChange>, StoreError> {
        let tables = self.tables()?;
        let later = tables.rows().filter(|(number, _)| *number > after);
        let mut changes: Vec<_> = later
            .map(|(number, row)| MerchantChange {
                id: row.id.clone(),
                number: *number,
            })
            .collect();
        changes.sort_by_key(|change| change.number);
        changes.truncate(limit);
        Ok(changes)
    }

    async fn last_merchant_change(&self) -> Result<u64, StoreError> {
        Ok(self.tables()?.last_merchant_change())
    }

    async fn sealing_keys(&self) -> Result<Vec<String>, StoreError> {
        let tables = self.tables()?;
        let mut keys: Vec<_> = tables.there().filter_map(|row| row.sealed_with.clone()).collect();
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    async fn merchants_sealed_with(&self, key: &str, limit: usize) -> Result<Vec<MerchantRecord>, StoreError> {
        let tables = self.tables()?;
        let sealed = tables.there().filter(|row| row.sealed_with.as_deref() == Some(key));
        Ok(sealed.take(limit).cloned().collect())
    }

    async fn calls_of(&self, merchant: &str, day: Date) -> Result<Vec<(String, u32)>, StoreError> {
        self.of(merchant, |tables| {
            let of_day = tables.calls.iter().filter(|((on, _), _)| *on == day);
            of_day.map(|((_, name), count)| (name.clone(), *count)).collect()
        })
    }
}
