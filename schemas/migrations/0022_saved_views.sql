-- Lists of calls that somebody keeps under a name in the web interface.

CREATE TABLE IF NOT EXISTS saved_view_rows
(
    tenant     String COMMENT 'Whose calls it shows',
    owner      String COMMENT 'Name of the user or token that keeps it',
    name       String COMMENT 'What the owner calls it',
    query      String COMMENT 'Query string of the page: time, filters, columns, order',
    deleted    UInt8 COMMENT '1: deleted by its owner',
    changed_at DateTime64(3, 'UTC') COMMENT 'When it was kept or deleted, UTC',
    version    UInt64 COMMENT 'The highest one counts'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, owner, name)
COMMENT 'Saved views of the web interface, newest version counts';
