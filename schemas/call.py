"""The call and its call logs: what the fold returns, what the warehouse stores, what everybody reads.

`Call` and `CallLog` are flat, in the order of the columns of `call_rows` and `call_log_rows`, times
as integer milliseconds since the epoch (UTC) or None. `document` gives the one JSON shape in
which a whole call is shown: `cdr fold`, the change feed, webhooks, `/v1/calls/{id}`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from zlib import crc32

import msgspec

SNOWFLAKE_EPOCH_MS = 1_514_764_800_000  # 2018-01-01
_ALL_BITS = (1 << 64) - 1
_UPPER_HALF = 1 << 63


class CallLog(msgspec.Struct, gc=False):
    """One target of a call, tried or reached. Durations in ms."""

    tenant: str
    id: int  # snowflake of started_at
    session_id: int  # the call's id
    call_id: str
    version: int
    position: int  # order within the call, from 0
    kind: str
    number: str
    name: str
    leg_id: str
    started_at: int
    rang_at: int | None
    answered_at: int | None
    ended_at: int | None
    ring_ms: int | None
    talk_ms: int
    outcome: str  # "" while undecided
    end_reason: str  # "" when unknown
    reroute_reason: str  # why the call left this target; "" when it did not
    sip_status: int  # 0 when unknown
    q850_cause: int
    trunk: str
    # what the PortSIP row of a call target repeats of its call
    direction: str
    caller_number: str
    caller_name: str
    caller_domain: str
    callee_domain: str
    did: str
    outbound_caller_id: str
    service_number: str
    user_data: str


class Call(msgspec.Struct, gc=False):
    """One call detail record. Durations in ms; None where there is nothing to measure."""

    tenant: str
    id: int
    call_id: str
    version: int
    state: str
    direction: str
    status: str  # "" while undecided
    end_reason: str  # "" when unknown or failed
    hung_up_by: str  # "" when unknown
    caller_number: str
    caller_name: str
    caller_domain: str
    caller_extension: str
    callee_number: str
    callee_name: str
    callee_domain: str
    callee_extension: str
    requested: str
    destination: str
    answered_by: str
    started_at: int
    progress_at: int | None
    rang_at: int | None
    answered_at: int | None
    talk_started_at: int | None
    ended_at: int | None
    setup_ms: int | None
    ring_ms: int | None
    wait_ms: int | None
    talk_ms: int
    hold_ms: int
    billable_ms: int
    duration_ms: int | None
    sip_status: int
    q850_cause: int
    cause_from: str
    did: str
    trunk: str
    outbound_caller_id: str
    service_number: str
    user_data: str
    missed_by: list[str]
    merged_call_ids: list[str]
    flags: list[str]
    events: int  # distinct events folded
    last_event_at: int  # ms; of the newest event
    legs: list[dict[str, Any]]
    reroutes: list[dict[str, Any]]
    queue_visits: list[dict[str, Any]]
    recordings: list[dict[str, Any]]
    quality: dict[str, Any] | None
    logs: list[CallLog]
    # filled by rating; decimals as text, "" when unknown or not billed
    cost: str = ""
    currency: str = ""
    billed_account: str = ""
    rate: str = ""  # price of a minute after the first interval
    rate_class: str = ""
    rate_prefix: str = ""
    carrier_cost: str = ""
    carrier_currency: str = ""
    rating: str = ""  # JSON: how it was priced


class _Instants(dict[int | None, str | None]):
    """Milliseconds since the epoch → RFC 3339 UTC. Remembers: one instant stands in a call, its logs
    and its legs, and looking up is far cheaper than formatting."""

    _MOST = 200_000

    def __missing__(self, ms: int | None) -> str | None:
        if ms is None:
            return None
        if len(self) > self._MOST:
            self.clear()
        second, rest = divmod(ms, 1000)
        text = f"{_SECONDS[second]}.{rest:03d}Z"
        self[ms] = text
        return text


class _Seconds(dict[int, str]):
    """Seconds since the epoch → RFC 3339 without fraction. Calls of one period share their seconds."""

    _MOST = 100_000

    def __missing__(self, second: int) -> str:
        if len(self) > self._MOST:
            self.clear()
        text = self[second] = f"{dt.datetime.fromtimestamp(second, dt.UTC):%Y-%m-%dT%H:%M:%S}"
        return text


_SECONDS = _Seconds()
_INSTANTS = _Instants()
_INSTANTS[None] = None


def rfc3339(ms: int | None) -> str | None:
    """Milliseconds since the epoch as RFC 3339 UTC with milliseconds; None stays None."""
    return _INSTANTS[ms]


def snowflake(ms: int, salt: int) -> int:
    """Time-ordered id: ms since 2018-01-01 << 22, the low 22 bits from `salt` (a hash, so that the
    same call gets the same id wherever it is folded). Unsigned: what is earlier wraps to the upper half."""
    return ((ms - SNOWFLAKE_EPOCH_MS) << 22 | (salt & 0x3FFFFF)) & _ALL_BITS


def call_snowflake(tenant: str, call_id: str, started_at: int) -> int:
    """The id of a call that started at `started_at`, ms."""
    return snowflake(started_at, crc32(call_id.encode(errors="replace"), crc32(tenant.encode())))


def snowflake_ms(id_: int) -> int:
    """The millisecond since the epoch that a snowflake was made from."""
    ms = id_ >> 22
    return (ms if id_ < _UPPER_HALF else ms - (1 << 42)) + SNOWFLAKE_EPOCH_MS


def log_document(log: CallLog) -> dict[str, Any]:
    """A call log as an item of `logs`."""
    at = _INSTANTS
    return {
        "id": str(log.id),
        "kind": log.kind,
        "number": log.number,
        "name": log.name,
        "leg_id": log.leg_id or None,
        "started_at": at[log.started_at],
        "rang_at": at[log.rang_at],
        "answered_at": at[log.answered_at],
        "ended_at": at[log.ended_at],
        "ring_ms": log.ring_ms,
        "talk_ms": log.talk_ms,
        "outcome": log.outcome or None,
        "end_reason": log.end_reason or None,
        "reroute_reason": log.reroute_reason or None,
        "sip_status": log.sip_status or None,
        "q850_cause": log.q850_cause or None,
        "trunk": log.trunk or None,
    }


def document(call: Call) -> dict[str, Any]:
    """The call document: times RFC 3339 UTC or null, durations ms, enumerations lower-case.

    `legs`, `reroutes`, `queue_visits` and `recordings` carry their times as ms inside `Call` (keys
    ending in `at`) and as RFC 3339 here.
    """
    at = _INSTANTS
    return {
        "id": str(call.id),
        "call_id": call.call_id,
        "tenant": call.tenant,
        "version": call.version,
        "state": call.state,
        "direction": call.direction,
        "status": call.status or None,
        "end_reason": call.end_reason or None,
        "hung_up_by": call.hung_up_by or None,
        "caller": {
            "number": call.caller_number,
            "name": call.caller_name,
            "domain": call.caller_domain,
            "extension": call.caller_extension,
        },
        "callee": {
            "number": call.callee_number,
            "name": call.callee_name,
            "domain": call.callee_domain,
            "extension": call.callee_extension,
        },
        "requested": call.requested or None,
        "destination": call.destination or None,
        "answered_by": call.answered_by or None,
        "started_at": at[call.started_at],
        "progress_at": at[call.progress_at],
        "rang_at": at[call.rang_at],
        "answered_at": at[call.answered_at],
        "talk_started_at": at[call.talk_started_at],
        "ended_at": at[call.ended_at],
        "setup_ms": call.setup_ms,
        "ring_ms": call.ring_ms,
        "wait_ms": call.wait_ms,
        "talk_ms": call.talk_ms,
        "hold_ms": call.hold_ms,
        "billable_ms": call.billable_ms,
        "duration_ms": call.duration_ms,
        "sip_status": call.sip_status or None,
        "q850_cause": call.q850_cause or None,
        "cause_from": call.cause_from or None,
        "logs": [log_document(log) for log in call.logs],
        "legs": [_leg(leg) for leg in call.legs],
        "reroutes": [_with_times(reroute) for reroute in call.reroutes] if call.reroutes else [],
        "queue_visits": [_with_times(visit) for visit in call.queue_visits] if call.queue_visits else [],
        "missed_by": call.missed_by,
        "merged_call_ids": call.merged_call_ids,
        "recordings": [_with_times(recording) for recording in call.recordings] if call.recordings else [],
        "quality": call.quality,
        "did": call.did or None,
        "trunk": call.trunk or None,
        "outbound_caller_id": call.outbound_caller_id or None,
        "user_data": call.user_data or None,
        "flags": call.flags,
        "cost": call.cost or None,
        "currency": call.currency or None,
        "billed_account": call.billed_account or None,
        "rate": call.rate or None,
    }


_MOMENTS = ("started_at", "rang_at", "answered_at", "ended_at")


def _leg(leg: dict[str, Any]) -> dict[str, Any]:
    """A leg with its moments as RFC 3339."""
    shown = leg.copy()
    for moment in _MOMENTS:
        ms = leg.get(moment)
        if ms is not None:
            shown[moment] = _INSTANTS[ms]
    return shown


def _with_times(item: dict[str, Any]) -> dict[str, Any]:
    """A copy whose `at` and `…_at` values are RFC 3339."""
    return {key: rfc3339(value) if key.endswith("at") else value for key, value in item.items()}
