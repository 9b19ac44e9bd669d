"""Two years of calls, made by ClickHouse itself: what the benchmarks of queries ask about.

Fifty tenants, one of them with half of all calls; more calls by day than by night and on weekdays; numbers,
extensions, trunks, outcomes and lengths spread as a company's are. Rows are as the worker writes them:
one version a call, one call log a call.
"""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from schemas.call import SNOWFLAKE_EPOCH_MS

TENANTS = 50
BIG = "tenant-00"
END_MS = 1_790_812_800_000  # 2026-10-01
MONTHS = 24
_MONTH_MS = 30 * 86_400_000

# A row of numbers() → the facts of a call. Every choice hangs on a hash of the number: each time the same.
_FACTS = """
SELECT
    number + {first:UInt64} AS n,
    cityHash64(n, 1) AS h1, cityHash64(n, 2) AS h2, cityHash64(n, 3) AS h3, cityHash64(n, 4) AS h4,
    h1 % 2 = 0 ? 'tenant-00' : concat('tenant-', leftPad(toString(1 + h1 % {others:UInt8}), 2, '0')) AS tenant,
    -- the hour of the day is the middle of three draws: busy at noon
    intDiv(h2, 7) % 30 AS day,
    arraySort([h2 % 86400, intDiv(h3, 11) % 86400, intDiv(h4, 13) % 86400])[2] AS second,
    {begin:Int64} + (day * 86400 + second) * 1000 + h3 % 1000 AS started,
    multiIf(h3 % 100 < 70, 1, h3 % 100 < 85, 2, h3 % 100 < 92, 3, 4) AS way,
    ['answered', 'no_answer', 'busy', 'failed'][way] AS status,
    2000 + h4 % 30000 AS rings,
    way = 1 ? 1000 + toInt64(-log((1 + h2 % 1000) / 1001) * 150000) : 0 AS talks,
    ['inbound', 'outbound', 'internal'][1 + h4 % 3] AS direction,
    100 + h1 % 400 AS extension,
    concat('+44', toString(1000000000 + intDiv(h2, 3) % 8999999999)) AS outside,
    concat(hex(h1), '-', hex(h2)) AS call_id,
    bitOr(bitShiftLeft(toUInt64(started - {epoch:Int64}), 22), h4 % 4194304) AS id
FROM numbers({rows:UInt64})
"""

_CALLS = """
INSERT INTO call_rows
    (tenant, id, call_id, version, state, direction, status, end_reason, hung_up_by, caller_number, caller_name,
     caller_extension, callee_number, callee_extension, requested, destination, answered_by, started_at, rang_at,
     answered_at, talk_started_at, ended_at, setup_ms, ring_ms, talk_ms, billable_ms, duration_ms, sip_status,
     q850_cause, cause_from, did, trunk, events, last_event_at, detail)
SELECT
    tenant, id, call_id, 9, 'closed', direction, status,
    way = 1 ? (h4 % 2 ? 'caller_disconnected' : 'callee_disconnected') : (way = 2 ? 'cancelled' : ''),
    h4 % 2 ? 'caller' : 'callee',
    direction = 'inbound' ? outside : toString(extension) AS caller_number,
    direction = 'inbound' ? '' : concat('Person ', toString(extension)),
    direction = 'inbound' ? '' : toString(extension),
    direction = 'outbound' ? outside : toString(100 + h3 % 400) AS callee_number,
    direction = 'outbound' ? '' : callee_number,
    callee_number, callee_number, way = 1 ? callee_number : '',
    fromUnixTimestamp64Milli(toInt64(started), 'UTC') AS at, at + toIntervalMillisecond(300),
    way = 1 ? at + toIntervalMillisecond(rings) : NULL AS answered, answered,
    at + toIntervalMillisecond(rings + talks) AS ended,
    way = 1 ? rings : NULL, rings - 300, talks, talks, rings + talks,
    [0, 487, 486, 503][way], [16, 19, 17, 34][way], 'native',
    direction = 'inbound' ? concat('+4416329', leftPad(toString(h2 % 1000), 5, '0')) : '',
    direction = 'internal' ? '' : concat('carrier-', toString(h2 % 6)),
    5, ended, '{}'
FROM (FACTS)
"""

_LOGS = """
INSERT INTO call_log_rows
    (tenant, id, session_id, call_id, version, position, kind, number, started_at, rang_at, answered_at, ended_at,
     ring_ms, talk_ms, outcome, end_reason, sip_status, q850_cause, trunk, direction, caller_number)
SELECT
    tenant, bitXor(id, 1), id, call_id, 9, 0, direction = 'outbound' ? 'outside' : 'extension',
    direction = 'outbound' ? outside : toString(100 + h3 % 400),
    fromUnixTimestamp64Milli(toInt64(started), 'UTC') AS at, at + toIntervalMillisecond(300),
    way = 1 ? at + toIntervalMillisecond(rings) : NULL, at + toIntervalMillisecond(rings + talks), rings - 300, talks,
    ['answered', 'no_answer', 'busy', 'failed'][way], way = 1 ? 'caller_disconnected' : '', [0, 487, 486, 503][way],
    [16, 19, 17, 34][way], direction = 'internal' ? '' : concat('carrier-', toString(h2 % 6)), direction,
    direction = 'inbound' ? outside : toString(extension)
FROM (FACTS)
"""


def fill(client: Client, calls: int) -> None:
    """Store `calls` calls and as many call logs, spread over the two years before `END_MS`."""
    for month in range(MONTHS):
        first, end = calls * month // MONTHS, calls * (month + 1) // MONTHS
        parameters = {
            "first": first,
            "rows": end - first,
            "begin": END_MS - (MONTHS - month) * _MONTH_MS,
            "others": TENANTS - 1,
            "epoch": SNOWFLAKE_EPOCH_MS,
        }
        for insert in (_CALLS, _LOGS):
            client.command(insert.replace("FACTS", _FACTS), parameters=parameters)
