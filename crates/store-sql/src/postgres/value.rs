//! Values of columns, and many of one column as an array: a statement takes a whole batch.

use std::borrow::Cow;
use std::fmt::Write as _;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::error::{DbError, DbResult};
use super::text;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Uuid,
    Big,
    Flag,
    Bytes,
    /// Ids, in order.
    Uuids,
}

impl Kind {
    /// The type of an array of them, as a statement takes it. An array of arrays it cannot take: each goes as a text.
    pub(super) const fn array(self) -> &'static str {
        match self {
            Self::Text | Self::Uuids => "text[]",
            Self::Uuid => "uuid[]",
            Self::Big => "bigint[]",
            Self::Flag => "boolean[]",
            Self::Bytes => "bytea[]",
        }
    }

    /// What one of them has to be cast to.
    pub(super) const fn cast(self) -> &'static str {
        match self {
            Self::Uuids => "::uuid[]",
            _ => "",
        }
    }
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Null,
    Text(String),
    Uuid(Uuid),
    Big(i64),
    Flag(bool),
    Bytes(Vec<u8>),
    Uuids(Vec<Uuid>),
}

impl Value {
    pub(super) const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(super) const fn big(&self) -> Option<i64> {
        match self {
            Self::Big(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) const fn uuid(&self) -> Option<Uuid> {
        match self {
            Self::Uuid(value) => Some(*value),
            _ => None,
        }
    }

    /// A column of a row.
    pub(super) fn read(row: &Row, index: usize, kind: Kind, column: &'static str) -> DbResult<Self> {
        let unfit = |_| DbError::Value(column);
        Ok(match kind {
            Kind::Text => {
                let kept: Option<&str> = row.try_get(index).map_err(unfit)?;
                kept.map(|kept| text::read(kept).into_owned()).into()
            }
            Kind::Uuid => row.try_get::<_, Option<Uuid>>(index).map_err(unfit)?.into(),
            Kind::Big => row.try_get::<_, Option<i64>>(index).map_err(unfit)?.into(),
            Kind::Flag => row.try_get::<_, Option<bool>>(index).map_err(unfit)?.into(),
            Kind::Bytes => row.try_get::<_, Option<Vec<u8>>>(index).map_err(unfit)?.into(),
            Kind::Uuids => row.try_get::<_, Option<Vec<Uuid>>>(index).map_err(unfit)?.into(),
        })
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Uuid> for Value {
    fn from(id: Uuid) -> Self {
        Self::Uuid(id)
    }
}

impl From<&Uuid> for Value {
    fn from(id: &Uuid) -> Self {
        Self::Uuid(*id)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Big(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<Uuid>> for Value {
    fn from(ids: Vec<Uuid>) -> Self {
        Self::Uuids(ids)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Many values of one column.
pub(super) enum Array<'a> {
    Texts(Vec<Option<Cow<'a, str>>>),
    Uuids(Vec<Option<Uuid>>),
    Bigs(Vec<Option<i64>>),
    Flags(Vec<Option<bool>>),
    Bytes(Vec<Option<&'a [u8]>>),
    Lists(Vec<Option<String>>),
}

impl<'a> Array<'a> {
    /// Of values that are all of this kind, or null.
    pub(super) fn of(kind: Kind, values: impl Iterator<Item = &'a Value>) -> Self {
        /// What is of another kind is null: no table's column gets such a one.
        fn all<'a, T>(
            values: impl Iterator<Item = &'a Value>,
            pick: impl Fn(&'a Value) -> Option<T>,
        ) -> Vec<Option<T>> {
            values.map(pick).collect()
        }
        match kind {
            Kind::Text => Self::Texts(all(values, |value| match value {
                Value::Text(text) => Some(text::kept(text)),
                _ => None,
            })),
            Kind::Uuid => Self::Uuids(all(values, Value::uuid)),
            Kind::Big => Self::Bigs(all(values, Value::big)),
            Kind::Flag => Self::Flags(all(values, |value| match value {
                Value::Flag(flag) => Some(*flag),
                _ => None,
            })),
            Kind::Bytes => Self::Bytes(all(values, |value| match value {
                Value::Bytes(bytes) => Some(bytes.as_slice()),
                _ => None,
            })),
            Kind::Uuids => Self::Lists(all(values, |value| match value {
                Value::Uuids(ids) => Some(list(ids)),
                _ => None,
            })),
        }
    }

    pub(super) fn as_sql(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Texts(values) => values,
            Self::Uuids(values) => values,
            Self::Bigs(values) => values,
            Self::Flags(values) => values,
            Self::Bytes(values) => values,
            Self::Lists(values) => values,
        }
    }
}

/// Ids as PostgreSQL writes an array of them.
fn list(ids: &[Uuid]) -> String {
    let mut text = String::with_capacity(2 + ids.len() * 37);
    text.push('{');
    for (index, id) in ids.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        // Writing to a string does not fail.
        let _ = write!(text, "{comma}{id}");
    }
    text.push('}');
    text
}
