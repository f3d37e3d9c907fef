//! Asking: a connection of the pool, a statement that is prepared once a connection, and rows read into what they are.

use std::sync::Arc;

use deadpool_postgres::Object;
use futures_util::TryStreamExt as _;
use serde::de::DeserializeOwned;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql};
use uuid::Uuid;

use super::data_keys::learn;
use super::error::{DbError, DbResult};
use super::text::{self, Sent};
use crate::copy::form::{Kind, Part};
use crate::sealed::place::has_revision;
use crate::sealed::{Place, Seals};

/// A parameter of a statement.
pub(super) type Param<'a> = &'a (dyn ToSql + Sync);

/// A connection of the pool, and what opens what is read by it.
pub(super) struct Client {
    pub(super) object: Object,
    pub(super) seals: Arc<Seals>,
}

/// Every row of an answer. The data keys that it takes to open them are at hand afterwards.
pub(super) async fn all(client: &Client, sql: &'static str, params: &[Param<'_>]) -> DbResult<Vec<Row>> {
    let statement = client.object.prepare_cached(sql).await?;
    let rows = client
        .object
        .query_raw(&statement, params.iter().map(|param| Sent(*param)))
        .await?;
    let rows: Vec<Row> = rows.try_collect().await?;
    if client.seals.is_on() {
        learn(&client.object, &client.seals, &rows).await?;
    }
    Ok(rows)
}

/// The first row of an answer.
pub(super) async fn first(client: &Client, sql: &'static str, params: &[Param<'_>]) -> DbResult<Option<Row>> {
    Ok(all(client, sql, params).await?.into_iter().next())
}

/// How many rows a statement changed.
pub(super) async fn execute(client: &Client, sql: &'static str, params: &[Param<'_>]) -> DbResult<u64> {
    let statement = client.object.prepare_cached(sql).await?;
    Ok(client
        .object
        .execute_raw(&statement, params.iter().map(|param| Sent(*param)))
        .await?)
}

/// A column.
pub(super) fn get<'row, T: FromSql<'row>>(row: &'row Row, column: &'static str) -> DbResult<T> {
    row.try_get(column).map_err(|_| DbError::Value(column))
}

impl Client {
    /// A record of a merchant's; none where the column is null. The row has the columns of its key, and its revision.
    pub(super) fn record<T: DeserializeOwned>(
        &self,
        row: &Row,
        (part, column): (&'static Part, &'static str),
        merchant: &str,
    ) -> DbResult<Option<T>> {
        let bytes: Option<&[u8]> = get(row, column)?;
        let open = |bytes| self.seals.open(bytes, column, || place(row, (part, column), merchant));
        bytes.map(open).transpose()
    }

    /// A record that has to be there.
    pub(super) fn body<T: DeserializeOwned>(&self, row: &Row, part: &'static Part, merchant: &str) -> DbResult<T> {
        self.record(row, (part, "body"), merchant)?
            .ok_or(DbError::Value("body"))
    }

    /// The same of a row that names its merchant.
    pub(super) fn body_of_any<T: DeserializeOwned>(&self, row: &Row, part: &'static Part) -> DbResult<T> {
        let merchant: &str = get(row, "merchant")?;
        self.body(row, part, &text::read(merchant))
    }

    /// Bytes that stand as they are where nothing is sealed.
    pub(super) fn bytes(
        &self,
        row: &Row,
        (part, column): (&'static Part, &'static str),
        merchant: &str,
    ) -> DbResult<Vec<u8>> {
        let bytes: &[u8] = get(row, column)?;
        let opened = self
            .seals
            .opened(bytes, column, || place(row, (part, column), merchant))?;
        Ok(opened.unwrap_or_else(|| bytes.to_vec()))
    }

    /// Records of a merchant's that have to be there.
    pub(super) fn bodies<T: DeserializeOwned>(
        &self,
        rows: &[Row],
        part: &'static Part,
        merchant: &str,
    ) -> DbResult<Vec<T>> {
        rows.iter().map(|row| self.body(row, part, merchant)).collect()
    }

    /// The same of rows that name their merchants.
    pub(super) fn bodies_of_any<T: DeserializeOwned>(&self, rows: &[Row], part: &'static Part) -> DbResult<Vec<T>> {
        rows.iter().map(|row| self.body_of_any(row, part)).collect()
    }
}

fn place(row: &Row, (part, column): (&'static Part, &'static str), merchant: &str) -> DbResult<Place> {
    let mut place = Place::of(part, column, merchant);
    for key in part.key().iter().skip(1) {
        match key.kind {
            Kind::Id => place.add(get::<Uuid>(row, key.name)?.as_bytes()),
            Kind::Number => place.add_number(get(row, key.name)?),
            Kind::Bytes => place.add(get(row, key.name)?),
            Kind::Name | Kind::Text => place.add(text::read(get(row, key.name)?).as_bytes()),
            _ => return Err(DbError::Value(key.name)),
        }
    }
    if has_revision(part, column) {
        place.add_number(get(row, "revision")?);
    }
    Ok(place)
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
