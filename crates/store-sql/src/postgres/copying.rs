//! A database as an end of a copy: keys with all whom they find in one row, links among them.

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Row as SqlRow};
use uuid::Uuid;

use upsert_core::MerchantMark;
use upsert_core::crash_point::{self as points, crash_point};

use super::connect::Connector;
use super::copying_sql::{NOTE, PLACES, insert_of, is_of_keys, kind_of, read_of};
use super::error::{DbError, DbResult};
use super::part_rows::{as_sql, value};
use super::reader::Param;
use super::schema;
use super::value::{Array, Value as Given};
use crate::copy::end::{Batch, Broken, End, EndResult, Noted, Notes, Place};
use crate::copy::form::{PARTS, Part, Row, Value};

/// A database that is copied from or to. Whether anybody else works with it cannot be known.
pub(crate) struct PostgresEnd {
    client: Client,
    driver: JoinHandle<()>,
}

impl Drop for PostgresEnd {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Rows are read in the order of their key, through its index: what a planner makes of tables that it knows nothing of yet
/// may be to sort them anew for each batch. Where a setting is not known, nothing is lost.
const SETTINGS: [&str; 6] = [
    "SET enable_sort = off",
    "SET enable_seqscan = off",
    "SET enable_bitmapscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    // What a crash of the server takes away is taken away whole: how far the copy is goes with it.
    "SET synchronous_commit = off",
];

impl PostgresEnd {
    /// Connects, and brings the schema up to date. None: there is no store, where there has to be one.
    pub(crate) async fn open(url: &str, has_to_be: bool) -> Result<Option<Self>, String> {
        let connector = Connector::new(url, Handle::current()).map_err(|error| error.to_string())?;
        let refused = |error: tokio_postgres::Error| DbError::from(error).to_string();
        let (client, driver) = connector.connect().await.map_err(refused)?;
        let end = Self { client, driver };
        if has_to_be {
            let sql = "SELECT to_regclass('customers') IS NOT NULL";
            let row = end.client.query_one(sql, &[]).await.map_err(refused)?;
            if !row.try_get::<_, bool>(0).map_err(refused)? {
                return Ok(None);
            }
        }
        schema::migrate(&end.client).await.map_err(|error| error.to_string())?;
        for setting in SETTINGS {
            let _ = end.client.batch_execute(setting).await;
        }
        Ok(Some(end))
    }

    async fn read_some(&self, part: &'static Part, after: Option<&Place>, most: usize) -> DbResult<Batch> {
        let limit = crate::kept::limit(most);
        let mut params: Vec<Param<'_>> = after.into_iter().flatten().filter_map(as_sql).collect();
        params.push(&limit);
        let found = self.client.query(&read_of(part, after.is_some()), &params).await?;
        let mut rows = Vec::with_capacity(found.len());
        for row in &found {
            if is_of_keys(part) {
                key_rows(row, &mut rows)?;
            } else {
                let columns = part.columns.iter().enumerate();
                let read = columns.map(|(index, column)| value(row, index, column.kind, column.name));
                rows.push(read.collect::<DbResult<_>>()?);
            }
        }
        // Whom a key finds is no part of what its rows are read on by.
        let key = if is_of_keys(part) { 3 } else { part.key };
        let last = rows.last().map(|row: &Row| row[..key].to_vec());
        Ok(Batch { rows, last })
    }

    async fn put_some(&self, part: &'static Part, rows: Vec<Row>, notes: &Notes) -> DbResult<bool> {
        self.client.batch_execute("BEGIN").await?;
        let noted = self
            .client
            .execute(NOTE, &[&notes.before, &notes.after, &None::<i64>])
            .await?;
        if noted == 0 {
            self.client.batch_execute("ROLLBACK").await?;
            return Ok(false);
        }
        self.put_places(part, &rows).await?;
        let rows: Vec<Vec<Given>> = rows
            .into_iter()
            .map(|row| row.into_iter().map(given).collect())
            .collect();
        let columns = part.columns.iter().enumerate();
        let arrays = columns.map(|(index, column)| Array::of(kind_of(column.kind), rows.iter().map(|row| &row[index])));
        let arrays: Vec<Array<'_>> = arrays.collect();
        let params: Vec<Param<'_>> = arrays.iter().map(Array::as_sql).collect();
        self.client.execute(&insert_of(part), &params).await?;
        crash_point(points::STORE_BEFORE_COMMIT);
        self.client.batch_execute("COMMIT").await?;
        crash_point(points::STORE_AFTER_COMMIT);
        Ok(true)
    }

    /// Where anything is kept.
    async fn put_places(&self, part: &'static Part, rows: &[Row]) -> DbResult<()> {
        if part.columns.first().is_none_or(|column| column.name != "merchant") {
            return Ok(());
        }
        let mut places = std::collections::BTreeSet::new();
        for row in rows {
            let Some(Value::Text(merchant)) = row.first() else {
                return Err(DbError::Value("merchant"));
            };
            // The gateway's own key.
            if merchant.is_empty() {
                continue;
            }
            places.insert((merchant.as_str(), "merchant", ""));
            for (column, value) in part.columns.iter().zip(row) {
                if let (Some(kind), Value::Text(name)) = (column.place, value)
                    && !name.is_empty()
                {
                    places.insert((merchant.as_str(), kind, name.as_str()));
                }
            }
        }
        let merchants: Vec<&str> = places.iter().map(|place| place.0).collect();
        let kinds: Vec<&str> = places.iter().map(|place| place.1).collect();
        let names: Vec<&str> = places.iter().map(|place| place.2).collect();
        let mark = |merchant: &&str| i64::from(MerchantMark::of(merchant).number());
        let marks: Vec<i64> = merchants.iter().map(mark).collect();
        self.client
            .execute(PLACES, &[&merchants, &kinds, &names, &marks])
            .await?;
        Ok(())
    }

    async fn noted_of_copy(&self) -> DbResult<Option<Noted>> {
        let sql = "SELECT body, ended_at FROM copying WHERE id = 0";
        let Some(row) = self.client.query_opt(sql, &[]).await? else {
            return Ok(None);
        };
        let ended_at: Option<i64> = row.try_get(1)?;
        let ended_at = ended_at.map(Timestamp::from_microsecond).transpose();
        Ok(Some(Noted {
            body: row.try_get(0)?,
            ended_at: ended_at.map_err(|_| DbError::Value("ended_at"))?,
        }))
    }

    async fn is_without_rows(&self) -> DbResult<bool> {
        for part in PARTS {
            if !self.client.query(&read_of(part, false), &[&1_i64]).await?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn begin_copy(&self, secret: &[u8], note: &[u8]) -> DbResult<()> {
        self.client.batch_execute("BEGIN").await?;
        let sql = "INSERT INTO secret (id, key) VALUES (0, $1) ON CONFLICT (id) DO UPDATE SET key = excluded.key";
        self.client.execute(sql, &[&secret]).await?;
        let sql = "INSERT INTO copying (id, body) VALUES (0, $1)";
        self.client.execute(sql, &[&note]).await?;
        Ok(self.client.batch_execute("COMMIT").await?)
    }

    async fn end_copy(&self, made_until: Option<i64>, notes: &Notes, at: Timestamp) -> DbResult<bool> {
        // What was written before becomes durable with it.
        let _ = self.client.batch_execute("SET synchronous_commit = on").await;
        self.client.batch_execute("BEGIN").await?;
        if let Some(until) = made_until {
            let sql = "INSERT INTO made (id, until) VALUES (0, $1) ON CONFLICT (id) \
                       DO UPDATE SET until = greatest(made.until, excluded.until)";
            self.client.execute(sql, &[&until]).await?;
        }
        // What is changed from now on has to come after what was copied.
        let sql =
            "UPDATE merchant_changes SET number = greatest(number, (SELECT max(change) FROM merchants)) WHERE id = 0";
        self.client.execute(sql, &[]).await?;
        let at = Some(at.as_microsecond());
        let noted = self.client.execute(NOTE, &[&notes.before, &notes.after, &at]).await?;
        self.client
            .batch_execute(if noted > 0 { "COMMIT" } else { "ROLLBACK" })
            .await?;
        Ok(noted > 0)
    }
}

#[async_trait]
impl End for PostgresEnd {
    async fn secret(&mut self) -> EndResult<Vec<u8>> {
        schema::secret(&self.client).await.map_err(|error| broken(&error))
    }

    async fn made_until(&mut self) -> EndResult<Option<i64>> {
        let row = self.client.query_opt("SELECT until FROM made WHERE id = 0", &[]).await;
        let until = row.and_then(|row| row.map(|row| row.try_get(0)).transpose());
        until.map_err(|error| broken(&error.into()))
    }

    async fn read(&mut self, part: &'static Part, after: Option<&Place>, most: usize) -> EndResult<Batch> {
        self.read_some(part, after, most).await.map_err(|error| broken(&error))
    }

    async fn noted(&mut self) -> EndResult<Option<Noted>> {
        self.noted_of_copy().await.map_err(|error| broken(&error))
    }

    async fn is_empty(&mut self) -> EndResult<bool> {
        self.is_without_rows().await.map_err(|error| broken(&error))
    }

    async fn begin(&mut self, secret: &[u8], note: &[u8]) -> EndResult<()> {
        self.begin_copy(secret, note).await.map_err(|error| broken(&error))
    }

    async fn put(&mut self, part: &'static Part, rows: Vec<Row>, notes: Notes) -> EndResult<bool> {
        self.put_some(part, rows, &notes).await.map_err(|error| broken(&error))
    }

    async fn settle(&mut self) -> EndResult<()> {
        // Without it the planner goes by what it finds out by and by.
        let _ = self.client.batch_execute("ANALYZE").await;
        Ok(())
    }

    async fn end(&mut self, made_until: Option<i64>, notes: Notes, at: Timestamp) -> EndResult<bool> {
        self.end_copy(made_until, &notes, at)
            .await
            .map_err(|error| broken(&error))
    }
}

fn broken(error: &DbError) -> Broken {
    Broken(error.to_string())
}

/// A row for each whom a key finds.
fn key_rows(row: &SqlRow, rows: &mut Vec<Row>) -> DbResult<()> {
    let key: Vec<Value> = vec![
        Value::Text(row.try_get(0)?),
        Value::Bytes(row.try_get(1)?),
        Value::Text(row.try_get(2)?),
    ];
    let customers: Vec<Uuid> = row.try_get(3)?;
    rows.extend(customers.into_iter().map(|customer| {
        let mut row = key.clone();
        row.push(Value::Id(customer));
        row
    }));
    Ok(())
}

fn given(value: Value) -> Given {
    match value {
        Value::Null => Given::Null,
        Value::Text(text) => Given::Text(text),
        Value::Id(id) => Given::Uuid(id),
        Value::Number(number) => Given::Big(number),
        Value::Flag(flag) => Given::Flag(flag),
        Value::Bytes(bytes) => Given::Bytes(bytes),
    }
}
