-- The records of upsert-store. Habits:
--   * every key begins with the merchant, so that tables can be spread over machines by it;
--   * what belongs together is neighbours: a customer and its lanes, an upsert and its deliveries. Each row has a revision
--     of its own;
--   * ids are UUIDv7, so what is made is put at the end of its merchant's rows;
--   * `body` and its like are opaque: nothing looks into them but the program. What is searched is in columns beside them;
--   * times are microseconds since 1970, days are text (2026-11-20). Text is compared by its bytes.

-- The key of this database's digests.
CREATE TABLE secret (
  id  bigint PRIMARY KEY CHECK (id = 0),
  key bytea  NOT NULL
);

-- Where anything was ever kept: a merchant's connections, sources, endpoints. mark: what the ids of what is the merchant's
-- carry.
CREATE TABLE places (
  merchant text   COLLATE "C" NOT NULL,
  kind     text   COLLATE "C" NOT NULL,
  name     text   COLLATE "C" NOT NULL,
  mark     bigint NOT NULL,
  PRIMARY KEY (merchant, kind, name)
);
CREATE INDEX places_of_mark ON places (mark);

-- An empty connection is the customer itself, the others are its lanes. record: the digest of the id of the vendor's record
-- that the lane is linked to.
CREATE TABLE customers (
  merchant   text   COLLATE "C" NOT NULL,
  customer   uuid   NOT NULL,
  connection text   COLLATE "C" NOT NULL,
  revision   bigint NOT NULL,
  record     bytea,
  body       bytea  NOT NULL,
  PRIMARY KEY (merchant, customer, connection)
);

-- What recognises customers, here (an empty connection) and at each connection: a digest of 128 bits, of kind and value. One
-- row for each, with all whom it finds, oldest first: who adds somebody changes or makes that row, so that two writers who
-- both find nobody cannot both add.
CREATE TABLE keys (
  merchant   text   COLLATE "C" NOT NULL,
  digest     bytea  NOT NULL,
  connection text   COLLATE "C" NOT NULL,
  customers  uuid[] NOT NULL,
  PRIMARY KEY (merchant, digest, connection)
);

-- An upsert, and right behind it its deliveries, whose ids begin as its own does. An upsert has a customer and no
-- connection, a delivery a connection and no customer.
--   standing: null for what went well. A delivery's state otherwise; of an upsert `upsert_` and its state
--   revision: of a delivery its fence
--   made:     the version that the upsert made, if it changed anything; change: what it changed
--   attempt:  a delivery's first attempt, request: what went out with it
CREATE TABLE upserts (
  merchant    text   COLLATE "C" NOT NULL,
  id          uuid   NOT NULL,
  customer    uuid,
  connection  text   COLLATE "C",
  standing    text   COLLATE "C",
  due_at      bigint,
  lease_until bigint,
  owes_event  boolean NOT NULL,
  revision    bigint NOT NULL,
  made        bigint,
  body        bytea  NOT NULL,
  change      bytea,
  attempt     bytea,
  request     bytea,
  PRIMARY KEY (merchant, id)
);
CREATE INDEX upserts_of ON upserts (merchant, customer, id) WHERE customer IS NOT NULL;
CREATE INDEX upserts_at ON upserts (merchant, connection, id) WHERE connection IS NOT NULL;
-- What has not ended or was set aside. What is sent at once and succeeds is in it for as long as its call takes.
CREATE INDEX upserts_standing ON upserts (standing, merchant, connection, id) WHERE standing IS NOT NULL;
-- What may be tried, by connection, so that much of it at one does not stand before the few at another.
CREATE INDEX upserts_due ON upserts (merchant, connection, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX upserts_owing ON upserts (merchant, id) WHERE owes_event;

-- Attempts from the second on: few deliveries have any.
CREATE TABLE attempts (
  merchant text   COLLATE "C" NOT NULL,
  delivery uuid   NOT NULL,
  number   bigint NOT NULL,
  attempt  bytea  NOT NULL,
  request  bytea,
  PRIMARY KEY (merchant, delivery, number)
);

CREATE TABLE idempotency (
  merchant    text   COLLATE "C" NOT NULL,
  key         bytea  NOT NULL,
  fingerprint bytea  NOT NULL,
  upsert      uuid   NOT NULL,
  created_at  bigint NOT NULL,
  expires_at  bigint NOT NULL,
  answer      bytea,
  PRIMARY KEY (merchant, key)
);
CREATE INDEX idempotency_expiring ON idempotency (expires_at);

CREATE TABLE connections (
  merchant   text  COLLATE "C" NOT NULL,
  connection text  COLLATE "C" NOT NULL,
  revision   bigint NOT NULL,
  body       bytea NOT NULL,
  PRIMARY KEY (merchant, connection)
);

-- When the next turn of a connection's would come if there were no bursts (the theoretical arrival time of GCRA), by the
-- database's clock.
CREATE TABLE turns (
  merchant   text   COLLATE "C" NOT NULL,
  connection text   COLLATE "C" NOT NULL,
  next_at    bigint NOT NULL,
  PRIMARY KEY (merchant, connection)
);

CREATE TABLE calls (
  merchant   text   COLLATE "C" NOT NULL,
  day        text   COLLATE "C" NOT NULL,
  connection text   COLLATE "C" NOT NULL,
  count      bigint NOT NULL,
  PRIMARY KEY (merchant, day, connection)
);

-- Events that came in. failed: a dead letter, or done.
CREATE TABLE incoming_events (
  merchant    text    COLLATE "C" NOT NULL,
  id          uuid    NOT NULL,
  source      text    COLLATE "C" NOT NULL,
  event_id    text    COLLATE "C" NOT NULL,
  content     text    COLLATE "C" NOT NULL,
  revision    bigint  NOT NULL,
  failed      boolean NOT NULL,
  customer    uuid,
  received_at bigint  NOT NULL,
  body        bytea   NOT NULL,
  PRIMARY KEY (merchant, id)
);
CREATE UNIQUE INDEX incoming_of_content ON incoming_events (merchant, source, event_id, content);
CREATE INDEX incoming_of_source ON incoming_events (merchant, source, id);
CREATE INDEX incoming_of_customer ON incoming_events (merchant, customer, id) WHERE customer IS NOT NULL;
CREATE INDEX incoming_failed ON incoming_events (merchant, source, id) WHERE failed;
-- What is forgotten, the oldest first: what is done and what failed have each a time of their own.
CREATE INDEX incoming_by_age ON incoming_events (failed, id);

CREATE TABLE event_marks (
  merchant text   COLLATE "C" NOT NULL,
  customer uuid   NOT NULL,
  source   text   COLLATE "C" NOT NULL,
  revision bigint NOT NULL,
  body     bytea  NOT NULL,
  PRIMARY KEY (merchant, customer, source)
);

-- Events that go out. open: to be sent, due_at is null otherwise; failed: a dead letter.
CREATE TABLE outgoing_events (
  merchant   text    COLLATE "C" NOT NULL,
  id         uuid    NOT NULL,
  endpoint   text    COLLATE "C" NOT NULL,
  state      text    COLLATE "C" NOT NULL,
  open       boolean NOT NULL,
  failed     boolean NOT NULL,
  due_at     bigint,
  revision   bigint  NOT NULL,
  created_at bigint  NOT NULL,
  body       bytea   NOT NULL,
  PRIMARY KEY (merchant, id)
);
CREATE INDEX outgoing_of_endpoint ON outgoing_events (merchant, endpoint, id);
CREATE INDEX outgoing_due ON outgoing_events (merchant, endpoint, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX outgoing_open ON outgoing_events (merchant, endpoint, id) WHERE open;
CREATE INDEX outgoing_failed ON outgoing_events (merchant, endpoint, id) WHERE failed;
CREATE INDEX outgoing_by_age ON outgoing_events (failed, id) WHERE NOT open;

CREATE TABLE endpoints (
  merchant text  COLLATE "C" NOT NULL,
  endpoint text  COLLATE "C" NOT NULL,
  revision   bigint NOT NULL,
  body     bytea NOT NULL,
  PRIMARY KEY (merchant, endpoint)
);

-- Merchants that were put over the API. A row stays when its merchant is deleted (gone): no revision is used twice.
--   change:      the number of the last change
--   sealed_with: the id of the key that its secrets are sealed with
CREATE TABLE merchants (
  merchant    text    COLLATE "C" NOT NULL,
  revision    bigint  NOT NULL,
  change      bigint  NOT NULL,
  gone        boolean NOT NULL,
  sealed_with text    COLLATE "C",
  body        bytea   NOT NULL,
  PRIMARY KEY (merchant)
);
CREATE INDEX merchants_by_change ON merchants (change);
CREATE INDEX merchants_sealed ON merchants (sealed_with, merchant) WHERE NOT gone;

-- One row: the number of the last change of any merchant. Whoever changes one locks it until the commit, so numbers are in
-- the order of commits, and whoever sees a number sees all before it. A sequence gives numbers that others commit later.
CREATE TABLE merchant_changes (
  id     bigint PRIMARY KEY CHECK (id = 0),
  number bigint NOT NULL
);
INSERT INTO merchant_changes (id, number) VALUES (0, 0);

-- One row: no id of what is kept was made after this moment.
CREATE TABLE made (
  id    bigint PRIMARY KEY CHECK (id = 0),
  until bigint NOT NULL
);

-- One row that a health check writes.
CREATE TABLE health (
  id     bigint PRIMARY KEY CHECK (id = 0),
  checks bigint NOT NULL
);
