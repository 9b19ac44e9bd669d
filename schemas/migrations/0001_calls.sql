-- Events as they came, calls and call logs as they were folded.
-- Rows are versions: the view of the same subject (calls, call_logs, call_events) shows the last one.

CREATE TABLE IF NOT EXISTS event_rows
(
    tenant      LowCardinality(String) COMMENT 'Whose call it is',
    call_id     String COMMENT 'Id that all events of a call share' CODEC(ZSTD(1)),
    event_id    String COMMENT 'Id of the event; the same id is the same fact' CODEC(ZSTD(1)),
    at          DateTime64(3, 'UTC') COMMENT 'When it happened, UTC' CODEC(DoubleDelta, ZSTD(1)),
    type        LowCardinality(String) COMMENT 'Event type; unknown types are kept',
    node        LowCardinality(String) COMMENT 'PBX node that reported it',
    topic       LowCardinality(String) COMMENT 'Kafka topic it was read from',
    `partition` UInt32 COMMENT 'Kafka partition it was read from' CODEC(T64, ZSTD(1)),
    `offset`    Int64 COMMENT 'Kafka offset it was read at' CODEC(Delta, ZSTD(1)),
    raw         String COMMENT 'The bytes of the event, as they came' CODEC(ZSTD(1)),
    archived_at DateTime DEFAULT now() COMMENT 'When the archive took it, UTC' CODEC(Delta, ZSTD(1)),
    INDEX at_range at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (tenant, call_id, event_id, at)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Every decoded event, once per distinct event after merges: read the view call_events';

CREATE TABLE IF NOT EXISTS call_rows
(
    tenant             LowCardinality(String) COMMENT 'Whose call it is',
    id                 UInt64 COMMENT 'Id of the call (PortSIP: session_id), ordered by time' CODEC(Delta, ZSTD(1)),
    call_id            String COMMENT 'Id that all events of the call share' CODEC(ZSTD(3)),
    version            UInt64 COMMENT 'Grows with every correction: fold generation, then events folded' CODEC(T64, ZSTD(1)),
    state              LowCardinality(String) COMMENT 'open, closed',
    direction          LowCardinality(String) COMMENT 'inbound, outbound, internal, inbound_outbound',
    status             LowCardinality(String) COMMENT 'answered, no_answer, busy, cancelled, failed, voicemail, abandoned',
    end_reason         LowCardinality(String) COMMENT 'Why it ended, one of eight; empty when unknown or failed',
    hung_up_by         LowCardinality(String) COMMENT 'caller, callee, system; empty when unknown',
    caller_number      String COMMENT 'Number of the caller' CODEC(ZSTD(1)),
    caller_name        String COMMENT 'Display name of the caller' CODEC(ZSTD(1)),
    caller_domain      LowCardinality(String) COMMENT 'SIP domain of the caller',
    caller_extension   LowCardinality(String) COMMENT 'Extension of the caller when internal',
    callee_number      String COMMENT 'Number first asked for' CODEC(ZSTD(1)),
    callee_name        String COMMENT 'Display name of the first target' CODEC(ZSTD(1)),
    callee_domain      LowCardinality(String) COMMENT 'SIP domain of the first target',
    callee_extension   LowCardinality(String) COMMENT 'Extension of the first target when internal',
    requested          String COMMENT 'First target asked for' CODEC(ZSTD(1)),
    destination        String COMMENT 'Last target reached' CODEC(ZSTD(1)),
    answered_by        String COMMENT 'The human target that answered first' CODEC(ZSTD(1)),
    started_at         DateTime64(3, 'UTC') COMMENT 'First INVITE, UTC' CODEC(Delta, ZSTD(1)),
    progress_at        Nullable(DateTime64(3, 'UTC')) COMMENT 'First early media' CODEC(ZSTD(1)),
    rang_at            Nullable(DateTime64(3, 'UTC')) COMMENT 'First ringing of a target' CODEC(ZSTD(1)),
    answered_at        Nullable(DateTime64(3, 'UTC')) COMMENT 'When the network answered: billing starts' CODEC(ZSTD(1)),
    talk_started_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'When a human target was reached' CODEC(ZSTD(1)),
    ended_at           Nullable(DateTime64(3, 'UTC')) COMMENT 'Last hang-up' CODEC(ZSTD(1)),
    setup_ms           Nullable(UInt32) COMMENT 'started to answered, ms' CODEC(ZSTD(1)),
    ring_ms            Nullable(UInt32) COMMENT 'rang to answered or ended, ms' CODEC(ZSTD(1)),
    wait_ms            Nullable(UInt32) COMMENT 'Time in queues before a human, ms' CODEC(ZSTD(1)),
    talk_ms            UInt32 COMMENT 'Time with a human, each millisecond once' CODEC(ZSTD(1)),
    hold_ms            UInt32 COMMENT 'Time on hold, ms' CODEC(ZSTD(1)),
    billable_ms        UInt32 COMMENT 'answered to ended on the caller''s leg, ms' CODEC(ZSTD(1)),
    duration_ms        Nullable(UInt32) COMMENT 'started to ended, ms' CODEC(ZSTD(1)),
    sip_status         UInt16 COMMENT 'Final SIP status of a call that was not answered; 0 when unknown' CODEC(ZSTD(1)),
    q850_cause         UInt16 COMMENT 'Q.850 cause; 0 when unknown' CODEC(ZSTD(1)),
    cause_from         LowCardinality(String) COMMENT 'reason_header, native, sip_reason, mapped, inferred',
    did                String COMMENT 'DID that was dialled' CODEC(ZSTD(1)),
    trunk              LowCardinality(String) COMMENT 'Trunk that carried it',
    outbound_caller_id String COMMENT 'Number shown to the outside' CODEC(ZSTD(1)),
    service_number     LowCardinality(String) COMMENT 'Queue or ring group that took it',
    user_data          String COMMENT 'Free text of the producer' CODEC(ZSTD(3)),
    missed_by          Array(String) COMMENT 'Human targets that rang and were not reached' CODEC(ZSTD(1)),
    merged_call_ids    Array(String) COMMENT 'Call ids that turned out to be this call' CODEC(ZSTD(1)),
    flags              Array(LowCardinality(String)) COMMENT 'What is unusual about the record',
    events             UInt32 COMMENT 'Distinct events folded' CODEC(ZSTD(1)),
    last_event_at      DateTime64(3, 'UTC') COMMENT 'Newest event' CODEC(ZSTD(1)),
    detail             String COMMENT 'JSON: legs, reroutes, queue_visits, recordings, quality' CODEC(ZSTD(3)),
    cost               String COMMENT 'Price, decimal as text' CODEC(ZSTD(1)),
    currency           LowCardinality(String) COMMENT 'ISO 4217 currency of cost',
    billed_account     LowCardinality(String) COMMENT 'Account that pays',
    rate               String COMMENT 'Tariff line that priced it' CODEC(ZSTD(1)),
    retired            UInt8 COMMENT '1: this row was replaced under another key' CODEC(ZSTD(1)),
    INDEX call_id_filter call_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(started_at)
ORDER BY (tenant, started_at, id, call_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Every version of every call: read the view calls';

CREATE TABLE IF NOT EXISTS call_log_rows
(
    tenant             LowCardinality(String) COMMENT 'Whose call it is',
    id                 UInt64 COMMENT 'Id of the call log, ordered by time' CODEC(Delta, ZSTD(1)),
    session_id         UInt64 COMMENT 'Id of its call' CODEC(Delta, ZSTD(1)),
    call_id            String COMMENT 'Id that all events of the call share' CODEC(ZSTD(3)),
    version            UInt64 COMMENT 'Version of the call it was written with' CODEC(T64, ZSTD(1)),
    position           UInt16 COMMENT 'Order within the call, from 0' CODEC(ZSTD(1)),
    kind               LowCardinality(String) COMMENT 'extension, ivr, queue, queue_agent, ring_group, ring_group_member, voicemail, conference, park, outside, consultation',
    number             String COMMENT 'Number of the target' CODEC(ZSTD(1)),
    name               String COMMENT 'Display name of the target' CODEC(ZSTD(1)),
    leg_id             String COMMENT 'Leg of the target; empty for a target on the caller''s leg' CODEC(ZSTD(1)),
    started_at         DateTime64(3, 'UTC') COMMENT 'When the target was first tried' CODEC(Delta, ZSTD(1)),
    rang_at            Nullable(DateTime64(3, 'UTC')) COMMENT 'When it rang' CODEC(ZSTD(1)),
    answered_at        Nullable(DateTime64(3, 'UTC')) COMMENT 'When it answered' CODEC(ZSTD(1)),
    ended_at           Nullable(DateTime64(3, 'UTC')) COMMENT 'When the call left it' CODEC(ZSTD(1)),
    ring_ms            Nullable(UInt32) COMMENT 'rang to answered or ended, ms' CODEC(ZSTD(1)),
    talk_ms            UInt32 COMMENT 'Time the caller talked to it, ms' CODEC(ZSTD(1)),
    outcome            LowCardinality(String) COMMENT 'answered, no_answer, busy, rejected, cancelled, answered_elsewhere, failed, unreachable',
    end_reason         LowCardinality(String) COMMENT 'Why it ended, one of eight; empty when unknown',
    reroute_reason     LowCardinality(String) COMMENT 'Why the call went on from here, one of sixteen; empty when it did not',
    sip_status         UInt16 COMMENT 'Final SIP status; 0 when unknown' CODEC(ZSTD(1)),
    q850_cause         UInt16 COMMENT 'Q.850 cause; 0 when unknown' CODEC(ZSTD(1)),
    trunk              LowCardinality(String) COMMENT 'Trunk that carried it',
    direction          LowCardinality(String) COMMENT 'Direction of its call',
    caller_number      String COMMENT 'Number of the caller' CODEC(ZSTD(1)),
    caller_name        String COMMENT 'Display name of the caller' CODEC(ZSTD(1)),
    caller_domain      LowCardinality(String) COMMENT 'SIP domain of the caller',
    callee_domain      LowCardinality(String) COMMENT 'SIP domain of the target',
    did                String COMMENT 'DID that was dialled' CODEC(ZSTD(1)),
    outbound_caller_id String COMMENT 'Number shown to the outside' CODEC(ZSTD(1)),
    service_number     LowCardinality(String) COMMENT 'Queue or ring group that took the call',
    user_data          String COMMENT 'Free text of the producer' CODEC(ZSTD(3)),
    retired            UInt8 COMMENT '1: this row was replaced under another key' CODEC(ZSTD(1)),
    INDEX session_filter session_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(started_at)
ORDER BY (tenant, started_at, id, call_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Every version of every call log: read the view call_logs';

CREATE TABLE IF NOT EXISTS api_token_rows
(
    token_hash String COMMENT 'SHA-256 of the token, hex; the token itself is stored nowhere',
    tenant     String COMMENT 'Tenant whose calls the token may read',
    name       String COMMENT 'What the token is for',
    scopes     Array(String) COMMENT 'What it may do: cdr:read, admin, …',
    created_at DateTime64(3, 'UTC') COMMENT 'When it was made',
    expires_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it ends; NULL: never',
    revoked    UInt8 COMMENT '1: no longer valid',
    version    UInt64 COMMENT 'The last one counts'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY token_hash
COMMENT 'Tokens of the query service, hashed';
