-- Who did what when: one chain over all merchants, in which each entry holds the hash of the one before it. Its key is no
-- merchant's: there are few entries, and they are written one after the other.
--   number:   its place in the chain, from 1, without gaps
--   merchant: whose it is about, null: the process's; actor: the name of the key; detail: JSON
--   key_id:   the encryption key that its hash is keyed with
CREATE TABLE audit (
  number      bigint NOT NULL,
  happened_at bigint NOT NULL,
  merchant    text,
  actor       text   NOT NULL,
  action      text   NOT NULL,
  subject     text   NOT NULL,
  detail      text,
  key_id      text,
  previous    bytea  NOT NULL,
  hash        bytea  NOT NULL,
  PRIMARY KEY (number)
);
CREATE INDEX audit_of_merchant ON audit (merchant, number) WHERE merchant IS NOT NULL;
CREATE INDEX audit_by_time ON audit (happened_at, number);

-- Where the chain ends, apart from the entries: a chain whose end was cut off does not fit it. And where it begins, once old
-- entries were forgotten. Whoever adds an entry locks this row until its commit.
CREATE TABLE audit_head (
  id             bigint PRIMARY KEY CHECK (id = 0),
  revision       bigint NOT NULL,
  number         bigint NOT NULL,
  happened_at    bigint NOT NULL,
  hash           bytea  NOT NULL,
  forgotten      bigint NOT NULL,
  forgotten_hash bytea  NOT NULL,
  key_id         text,
  seal           bytea  NOT NULL
);
