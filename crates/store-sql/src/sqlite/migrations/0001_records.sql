-- The records of upsert-store. Habits:
--   * ids are UUIDv7 blobs, so a table keyed by one grows at its end: such tables are WITHOUT ROWID;
--   * what is only read back whole is one JSON column (`record`), beside the columns that are searched;
--   * times are microseconds since 1970, days are text (2026-11-20);
--   * merchants and connections are small integers of `names`, from 1.

CREATE TABLE names (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);

CREATE TABLE customers (
  id         BLOB    NOT NULL PRIMARY KEY,
  merchant   INTEGER NOT NULL,
  version    INTEGER NOT NULL,
  revision   INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  record     TEXT    NOT NULL
) WITHOUT ROWID;
CREATE INDEX customers_of_merchant ON customers (merchant);

-- What recognises a customer, here (connection 0) and at each connection. Random keys, so narrow: nothing but the key.
-- The value stands before the connection, so that all that is kept of one e-mail address shares a page.
-- kind: 0 id (never with connection 0), 1 reference, 2 email, 3 phone.
CREATE TABLE keys (
  merchant   INTEGER NOT NULL,
  kind       INTEGER NOT NULL,
  value      TEXT    NOT NULL,
  connection INTEGER NOT NULL,
  customer   BLOB    NOT NULL,
  PRIMARY KEY (merchant, kind, value, connection, customer)
) WITHOUT ROWID;
CREATE INDEX keys_of_customer ON keys (customer);

-- Keyed by the upsert first: a version is appended, whoever's it is. links and ignored are null where there are none.
CREATE TABLE history (
  upsert   BLOB    NOT NULL,
  customer BLOB    NOT NULL,
  version  INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  made_by  TEXT    NOT NULL,
  refused  INTEGER NOT NULL,
  record   TEXT    NOT NULL,
  links    TEXT,
  ignored  TEXT,
  PRIMARY KEY (upsert, customer)
) WITHOUT ROWID;
CREATE INDEX history_of_customer ON history (customer, upsert);

CREATE TABLE upserts (
  id       BLOB    NOT NULL PRIMARY KEY,
  merchant INTEGER NOT NULL,
  customer BLOB    NOT NULL,
  state    TEXT    NOT NULL,
  revision INTEGER NOT NULL,
  record   TEXT    NOT NULL
) WITHOUT ROWID;

-- open_state is the state while the delivery has not ended, due_at is set while it may be tried, so that the indexes
-- on them hold nothing of the many that have ended.
CREATE TABLE deliveries (
  id          BLOB    NOT NULL PRIMARY KEY,
  upsert      BLOB    NOT NULL,
  customer    BLOB    NOT NULL,
  merchant    INTEGER NOT NULL,
  connection  INTEGER NOT NULL,
  state       TEXT    NOT NULL,
  open_state  TEXT,
  due_at      INTEGER,
  lease_until INTEGER,
  fence       INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  record      TEXT    NOT NULL
) WITHOUT ROWID;
CREATE INDEX deliveries_of_upsert ON deliveries (upsert);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_open ON deliveries (open_state, merchant, connection, created_at, lease_until)
  WHERE open_state IS NOT NULL;
CREATE INDEX deliveries_failed ON deliveries (merchant, connection) WHERE state = 'failed';

CREATE TABLE attempts (
  delivery      BLOB    NOT NULL,
  number        INTEGER NOT NULL,
  fence         INTEGER NOT NULL,
  started_at    INTEGER NOT NULL,
  ended_at      INTEGER,
  result        TEXT,
  vendor_status INTEGER,
  PRIMARY KEY (delivery, number)
) WITHOUT ROWID;

-- vendor_id is the link's.
CREATE TABLE lanes (
  customer   BLOB    NOT NULL,
  connection INTEGER NOT NULL,
  merchant   INTEGER NOT NULL,
  revision   INTEGER NOT NULL,
  vendor_id  TEXT,
  record     TEXT    NOT NULL,
  PRIMARY KEY (customer, connection)
) WITHOUT ROWID;
CREATE INDEX lanes_of_vendor_record ON lanes (merchant, connection, vendor_id) WHERE vendor_id IS NOT NULL;

-- The key is a hash: only its index is in random order, the rows with their answers are appended.
CREATE TABLE idempotency (
  id          INTEGER PRIMARY KEY,
  key         BLOB    NOT NULL UNIQUE,
  fingerprint BLOB    NOT NULL,
  merchant    INTEGER NOT NULL,
  upsert      BLOB    NOT NULL,
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  answer      TEXT
);
CREATE INDEX idempotency_expiring ON idempotency (expires_at);

CREATE TABLE connections (
  merchant   INTEGER NOT NULL,
  connection INTEGER NOT NULL,
  record     TEXT    NOT NULL,
  PRIMARY KEY (merchant, connection)
) WITHOUT ROWID;

CREATE TABLE calls (
  day        TEXT    NOT NULL,
  merchant   INTEGER NOT NULL,
  connection INTEGER NOT NULL,
  count      INTEGER NOT NULL,
  PRIMARY KEY (day, merchant, connection)
) WITHOUT ROWID;

-- One row that a health check writes.
CREATE TABLE health (
  id     INTEGER PRIMARY KEY CHECK (id = 0),
  checks INTEGER NOT NULL
);
