-- Tariff decks, and how each call was priced.

CREATE TABLE IF NOT EXISTS deck_rows
(
    deck       String COMMENT 'Name of the deck',
    version    UInt64 COMMENT 'Grows with every load; the last one counts',
    kind       LowCardinality(String) COMMENT 'customer: what is billed; carrier: what it costs us',
    tenant     String COMMENT 'Tenant whose calls it prices; empty for all',
    trunk      String COMMENT 'Trunk whose calls it prices; empty for all',
    account    String COMMENT 'Account whose calls it prices; empty for all',
    direction  LowCardinality(String) COMMENT 'Direction of the calls it prices; empty for all that go outside',
    decimals   UInt8 COMMENT 'Digits after the point that a cost is rounded to',
    rounding   LowCardinality(String) COMMENT 'half_up, half_even, up, down',
    bands      String COMMENT 'JSON: names of time bands and what they mean',
    lines      UInt32 COMMENT 'How many lines it has',
    digest     String COMMENT 'SHA-256 of its lines',
    deleted    UInt8 COMMENT '1: no longer used',
    changed_at DateTime64(3, 'UTC') COMMENT 'When it was loaded, UTC',
    changed_by String COMMENT 'What loaded it'
)
ENGINE = ReplacingMergeTree
ORDER BY (deck, version)
COMMENT 'Every version of every tariff deck: read the view decks';

CREATE TABLE IF NOT EXISTS rate_rows
(
    deck                LowCardinality(String) COMMENT 'Deck it belongs to',
    version             UInt64 COMMENT 'Version of the deck' CODEC(ZSTD(1)),
    prefix              String COMMENT 'Digits that numbers begin with' CODEC(ZSTD(1)),
    line                UInt32 COMMENT 'Line in the file it came from' CODEC(T64, ZSTD(1)),
    destination         String COMMENT 'Name of the destination' CODEC(ZSTD(1)),
    connect_fee         Decimal(24, 12) COMMENT 'Price of the connection' CODEC(ZSTD(1)),
    interval_1          UInt32 COMMENT 'First interval, seconds' CODEC(ZSTD(1)),
    price_1             Decimal(24, 12) COMMENT 'Price of a minute in the first interval' CODEC(ZSTD(1)),
    interval_n          UInt32 COMMENT 'Following intervals, seconds' CODEC(ZSTD(1)),
    price_n             Decimal(24, 12) COMMENT 'Price of a minute in the following intervals' CODEC(ZSTD(1)),
    free_seconds        UInt32 COMMENT 'Seconds after the first interval that cost nothing' CODEC(ZSTD(1)),
    grace_period        UInt32 COMMENT 'Shorter calls cost nothing, seconds' CODEC(ZSTD(1)),
    post_call_surcharge Decimal(24, 12) COMMENT 'Added to the price, per cent' CODEC(ZSTD(1)),
    minimum             Decimal(24, 12) COMMENT 'Least that a call costs' CODEC(ZSTD(1)),
    currency            LowCardinality(String) COMMENT 'ISO 4217 currency',
    effective_from      String COMMENT 'Calls that start earlier are not priced by it; wall-clock time, or an instant ending in Z' CODEC(ZSTD(1)),
    effective_to        String COMMENT 'Calls that start then or later are not priced by it' CODEC(ZSTD(1)),
    time_band           LowCardinality(String) COMMENT 'When it holds; empty for always'
)
ENGINE = ReplacingMergeTree
ORDER BY (deck, version, prefix, line)
COMMENT 'Lines of every version of every tariff deck: read the view rates';

CREATE TABLE IF NOT EXISTS rerate_rows
(
    version  UInt64 COMMENT 'When it was ordered, microseconds since the epoch',
    tenant   String COMMENT 'Whose calls are priced again; empty for all',
    first_at DateTime64(3, 'UTC') COMMENT 'Calls started then or later, UTC',
    end_at   DateTime64(3, 'UTC') COMMENT 'Calls started before, UTC',
    by       String COMMENT 'Who ordered it'
)
ENGINE = ReplacingMergeTree
ORDER BY version
COMMENT 'Orders to price old calls again';

ALTER TABLE call_rows
    ADD COLUMN IF NOT EXISTS rate_class LowCardinality(String) DEFAULT '' COMMENT 'LOCAL, NATIONAL, INTERNATIONAL, MOBILE; INTERNAL, FEATURE, EMERGENCY; empty when unknown or not billed' AFTER rate,
    ADD COLUMN IF NOT EXISTS rate_prefix String DEFAULT '' COMMENT 'Prefix of the tariff line that priced it' CODEC(ZSTD(1)) AFTER rate_class,
    ADD COLUMN IF NOT EXISTS carrier_cost String DEFAULT '' COMMENT 'What the carrier takes for it, decimal as text; empty when unknown' CODEC(ZSTD(1)) AFTER rate_prefix,
    ADD COLUMN IF NOT EXISTS carrier_currency LowCardinality(String) DEFAULT '' COMMENT 'ISO 4217 currency of carrier_cost' AFTER carrier_cost,
    ADD COLUMN IF NOT EXISTS rating String DEFAULT '' COMMENT 'JSON: how it was priced; empty when it was not' CODEC(ZSTD(3)) AFTER carrier_currency;
