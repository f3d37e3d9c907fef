//! Values of a part's rows as the database has them, in the form that is no driver's.

use tokio_postgres::Row as SqlRow;
use tokio_postgres::types::ToSql;

use super::copying_sql::kind_of;
use super::error::{DbError, DbResult};
use super::value::Value as Given;
use crate::copy::form::{Kind, Value};

pub(super) fn value(row: &SqlRow, index: usize, kind: Kind, column: &'static str) -> DbResult<Value> {
    let value = Given::read(row, index, kind_of(kind), column)?;
    Ok(match value {
        Given::Null => Value::Null,
        Given::Text(text) => Value::Text(text),
        Given::Uuid(id) => Value::Id(id),
        Given::Big(number) => Value::Number(number),
        Given::Flag(flag) => Value::Flag(flag),
        Given::Bytes(bytes) => Value::Bytes(bytes),
        Given::Uuids(_) => return Err(DbError::Value(column)),
    })
}

/// A value of a key, which is never null.
pub(super) fn as_sql(value: &Value) -> Option<&(dyn ToSql + Sync)> {
    match value {
        Value::Null => None,
        Value::Text(text) => Some(text),
        Value::Id(id) => Some(id),
        Value::Number(number) => Some(number),
        Value::Flag(flag) => Some(flag),
        Value::Bytes(bytes) => Some(bytes),
    }
}
