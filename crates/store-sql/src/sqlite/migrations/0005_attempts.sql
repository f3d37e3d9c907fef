-- What went out, written with the attempt, and the attempt's own failure with the vendor's words; both JSON.
ALTER TABLE attempts ADD COLUMN request TEXT;
ALTER TABLE attempts ADD COLUMN error TEXT;
-- What an acceptance said beside the record; JSON too.
ALTER TABLE attempts ADD COLUMN vendor_said TEXT;
