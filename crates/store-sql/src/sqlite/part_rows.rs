//! Rows of a part as the file has them, in the form that is no driver's.

use std::collections::HashMap;

use rusqlite::types::{Value as SqlValue, ValueRef};
use rusqlite::{Connection, Row as SqlRow, params_from_iter};
use uuid::Uuid;

use super::copying_sql::read_of;
use super::names;
use super::rows::{DbError, DbResult, OURS};
use crate::copy::end::Place;
use crate::copy::form::{Kind, Part, Row, Value};
use crate::digest::Digest;

/// Names by their numbers.
pub(super) type Called = HashMap<i64, String>;

/// Rows, and by what each of them is found again.
pub(super) struct PartRows {
    pub(super) rows: Vec<Row>,
    pub(super) places: Vec<Vec<SqlValue>>,
}

impl PartRows {
    /// Where the next ones begin; none: there are no more.
    pub(super) fn last(&self) -> DbResult<Option<Place>> {
        let last = self.places.last();
        last.map(|last| last.iter().cloned().map(from_sql).collect())
            .transpose()
    }
}

/// Some rows of a part, those after a place.
pub(super) fn read_rows(
    db: &Connection,
    known: &mut Called,
    part: &'static Part,
    after: Option<Place>,
    most: usize,
) -> DbResult<PartRows> {
    let read = read_of(part, after.is_some());
    let params = after.into_iter().flatten().map(to_sql);
    let most = SqlValue::Integer(crate::kept::limit(most));
    let params: Vec<SqlValue> = params.chain([most]).collect();
    let mut statement = db.prepare_cached(&format!("{} LIMIT ?", read.text))?;
    let mut found = statement.query(params_from_iter(params))?;
    let (mut rows, mut places) = (Vec::new(), Vec::new());
    while let Some(row) = found.next()? {
        places.push((0..read.place).map(|index| row.get(index)).collect::<Result<_, _>>()?);
        let mut index = read.place;
        let mut values = Vec::with_capacity(part.columns.len());
        for column in part.columns {
            values.push(value(db, known, row, &mut index, column.kind, column.name)?);
        }
        rows.push(values);
    }
    Ok(PartRows { rows, places })
}

/// A place is made of numbers, texts and bytes.
pub(super) fn to_sql(value: Value) -> SqlValue {
    match value {
        Value::Null => SqlValue::Null,
        Value::Text(text) => SqlValue::Text(text),
        Value::Id(id) => SqlValue::Blob(id.as_bytes().to_vec()),
        Value::Number(number) => SqlValue::Integer(number),
        Value::Flag(flag) => SqlValue::Integer(flag.into()),
        Value::Bytes(bytes) => SqlValue::Blob(bytes),
    }
}

fn from_sql(value: SqlValue) -> DbResult<Value> {
    match value {
        SqlValue::Text(text) => Ok(Value::Text(text)),
        SqlValue::Integer(number) => Ok(Value::Number(number)),
        SqlValue::Blob(bytes) => Ok(Value::Bytes(bytes)),
        SqlValue::Null | SqlValue::Real(_) => Err(DbError::Value("copying")),
    }
}

/// The value of the column at `index`, and of the one behind it where it is kept in two.
fn value(
    db: &Connection,
    known: &mut Called,
    row: &SqlRow<'_>,
    index: &mut usize,
    kind: Kind,
    column: &'static str,
) -> DbResult<Value> {
    let unfit = || DbError::Value(column);
    let found = row.get_ref(*index)?;
    *index += 1;
    if kind == Kind::Digest {
        let (hash, rest) = (found.as_i64().map_err(|_| unfit())?, row.get::<_, i64>(*index)?);
        *index += 1;
        return Ok(Value::Bytes(Digest { hash, rest }.bytes().to_vec()));
    }
    Ok(match (kind, found) {
        (Kind::Mark, ValueRef::Null) => Value::Flag(false),
        (_, ValueRef::Null) => Value::Null,
        (Kind::Name, ValueRef::Integer(OURS)) => Value::Text(String::new()),
        (Kind::Name, ValueRef::Integer(number)) => {
            if let Some(name) = known.get(&number) {
                Value::Text(name.clone())
            } else {
                let name = names::name(db, number)?;
                known.insert(number, name.clone());
                Value::Text(name)
            }
        }
        (Kind::Text, ValueRef::Text(text)) => Value::Text(str::from_utf8(text).map_err(|_| unfit())?.to_owned()),
        (Kind::Number, ValueRef::Integer(number)) => Value::Number(number),
        (Kind::Flag | Kind::Mark, ValueRef::Integer(number)) => Value::Flag(number != 0),
        (Kind::Id, ValueRef::Blob(bytes)) => Value::Id(Uuid::from_slice(bytes).map_err(|_| unfit())?),
        (Kind::Bytes | Kind::Record, ValueRef::Blob(bytes)) => Value::Bytes(bytes.to_vec()),
        _ => return Err(unfit()),
    })
}
