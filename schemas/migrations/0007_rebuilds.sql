-- How far rebuilds of calls from the archive have got, so that one that was interrupted goes on.

CREATE TABLE IF NOT EXISTS rebuild_rows
(
    kind       LowCardinality(String) COMMENT 'Why calls are folded anew: rebuild, rerate, …',
    tenant     String COMMENT 'Whose calls; empty: everybody''s',
    first_at   DateTime64(3, 'UTC') COMMENT 'Calls with an event from here on, UTC',
    end_at     DateTime64(3, 'UTC') COMMENT 'and before this, UTC',
    generation UInt32 COMMENT 'Generation of the fold''s rules',
    started_at DateTime64(3, 'UTC') COMMENT 'When this rebuild was begun, UTC',
    last_tenant  String COMMENT 'Last call done, in the order of tenant and call_id: its tenant',
    last_call_id String COMMENT 'Last call done: its id',
    looked     UInt64 COMMENT 'Calls looked at',
    corrected  UInt64 COMMENT 'Calls written anew',
    finished   UInt8 COMMENT '1: it came to its end',
    version    UInt64 COMMENT 'The last one counts'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (kind, tenant, first_at, end_at, generation)
COMMENT 'Rebuilds of calls from the archive, and how far they got'
