-- What an erasure deleted beside rows.

ALTER TABLE erasure_rows ADD COLUMN IF NOT EXISTS files UInt64 DEFAULT 0 COMMENT 'Exports and files of reports deleted, that held the number';
