-- Who has signed in at the dashboard. A session is no merchant's, and there are few: the one table whose key is another one.
--   session:  a hash of the browser's token; key_hash: of the API key
--   seen_at:  when a person last looked, to the minute
--   notice:   what the next page is to tell
CREATE TABLE sessions (
  session  bytea  NOT NULL,
  key_hash bytea  NOT NULL,
  begun_at bigint NOT NULL,
  seen_at  bigint NOT NULL,
  notice   bytea,
  PRIMARY KEY (session)
);
CREATE INDEX sessions_of_key ON sessions (key_hash, seen_at);
CREATE INDEX sessions_by_look ON sessions (seen_at);
