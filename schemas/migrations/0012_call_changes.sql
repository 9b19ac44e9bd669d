-- Which calls came, changed and went, in the order in which the tables took them: what sync tokens read.

CREATE TABLE IF NOT EXISTS call_change_rows
(
    tenant     LowCardinality(String) COMMENT 'Whose call it is',
    id         UInt64 COMMENT 'Id of the call' CODEC(Delta, ZSTD(1)),
    version    UInt64 COMMENT 'Version that was written' CODEC(T64, ZSTD(1)),
    retired    UInt8 COMMENT '1: the row of this id was replaced under another key' CODEC(ZSTD(1)),
    changed_at DateTime64(3, 'UTC') COMMENT 'When the table took it' CODEC(Delta, ZSTD(1)),
    INDEX changed_range changed_at TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(changed_at)
ORDER BY (tenant, id, version, changed_at)
COMMENT 'Finished and retired versions of calls as they were written; a version written again stands twice';

CREATE MATERIALIZED VIEW IF NOT EXISTS call_change_feed TO call_change_rows
(
    tenant     LowCardinality(String) COMMENT 'Whose call it is',
    id         UInt64 COMMENT 'Id of the call',
    version    UInt64 COMMENT 'Version that was written',
    retired    UInt8 COMMENT '1: the row of this id was replaced under another key',
    changed_at DateTime64(3, 'UTC') COMMENT 'When the table took it'
)
AS SELECT tenant, id, version, retired, now64(3, 'UTC') AS changed_at FROM call_rows WHERE state = 'closed' OR retired = 1
COMMENT 'Writes call_change_rows';

INSERT INTO call_change_rows SELECT tenant, id, version, retired, now64(3, 'UTC') FROM call_rows WHERE state = 'closed' OR retired = 1;

CREATE TABLE IF NOT EXISTS sync_token_rows
(
    token_hash    String COMMENT 'SHA-256 of the token, hex; the token itself is stored nowhere',
    tenant        LowCardinality(String) COMMENT 'Whose calls it follows',
    extension     String COMMENT 'Extension whose calls it follows; empty: all of the tenant',
    from_id       UInt64 COMMENT 'Least id of the calls it follows: they started from then on',
    position      Int64 COMMENT 'Changes up to this instant have been told, ms since the epoch',
    seen_ids      Array(UInt64) COMMENT 'Calls of changes after the position that have been told, too' CODEC(ZSTD(1)),
    seen_versions Array(UInt64) COMMENT 'Their versions' CODEC(ZSTD(1)),
    seen_retired  Array(UInt8) COMMENT 'Whether they were retired' CODEC(ZSTD(1)),
    seen_at       Array(Int64) COMMENT 'When the table took them, ms since the epoch' CODEC(ZSTD(1)),
    held          Array(UInt64) COMMENT 'Calls that the client has, where an extension is followed' CODEC(ZSTD(1)),
    issued_at     DateTime64(3, 'UTC') COMMENT 'When it was issued'
)
ENGINE = MergeTree
ORDER BY token_hash
TTL toDateTime(issued_at) + toIntervalDay(30)
COMMENT 'Where the clients of the change feed stand, tokens hashed';
