-- Customers that were erased, by the ids that they had. open: something of one may be left.
CREATE TABLE erasures (
  merchant text    COLLATE "C" NOT NULL,
  id       uuid    NOT NULL,
  open     boolean NOT NULL,
  revision bigint  NOT NULL,
  body     bytea   NOT NULL,
  PRIMARY KEY (merchant, id)
);
CREATE INDEX erasures_open ON erasures (merchant, id) WHERE open;
-- From an upsert to the idempotency key that made it: what that was answered goes when its customer is erased.
CREATE INDEX idempotency_of_upsert ON idempotency (merchant, upsert);
