-- What waits is asked for by connection, so that much of it at one does not stand before the few at another. Only what
-- waits is in these indexes: a delivery that is sent at once and succeeds never enters them.
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (merchant, connection, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_waiting ON deliveries (merchant, connection)
  WHERE state IN ('pending', 'retrying', 'waiting');

-- Whoever deletes a customer names its keys, so nothing has to find them: six random inserts fewer for each new customer.
DROP INDEX keys_of_customer;

CREATE INDEX upserts_pending ON upserts (id) WHERE state = 'pending';
