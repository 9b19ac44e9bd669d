-- Webhooks: who is told, what was told of which call, and what is still to be delivered.

CREATE TABLE IF NOT EXISTS webhook_rows
(
    tenant     LowCardinality(String) COMMENT 'Whose calls it tells of',
    id         String COMMENT 'Id of the webhook',
    url        String COMMENT 'Where messages are posted',
    secret     String COMMENT 'Key of the signatures, whsec_…; shown once, when it is made',
    events     Array(String) COMMENT 'Event types it wants: call.ended, …',
    enabled    UInt8 COMMENT '0: nothing is sent',
    reason     String COMMENT 'Why it was disabled',
    created_at DateTime64(3, 'UTC') COMMENT 'When it was made',
    deleted    UInt8 COMMENT '1: gone',
    version    UInt64 COMMENT 'The last one counts'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, id)
COMMENT 'Webhooks, each version';

CREATE TABLE IF NOT EXISTS webhook_call_rows
(
    tenant       LowCardinality(String) COMMENT 'Whose call it is',
    call_id      String COMMENT 'Id that all events of the call share',
    answered     UInt8 COMMENT '1: call.answered was told',
    ended        UInt8 COMMENT '1: call.ended was told',
    told_version UInt64 COMMENT 'Version of the call that was told last as ended or corrected',
    digest       String COMMENT 'SHA-256 of that document, hex',
    `partition`  UInt32 COMMENT 'Partition of the change feed it was read from',
    `offset`     Int64 COMMENT 'and its offset there',
    told_at      DateTime64(3, 'UTC') COMMENT 'When this was noted',
    version      UInt64 COMMENT 'The last one counts'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, call_id)
TTL toDateTime(told_at) + toIntervalDay(400)
COMMENT 'What the webhooks of a tenant were told of each call';

CREATE TABLE IF NOT EXISTS webhook_message_rows
(
    tenant     LowCardinality(String) COMMENT 'Whose message it is',
    id         String COMMENT 'Id of the message, the header webhook-id; of the same fact always the same',
    type       LowCardinality(String) COMMENT 'call.started, call.answered, call.ended, cdr.corrected, report.ready',
    call_id    String COMMENT 'Call it tells of; empty: none',
    body       String COMMENT 'What is posted, JSON' CODEC(ZSTD(3)),
    created_at DateTime64(3, 'UTC') COMMENT 'When it was made'
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, id)
TTL toDateTime(created_at) + toIntervalDay(30)
COMMENT 'Messages of webhooks';

CREATE TABLE IF NOT EXISTS webhook_delivery_rows
(
    tenant     LowCardinality(String) COMMENT 'Whose webhook it is',
    webhook_id String COMMENT 'Webhook it goes to',
    id         String COMMENT 'Id of the message',
    type       LowCardinality(String) COMMENT 'Type of the message',
    call_id    String COMMENT 'Call it tells of; empty: none',
    seq        UInt64 COMMENT 'Order in which messages were made',
    state      LowCardinality(String) COMMENT 'waiting, delivered, dead',
    attempts   UInt16 COMMENT 'How often it was sent',
    next_at    DateTime64(3, 'UTC') COMMENT 'When it is sent next, while it waits',
    status     UInt16 COMMENT 'HTTP status of the last answer; 0: none came',
    error      String COMMENT 'Why the last attempt failed',
    created_at DateTime64(3, 'UTC') COMMENT 'When it was to be told first',
    updated_at DateTime64(3, 'UTC') COMMENT 'When this was noted',
    version    UInt64 COMMENT 'The last one counts'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, webhook_id, id)
TTL toDateTime(created_at) + toIntervalDay(30)
COMMENT 'What goes to which webhook, and how far it got';

CREATE TABLE IF NOT EXISTS erasure_rows
(
    id          String COMMENT 'Id of the erasure',
    tenant      String COMMENT 'Whose calls; empty: everybody''s',
    number_hash String COMMENT 'HMAC-SHA-256 of the number under CDR_ERASURE_KEY, hex; the number is kept nowhere',
    before      Nullable(DateTime64(3, 'UTC')) COMMENT 'Only calls that started before; NULL: all',
    who         String COMMENT 'Who had it done',
    done_at     DateTime64(3, 'UTC') COMMENT 'When',
    calls       UInt64 COMMENT 'Calls erased',
    call_rows   UInt64 COMMENT 'Rows of calls deleted',
    log_rows    UInt64 COMMENT 'Rows of call logs deleted',
    event_rows  UInt64 COMMENT 'Archived events deleted',
    push_rows   UInt64 COMMENT 'Rows of webhooks'' messages deleted'
)
ENGINE = MergeTree
ORDER BY (done_at, id)
COMMENT 'Erasures of a person''s calls that were done';

CREATE TABLE IF NOT EXISTS erased_call_rows
(
    tenant    LowCardinality(String) COMMENT 'Whose call it was',
    call_id   String COMMENT 'Id of the erased call',
    erased_at DateTime64(3, 'UTC') COMMENT 'When it was erased'
)
ENGINE = ReplacingMergeTree(erased_at)
ORDER BY (tenant, call_id)
TTL toDateTime(erased_at) + toIntervalDay(60)
COMMENT 'Calls that were erased: what comes of them later goes too';

CREATE TABLE IF NOT EXISTS retention_rows
(
    tenant  String COMMENT 'Whose rows',
    kind    LowCardinality(String) COMMENT 'calls, archive, webhooks',
    days    UInt32 COMMENT 'Rows older than this are deleted; 0: no rule of the tenant''s own',
    who     String COMMENT 'Who set it',
    set_at  DateTime64(3, 'UTC') COMMENT 'When',
    version UInt64 COMMENT 'The last one counts'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, kind)
COMMENT 'How long the rows of single tenants are kept';
