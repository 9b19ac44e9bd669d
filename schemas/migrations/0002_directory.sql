-- The directory: what people tell us about a tenant.

CREATE TABLE IF NOT EXISTS directory_rows
(
    tenant     LowCardinality(String) COMMENT 'Whose directory it is',
    kind       LowCardinality(String) COMMENT 'tenant, company, extension, group, trunk, queue, ring_group, did',
    key        String COMMENT 'Id, number or name: unique within its tenant and kind',
    body       String COMMENT 'The entry as JSON' CODEC(ZSTD(1)),
    deleted    UInt8 COMMENT '1: taken out of the directory',
    changed_at DateTime64(3, 'UTC') COMMENT 'When it was changed, UTC',
    changed_by String COMMENT 'Name of the token, or the command, that changed it',
    version    UInt64 COMMENT 'Grows with every change of the tenant; the last one counts'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, kind, key)
COMMENT 'Every version of every directory entry: read the view directory';
