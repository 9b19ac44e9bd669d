"""What calls and call logs can be filtered and ordered by, in the words of the warehouse.

The only place where names become SQL. Surfaces pick columns from here and give them their own names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipeline.warehouse.query.expressions import Column

# Whole seconds from the answer to the end, both cut to their second first: what PortSIP shows as duration.
_SECONDS = (
    "if(isNull(answered_at) OR isNull(ended_at), 0, "
    "toInt64(intDiv(toUnixTimestamp64Milli(assumeNotNull(ended_at)), 1000)"
    " - intDiv(toUnixTimestamp64Milli(assumeNotNull(answered_at)), 1000)))"
)
# The SIP status of something that went wrong; 0 when nothing did. 1xx and 2xx are no errors (RFC 3261, 21).
_ERROR = "if(sip_status BETWEEN 100 AND 299, 0, sip_status)"
# Why the call went on to where it ended: the last of its reroutes that has a name.
_LAST_REASON = (
    "arrayLast(reason -> reason != '', arrayMap(reroute -> JSONExtractString(reroute, 'reason'),"
    " JSONExtractArrayRaw(detail, 'reroutes')))"
)


def _columns(*columns: Column) -> dict[str, Column]:
    return {column.name: column for column in columns}


def _texts(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, name) for name in names)


CALL: Final[Mapping[str, Column]] = _columns(
    Column("id", "id", "id"),
    *_texts("call_id", "state", "direction", "status", "end_reason", "hung_up_by"),
    *_texts("caller_number", "caller_name", "caller_domain", "caller_extension"),
    *_texts("callee_number", "callee_name", "callee_domain", "callee_extension"),
    *_texts("requested", "destination", "answered_by"),
    Column("started_at", "started_at", "time"),
    Column("progress_at", "progress_at", "time", nullable=True),
    Column("rang_at", "rang_at", "time", nullable=True),
    Column("answered_at", "answered_at", "time", nullable=True),
    Column("talk_started_at", "talk_started_at", "time", nullable=True),
    Column("ended_at", "ended_at", "time", nullable=True),
    Column("setup_ms", "setup_ms", "number", nullable=True),
    Column("ring_ms", "ring_ms", "number", nullable=True),
    Column("wait_ms", "wait_ms", "number", nullable=True),
    Column("talk_ms", "talk_ms", "number"),
    Column("hold_ms", "hold_ms", "number"),
    Column("billable_ms", "billable_ms", "number"),
    Column("duration_ms", "duration_ms", "number", nullable=True),
    Column("sip_status", "sip_status", "number"),
    Column("q850_cause", "q850_cause", "number"),
    *_texts("cause_from", "did", "trunk", "outbound_caller_id", "service_number", "user_data"),
    *_texts("currency", "billed_account", "rate", "rate_class", "rate_prefix"),
    Column("seconds", _SECONDS, "number"),
    Column("error_status", _ERROR, "number"),
    Column("reroute_reason", _LAST_REASON),
)

QUEUE_VISIT: Final[Mapping[str, Column]] = dict(CALL) | _columns(
    Column("queue", "JSONExtractString(visit, 'number')"),
    Column("queue_name", "JSONExtractString(visit, 'queue')"),
    Column("queue_reason", "JSONExtractString(visit, 'reason')"),
    Column("queue_agent", "JSONExtractString(visit, 'answered_by')"),
    Column("queue_wait_ms", "JSONExtractUInt(visit, 'wait_ms')", "number"),
)

CALL_LOG: Final[Mapping[str, Column]] = _columns(
    Column("id", "id", "id"),
    Column("session_id", "session_id", "id"),
    *_texts("call_id", "kind", "number", "name", "leg_id", "outcome", "end_reason", "reroute_reason", "direction"),
    Column("started_at", "started_at", "time"),
    Column("rang_at", "rang_at", "time", nullable=True),
    Column("answered_at", "answered_at", "time", nullable=True),
    Column("ended_at", "ended_at", "time", nullable=True),
    Column("ring_ms", "ring_ms", "number", nullable=True),
    Column("talk_ms", "talk_ms", "number"),
    Column("sip_status", "sip_status", "number"),
    Column("q850_cause", "q850_cause", "number"),
    *_texts("caller_number", "caller_name", "caller_domain", "callee_domain"),
    *_texts("trunk", "did", "outbound_caller_id", "service_number", "user_data"),
    Column("seconds", _SECONDS, "number"),
    Column("error_status", _ERROR, "number"),
)
