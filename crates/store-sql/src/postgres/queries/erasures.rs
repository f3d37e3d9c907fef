//! Questions about erasures, and what is asked while one is made.

use std::collections::BTreeSet;

use async_trait::async_trait;
use uuid::Uuid;

use upsert_core::{CustomerId, ErasureId, UpsertId};
use upsert_store::{
    DeliveryRecord, ErasureRecord, ErasureStore, KeptAnswerKey, StoreError, TombstoneKey, UpsertRecord,
};

use super::super::PostgresStore;
use super::super::error::{DbError, DbResult};
use super::super::reader::{Client, LEAST, all, first, get};
use super::customers::holders;
use super::upserts::deliveries_of;
use crate::copy::form;
use crate::kept::{ERASED, certificate_hash, limit, tombstone_digest};

const ERASURE: &str = "SELECT id, revision, body FROM erasures WHERE merchant = $1 AND id = $2";
const ANY: &str = "SELECT 1 AS one FROM erasures WHERE merchant = $1 LIMIT 1";
/// Each is looked up by itself (see `IDENTIFY`).
const ERASURES: &str = "SELECT e.id, e.revision, e.body FROM unnest($2::uuid[]) AS w(erasure) CROSS JOIN LATERAL ( \
    SELECT id, revision, body FROM erasures WHERE merchant = $1 AND id = w.erasure OFFSET 0) e ORDER BY e.id";
const OPEN: &str = "SELECT merchant, id, revision, body FROM erasures WHERE open AND (merchant, id) > ($1, $2) \
    ORDER BY merchant, id LIMIT $3";
const UPSERTS_OF: &str =
    "SELECT id, revision, body FROM upserts WHERE merchant = $1 AND customer = $2 ORDER BY id LIMIT $3";
/// Each is looked up by itself (see `IDENTIFY`).
const KEYS_OF: &str = "SELECT i.key FROM unnest($2::uuid[]) AS w(upsert) CROSS JOIN LATERAL ( \
    SELECT key FROM idempotency WHERE merchant = $1 AND upsert = w.upsert OFFSET 0) i ORDER BY i.key";

#[async_trait]
impl ErasureStore for PostgresStore {
    async fn erasure(&self, merchant: &str, id: ErasureId) -> Result<Option<ErasureRecord>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let row = first(&client, ERASURE, &[&merchant, id.as_uuid()]).await?;
            row.map(|row| client.body(&row, &form::ERASURES, merchant)).transpose()
        };
        self.patiently(question).await
    }

    async fn has_erasures(&self, merchant: &str) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let question = async { Ok(first(&client, ANY, &[&merchant]).await?.is_some()) };
        self.patiently(question).await
    }

    async fn erasures(&self, merchant: &str, ids: &[ErasureId]) -> Result<Vec<ErasureRecord>, StoreError> {
        let ids: BTreeSet<Uuid> = ids.iter().map(|id| *id.as_uuid()).collect();
        let ids: Vec<Uuid> = ids.into_iter().collect();
        let client = self.client().await?;
        let question = async {
            let rows = all(&client, ERASURES, &[&merchant, &ids]).await?;
            client.bodies(&rows, &form::ERASURES, merchant)
        };
        self.patiently(question).await
    }

    async fn open_erasures(
        &self,
        after: Option<&ErasureRecord>,
        limit: usize,
    ) -> Result<Vec<ErasureRecord>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let (merchant, id) = after.map_or(("", LEAST), |after| (&after.merchant, *after.id.as_uuid()));
            let rows = all(&client, OPEN, &[&merchant, &id, &self::limit(limit)]).await?;
            client.bodies_of_any(&rows, &form::ERASURES)
        };
        self.patiently(question).await
    }

    async fn tombstones(&self, merchant: &str, keys: &[TombstoneKey]) -> Result<Vec<Vec<ErasureId>>, StoreError> {
        let digests = keys
            .iter()
            .map(|key| tombstone_digest(&self.digests, key).bytes().to_vec());
        let digests: Vec<Vec<u8>> = digests.collect();
        let client = self.client().await?;
        let question = async {
            let mut found = vec![Vec::new(); keys.len()];
            for (index, erased) in holders(&client, merchant, ERASED, &digests).await? {
                let of_key = found.get_mut(index).ok_or(DbError::Value("place"))?;
                of_key.extend(erased.iter().map(|customer| ErasureId::of(*customer)));
            }
            Ok(found)
        };
        self.patiently(question).await
    }

    async fn upserts_of(
        &self,
        merchant: &str,
        customer: CustomerId,
        limit: usize,
    ) -> Result<Vec<(UpsertRecord, Vec<DeliveryRecord>)>, StoreError> {
        let client = self.client().await?;
        self.patiently(upserts_of(&client, merchant, customer, limit)).await
    }

    async fn keys_of_upserts(&self, merchant: &str, upserts: &[UpsertId]) -> Result<Vec<KeptAnswerKey>, StoreError> {
        let upserts: Vec<Uuid> = upserts.iter().map(|id| *id.as_uuid()).collect();
        let client = self.client().await?;
        let question = async {
            let rows = all(&client, KEYS_OF, &[&merchant, &upserts]).await?;
            let key = |row| Ok(KeptAnswerKey(get(row, "key")?));
            rows.iter().map(key).collect()
        };
        self.patiently(question).await
    }

    async fn keyed_hash(&self, text: &str) -> Result<[u8; 16], StoreError> {
        Ok(certificate_hash(&self.digests, text))
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        self.vacuum.begin();
        Ok(())
    }
}

async fn upserts_of(
    client: &Client,
    merchant: &str,
    customer: CustomerId,
    most: usize,
) -> DbResult<Vec<(UpsertRecord, Vec<DeliveryRecord>)>> {
    let rows = all(client, UPSERTS_OF, &[&merchant, customer.as_uuid(), &limit(most)]).await?;
    deliveries_of(client, client.bodies(&rows, &form::UPSERTS, merchant)?).await
}
