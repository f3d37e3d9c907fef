-- The keys that records are sealed with: random, one for each merchant and the next one when it has sealed enough; wrapped by
-- a configured key. An empty merchant is the gateway itself.
--   id:         random: what is sealed names it
--   wrapped_by: the id of the configured key
--   taken:      values that processes have taken the right to seal
CREATE TABLE data_keys (
  merchant   text   COLLATE "C" NOT NULL,
  number     bigint NOT NULL,
  id         bigint NOT NULL,
  wrapped_by text   COLLATE "C" NOT NULL,
  wrapped    bytea  NOT NULL,
  taken      bigint NOT NULL,
  PRIMARY KEY (merchant, number)
);
CREATE UNIQUE INDEX data_keys_by_id ON data_keys (id);
CREATE INDEX data_keys_wrapped ON data_keys (wrapped_by, merchant, number);
