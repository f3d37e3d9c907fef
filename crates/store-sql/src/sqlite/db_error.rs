//! Errors of the database, which repeat no value.

use std::fmt;

use rusqlite::ErrorCode;
use upsert_store::StoreError;

use crate::kept::{Refused, Unfit};

/// What went wrong at the database. Its text names codes, tables and columns, never a value.
#[derive(Debug)]
pub(super) enum DbError {
    /// SQLite refused.
    Sqlite(rusqlite::Error),
    /// A row of this column cannot be read, or a value cannot be written to it.
    Value(&'static str),
    /// A value of this column is not taken for what was written there.
    Sealed(&'static str, Refused),
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Unfit> for DbError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Value(column) => Self::Value(column),
            Unfit::Sealed(column, why) => Self::Sealed(column, why),
        }
    }
}

/// Only codes: SQLite's own messages may quote what was bound.
impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => match error.sqlite_error() {
                Some(code) => write!(f, "SQLite: {:?} ({})", code.code, code.extended_code),
                None => f.write_str("SQLite: a statement and its values do not fit"),
            },
            Self::Value(column) => write!(f, "a value of `{column}` does not fit"),
            Self::Sealed(column, why) => write!(f, "a value of `{column}` cannot be opened: {why}"),
        }
    }
}

impl DbError {
    /// Whether somebody else held the file for longer than we wait.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
    }

    /// The disk takes no more. SQLite has taken the transaction back, and the file is as it was.
    pub(super) fn is_disk_full(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull))
    }

    /// As callers see it.
    pub(super) fn upwards(&self) -> StoreError {
        if self.is_busy() {
            StoreError::Busy
        } else if self.is_disk_full() {
            StoreError::Unavailable("the disk is full".to_owned())
        } else {
            StoreError::Failed(self.to_string())
        }
    }
}

pub(super) type DbResult<T> = Result<T, DbError>;
