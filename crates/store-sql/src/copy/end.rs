//! Either end of a copy: a store without its threads, pools and queues.

use async_trait::async_trait;
use jiff::Timestamp;

use super::form::{Part, Row, Value};

/// Something went wrong at one end. The text names codes, tables and columns, never a value.
#[derive(Debug)]
pub(crate) struct Broken(pub(crate) String);

pub(crate) type EndResult<T> = Result<T, Broken>;

/// Where reading goes on: after the row with these values, in the end's own words.
pub(crate) type Place = Vec<Value>;

/// Rows of a part.
pub(crate) struct Batch {
    pub(crate) rows: Vec<Row>,
    /// Where the next ones begin; none: there are no more.
    pub(crate) last: Option<Place>,
}

/// What a store tells of a copy that fills or filled it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Noted {
    /// Opaque.
    pub(crate) body: Vec<u8>,
    /// None: it has not ended.
    pub(crate) ended_at: Option<Timestamp>,
}

/// A store that is copied from or to.
#[async_trait]
pub(crate) trait End: Send {
    /// The key of its digests, as it stands there: wrapped where a key is configured.
    async fn secret(&mut self) -> EndResult<Vec<u8>>;

    /// In microseconds: no id of what is kept was made after this moment.
    async fn made_until(&mut self) -> EndResult<Option<i64>>;

    /// Some of a part's rows, those after a place, in an order of the end's own.
    async fn read(&mut self, part: &'static Part, after: Option<&Place>, most: usize) -> EndResult<Batch>;

    /// What is noted of a copy that fills it; none: it is filled by no copy.
    async fn noted(&mut self) -> EndResult<Option<Noted>>;

    /// Whether it has no row of any part.
    async fn is_empty(&mut self) -> EndResult<bool>;

    /// Notes that a copy has begun, and makes the key of its digests this one, which only an empty store can.
    async fn begin(&mut self, secret: &[u8], note: &[u8]) -> EndResult<()>;

    /// Puts rows that it does not have, and what is noted from now on, all of it or nothing. False, and nothing is put, where
    /// something else is noted than it was: another copy is at it.
    async fn put(&mut self, part: &'static Part, rows: Vec<Row>, notes: Notes) -> EndResult<bool>;

    /// All is there: makes what it knows of it good, such as what its planner goes by.
    async fn settle(&mut self) -> EndResult<()>;

    /// Notes that the copy has ended, durably. False: as with [`End::put`].
    async fn end(&mut self, made_until: Option<i64>, notes: Notes, at: Timestamp) -> EndResult<bool>;
}

/// What was noted, and what is to be.
#[derive(Debug, Clone)]
pub(crate) struct Notes {
    pub(crate) before: Vec<u8>,
    pub(crate) after: Vec<u8>,
}
