-- Lists of deliveries and upserts, newest first. Each index ends in the id (that of a table without rowids does anyway),
-- so a page is read from where the last one ended. What they are indexed by never changes in a row, but for the state in
-- the partial ones: those hold nothing of the many that went well.

DROP INDEX deliveries_open;
CREATE INDEX deliveries_open ON deliveries (open_state, merchant, connection, id, created_at, lease_until)
  WHERE open_state IS NOT NULL;

DROP INDEX deliveries_failed;
CREATE INDEX deliveries_set_aside ON deliveries (state, merchant, connection)
  WHERE state IN ('failed', 'discarded', 'superseded');

CREATE INDEX deliveries_of_connection ON deliveries (merchant, connection);

CREATE INDEX upserts_of_merchant ON upserts (merchant);
CREATE INDEX upserts_of_customer ON upserts (customer);
CREATE INDEX upserts_failed ON upserts (merchant, state) WHERE state IN ('failed', 'partially_failed');
