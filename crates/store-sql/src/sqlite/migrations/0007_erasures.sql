-- Customers that were erased, by the ids that they had. open: 1 while something of one may be left.
CREATE TABLE erasures (
  merchant INTEGER NOT NULL,
  id       BLOB    NOT NULL,
  open     INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  body     BLOB    NOT NULL,
  PRIMARY KEY (merchant, id)
) WITHOUT ROWID;
CREATE INDEX erasures_open ON erasures (merchant, id) WHERE open = 1;
-- From an upsert to the idempotency key that made it: what that was answered goes when its customer is erased.
CREATE INDEX idempotency_of_upsert ON idempotency (merchant, upsert);
