//! Questions about merchants themselves.

use async_trait::async_trait;
use jiff::civil::Date;
use rusqlite::{Row, params};

use upsert_store::{MerchantChange, MerchantRecord, MerchantStore, StoreError};

use super::SqliteStore;
use super::readers::Reader;
use super::rows::{DbResult, all, first, limit, signed, unsigned};
use crate::copy::form::MERCHANTS as PART;

const MERCHANT: &str = "SELECT merchant, revision, body FROM merchants WHERE merchant = ?1";
const MERCHANTS: &str =
    "SELECT merchant, revision, body FROM merchants WHERE merchant > ?1 AND gone = 0 ORDER BY merchant LIMIT ?2";
const CHANGES: &str = "SELECT merchant, change FROM merchants WHERE change > ?1 ORDER BY change LIMIT ?2";
const LAST_CHANGE: &str = "SELECT coalesce(max(change), 0) AS change FROM merchants";
/// From one key to the next, by the index: however many merchants have it.
const SEALING_KEYS: &str = "WITH RECURSIVE keys (key) AS ( \
    SELECT min(sealed_with) FROM merchants WHERE gone = 0 AND sealed_with IS NOT NULL \
    UNION ALL SELECT (SELECT min(sealed_with) FROM merchants WHERE gone = 0 AND sealed_with > keys.key) \
    FROM keys WHERE keys.key IS NOT NULL) SELECT key FROM keys WHERE key IS NOT NULL";
const SEALED_WITH: &str =
    "SELECT merchant, revision, body FROM merchants WHERE sealed_with = ?1 AND gone = 0 ORDER BY merchant LIMIT ?2";
const CALLS_OF: &str = "SELECT n.name, c.count FROM calls c JOIN names n ON n.id = c.connection \
    WHERE c.merchant = ?1 AND c.day = ?2 ORDER BY n.name";

impl Reader {
    /// The id stands in the row.
    fn merchant_of(&self, row: &Row<'_>) -> DbResult<MerchantRecord> {
        let merchant: String = row.get("merchant")?;
        self.body(row, &PART, &merchant)
    }

    fn last_merchant_change(&mut self) -> DbResult<u64> {
        let last = first(&self.db, LAST_CHANGE, [], |row| unsigned(row, "change"))?;
        Ok(last.unwrap_or_default())
    }

    fn merchant_changes(&mut self, after: u64, most: usize) -> DbResult<Vec<MerchantChange>> {
        all(
            &self.db,
            CHANGES,
            params![signed(after, "change")?, limit(most)],
            |row| {
                Ok(MerchantChange {
                    id: row.get("merchant")?,
                    number: unsigned(row, "change")?,
                })
            },
        )
    }

    fn calls_of(&mut self, merchant: &str, day: Date) -> DbResult<Vec<(String, u32)>> {
        let Some(number) = self.names.find(&self.db, merchant)? else {
            return Ok(Vec::new());
        };
        all(&self.db, CALLS_OF, params![number, day.to_string()], |row| {
            Ok((row.get("name")?, unsigned(row, "count")?))
        })
    }
}

#[async_trait]
impl MerchantStore for SqliteStore {
    async fn merchant(&self, id: &str) -> Result<Option<MerchantRecord>, StoreError> {
        self.readers
            .look(|reader| first(&reader.db, MERCHANT, params![id], |row| reader.merchant_of(row)))
    }

    async fn merchants(&self, after: Option<&str>, limit: usize) -> Result<Vec<MerchantRecord>, StoreError> {
        let (after, most) = (after.unwrap_or_default().to_owned(), self::limit(limit));
        self.readers
            .ask(move |reader| {
                all(&reader.db, MERCHANTS, params![after, most], |row| {
                    reader.merchant_of(row)
                })
            })
            .await
    }

    async fn merchant_changes(&self, after: u64, limit: usize) -> Result<Vec<MerchantChange>, StoreError> {
        self.readers
            .ask(move |reader| reader.merchant_changes(after, limit))
            .await
    }

    async fn last_merchant_change(&self) -> Result<u64, StoreError> {
        self.readers.ask(Reader::last_merchant_change).await
    }

    async fn sealing_keys(&self) -> Result<Vec<String>, StoreError> {
        let keys = |reader: &mut Reader| all(&reader.db, SEALING_KEYS, [], |row| Ok(row.get(0)?));
        self.readers.ask(keys).await
    }

    async fn merchants_sealed_with(&self, key: &str, limit: usize) -> Result<Vec<MerchantRecord>, StoreError> {
        let (key, most) = (key.to_owned(), self::limit(limit));
        self.readers
            .ask(move |reader| {
                all(&reader.db, SEALED_WITH, params![key, most], |row| {
                    reader.merchant_of(row)
                })
            })
            .await
    }

    async fn calls_of(&self, merchant: &str, day: Date) -> Result<Vec<(String, u32)>, StoreError> {
        let merchant = merchant.to_owned();
        self.readers.ask(move |reader| reader.calls_of(&merchant, day)).await
    }
}
