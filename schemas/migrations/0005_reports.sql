-- Reports: what is asked for, what was made; and of calls what reports about queues and groups read again and again.

ALTER TABLE call_rows ADD COLUMN IF NOT EXISTS queue_visits String MATERIALIZED JSONExtractRaw(detail, 'queue_visits') COMMENT 'JSON: stays in queues, times in ms; empty for most calls. Read by name only' CODEC(ZSTD(3)),
    ADD COLUMN IF NOT EXISTS reroutes String MATERIALIZED JSONExtractRaw(detail, 'reroutes') COMMENT 'JSON: where the call went on, times in ms; empty for most calls. Read by name only' CODEC(ZSTD(3));

CREATE TABLE IF NOT EXISTS report_rows
(
    tenant       LowCardinality(String) COMMENT 'Whose report it is',
    id           UInt64 COMMENT 'Id of the definition, ordered by time',
    name         String COMMENT 'What people call it',
    type         LowCardinality(String) COMMENT 'NORMAL … as PortSIP has them, or one of our own in lower case',
    email        String COMMENT 'Where the file is sent; empty: nowhere',
    format       LowCardinality(String) COMMENT 'CSV, HTML',
    range        LowCardinality(String) COMMENT 'TODAY, YESTERDAY, LAST_WEEK, LAST_SEVEN_DAYS, LAST_MONTH, LAST_THIRTY_DAYS, CUSTOM',
    started_at   Nullable(DateTime64(3, 'UTC')) COMMENT 'Begin of a CUSTOM range',
    ended_at     Nullable(DateTime64(3, 'UTC')) COMMENT 'End of a CUSTOM range',
    cron_expr    String COMMENT 'When it runs, in the tenant''s zone; empty: once, at once',
    filter       String COMMENT 'JSON: which calls, by type',
    requested_at DateTime64(3, 'UTC') COMMENT 'When it was last saved: a report without schedule is due then, a schedule counts from then',
    deleted      UInt8 COMMENT '1: destroyed',
    version      UInt64 COMMENT 'The last one counts'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, id)
COMMENT 'Report definitions, each version';

CREATE TABLE IF NOT EXISTS report_run_rows
(
    tenant       LowCardinality(String) COMMENT 'Whose report it is',
    id           UInt64 COMMENT 'Id of the run: made of the definition and of when it was due, so a repeated job is the same run',
    report_id    UInt64 COMMENT 'Id of the definition',
    due_at       DateTime64(3, 'UTC') COMMENT 'When it was due',
    state        LowCardinality(String) COMMENT 'running, done, failed',
    reason       String COMMENT 'Why it failed, or why its mail was not sent',
    attempts     UInt16 COMMENT 'How often it was begun',
    name         String COMMENT 'Name of the report at that time',
    type         LowCardinality(String) COMMENT 'Type of the report',
    format       LowCardinality(String) COMMENT 'CSV, HTML',
    first_at     Nullable(DateTime64(3, 'UTC')) COMMENT 'Begin of the time it is about',
    end_at       Nullable(DateTime64(3, 'UTC')) COMMENT 'End of that time, excluded',
    completed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the file was there',
    file_name    String COMMENT 'Name of the file for people',
    file_size    UInt64 COMMENT 'Its bytes',
    path         String COMMENT 'Where the file store keeps it',
    secret       String COMMENT 'Key that its download links are signed with, hex',
    email        String COMMENT 'Where it is sent; empty: nowhere',
    mail         LowCardinality(String) COMMENT 'Empty: none wanted; waiting, sending, sent, failed',
    mail_at      Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was sent, or when to try again',
    mail_tries   UInt16 COMMENT 'How often sending was tried',
    destroyed    UInt8 COMMENT '1: gone, its file too',
    version      UInt64 COMMENT 'The last one counts'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, id)
COMMENT 'Runs of reports and the files they made, each version';
