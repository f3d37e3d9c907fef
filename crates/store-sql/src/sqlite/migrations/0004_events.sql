-- Webhook events in both directions. Merchants, sources and endpoints are numbers of `names`; the indexes that lists are
-- read by end in the id, so a page is read from where the last one ended.

-- An upsert of which an event is owed; only such ones are in the index.
ALTER TABLE upserts ADD COLUMN owes_event INTEGER NOT NULL DEFAULT 0;
CREATE INDEX upserts_owing ON upserts (id) WHERE owes_event = 1;

-- failed: 1 for a dead letter, 0 for what is done.
CREATE TABLE incoming_events (
  id          BLOB    NOT NULL PRIMARY KEY,
  merchant    INTEGER NOT NULL,
  source      INTEGER NOT NULL,
  event_id    TEXT    NOT NULL,
  content     TEXT    NOT NULL,
  revision    INTEGER NOT NULL,
  failed      INTEGER NOT NULL,
  customer    BLOB,
  received_at INTEGER NOT NULL,
  record      TEXT    NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX incoming_of_content ON incoming_events (merchant, source, event_id, content);
CREATE INDEX incoming_of_sender ON incoming_events (merchant, source, event_id);
CREATE INDEX incoming_of_source ON incoming_events (merchant, source);
CREATE INDEX incoming_of_customer ON incoming_events (customer) WHERE customer IS NOT NULL;
CREATE INDEX incoming_failed ON incoming_events (merchant, source, id, received_at) WHERE failed = 1;
-- What is forgotten, the oldest first: what is done and what failed have each a time of their own.
CREATE INDEX incoming_by_age ON incoming_events (failed);

CREATE TABLE event_marks (
  customer BLOB    NOT NULL,
  source   INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  record   TEXT    NOT NULL,
  PRIMARY KEY (customer, source)
) WITHOUT ROWID;

-- open: 1 while the event is to be sent, due_at is null otherwise; failed: 1 for a dead letter.
CREATE TABLE outgoing_events (
  id         BLOB    NOT NULL PRIMARY KEY,
  merchant   INTEGER NOT NULL,
  endpoint   INTEGER NOT NULL,
  state      TEXT    NOT NULL,
  open       INTEGER NOT NULL,
  failed     INTEGER NOT NULL,
  due_at     INTEGER,
  revision   INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  record     TEXT    NOT NULL
) WITHOUT ROWID;
CREATE INDEX outgoing_of_endpoint ON outgoing_events (merchant, endpoint);
CREATE INDEX outgoing_due ON outgoing_events (merchant, endpoint, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX outgoing_open ON outgoing_events (merchant, endpoint, id, state, created_at) WHERE open = 1;
CREATE INDEX outgoing_failed ON outgoing_events (merchant, endpoint, id, created_at) WHERE failed = 1;
CREATE INDEX outgoing_by_age ON outgoing_events (failed) WHERE open = 0;

CREATE TABLE endpoints (
  merchant INTEGER NOT NULL,
  endpoint INTEGER NOT NULL,
  record   TEXT    NOT NULL,
  PRIMARY KEY (merchant, endpoint)
) WITHOUT ROWID;
