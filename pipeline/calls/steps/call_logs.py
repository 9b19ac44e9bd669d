"""Targets → call logs: one row for each target that was tried."""

from __future__ import annotations

from zlib import crc32

from pipeline.calls.steps.call_state import Course
from pipeline.calls.steps.outcome import cause
from pipeline.calls.steps.talk import SAME_INSTANT_MS
from pipeline.calls.steps.targets import Target
from schemas.call import Call, CallLog, snowflake

_LAST_POSITION = 65_535  # what the column holds


def call_log(call: Call, course: Course, target: Target, position: int) -> CallLog:
    """The log of one target. Its id is made by `name`, when all are there."""
    leg = target.leg
    end = target.ended if target.ended is not None else call.ended_at
    if leg is not None:
        number, sip_status = cause(leg)[0], leg.sip_status if target.answered is None else 0
    elif len(course.targets) == 1:
        number, sip_status = call.q850_cause, call.sip_status
    else:
        number = sip_status = 0
    rang, answered = target.rang, target.answered
    if answered is not None and target.talk is not None:
        answered = min(answered, target.talk[0])  # told just after the caller's, whose clock measures the talk
    if end is not None and end < target.started:
        end = target.started  # reports of two clocks, or a part of them
    if answered is not None:
        answered = max(target.started, answered if end is None else min(answered, end))
    ring_ms = None
    if rang is not None:
        until = answered if answered is not None else course.now if end is None else end
        rang = max(target.started, min(rang, until))
        ring_ms = max(0, until - rang)
    return CallLog(
        call.tenant,
        0,
        call.id,
        call.call_id,
        call.version,
        min(position, _LAST_POSITION),
        target.kind,
        target.number,
        target.name,
        leg.id if leg is not None else "",
        target.started,
        rang,
        answered,
        end,
        ring_ms,
        target.talk_ms,
        target.outcome,
        target.end_reason or _end_reason(call, target),
        target.reroute_reason,
        sip_status,
        number,
        target.trunk or call.trunk,
        call.direction,
        call.caller_number,
        call.caller_name,
        call.caller_domain,
        target.domain or call.callee_domain,
        call.did,
        call.outbound_caller_id,
        call.service_number,
        call.user_data,
    )


def _end_reason(call: Call, target: Target) -> str:
    if target.ended is None or call.ended_at is None:
        return ""
    if target.talk is not None:
        return call.end_reason if target.talk[1] >= call.ended_at - SAME_INSTANT_MS else "callee_disconnected"
    if target.outcome == "answered":  # by the PBX, which sent the caller on unless the call ended here
        return call.end_reason if target.ended >= call.ended_at - SAME_INSTANT_MS else "referred"
    return "cancelled" if target.outcome == "cancelled" else ""


def name(logs: list[CallLog]) -> None:
    """Give each log its id: of its time and its leg, or its number where it has no leg. The same target gets
    the same id however the others change."""
    used: set[int] = set()
    for log in logs:
        salt = crc32(f"{log.call_id}\n{log.leg_id or log.number}".encode("utf-8", "replace"))
        id_ = snowflake(log.started_at, salt)
        while id_ in used:  # a second log of the same leg at the same time, or two salts that are equal
            salt += 1
            id_ = snowflake(log.started_at, salt)
        used.add(id_)
        log.id = id_
