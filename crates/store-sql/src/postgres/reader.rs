//! Asking: a connection of the pool, a statement that is prepared once a connection, and rows read into what they are.

use deadpool_postgres::Object;
use futures_util::TryStreamExt as _;
use serde::de::DeserializeOwned;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql};
use uuid::Uuid;

use super::error::{DbError, DbResult};
use super::text::Sent;
use crate::kept;

/// A parameter of a statement.
pub(super) type Param<'a> = &'a (dyn ToSql + Sync);

/// Every row of an answer.
pub(super) async fn all(client: &Object, sql: &'static str, params: &[Param<'_>]) -> DbResult<Vec<Row>> {
    let statement = client.prepare_cached(sql).await?;
    let rows = client
        .query_raw(&statement, params.iter().map(|param| Sent(*param)))
        .await?;
    Ok(rows.try_collect().await?)
}

/// The first row of an answer.
pub(super) async fn first(client: &Object, sql: &'static str, params: &[Param<'_>]) -> DbResult<Option<Row>> {
    Ok(all(client, sql, params).await?.into_iter().next())
}

/// How many rows a statement changed.
pub(super) async fn execute(client: &Object, sql: &'static str, params: &[Param<'_>]) -> DbResult<u64> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client
        .execute_raw(&statement, params.iter().map(|param| Sent(*param)))
        .await?)
}

/// A column.
pub(super) fn get<'row, T: FromSql<'row>>(row: &'row Row, column: &'static str) -> DbResult<T> {
    row.try_get(column).map_err(|_| DbError::Value(column))
}

/// A record as it was kept; none where the column is null.
pub(super) fn record<T: DeserializeOwned>(row: &Row, column: &'static str) -> DbResult<Option<T>> {
    let bytes: Option<&[u8]> = get(row, column)?;
    Ok(bytes.map(|bytes| kept::from_bytes(bytes, column)).transpose()?)
}

/// A record that has to be there.
pub(super) fn body<T: DeserializeOwned>(row: &Row) -> DbResult<T> {
    record(row, "body")?.ok_or(DbError::Value("body"))
}

/// Records that have to be there.
pub(super) fn bodies<T: DeserializeOwned>(rows: &[Row]) -> DbResult<Vec<T>> {
    rows.iter().map(body).collect()
}

/// A count as it was kept.
pub(super) fn count<T: TryFrom<i64>>(row: &Row, column: &'static str) -> DbResult<T> {
    T::try_from(get::<i64>(row, column)?).map_err(|_| DbError::Value(column))
}

/// A moment as it was kept.
pub(super) fn moment(row: &Row, column: &'static str) -> DbResult<jiff::Timestamp> {
    let micros: i64 = get(row, column)?;
    jiff::Timestamp::from_microsecond(micros).map_err(|_| DbError::Value(column))
}

/// Below every id, in the place of one after which a page begins: no id of ours is as small.
pub(super) const LEAST: Uuid = Uuid::nil();

/// Above every id.
pub(super) const GREATEST: Uuid = Uuid::max();
