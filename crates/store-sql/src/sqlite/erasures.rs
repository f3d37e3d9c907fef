//! Questions about erasures, and what is asked while one is made.

use std::collections::BTreeSet;

use async_trait::async_trait;
use rusqlite::params;

use upsert_core::{CustomerId, ErasureId, UpsertId};
use upsert_store::{
    DeliveryRecord, ErasureRecord, ErasureStore, KeptAnswerKey, StoreError, TombstoneKey, UpsertRecord,
};

use super::SqliteStore;
use super::gaps;
use super::readers::Reader;
use super::rows::{DbResult, all, blob, first, limit, uuid};
use super::work::{Done, Work};
use crate::copy::form::ERASURES;
use crate::kept::{ERASED, certificate_hash, tombstone_digest};

const ERASURE: &str = "SELECT id, revision, body FROM erasures WHERE merchant = ?1 AND id = ?2";
const ANY: &str = "SELECT 1 FROM erasures WHERE merchant = ?1 LIMIT 1";
/// Few are open at a time.
const OPEN: &str = "SELECT merchant, id, revision, body FROM erasures INDEXED BY erasures_open WHERE open = 1";
const HOLDERS: &str = "SELECT customer FROM keys WHERE merchant = ?1 AND hash = ?2 AND rest = ?3 AND connection = ?4 \
    ORDER BY customer";
const UPSERTS_OF: &str = "SELECT id FROM upserts INDEXED BY upserts_of WHERE merchant = ?1 AND customer = ?2 \
    ORDER BY id LIMIT ?3";
const KEYS_OF: &str =
    "SELECT key FROM idempotency INDEXED BY idempotency_of_upsert WHERE merchant = ?1 AND upsert = ?2";

type Whole = (UpsertRecord, Vec<DeliveryRecord>);

impl Reader {
    fn erasure(&mut self, merchant: &str, id: ErasureId) -> DbResult<Option<ErasureRecord>> {
        let Some(number) = self.names.find(&self.db, merchant)? else {
            return Ok(None);
        };
        first(&self.db, ERASURE, params![number, blob(id.as_uuid())], |row| {
            self.body(row, &ERASURES, merchant)
        })
    }

    fn has_erasures(&mut self, merchant: &str) -> DbResult<bool> {
        let Some(number) = self.names.find(&self.db, merchant)? else {
            return Ok(false);
        };
        Ok(first(&self.db, ANY, params![number], |_| Ok(()))?.is_some())
    }

    fn erasures(&mut self, merchant: &str, ids: &[ErasureId]) -> DbResult<Vec<ErasureRecord>> {
        let ids: BTreeSet<&ErasureId> = ids.iter().collect();
        let found = ids.into_iter().map(|id| self.erasure(merchant, *id));
        found.filter_map(Result::transpose).collect()
    }

    fn open_erasures(&self, after: Option<&(String, ErasureId)>, most: usize) -> DbResult<Vec<ErasureRecord>> {
        let mut open: Vec<ErasureRecord> = all(&self.db, OPEN, [], |row| self.body_of_any(row, &ERASURES))?;
        let place = |row: &ErasureRecord| (row.merchant.clone(), row.id);
        open.retain(|row| after.is_none_or(|after| place(row) > *after));
        open.sort_by_key(place);
        open.truncate(most);
        Ok(open)
    }

    fn tombstones(&mut self, merchant: &str, keys: &[TombstoneKey]) -> DbResult<Vec<Vec<ErasureId>>> {
        let Some((merchant, erased)) = self.numbers(merchant, ERASED)? else {
            return Ok(vec![Vec::new(); keys.len()]);
        };
        let of_key = |key| {
            let digest = tombstone_digest(&self.digests, key);
            all(
                &self.db,
                HOLDERS,
                params![merchant, digest.hash, digest.rest, erased],
                |row| Ok(ErasureId::from_uuid(uuid(row, "customer")?)),
            )
        };
        keys.iter().map(of_key).collect()
    }

    fn upserts_of(&mut self, merchant: &str, customer: CustomerId, most: usize) -> DbResult<Vec<Whole>> {
        let Some(merchant) = self.names.find(&self.db, merchant)? else {
            return Ok(Vec::new());
        };
        let params = params![merchant, blob(customer.as_uuid()), limit(most)];
        let ids = all(&self.db, UPSERTS_OF, params, |row| uuid(row, "id"))?;
        let whole = ids.iter().map(|id| self.upsert_at(merchant, id, |_| true));
        whole.filter_map(Result::transpose).collect()
    }

    fn keys_of_upserts(&mut self, merchant: &str, upserts: &[UpsertId]) -> DbResult<Vec<KeptAnswerKey>> {
        let Some(merchant) = self.names.find(&self.db, merchant)? else {
            return Ok(Vec::new());
        };
        let mut keys = Vec::new();
        for id in upserts {
            let params = params![merchant, blob(id.as_uuid())];
            keys.extend(all(&self.db, KEYS_OF, params, |row| {
                Ok(KeptAnswerKey(row.get("key")?))
            })?);
        }
        keys.sort_unstable();
        Ok(keys)
    }
}

#[async_trait]
impl ErasureStore for SqliteStore {
    async fn erasure(&self, merchant: &str, id: ErasureId) -> Result<Option<ErasureRecord>, StoreError> {
        self.readers.look(|db| db.erasure(merchant, id))
    }

    async fn has_erasures(&self, merchant: &str) -> Result<bool, StoreError> {
        self.readers.look(|db| db.has_erasures(merchant))
    }

    async fn erasures(&self, merchant: &str, ids: &[ErasureId]) -> Result<Vec<ErasureRecord>, StoreError> {
        self.readers.look(|db| db.erasures(merchant, ids))
    }

    async fn open_erasures(
        &self,
        after: Option<&ErasureRecord>,
        limit: usize,
    ) -> Result<Vec<ErasureRecord>, StoreError> {
        let after = after.map(|after| (after.merchant.clone(), after.id));
        self.readers.look(|db| db.open_erasures(after.as_ref(), limit))
    }

    async fn tombstones(&self, merchant: &str, keys: &[TombstoneKey]) -> Result<Vec<Vec<ErasureId>>, StoreError> {
        self.readers.look(|db| db.tombstones(merchant, keys))
    }

    async fn upserts_of(
        &self,
        merchant: &str,
        customer: CustomerId,
        limit: usize,
    ) -> Result<Vec<(UpsertRecord, Vec<DeliveryRecord>)>, StoreError> {
        let merchant = merchant.to_owned();
        self.readers
            .ask(move |db| db.upserts_of(&merchant, customer, limit))
            .await
    }

    async fn keys_of_upserts(&self, merchant: &str, upserts: &[UpsertId]) -> Result<Vec<KeptAnswerKey>, StoreError> {
        self.readers.look(|db| db.keys_of_upserts(merchant, upserts))
    }

    async fn keyed_hash(&self, text: &str) -> Result<[u8; 16], StoreError> {
        self.readers.look(|db| Ok(certificate_hash(&db.digests, text)))
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        let mut from = Some(1);
        while let Some(number) = from {
            let looked = self.readers.ask(move |reader| gaps::look(&reader.db, number)).await?;
            for pages in looked.found.chunks(gaps::ZEROED) {
                self.caught_up(Work::ZeroGaps(pages.to_vec())).await?;
            }
            from = looked.next;
        }
        self.caught_up(Work::EmptyLog).await
    }
}

impl SqliteStore {
    async fn caught_up(&self, work: Work) -> Result<(), StoreError> {
        match self.writer.order(work).await? {
            Done::CaughtUp => Ok(()),
            _ => Err(StoreError::Failed("the writer answered another question".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::queries::plan;
    use super::*;

    #[test]
    fn each_question_is_one_walk_through_an_index_without_sorting() {
        for (sql, step) in [
            (ERASURE, "PRIMARY KEY (merchant=? AND id=?)"),
            (ANY, "erasures"),
            (OPEN, "erasures_open"),
            (
                HOLDERS,
                "PRIMARY KEY (merchant=? AND hash=? AND rest=? AND connection=?)",
            ),
            (UPSERTS_OF, "upserts_of (merchant=? AND customer=?)"),
            (KEYS_OF, "idempotency_of_upsert (merchant=? AND upsert=?)"),
        ] {
            let plan = plan(sql);
            assert!(plan.contains(step) && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
