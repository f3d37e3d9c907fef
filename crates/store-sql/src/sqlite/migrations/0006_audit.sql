-- Who did what when: one chain over all merchants, in which each entry holds the hash of the one before it.
--   number:   its place in the chain, from 1, without gaps
--   merchant: whose it is about, null: the process's; actor: the name of the key; detail: JSON
--   key_id:   the encryption key that its hash is keyed with
CREATE TABLE audit (
  number      INTEGER NOT NULL PRIMARY KEY,
  happened_at INTEGER NOT NULL,
  merchant    TEXT,
  actor       TEXT    NOT NULL,
  action      TEXT    NOT NULL,
  subject     TEXT    NOT NULL,
  detail      TEXT,
  key_id      TEXT,
  previous    BLOB    NOT NULL,
  hash        BLOB    NOT NULL
);
CREATE INDEX audit_of_merchant ON audit (merchant, number) WHERE merchant IS NOT NULL;
CREATE INDEX audit_by_time ON audit (happened_at, number);

-- Where the chain ends, apart from the entries: a chain whose end was cut off does not fit it. And where it begins, once old
-- entries were forgotten.
CREATE TABLE audit_head (
  id             INTEGER PRIMARY KEY CHECK (id = 0),
  revision       INTEGER NOT NULL,
  number         INTEGER NOT NULL,
  happened_at    INTEGER NOT NULL,
  hash           BLOB    NOT NULL,
  forgotten      INTEGER NOT NULL,
  forgotten_hash BLOB    NOT NULL,
  key_id         TEXT,
  seal           BLOB    NOT NULL
);
