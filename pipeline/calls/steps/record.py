"""The course of a call → its record: the call and its call logs."""

from __future__ import annotations

from typing import Any

from pipeline.calls.numbering import comes_in, leads_out
from pipeline.calls.steps import queue_visits
from pipeline.calls.steps.call_logs import call_log
from pipeline.calls.steps.call_state import Course
from pipeline.calls.steps.ending import final_cause, hung_up, status
from pipeline.calls.steps.legs import ORIGINATE, Leg, Story
from pipeline.calls.steps.outcome import cause
from pipeline.calls.steps.talk import hold_ms, union
from pipeline.calls.steps.targets import Target
from schemas.call import Call, call_snowflake
from schemas.event import Party

_NOT_REACHED = frozenset(("queue", "consultation"))
_PHONES = frozenset(("extension", "ring_group_member"))
SHORTEST_RING_MS = 1_000


def record(course: Course, tenant: str, call_ids: set[str], events: int, version: int, moves: list[Any]) -> Call:
    """The finished record. `events`: how many distinct ones were folded; `moves`: the reroutes."""
    story, caller, targets = course.story, course.caller, course.targets
    started, answered, ended, now = course.started, course.answered, course.ended, course.now
    call_status = status(course)
    by, end_reason = hung_up(course, call_status)
    number, cause_from, sip_status = final_cause(course, call_status)
    rang_at, progress_at = _before_answer(course)
    if progress_at is not None:
        course.flags.append("early_media")
    if caller.start_reason in ORIGINATE:
        course.flags.append("originated")
    talk = course.talking[0] if course.talking else None
    talk_ms = _talk_ms(course)
    if talk is not None and talk_ms == 0 and ended is not None and "end_estimated" not in course.flags:
        course.flags.append("zero_duration")
    callee, calling = caller.callee, caller.caller
    requested = callee.number or callee.extension or (targets[0].number if targets else "")
    billed = now if caller.ended is None else max(min(caller.ended, now), started)
    call_id = caller.call_id  # of several ids that turn out to be one call, the caller's stays
    call = Call(
        tenant,
        call_snowflake(tenant, call_id, started),
        call_id,
        version,
        "open" if ended is None else "closed",
        _direction(course),
        call_status,
        end_reason,
        by,
        calling.number,
        calling.name,
        calling.domain,
        calling.extension,
        requested,
        callee.name,
        callee.domain,
        callee.extension,
        requested,
        _destination(course),
        _answered_by(course),
        started,
        progress_at,
        rang_at,
        answered,
        talk.talk[0] if talk is not None and talk.talk is not None else None,
        ended,
        None if answered is None else answered - started,
        None if rang_at is None else max(0, (now if answered is None else answered) - rang_at),
        sum(queue_visits.waited(visit, now) for visit in course.visits) if course.visits else None,
        talk_ms,
        hold_ms(story.legs.values(), now) if story.held else 0,
        0 if answered is None else max(0, billed - answered),
        None if ended is None else ended - started,
        sip_status,
        number,
        cause_from,
        caller.did or _first(course, "did"),
        _trunk(course, number),
        caller.outbound_caller_id or _first(course, "outbound_caller_id"),
        _service_number(course, moves),
        story.user_data,
        _missed(course) if talk is None or len(targets) > 1 else [],
        sorted(call_ids) if len(call_ids) > 1 else [],
        course.flags,
        events,
        story.last_at,
        list(map(_leg, story.legs.values())),
        moves,
        [queue_visits.describe(visit, now) for visit in course.visits] if course.visits else [],
        _recordings(story) if story.recordings else [],
        _quality(story) if story.quality else None,
        [],
    )
    call.logs = [call_log(call, course, target, position) for position, target in enumerate(targets)]
    return call


def _before_answer(course: Course) -> tuple[int | None, int | None]:
    """First ringing and first early media of a target, as far as they came before the answer."""
    latest = course.now if course.answered is None else course.answered
    caller = course.caller
    own = not course.click_to_dial  # whose own phone rings first
    rang = caller.rang if own and caller.rang is not None and caller.rang <= latest else None
    early = caller.progress if own and caller.progress is not None and caller.progress <= latest else None
    for target in course.targets:
        at = target.rang
        if at is not None and at <= latest and (rang is None or at < rang) and target.kind != "consultation":
            rang = at
        if target.leg is not None and target.leg.progress is not None:
            at = target.leg.progress
            if at <= latest and (early is None or at < early) and target.kind != "consultation":
                early = at
    return (
        None if rang is None else max(rang, course.started),
        None if early is None else max(early, course.started),
    )


def _talk_ms(course: Course) -> int:
    talking = course.talking
    if len(talking) < 2:
        return talking[0].talk_ms if talking else 0
    return union(target.talk for target in talking if target.talk is not None)


def _destination(course: Course) -> str:
    """The last target that was reached."""
    best: tuple[int, int] | None = None
    number = ""
    for target in course.targets:
        if target.outcome == "answered" and target.kind not in _NOT_REACHED:
            key = (target.started if target.answered is None else target.answered, target.started)
            if best is None or key > best:
                best, number = key, target.number
    return number


def _answered_by(course: Course) -> str:
    """The human that answered first; a conference only when nobody else did."""
    humans = [target for target in course.talking if target.kind != "conference"]
    if humans:
        return next((target for target in humans if target.talk_ms), humans[0]).number
    return course.talking[0].number if course.talking else ""


def _direction(course: Course) -> str:
    stated = course.caller.direction or _first(course, "direction")
    if stated:
        outside = stated == "inbound" and any(t.leg is not None and t.leg.kind == "outside" for t in course.targets)
        return "inbound_outbound" if outside else stated
    inward = bool(course.caller.trunk or course.caller.did)
    told_of = [t for t in course.targets if t.leg is not None]
    outward = any(t.kind == "outside" for t in told_of)
    if inward and outward:
        return "inbound_outbound"
    if inward or outward:
        return "inbound" if inward else "outbound"
    # Nothing says which way it went but its numbers. A PBX that knows its extensions, or answers by itself, tells of
    # each leg: none went out, and none did where an extension called and extensions were rung.
    caller, called = course.caller.caller, course.caller.callee
    if not told_of and (caller.extension or course.caller.answered_by == "pbx"):
        return "internal"
    if caller.extension and all(t.leg is not None and t.leg.callee.extension for t in told_of):
        return "internal"
    if not called.number and course.targets:
        called = Party(course.targets[0].number)
    if comes_in(caller, called) or any(comes_in(caller, Party(t.number)) for t in told_of):
        return "inbound"
    return "outbound" if leads_out(caller, called) else "internal"


def _first(course: Course, field: str) -> str:
    for target in course.targets:
        if target.leg is not None:
            stated: str = getattr(target.leg, field)
            if stated:
                return stated
    return ""


def _trunk(course: Course, cause_shown: int) -> str:
    """The caller's trunk, else the one that carried the call, else, of those that were tried, the last whose cause the
    call shows, else the last."""
    if course.caller.trunk:
        return course.caller.trunk
    for target in course.talking:
        if target.trunk:
            return target.trunk
    tried = [target for target in reversed(course.targets) if target.leg is not None and target.trunk]
    for target in tried:
        if target.leg is not None and cause(target.leg)[0] == cause_shown:
            return target.trunk
    return tried[0].trunk if tried else ""


def _service_number(course: Course, moves: list[dict[str, Any]]) -> str:
    """The number of the queue, or of the group whose phones rang, whether or not one of them answered."""
    if course.visits:
        return course.visits[0].number
    phones = [target for target in course.targets if target.kind in _PHONES]
    for item in moves:
        if item["kind"] == "ring_group":  # out of the group to the phone that won, or into the group
            inward = phones and all(target.number != item["to"] for target in phones)
            return str(item["to" if inward else "from"] or "")
    return course.caller.callee.number if any(target.kind == "ring_group_member" for target in phones) else ""


def _missed(course: Course) -> list[str]:
    """Human targets that were tried and not reached; queue agents and losers of a race are not
    among them, nor is who talked in the end."""
    reached = {target.number for target in course.talking}
    missed: dict[str, None] = {}
    for target in course.targets:
        if target.kind not in _PHONES or target.number in reached or not target.number:
            continue
        rang = target.rang is not None or (target.leg is None and _rang_before(course, target)) or _may_ring(target)
        if target.outcome == "busy" or (rang and target.outcome in ("no_answer", "cancelled")):
            missed[target.number] = None
    return list(missed)


def _may_ring(target: Target) -> bool:
    """Whether a phone was dialled by a PBX that tells of no ringing (CEL): it has missed what it did not answer."""
    leg = target.leg
    if leg is None or target.ended is None or leg.sip_status or leg.cause or leg.progress is not None:
        return False
    return target.ended - target.started >= SHORTEST_RING_MS


def _rang_before(course: Course, target: Target) -> bool:
    """Whether the caller heard ringing before the call left a target that has no leg of its own."""
    rang = course.caller.rang
    return rang is not None and (target.ended is None or rang <= target.ended)


def _leg(leg: Leg) -> dict[str, Any]:
    """A leg as an item of `legs`; times in ms."""
    item = {
        "leg_id": leg.id or None,
        "call_id": leg.call_id,
        "node": leg.node or None,
        "peer_leg_id": leg.peer or None,
        "from": leg.caller.number or None,
        "to": leg.callee.number or None,
        "started_at": leg.started,
        "rang_at": leg.rang,
        "answered_at": leg.answered,
        "ended_at": leg.ended,
        "sip_status": leg.sip_status or None,
        "q850_cause": leg.q850_cause or None,
    }
    if leg.address:
        item["address"] = leg.address
    if leg.clock_ahead:
        item["clock_ahead_ms"] = leg.clock_ahead
    return item


def _recordings(story: Story) -> list[dict[str, Any]]:
    return [
        {"at": event.at, "recording": event.recording, "leg_id": event.leg_id or None}
        for event in story.recordings or ()
    ]


def _quality(story: Story) -> dict[str, Any]:
    """The last word on each measure."""
    measures: dict[str, Any] = {}
    for event in story.quality or ():
        measures.update(event.quality or {})
    return measures
