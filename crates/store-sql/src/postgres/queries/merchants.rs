//! Questions about merchants themselves.

use async_trait::async_trait;
use jiff::civil::Date;

use upsert_store::{MerchantChange, MerchantRecord, MerchantStore, StoreError};

use super::super::PostgresStore;
use super::super::reader::{all, count, first, get};
use crate::copy::form;
use crate::kept::{limit, signed};

const MERCHANT: &str = "SELECT merchant, revision, body FROM merchants WHERE merchant = $1";
const MERCHANTS: &str =
    "SELECT merchant, revision, body FROM merchants WHERE merchant > $1 AND NOT gone ORDER BY merchant LIMIT $2";
const CHANGES: &str = "SELECT merchant, change FROM merchants WHERE change > $1 ORDER BY change LIMIT $2";
const LAST_CHANGE: &str = "SELECT number FROM merchant_changes";
/// From one key to the next, by the index: however many merchants have it.
const SEALING_KEYS: &str = "WITH RECURSIVE keys (key) AS ( \
    (SELECT sealed_with FROM merchants WHERE NOT gone AND sealed_with IS NOT NULL ORDER BY sealed_with LIMIT 1) \
    UNION ALL SELECT (SELECT sealed_with FROM merchants WHERE NOT gone AND sealed_with > keys.key \
    ORDER BY sealed_with LIMIT 1) FROM keys WHERE keys.key IS NOT NULL) SELECT key FROM keys WHERE key IS NOT NULL";
const SEALED_WITH: &str =
    "SELECT merchant, revision, body FROM merchants WHERE sealed_with = $1 AND NOT gone ORDER BY merchant LIMIT $2";
const CALLS_OF: &str = "SELECT connection, count FROM calls WHERE merchant = $1 AND day = $2 ORDER BY connection";

#[async_trait]
impl MerchantStore for PostgresStore {
    async fn merchant(&self, id: &str) -> Result<Option<MerchantRecord>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let row = first(&client, MERCHANT, &[&id]).await?;
            row.map(|row| client.body(&row, &form::MERCHANTS, id)).transpose()
        };
        self.patiently(question).await
    }

    async fn merchants(&self, after: Option<&str>, limit: usize) -> Result<Vec<MerchantRecord>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let after = after.unwrap_or_default();
            let rows = all(&client, MERCHANTS, &[&after, &self::limit(limit)]).await?;
            client.bodies_of_any(&rows, &form::MERCHANTS)
        };
        self.patiently(question).await
    }

    async fn merchant_changes(&self, after: u64, limit: usize) -> Result<Vec<MerchantChange>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let rows = all(&client, CHANGES, &[&signed(after, "change")?, &self::limit(limit)]).await?;
            let change = |row| {
                Ok(MerchantChange {
                    id: get(row, "merchant")?,
                    number: count(row, "change")?,
                })
            };
            rows.iter().map(change).collect()
        };
        self.patiently(question).await
    }

    async fn last_merchant_change(&self) -> Result<u64, StoreError> {
        let client = self.client().await?;
        let question = async {
            let row = first(&client, LAST_CHANGE, &[]).await?;
            Ok(row.map(|row| count(&row, "number")).transpose()?.unwrap_or_default())
        };
        self.patiently(question).await
    }

    async fn sealing_keys(&self) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let rows = all(&client, SEALING_KEYS, &[]).await?;
            rows.iter().map(|row| get(row, "key")).collect()
        };
        self.patiently(question).await
    }

    async fn merchants_sealed_with(&self, key: &str, limit: usize) -> Result<Vec<MerchantRecord>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let rows = all(&client, SEALED_WITH, &[&key, &self::limit(limit)]).await?;
            client.bodies_of_any(&rows, &form::MERCHANTS)
        };
        self.patiently(question).await
    }

    async fn calls_of(&self, merchant: &str, day: Date) -> Result<Vec<(String, u32)>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let rows = all(&client, CALLS_OF, &[&merchant, &day.to_string()]).await?;
            let calls = |row| Ok((get(row, "connection")?, count(row, "count")?));
            rows.iter().map(calls).collect()
        };
        self.patiently(question).await
    }
}
