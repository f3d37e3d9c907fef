-- Events that tell nothing of their age.
--   keeps: while the event's id has to be known whenever it comes again; such a row is not among what is forgotten
ALTER TABLE incoming_events ADD COLUMN keeps boolean NOT NULL DEFAULT false;
DROP INDEX incoming_by_age;
CREATE INDEX incoming_by_age ON incoming_events (failed, id) WHERE NOT keeps;
