-- Outages of connections, each from its first failure until what waited was sent. ended_at: null while it has not ended.
CREATE TABLE incidents (
  merchant   INTEGER NOT NULL,
  id         BLOB    NOT NULL,
  connection INTEGER NOT NULL,
  ended_at   INTEGER,
  revision   INTEGER NOT NULL,
  body       BLOB    NOT NULL,
  PRIMARY KEY (merchant, id)
) WITHOUT ROWID;
CREATE INDEX incidents_by_id ON incidents (id);
CREATE INDEX incidents_ended ON incidents (ended_at, id) WHERE ended_at IS NOT NULL;
