-- What calls are searched by: each number and name of a tenant once a month, and which stretches of calls have it.

CREATE TABLE IF NOT EXISTS call_term_rows
(
    tenant LowCardinality(String) COMMENT 'Whose calls have it',
    term   String COMMENT 'A number or name as calls have it' CODEC(ZSTD(1)),
    until  Date COMMENT 'Last day of the month of those calls, UTC' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(until)
ORDER BY (tenant, term)
SETTINGS min_age_to_force_merge_seconds = 21600, min_age_to_force_merge_on_partition_only = 1
COMMENT 'Numbers and names of calls, each once a tenant and month';

CREATE MATERIALIZED VIEW IF NOT EXISTS call_terms TO call_term_rows
(
    tenant LowCardinality(String) COMMENT 'Whose calls have it',
    term   String COMMENT 'A number or name as calls have it',
    until  Date COMMENT 'Last day of the month of those calls, UTC'
)
AS SELECT DISTINCT
    tenant,
    arrayJoin([caller_number, callee_number, requested, destination, answered_by, did, outbound_caller_id, caller_name, callee_name]) AS term,
    toLastDayOfMonth(started_at, 'UTC') AS until
FROM call_rows
WHERE retired = 0 AND term != ''
COMMENT 'Writes call_term_rows';

INSERT INTO call_term_rows
SELECT
    tenant,
    arrayJoin([caller_number, callee_number, requested, destination, answered_by, did, outbound_caller_id, caller_name, callee_name]) AS term,
    toLastDayOfMonth(started_at, 'UTC') AS until
FROM call_rows
WHERE retired = 0 AND term != ''
GROUP BY tenant, term, until
SETTINGS max_bytes_before_external_group_by = 500000000, max_threads = 2;

ALTER TABLE call_rows ADD INDEX IF NOT EXISTS terms_filter
    [caller_number, callee_number, requested, destination, answered_by, did, outbound_caller_id, caller_name, callee_name]
    TYPE bloom_filter(0.01) GRANULARITY 1;

ALTER TABLE call_rows MATERIALIZE INDEX terms_filter;

-- Codecs that suit what the columns hold; parts take them when they are merged.
ALTER TABLE call_rows
    MODIFY COLUMN id CODEC(T64, ZSTD(1)),
    MODIFY COLUMN setup_ms CODEC(T64, ZSTD(1)),
    MODIFY COLUMN ring_ms CODEC(T64, ZSTD(1)),
    MODIFY COLUMN duration_ms CODEC(T64, ZSTD(1)),
    MODIFY COLUMN detail CODEC(ZSTD(1)),
    MODIFY COLUMN direction CODEC(ZSTD(1)),
    MODIFY COLUMN status CODEC(ZSTD(1)),
    MODIFY COLUMN end_reason CODEC(ZSTD(1)),
    MODIFY COLUMN hung_up_by CODEC(ZSTD(1)),
    MODIFY COLUMN caller_extension CODEC(ZSTD(1)),
    MODIFY COLUMN callee_extension CODEC(ZSTD(1)),
    MODIFY COLUMN cause_from CODEC(ZSTD(1)),
    MODIFY COLUMN trunk CODEC(ZSTD(1));

ALTER TABLE call_log_rows
    MODIFY COLUMN id CODEC(T64, ZSTD(1)),
    MODIFY COLUMN session_id CODEC(T64, ZSTD(1)),
    MODIFY COLUMN ring_ms CODEC(T64, ZSTD(1)),
    MODIFY COLUMN kind CODEC(ZSTD(1)),
    MODIFY COLUMN outcome CODEC(ZSTD(1)),
    MODIFY COLUMN end_reason CODEC(ZSTD(1)),
    MODIFY COLUMN direction CODEC(ZSTD(1)),
    MODIFY COLUMN trunk CODEC(ZSTD(1));
