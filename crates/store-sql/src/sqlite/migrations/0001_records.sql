-- The records of upsert-store. Habits:
--   * every key begins with the merchant, so that tables could be spread over machines by it; merchants, connections,
--     sources and endpoints are small integers of `names`, from 1;
--   * what belongs together is neighbours: a customer and its lanes, an upsert and its deliveries. Each row has a revision
--     of its own;
--   * ids are UUIDv7 blobs, so what is made is put at the end of its merchant's rows;
--   * `body` and its like are opaque: nothing looks into them but the program. What is searched is in columns beside them;
--   * times are microseconds since 1970, days are text (2026-11-20).

CREATE TABLE names (
  id   INTEGER PRIMARY KEY,
  name TEXT    NOT NULL UNIQUE,
  -- Where it is a merchant's: what the ids of what is its carry.
  mark INTEGER NOT NULL
);
CREATE INDEX names_of_mark ON names (mark);

-- The key of this file's digests.
CREATE TABLE secret (
  id  INTEGER PRIMARY KEY CHECK (id = 0),
  key BLOB    NOT NULL
);
INSERT INTO secret (id, key) VALUES (0, randomblob(16));

-- Connection 0 is the customer itself, the others are its lanes. record: the digest of the id of the vendor's record that
-- the lane is linked to.
CREATE TABLE customers (
  merchant   INTEGER NOT NULL,
  customer   BLOB    NOT NULL,
  connection INTEGER NOT NULL,
  revision   INTEGER NOT NULL,
  record     BLOB,
  body       BLOB    NOT NULL,
  PRIMARY KEY (merchant, customer, connection)
) WITHOUT ROWID;
CREATE INDEX customers_of_record ON customers (merchant, connection, record) WHERE record IS NOT NULL;

-- What recognises a customer, here (connection 0) and at each connection: a digest of 128 bits, of kind and value. They
-- come in random order, so the rows are narrow. The digest stands before the connection, so that all that is kept of one
-- e-mail address shares a page.
CREATE TABLE keys (
  merchant   INTEGER NOT NULL,
  hash       INTEGER NOT NULL,
  rest       INTEGER NOT NULL,
  connection INTEGER NOT NULL,
  customer   BLOB    NOT NULL,
  PRIMARY KEY (merchant, hash, rest, connection, customer)
) WITHOUT ROWID;

-- An upsert, and right behind it its deliveries, whose ids begin as its own does. An upsert has a customer and no
-- connection, a delivery a connection and no customer.
--   standing: null for what went well. A delivery's state otherwise; of an upsert `upsert_` and its state
--   revision: of a delivery its fence
--   made:     the version that the upsert made, if it changed anything; change: what it changed
--   attempt:  a delivery's first attempt, request: what went out with it
CREATE TABLE upserts (
  merchant    INTEGER NOT NULL,
  id          BLOB    NOT NULL,
  customer    BLOB,
  connection  INTEGER,
  standing    TEXT,
  due_at      INTEGER,
  lease_until INTEGER,
  owes_event  INTEGER,
  revision    INTEGER NOT NULL,
  made        INTEGER,
  body        BLOB    NOT NULL,
  change      BLOB,
  attempt     BLOB,
  request     BLOB,
  PRIMARY KEY (merchant, id)
) WITHOUT ROWID;
-- For lists, newest first: what they are by never changes in a row, and they end in the id, so a page is read from where
-- the last one ended.
CREATE INDEX upserts_of ON upserts (merchant, customer, id, made) WHERE customer IS NOT NULL;
CREATE INDEX upserts_at ON upserts (merchant, connection, id) WHERE connection IS NOT NULL;
-- What has not ended or was set aside. What is sent at once and succeeds is in it for as long as its call takes.
CREATE INDEX upserts_standing ON upserts (standing, merchant, connection, id, lease_until) WHERE standing IS NOT NULL;
-- What may be tried, by connection, so that much of it at one does not stand before the few at another.
CREATE INDEX upserts_due ON upserts (merchant, connection, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX upserts_owing ON upserts (merchant, id) WHERE owes_event IS NOT NULL;

-- Attempts from the second on: few deliveries have any.
CREATE TABLE attempts (
  merchant INTEGER NOT NULL,
  delivery BLOB    NOT NULL,
  number   INTEGER NOT NULL,
  attempt  BLOB    NOT NULL,
  request  BLOB,
  PRIMARY KEY (merchant, delivery, number)
) WITHOUT ROWID;

-- The key is a hash: only its index is in random order, the rows with their answers are appended.
CREATE TABLE idempotency (
  id          INTEGER PRIMARY KEY,
  merchant    INTEGER NOT NULL,
  key         BLOB    NOT NULL,
  fingerprint BLOB    NOT NULL,
  upsert      BLOB    NOT NULL,
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  answer      BLOB,
  UNIQUE (merchant, key)
);
CREATE INDEX idempotency_expiring ON idempotency (expires_at);

CREATE TABLE connections (
  merchant   INTEGER NOT NULL,
  connection INTEGER NOT NULL,
  revision   INTEGER NOT NULL,
  body       BLOB    NOT NULL,
  PRIMARY KEY (merchant, connection)
) WITHOUT ROWID;

CREATE TABLE calls (
  merchant   INTEGER NOT NULL,
  day        TEXT    NOT NULL,
  connection INTEGER NOT NULL,
  count      INTEGER NOT NULL,
  PRIMARY KEY (merchant, day, connection)
) WITHOUT ROWID;

-- Events that came in. failed: 1 for a dead letter, 0 for what is done.
CREATE TABLE incoming_events (
  merchant    INTEGER NOT NULL,
  id          BLOB    NOT NULL,
  source      INTEGER NOT NULL,
  event_id    TEXT    NOT NULL,
  content     TEXT    NOT NULL,
  revision    INTEGER NOT NULL,
  failed      INTEGER NOT NULL,
  customer    BLOB,
  received_at INTEGER NOT NULL,
  body        BLOB    NOT NULL,
  PRIMARY KEY (merchant, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX incoming_of_content ON incoming_events (merchant, source, event_id, content);
CREATE INDEX incoming_of_sender ON incoming_events (merchant, source, event_id, id);
CREATE INDEX incoming_of_source ON incoming_events (merchant, source, id);
CREATE INDEX incoming_of_customer ON incoming_events (merchant, customer, id) WHERE customer IS NOT NULL;
CREATE INDEX incoming_failed ON incoming_events (merchant, source, id, received_at) WHERE failed = 1;
-- What is forgotten, the oldest first: what is done and what failed have each a time of their own.
CREATE INDEX incoming_by_age ON incoming_events (failed, id);

CREATE TABLE event_marks (
  merchant INTEGER NOT NULL,
  customer BLOB    NOT NULL,
  source   INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  body     BLOB    NOT NULL,
  PRIMARY KEY (merchant, customer, source)
) WITHOUT ROWID;

-- Events that go out. open: 1 while the event is to be sent, due_at is null otherwise; failed: 1 for a dead letter.
CREATE TABLE outgoing_events (
  merchant   INTEGER NOT NULL,
  id         BLOB    NOT NULL,
  endpoint   INTEGER NOT NULL,
  state      TEXT    NOT NULL,
  open       INTEGER NOT NULL,
  failed     INTEGER NOT NULL,
  due_at     INTEGER,
  revision   INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  body       BLOB    NOT NULL,
  PRIMARY KEY (merchant, id)
) WITHOUT ROWID;
CREATE INDEX outgoing_of_endpoint ON outgoing_events (merchant, endpoint, id);
CREATE INDEX outgoing_due ON outgoing_events (merchant, endpoint, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX outgoing_open ON outgoing_events (merchant, endpoint, id, state, created_at) WHERE open = 1;
CREATE INDEX outgoing_failed ON outgoing_events (merchant, endpoint, id, created_at) WHERE failed = 1;
CREATE INDEX outgoing_by_age ON outgoing_events (failed, id) WHERE open = 0;

CREATE TABLE endpoints (
  merchant INTEGER NOT NULL,
  endpoint INTEGER NOT NULL,
  revision   INTEGER NOT NULL,
  body     BLOB    NOT NULL,
  PRIMARY KEY (merchant, endpoint)
) WITHOUT ROWID;

-- Merchants that were put over the API, by their ids. A row stays when its merchant is deleted (gone = 1): no revision is
-- used twice.
--   change:      the number of the last change, in the order of commits over all merchants
--   sealed_with: the id of the key that its secrets are sealed with
CREATE TABLE merchants (
  merchant    TEXT    NOT NULL PRIMARY KEY,
  revision    INTEGER NOT NULL,
  change      INTEGER NOT NULL,
  gone        INTEGER NOT NULL,
  sealed_with TEXT,
  body        BLOB    NOT NULL
);
CREATE UNIQUE INDEX merchants_by_change ON merchants (change, merchant);
CREATE INDEX merchants_sealed ON merchants (sealed_with, merchant) WHERE gone = 0 AND sealed_with IS NOT NULL;

-- One row: no id of what is kept was made after this moment.
CREATE TABLE made (
  id    INTEGER PRIMARY KEY CHECK (id = 0),
  until INTEGER NOT NULL
);

-- One row that a health check writes.
CREATE TABLE health (
  id     INTEGER PRIMARY KEY CHECK (id = 0),
  checks INTEGER NOT NULL
);
