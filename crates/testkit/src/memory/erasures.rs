//! Erasures and tombstones.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use async_trait::async_trait;

use upsert_core::{CustomerId, ErasureId, UpsertId};
use upsert_store::{
    DeliveryRecord, ErasureRecord, ErasureStore, KeptAnswerKey, StoreError, TombstoneKey, UpsertRecord,
};

use super::MemoryStore;
use super::tables::Tables;

impl Tables {
    fn tombstones(&self, key: &TombstoneKey) -> Vec<ErasureId> {
        let of_it = self.tombstones.iter().filter(|(known, _)| known == key);
        of_it.map(|(_, erasure)| *erasure).collect()
    }

    fn upserts_of(&self, customer: CustomerId, limit: usize) -> Vec<(UpsertRecord, Vec<DeliveryRecord>)> {
        let own = self.upserts.values().filter(|upsert| upsert.customer == customer);
        let whole = own.take(limit).map(|upsert| {
            let deliveries = self.deliveries.values().filter(|row| row.upsert() == upsert.id);
            (upsert.clone(), deliveries.cloned().collect())
        });
        whole.collect()
    }

    fn keys_of_upserts(&self, upserts: &[UpsertId]) -> Vec<KeptAnswerKey> {
        let rows = self.idempotency.values();
        let of_them = rows.filter(|row| upserts.contains(&row.upsert));
        let keys: BTreeSet<KeptAnswerKey> = of_them.map(|row| KeptAnswerKey(row.key.to_vec())).collect();
        keys.into_iter().collect()
    }
}

#[async_trait]
impl ErasureStore for MemoryStore {
    async fn erasure(&self, merchant: &str, id: ErasureId) -> Result<Option<ErasureRecord>, StoreError> {
        self.of(merchant, |tables| tables.erasures.get(&id).cloned())
    }

    async fn has_erasures(&self, merchant: &str) -> Result<bool, StoreError> {
        self.of(merchant, |tables| !tables.erasures.is_empty())
    }

    async fn erasures(&self, merchant: &str, ids: &[ErasureId]) -> Result<Vec<ErasureRecord>, StoreError> {
        self.of(merchant, |tables| {
            let ids: BTreeSet<&ErasureId> = ids.iter().collect();
            ids.into_iter()
                .filter_map(|id| tables.erasures.get(id).cloned())
                .collect()
        })
    }

    async fn open_erasures(
        &self,
        after: Option<&ErasureRecord>,
        limit: usize,
    ) -> Result<Vec<ErasureRecord>, StoreError> {
        let tables = self.tables()?;
        let place = |row: &ErasureRecord| (row.merchant.clone(), row.id);
        let open = tables.0.values().flat_map(|tables| tables.erasures.values());
        let open = open.filter(|row| row.ended_at().is_none());
        let wanted = open.filter(|row| after.is_none_or(|after| place(row) > place(after)));
        Ok(wanted.take(limit).cloned().collect())
    }

    async fn tombstones(&self, merchant: &str, keys: &[TombstoneKey]) -> Result<Vec<Vec<ErasureId>>, StoreError> {
        self.of(merchant, |tables| {
            keys.iter().map(|key| tables.tombstones(key)).collect()
        })
    }

    async fn upserts_of(
        &self,
        merchant: &str,
        customer: CustomerId,
        limit: usize,
    ) -> Result<Vec<(UpsertRecord, Vec<DeliveryRecord>)>, StoreError> {
        self.of(merchant, |tables| tables.upserts_of(customer, limit))
    }

    async fn keys_of_upserts(&self, merchant: &str, upserts: &[UpsertId]) -> Result<Vec<KeptAnswerKey>, StoreError> {
        self.of(merchant, |tables| tables.keys_of_upserts(upserts))
    }

    async fn keyed_hash(&self, text: &str) -> Result<[u8; 16], StoreError> {
        let half = |half: u8| {
            let mut hasher = DefaultHasher::new();
            (half, text).hash(&mut hasher);
            u128::from(hasher.finish())
        };
        drop(self.tables()?);
        Ok((half(0) << 64 | half(1)).to_be_bytes())
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        self.tables().map(drop)
    }
}
