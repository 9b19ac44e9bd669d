-- Quality beside the rest of the detail, so that the MOS of a month is read without it.

ALTER TABLE call_rows ADD COLUMN IF NOT EXISTS quality String MATERIALIZED JSONExtractRaw(detail, 'quality') COMMENT 'JSON: measured quality of the audio; empty for calls without. Read by name only' CODEC(ZSTD(3));

-- What is stored gets it in the background; until then it is worked out when it is read.
ALTER TABLE call_rows MATERIALIZE COLUMN quality;
