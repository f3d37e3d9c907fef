-- Who has signed in at the dashboard.
--   session:  a hash of the browser's token; key_hash: of the API key
--   seen_at:  when a person last looked, to the minute
--   notice:   what the next page is to tell
CREATE TABLE sessions (
  session  BLOB    NOT NULL PRIMARY KEY,
  key_hash BLOB    NOT NULL,
  begun_at INTEGER NOT NULL,
  seen_at  INTEGER NOT NULL,
  notice   BLOB
) WITHOUT ROWID;
CREATE INDEX sessions_of_key ON sessions (key_hash, seen_at);
CREATE INDEX sessions_by_look ON sessions (seen_at);
