-- Who may ask: users with passwords, the tokens issued to them when they log in, and what tokens may see.

CREATE TABLE IF NOT EXISTS user_rows
(
    tenant      LowCardinality(String) COMMENT 'Whose calls the user sees',
    name        String COMMENT 'What the user logs in with',
    domain      LowCardinality(String) COMMENT 'SIP domain the user may name at login; empty: the tenant only',
    password    String COMMENT 'scrypt of the password, with its salt and parameters',
    role        LowCardinality(String) COMMENT 'admin, manager: all calls of the tenant; user: own calls',
    extension   String COMMENT 'Extension whose calls are the user''s own',
    scopes      Array(String) COMMENT 'What the user may do; empty: what the role may',
    created_at  DateTime64(3, 'UTC') COMMENT 'When it was made',
    password_at DateTime64(3, 'UTC') COMMENT 'When the password was set',
    disabled    UInt8 COMMENT '1: may not log in',
    version     UInt64 COMMENT 'The last one counts'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, name)
COMMENT 'Users of the query service';

CREATE TABLE IF NOT EXISTS issued_token_rows
(
    login      String COMMENT 'The login that the token belongs to; a row without token_hash ends them all',
    token_hash String COMMENT 'SHA-256 of the token, hex',
    kind       LowCardinality(String) COMMENT 'access, refresh, session',
    tenant     LowCardinality(String) COMMENT 'Whose calls it shows',
    name       String COMMENT 'Who logged in',
    subject    String COMMENT 'What it rests on: user: and a fingerprint of the password, or token: and a hash; empty: nothing else',
    scopes     Array(String) COMMENT 'What it may do when it rests on nothing else',
    role       LowCardinality(String) COMMENT 'Role when it rests on nothing else',
    extension  String COMMENT 'Extension when it rests on nothing else',
    issued_at  DateTime64(3, 'UTC') COMMENT 'When it was issued',
    expires_at DateTime64(3, 'UTC') COMMENT 'When it ends',
    ended_at   Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was ended before its time; NULL: it was not',
    version    UInt64 COMMENT 'The last one counts'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (login, token_hash)
TTL toDateTime(expires_at) + toIntervalDay(1)
COMMENT 'Tokens that logins were given, hashed';

ALTER TABLE api_token_rows ADD COLUMN IF NOT EXISTS role LowCardinality(String) DEFAULT 'admin' COMMENT 'admin, manager: all calls of the tenant; user: those of the extension',
    ADD COLUMN IF NOT EXISTS extension String COMMENT 'Extension whose calls a token of role user shows';
