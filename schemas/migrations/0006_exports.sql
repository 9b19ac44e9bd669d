-- Exports: files of calls that are made in the background.

CREATE TABLE IF NOT EXISTS export_rows
(
    tenant     LowCardinality(String) COMMENT 'Whose calls they are',
    id         String COMMENT 'Id of the export',
    name       String COMMENT 'Who asked for it',
    extension  String COMMENT 'Extension whose calls it is narrowed to; empty: all of the tenant',
    masked     UInt8 COMMENT '1: phone numbers are masked in it',
    question   String COMMENT 'What was asked, as JSON' CODEC(ZSTD(1)),
    state      LowCardinality(String) COMMENT 'pending, running, ready, failed, deleted',
    `rows`     UInt64 COMMENT 'Rows in it, counted when it was begun',
    bytes      UInt64 COMMENT 'Size of the file',
    sha256     String COMMENT 'SHA-256 of the file, hex',
    problem    String COMMENT 'Why it failed',
    created_at DateTime64(3, 'UTC') COMMENT 'When it was asked for',
    seen_at    DateTime64(3, 'UTC') COMMENT 'When somebody worked on it last',
    expires_at DateTime64(3, 'UTC') COMMENT 'When it is deleted',
    version    UInt64 COMMENT 'The last one counts'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, id)
TTL toDateTime(expires_at) + toIntervalDay(7)
COMMENT 'Exports of calls';
