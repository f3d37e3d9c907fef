//! What is copied, in a form that is no driver's: parts, each of rows, each of values. Whatever both drivers keep is in one
//! of these parts; a table that is added to them is added here.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The name of a merchant, a connection, a source or an endpoint. An empty one is none of these, but the customer
    /// itself, or the gateway.
    Name,
    /// Any other text.
    Text,
    Id,
    Number,
    /// Yes or no.
    Flag,
    /// Yes or no, of which SQLite keeps no as null.
    Mark,
    Bytes,
    /// What is kept of a record, sealed where a key is configured.
    Record,
    /// 16 bytes, which SQLite keeps as two numbers.
    Digest,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Value {
    Null,
    Text(String),
    Id(Uuid),
    Number(i64),
    Flag(bool),
    Bytes(Vec<u8>),
}

/// The values of a part's columns, in their order.
pub(crate) type Row = Vec<Value>;

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// What kind of place its names are, where lists leap from place to place.
    pub(crate) place: Option<&'static str>,
}

/// What is copied together: the rows of a table, or those of them that are one thing.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Column],
    /// So many of the first columns are its key.
    pub(crate) key: usize,
}

impl Part {
    const fn new(name: &'static str, key: usize, columns: &'static [Column]) -> Self {
        Self { name, columns, key }
    }

    /// The columns of its key.
    pub(crate) fn key(&self) -> &'static [Column] {
        &self.columns[..self.key]
    }

    /// Where a column of this name stands.
    pub(crate) fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|known| known.name == column)
    }
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        place: None,
    }
}

const fn place(name: &'static str, kind: &'static str) -> Column {
    Column {
        name,
        kind: Kind::Name,
        place: Some(kind),
    }
}

const MERCHANT: Column = column("merchant", Kind::Name);
const CONNECTION: Column = place("connection", "connection");
const REVISION: Column = column("revision", Kind::Number);
const BODY: Column = column("body", Kind::Record);

/// Customers and their lanes.
pub(crate) static CUSTOMERS: Part = Part::new(
    "customers",
    3,
    &[
        MERCHANT,
        column("customer", Kind::Id),
        CONNECTION,
        REVISION,
        column("record", Kind::Bytes),
        BODY,
    ],
);

/// Whom identifiers and match keys find: a row for each of them and each customer.
pub(crate) static KEYS: Part = Part::new(
    "keys",
    4,
    &[
        MERCHANT,
        column("digest", Kind::Digest),
        column("connection", Kind::Name),
        column("customer", Kind::Id),
    ],
);

/// Whom the ids of vendors' records find. SQLite finds them by the lanes' own rows; PostgreSQL keeps them beside the keys.
pub(crate) static LINKS: Part = Part::new(
    "links",
    4,
    &[
        MERCHANT,
        column("digest", Kind::Bytes),
        column("connection", Kind::Name),
        column("customer", Kind::Id),
    ],
);

/// Upserts with what they changed, and their deliveries with their first attempts.
pub(crate) static UPSERTS: Part = Part::new(
    "upserts",
    2,
    &[
        MERCHANT,
        column("id", Kind::Id),
        column("customer", Kind::Id),
        CONNECTION,
        column("standing", Kind::Text),
        column("due_at", Kind::Number),
        column("lease_until", Kind::Number),
        column("owes_event", Kind::Mark),
        REVISION,
        column("made", Kind::Number),
        BODY,
        column("change", Kind::Record),
        column("attempt", Kind::Record),
        column("request", Kind::Record),
    ],
);

pub(crate) static ATTEMPTS: Part = Part::new(
    "attempts",
    3,
    &[
        MERCHANT,
        column("delivery", Kind::Id),
        column("number", Kind::Number),
        column("attempt", Kind::Record),
        column("request", Kind::Record),
    ],
);

/// SQLite appends its rows, and reads them in that order.
pub(crate) static IDEMPOTENCY: Part = Part::new(
    "idempotency",
    2,
    &[
        MERCHANT,
        column("key", Kind::Bytes),
        column("fingerprint", Kind::Record),
        column("upsert", Kind::Id),
        column("created_at", Kind::Number),
        column("expires_at", Kind::Number),
        column("answer", Kind::Record),
    ],
);

pub(crate) static INCOMING: Part = Part::new(
    "incoming_events",
    2,
    &[
        MERCHANT,
        column("id", Kind::Id),
        place("source", "source"),
        column("event_id", Kind::Text),
        column("content", Kind::Text),
        REVISION,
        column("failed", Kind::Flag),
        column("customer", Kind::Id),
        column("received_at", Kind::Number),
        BODY,
        column("keeps", Kind::Flag),
    ],
);

pub(crate) static MARKS: Part = Part::new(
    "event_marks",
    3,
    &[
        MERCHANT,
        column("customer", Kind::Id),
        column("source", Kind::Name),
        REVISION,
        BODY,
    ],
);

pub(crate) static OUTGOING: Part = Part::new(
    "outgoing_events",
    2,
    &[
        MERCHANT,
        column("id", Kind::Id),
        place("endpoint", "endpoint"),
        column("state", Kind::Text),
        column("open", Kind::Flag),
        column("failed", Kind::Flag),
        column("due_at", Kind::Number),
        REVISION,
        column("created_at", Kind::Number),
        BODY,
    ],
);

pub(crate) static CONNECTIONS: Part = Part::new("connections", 2, &[MERCHANT, CONNECTION, REVISION, BODY]);

pub(crate) static ENDPOINTS: Part = Part::new(
    "endpoints",
    2,
    &[MERCHANT, place("endpoint", "endpoint"), REVISION, BODY],
);

/// Merchants in the store. Their secrets stay sealed, as they are.
pub(crate) static MERCHANTS: Part = Part::new(
    "merchants",
    1,
    &[
        column("merchant", Kind::Text),
        REVISION,
        column("change", Kind::Number),
        column("gone", Kind::Flag),
        column("sealed_with", Kind::Text),
        BODY,
    ],
);

/// Tombstones stand among the keys.
pub(crate) static ERASURES: Part = Part::new(
    "erasures",
    2,
    &[
        MERCHANT,
        column("id", Kind::Id),
        column("open", Kind::Flag),
        REVISION,
        BODY,
    ],
);

pub(crate) static INCIDENTS: Part = Part::new(
    "incidents",
    2,
    &[
        MERCHANT,
        column("id", Kind::Id),
        column("connection", Kind::Name),
        column("ended_at", Kind::Number),
        REVISION,
        BODY,
    ],
);

pub(crate) static CALLS: Part = Part::new(
    "calls",
    3,
    &[
        MERCHANT,
        column("day", Kind::Text),
        column("connection", Kind::Name),
        column("count", Kind::Number),
    ],
);

/// The keys that records are sealed with, wrapped. Copied first: whoever has a sealed row has its key.
pub(crate) static DATA_KEYS: Part = Part::new(
    "data_keys",
    2,
    &[
        column("merchant", Kind::Text),
        column("number", Kind::Number),
        column("id", Kind::Number),
        column("wrapped_by", Kind::Text),
        column("wrapped", Kind::Bytes),
        column("taken", Kind::Number),
    ],
);

/// Not copied, but sealed like the others. It is no merchant's, and so the gateway's own: its table has no such column.
pub(crate) static SESSIONS: Part = Part::new(
    "sessions",
    2,
    &[MERCHANT, column("session", Kind::Bytes), column("notice", Kind::Record)],
);

/// The audit trail, as it is: it has to fit its hashes still.
static AUDIT: Part = Part::new(
    "audit",
    1,
    &[
        column("number", Kind::Number),
        column("happened_at", Kind::Number),
        column("merchant", Kind::Text),
        column("actor", Kind::Text),
        column("action", Kind::Text),
        column("subject", Kind::Text),
        column("detail", Kind::Text),
        column("key_id", Kind::Text),
        column("previous", Kind::Bytes),
        column("hash", Kind::Bytes),
    ],
);

static AUDIT_HEAD: Part = Part::new(
    "audit_head",
    1,
    &[
        column("id", Kind::Number),
        REVISION,
        column("number", Kind::Number),
        column("happened_at", Kind::Number),
        column("hash", Kind::Bytes),
        column("forgotten", Kind::Number),
        column("forgotten_hash", Kind::Bytes),
        column("key_id", Kind::Text),
        column("seal", Kind::Bytes),
    ],
);

/// All of them, in the order in which they are copied.
pub(crate) static PARTS: [&Part; 18] = [
    &DATA_KEYS,
    &CUSTOMERS,
    &LINKS,
    &KEYS,
    &UPSERTS,
    &ATTEMPTS,
    &IDEMPOTENCY,
    &INCOMING,
    &MARKS,
    &OUTGOING,
    &CONNECTIONS,
    &ENDPOINTS,
    &ERASURES,
    &INCIDENTS,
    &CALLS,
    &MERCHANTS,
    &AUDIT,
    &AUDIT_HEAD,
];

/// Tables that are not copied: what a store has for itself alone, or makes of the rest. `secret` and `made` are taken over
/// apart; `turns` are over by then; whoever has signed in signs in again.
#[cfg(test)]
pub(crate) const NOT_COPIED: [&str; 10] = [
    "names",
    "places",
    "secret",
    "made",
    "health",
    "schema",
    "copying",
    "turns",
    "sessions",
    "merchant_changes",
];
