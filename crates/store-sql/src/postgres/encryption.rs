//! What is sealed in the database, and what is done to it by and by: data keys are wrapped anew and made anew, and what is in the
//! clear is sealed. Each row is changed only where it still is as it was read.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};
use upsert_sealing::Keyring;
use upsert_store::{Encryption, SealedStore, StoreError, Walked};

use super::PostgresStore;
use super::copying_sql::{read_of, replace_of};
use super::data_keys::{add, data_key, ensure, wrapped_by};
use super::error::{DbError, DbResult};
use super::part_rows::{as_sql, value};
use super::text::Sent;
use crate::copy::form::{Part, Row as PartRow};
use crate::kept::{Refused, Unfit, limit};
use crate::sealed::Seals;
use crate::sealed::place::older;
use crate::sealed::secret::{Mode, Secret};
use crate::sealed::walk::Walk;

const WRAPPED_BY_OTHERS: &str = "SELECT merchant, number, id, wrapped_by, wrapped, taken FROM data_keys \
    WHERE wrapped_by < $1 UNION ALL SELECT merchant, number, id, wrapped_by, wrapped, taken FROM data_keys \
    WHERE wrapped_by > $1 LIMIT $2";
const WRAP: &str = "UPDATE data_keys SET wrapped_by = $3, wrapped = $4 \
    WHERE merchant = $1 AND number = $2 AND wrapped_by = $5";
/// Before every merchant, in the place of one after which it goes on.
const NEXT_NUMBERS: &str = "SELECT merchant, max(number) FROM data_keys WHERE $1::text IS NULL OR merchant > $1 \
    GROUP BY merchant ORDER BY merchant LIMIT $2";
const SECRET: &str = "SELECT key FROM secret WHERE id = 0";
const SET_SECRET: &str = "UPDATE secret SET key = $2 WHERE id = 0 AND key = $1";

async fn wrap_anew(client: &Client, seals: &Seals, most: usize) -> DbResult<usize> {
    let keyring = seals.keyring();
    let Some(by) = keyring.seals_with() else {
        return Ok(0);
    };
    let mut changed = 0;
    for row in client.query(WRAPPED_BY_OTHERS, &[&by, &limit(most)]).await? {
        let row = data_key(&row)?;
        let kept = seals.wrapped_anew(&row)?;
        let (merchant, before) = (&row.merchant, &row.kept.wrapped_by);
        client
            .execute(WRAP, &[merchant, &row.number, &kept.wrapped_by, &kept.wrapped, before])
            .await?;
        changed += 1;
    }
    let bytes: Vec<u8> = client.query_one(SECRET, &[]).await?.try_get(0)?;
    let own = Secret::read(&bytes).ok_or(DbError::Value("key"))?;
    if own.wrapped_by() != Some(by) {
        put_secret(client, seals, (&bytes, &own), Mode::Partly).await?;
        changed += 1;
    }
    Ok(changed)
}

/// How much is sealed never becomes less: so much, or what it was. Returns which; none: somebody else was faster, and it is as
/// that one has put it.
async fn put_secret(
    client: &Client,
    seals: &Seals,
    (bytes, own): (&[u8], &Secret),
    reached: Mode,
) -> DbResult<Option<Mode>> {
    let keyring = seals.keyring();
    let refused = |why| Unfit::Sealed("key", Refused::NotOpened(why));
    let (key, mode) = own.open_sealed(&keyring).map_err(refused)?;
    let mode = mode.max(reached);
    let wrapped = Secret::wrap(&key, mode, &keyring).ok_or(DbError::Value("key"))?;
    let put = client.execute(SET_SECRET, &[&bytes, &wrapped]).await?;
    Ok((put > 0).then_some(mode))
}

/// Merchant by merchant; the gateway's own key, whose merchant is empty, comes first.
async fn renew(client: &Client, seals: &Seals, from: Option<Vec<u8>>, most: usize) -> DbResult<Walked> {
    let from = from.map(String::from_utf8).transpose();
    let from = from.map_err(|_| DbError::Value("walk"))?;
    let rows = client.query(NEXT_NUMBERS, &[&from, &limit(most)]).await?;
    let mut last = None;
    for row in &rows {
        let (merchant, number): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
        add(client, seals, &merchant, number + 1, 1).await?;
        last = Some(merchant.into_bytes());
    }
    Ok(Walked {
        changed: rows.len(),
        next: last.filter(|_| rows.len() == most),
    })
}

async fn seal_older(client: &Client, seals: &Seals, from: Option<Vec<u8>>, most: usize) -> DbResult<Walked> {
    let (walk, part) = Walk::from(from.as_deref())?;
    let most_rows = limit(most);
    let mut params: Vec<&(dyn ToSql + Sync)> = walk.after.iter().flatten().filter_map(as_sql).collect();
    params.push(&most_rows);
    let found = client.query(&read_of(part, walk.after.is_some()), &params).await?;
    let mut changed = 0;
    let mut last = None;
    for row in &found {
        let row = values(part, row)?;
        changed += seal_row(client, seals, part, &row).await?;
        last = Some(row[..part.key].to_vec());
    }
    Ok(Walked {
        changed,
        next: Walk::next(part, last.filter(|_| found.len() == most))?,
    })
}

fn values(part: &'static Part, row: &Row) -> DbResult<PartRow> {
    let columns = part.columns.iter().enumerate();
    columns
        .map(|(index, column)| value(row, index, column.kind, column.name))
        .collect()
}

async fn seal_row(client: &Client, seals: &Seals, part: &'static Part, row: &PartRow) -> DbResult<usize> {
    let mut changed = 0;
    for older in older(part, row) {
        ensure(client, seals, older.merchant, 1).await?;
        let sealed = seals.seal_bytes(older.merchant, || older.place, older.bytes, older.column)?;
        let mut params: Vec<&(dyn ToSql + Sync)> = vec![&sealed, &older.bytes];
        params.extend(row.iter().take(part.key).filter_map(as_sql));
        let statement = client.prepare(&replace_of(part, older.column)).await?;
        let sent = params.iter().map(|param| Sent(*param));
        changed += usize::from(client.execute_raw(&statement, sent).await? > 0);
    }
    Ok(changed)
}

async fn reached(client: &Client, seals: &Seals, mode: Mode) -> DbResult<()> {
    let bytes: Vec<u8> = client.query_one(SECRET, &[]).await?.try_get(0)?;
    let own = Secret::read(&bytes).ok_or(DbError::Value("key"))?;
    if let Some(mode) = put_secret(client, seals, (&bytes, &own), mode).await? {
        seals.set_mode(mode);
    }
    Ok(())
}

#[async_trait]
impl SealedStore for PostgresStore {
    fn encryption(&self) -> Encryption {
        self.seals.encryption()
    }

    fn configure_keys(&self, keys: Arc<Keyring>) {
        self.seals.configure(keys);
    }

    async fn wrapping_keys(&self) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let mut keys = wrapped_by(&client.object).await?;
            keys.sort_unstable();
            keys.dedup();
            Ok(keys)
        };
        self.patiently(question).await
    }

    async fn can_open(&self) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let question = async {
            let bytes: Vec<u8> = client.object.query_one(SECRET, &[]).await?.try_get(0)?;
            let own = Secret::read(&bytes).ok_or(DbError::Value("key"))?;
            Ok(own.open(&self.seals.keyring()).is_ok())
        };
        self.patiently(question).await
    }

    async fn wrap_anew(&self, limit: usize) -> Result<usize, StoreError> {
        if !self.seals.is_on() {
            return Ok(0);
        }
        let client = self.client().await?;
        self.patiently(wrap_anew(&client.object, &self.seals, limit)).await
    }

    async fn renew_data_keys(&self, from: Option<Vec<u8>>, limit: usize) -> Result<Walked, StoreError> {
        if !self.seals.is_on() {
            return Ok(Walked::default());
        }
        let client = self.client().await?;
        self.patiently(renew(&client.object, &self.seals, from, limit)).await
    }

    async fn seal_older(&self, from: Option<Vec<u8>>, limit: usize) -> Result<Walked, StoreError> {
        if !self.seals.is_on() {
            return Ok(Walked::default());
        }
        let client = self.client().await?;
        self.patiently(seal_older(&client.object, &self.seals, from, limit))
            .await
    }

    async fn seal_rows(&self) -> Result<(), StoreError> {
        let client = self.client().await?;
        self.patiently(reached(&client.object, &self.seals, Mode::Rows)).await
    }

    async fn seal_wholly(&self) -> Result<(), StoreError> {
        let client = self.client().await?;
        self.patiently(reached(&client.object, &self.seals, Mode::Wholly)).await
    }
}
