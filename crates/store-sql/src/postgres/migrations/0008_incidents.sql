-- Outages of connections, each from its first failure until what waited was sent. ended_at: null while it has not ended.
CREATE TABLE incidents (
  merchant   text COLLATE "C" NOT NULL,
  id         uuid   NOT NULL,
  connection text COLLATE "C" NOT NULL,
  ended_at   bigint,
  revision   bigint NOT NULL,
  body       bytea  NOT NULL,
  PRIMARY KEY (merchant, id)
);
CREATE INDEX incidents_by_id ON incidents (id);
CREATE INDEX incidents_ended ON incidents (ended_at, id) WHERE ended_at IS NOT NULL;
