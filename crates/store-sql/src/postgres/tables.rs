//! The tables that changesets write to, in the order in which every writer locks them.

use super::table::{Column, Keeps, Sql, Table, column};
use super::value::Kind::{Big, Bytes, Flag, Text, Uuid, Uuids};

const MERCHANT: Column = column("merchant", Text);
const BODY: Column = column("body", Bytes);
const REVISION: Column = column("revision", Big);

pub(super) static CUSTOMERS: Table = Table::new(
    "customers",
    &[MERCHANT, column("customer", Uuid), column("connection", Text)],
    &[REVISION, column("record", Bytes), BODY],
    2,
    || Sql::of(&CUSTOMERS),
);

pub(super) static KEYS: Table = Table::new(
    "keys",
    &[MERCHANT, column("digest", Bytes), column("connection", Text)],
    &[column("customers", Uuids)],
    1,
    || Sql::of(&KEYS),
);

/// A row is an upsert or a delivery, and each puts what is its own: what the other has is null, and stays.
pub(super) static UPSERTS: Table = Table::new(
    "upserts",
    &[MERCHANT, column("id", Uuid)],
    &[
        REVISION,
        column("customer", Uuid).keeps(Keeps::Old),
        column("connection", Text).keeps(Keeps::Old),
        column("standing", Text),
        column("due_at", Big),
        column("lease_until", Big),
        column("owes_event", Flag),
        column("made", Big).keeps(Keeps::Old),
        BODY,
        column("change", Bytes).keeps(Keeps::Old),
        column("attempt", Bytes).keeps(Keeps::NewUnlessNull),
        column("request", Bytes).keeps(Keeps::NewUnlessNull),
    ],
    1,
    || Sql::of(&UPSERTS),
);

pub(super) static ATTEMPTS: Table = Table::new(
    "attempts",
    &[MERCHANT, column("delivery", Uuid), column("number", Big)],
    &[
        column("attempt", Bytes),
        column("request", Bytes).keeps(Keeps::NewUnlessNull),
    ],
    0,
    || Sql::of(&ATTEMPTS),
);

pub(super) static IDEMPOTENCY: Table = Table::new(
    "idempotency",
    &[MERCHANT, column("key", Bytes)],
    &[
        column("expires_at", Big),
        column("fingerprint", Bytes),
        column("upsert", Uuid),
        column("created_at", Big),
        column("answer", Bytes),
    ],
    5,
    || Sql::of(&IDEMPOTENCY),
);

pub(super) static INCOMING: Table = Table::new(
    "incoming_events",
    &[MERCHANT, column("id", Uuid)],
    &[
        REVISION,
        column("source", Text).keeps(Keeps::Old),
        column("event_id", Text).keeps(Keeps::Old),
        column("content", Text),
        column("failed", Flag),
        column("customer", Uuid),
        column("received_at", Big),
        BODY,
        column("keeps", Flag),
    ],
    1,
    || Sql::of(&INCOMING),
);

pub(super) static MARKS: Table = Table::new(
    "event_marks",
    &[MERCHANT, column("customer", Uuid), column("source", Text)],
    &[REVISION, BODY],
    1,
    || Sql::of(&MARKS),
);

pub(super) static OUTGOING: Table = Table::new(
    "outgoing_events",
    &[MERCHANT, column("id", Uuid)],
    &[
        REVISION,
        column("endpoint", Text).keeps(Keeps::Old),
        column("state", Text),
        column("open", Flag),
        column("failed", Flag),
        column("due_at", Big),
        column("created_at", Big).keeps(Keeps::Old),
        BODY,
    ],
    1,
    || Sql::of(&OUTGOING),
);

pub(super) static CONNECTIONS: Table = Table::new(
    "connections",
    &[MERCHANT, column("connection", Text)],
    &[REVISION, BODY],
    1,
    || Sql::of(&CONNECTIONS),
);

pub(super) static ENDPOINTS: Table = Table::new(
    "endpoints",
    &[MERCHANT, column("endpoint", Text)],
    &[REVISION, BODY],
    1,
    || Sql::of(&ENDPOINTS),
);

pub(super) static ERASURES: Table = Table::new(
    "erasures",
    &[MERCHANT, column("id", Uuid)],
    &[REVISION, column("open", Flag), BODY],
    1,
    || Sql::of(&ERASURES),
);

pub(super) static INCIDENTS: Table = Table::new(
    "incidents",
    &[MERCHANT, column("id", Uuid)],
    &[
        REVISION,
        column("connection", Text).keeps(Keeps::Old),
        column("ended_at", Big),
        BODY,
    ],
    1,
    || Sql::of(&INCIDENTS),
);

pub(super) static CALLS: Table = Table::new(
    "calls",
    &[MERCHANT, column("day", Text), column("connection", Text)],
    &[column("count", Big)],
    1,
    || Sql::of(&CALLS),
);

/// Revision first, by which it is expected.
pub(super) static MERCHANTS: Table = Table::new(
    "merchants",
    &[MERCHANT],
    &[
        REVISION,
        column("change", Big),
        column("gone", Flag),
        column("sealed_with", Text),
        BODY,
    ],
    1,
    || Sql::of(&MERCHANTS),
);

/// Locked late: merchants are changed one after the other, and nothing else waits for it.
pub(super) static MERCHANT_CHANGES: Table = Table::new(
    "merchant_changes",
    &[column("id", Big)],
    &[column("number", Big)],
    1,
    || Sql::of(&MERCHANT_CHANGES),
);

/// Entries of the audit trail; what is expected is expected of its head.
pub(super) static AUDIT: Table = Table::new(
    "audit",
    &[column("number", Big)],
    &[
        column("happened_at", Big),
        column("merchant", Text),
        column("actor", Text),
        column("action", Text),
        column("subject", Text),
        column("detail", Text),
        column("key_id", Text),
        column("previous", Bytes),
        column("hash", Bytes),
    ],
    0,
    || Sql::of(&AUDIT),
);

/// Locked last, with the changes of merchants: what is audited is written one after the other, and nothing else waits for it.
pub(super) static AUDIT_HEAD: Table = Table::new(
    "audit_head",
    &[column("id", Big)],
    &[
        REVISION,
        column("number", Big),
        column("happened_at", Big),
        column("hash", Bytes),
        column("forgotten", Big),
        column("forgotten_hash", Bytes),
        column("key_id", Text),
        column("seal", Bytes),
    ],
    1,
    || Sql::of(&AUDIT_HEAD),
);

/// All of them.
pub(super) static TABLES: [&Table; 17] = [
    &CUSTOMERS,
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
    &MERCHANT_CHANGES,
    &AUDIT,
    &AUDIT_HEAD,
];
