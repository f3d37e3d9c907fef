-- One row where this store was filled from another one, or is being filled.
--   body:     from where, and how far each part of it is
--   ended_at: null while it has not ended: nobody but who copies may work with the store
CREATE TABLE copying (
  id       bigint PRIMARY KEY CHECK (id = 0),
  body     bytea NOT NULL,
  ended_at bigint
);
