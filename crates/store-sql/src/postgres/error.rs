//! Errors of the database, which repeat no value.

use std::error::Error as _;
use std::{fmt, io};

use tokio_postgres::error::SqlState;
use upsert_store::StoreError;

use crate::kept::{Refused, Unfit};

/// What went wrong at the database. Its text names codes, tables and columns, never a value.
#[derive(Debug)]
pub(super) enum DbError {
    /// PostgreSQL refused, or the connection broke.
    Postgres(tokio_postgres::Error),
    /// No connection could be had.
    NoConnection(&'static str),
    /// A row of this column cannot be read, or a value cannot be written to it.
    Value(&'static str),
    /// A value of this column is not taken for what was written there.
    Sealed(&'static str, Refused),
    /// What was waited for did not come in time.
    TimedOut,
}

pub(super) type DbResult<T> = Result<T, DbError>;

impl From<tokio_postgres::Error> for DbError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
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

/// What operators meet when they set the store up; other codes are in PostgreSQL's appendix A.
fn meaning(code: &SqlState) -> Option<&'static str> {
    Some(match code.code() {
        "28P01" | "28000" => "it refuses this user, or this password",
        "3D000" => "there is no database of this name",
        "42501" => "this user may not do that: it needs to own the database's schema, or CREATE on it",
        "53100" => "its disk is full",
        "53300" => "it has too many connections",
        "57014" => "a statement took longer than it may",
        "57P01" | "57P02" => "it is being stopped",
        "57P03" => "it is starting or stopping",
        "25P03" => "a transaction stood still for too long",
        "25006" => "it only reads: is it a standby?",
        _ => return None,
    })
}

/// Codes and what we say of them: PostgreSQL's own messages quote what was bound. What the system or TLS says is about the
/// connection alone.
impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres(error) => match error.code() {
                Some(code) => match meaning(code) {
                    Some(meaning) => write!(f, "PostgreSQL: {} ({meaning})", code.code()),
                    None => write!(f, "PostgreSQL: {}", code.code()),
                },
                None if error.is_closed() => f.write_str("PostgreSQL: the connection was closed"),
                None => match error.source().and_then(|cause| cause.downcast_ref::<io::Error>()) {
                    Some(cause) => write!(f, "PostgreSQL: {cause}"),
                    None => f.write_str("PostgreSQL: what it says, or a value, is not what was expected"),
                },
            },
            Self::NoConnection(why) => write!(f, "no connection to PostgreSQL: {why}"),
            Self::Value(column) => write!(f, "a value of `{column}` does not fit"),
            Self::Sealed(column, why) => write!(f, "a value of `{column}` cannot be opened: {why}"),
            Self::TimedOut => f.write_str("PostgreSQL did not answer in time"),
        }
    }
}

/// Classes of SQLSTATE that say something of the server and nothing of the statement: its connections, its transactions (it
/// only reads, or one stood still), its resources, its operators, the system below it.
const OF_THE_SERVER: [&str; 5] = ["08", "25", "53", "57", "58"];

impl DbError {
    fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Postgres(error) => error.code(),
            _ => None,
        }
    }

    /// Another writer came first: the same once more may fare better.
    pub(super) fn is_lost_race(&self) -> bool {
        self.code().is_some_and(|code| {
            *code == SqlState::UNIQUE_VIOLATION
                || *code == SqlState::T_R_SERIALIZATION_FAILURE
                || *code == SqlState::T_R_DEADLOCK_DETECTED
        })
    }

    /// Nothing is wrong with what was asked: the database cannot be reached, or cannot work.
    pub(super) fn is_of_the_server(&self) -> bool {
        match self {
            Self::NoConnection(_) | Self::TimedOut => true,
            Self::Value(_) | Self::Sealed(..) => false,
            Self::Postgres(error) => match error.code() {
                Some(code) => OF_THE_SERVER.iter().any(|class| code.code().starts_with(class)),
                None => true,
            },
        }
    }

    /// As callers see it.
    pub(super) fn upwards(&self) -> StoreError {
        if self.is_lost_race() {
            StoreError::Busy
        } else if self.is_of_the_server() {
            StoreError::Unavailable(self.to_string())
        } else {
            StoreError::Failed(self.to_string())
        }
    }
}
