"""Yeastar's records of a call that is over: 30012, one for each of its CDRs, and 30039, one for each leg, with its
timeline. In 30039 `uid` names the call and `cdr_id` the leg; 30012 bears the `uid`, too, and sums the call up.
"""

from __future__ import annotations

import re
from typing import Any, Final

from pipeline.calls.steps.provisional import LEG_RECORD, PROVISIONAL
from pipeline.sources.contract import Malformed, Options
from pipeline.sources.instants import born
from pipeline.sources.json_record import Record
from schemas.event import EARLIEST_MS, Event, Party
from schemas.words import Direction

_REMEMBERED: Final = "hangup_record"
_DIRECTIONS: Final[dict[str, Direction]] = {"inbound": "inbound", "outbound": "outbound", "internal": "internal"}
_CAUSES: Final = {"no answer": 19, "busy": 17, "failed": 41, "abandoned": 16}
_QUARTER_MS: Final = 900_000  # zones differ by quarters of an hour
# `dsttrcunkname` is how the S-Series spells it, `desttrunkname` the Cloud PBX.
_ONWARD: Final = ("dst_trunk_name", "dsttrunkname", "dsttrcunkname", "desttrunkname", "dst_trunk")
_STATUSES: Final = {"answerd": "answered", "no answered": "no answer"}  # spellings of the S-Series
_LONGEST_MS: Final = 6 * 3_600_000  # between the beginning of a call and that of its last CDR
_SECOND: Final = re.compile(r"(20\d\d)([01]\d)([0-3]\d)([0-2]\d)([0-5]\d)([0-5]\d)(?!\d{4})")
_NAMED: Final = re.compile(r"(.*?)<([^<>]*)>\s*\Z")


def record_of_call(record: Record, options: Options, node: str) -> list[Event]:
    """The events of one record."""
    leg_id, uid = record.id("cdr_id"), record.id("uid", "cdr_id")
    call_id = record.id("call_id", "callid", "linkedid") or uid or record.id("transaction_id")
    if not call_id:
        raise Malformed("/msg/call_id: is missing; send the report as Yeastar gives it")
    began = _began(record, call_id)
    lasted = record.whole("call_duration", "callduration", "callduraction", "duration") * 1000
    talked = min(record.whole("talk_duration", "talkduration", "talkduraction") * 1000, lasted)
    status = record.text("status", "last_status", "disposition").lower()
    status = _STATUSES.get(status, status)
    row = leg_id or uid or str(began)
    target = leg_id or uid or f"{call_id}-{row}"[:256]
    account = LEG_RECORD if leg_id and leg_id != uid else PROVISIONAL

    def event(type_: str, at: int, leg: str) -> Event:
        id_ = f"ys-{call_id}-{row}-{'caller' if not leg else 'target'}-{type_}"
        return Event(type_, at, call_id, id_[:256], leg, options.tenant, node)

    start = event("started", began, "")
    _who(start, record)
    start.seq = 0 if account == LEG_RECORD else 1  # who was asked for first stands, and a summary names the last
    events = [start]
    tried = event("started", began, target)
    tried.role, tried.callee, tried.trunk = "target", _party(record.text("call_to", "callto")), start.trunk
    direction = start.direction
    if direction == "outbound" and start.trunk:
        tried.kind = "outside"
    else:
        tried.trunk = ""
    events.append(tried)
    if record.whole("ring_duration"):
        events.append(event("rang", began, target))
    answered = began + lasted - talked if talked or status in ("answered", "voicemail") else 0
    if answered:
        events += [event("answered", answered, ""), event("answered", answered, target)]
        events[-2].reason = _REMEMBERED
    if status == "abandoned":  # who called a queue hung up before an agent was there
        waits = [event("queue_joined", began, ""), event("queue_left", began + lasted, "")]
        for each in waits:
            each.queue = tried.callee.number if isinstance(tried.callee, Party) else ""
        waits[1].reason = "abandoned"
        events = [start, *waits]
    if status == "voicemail":
        box = event("voicemail", answered or began, "")
        box.to = tried.callee.number if isinstance(tried.callee, Party) else ""
        events.append(box)
        events = [each for each in events if each.leg_id != target]
    ends = [event("ended", began + lasted, leg) for leg in ("", target)]
    for end in ends:
        if not answered and (end.leg_id or account != LEG_RECORD):  # one leg's failure is not the call's
            # Of phones that rang together each has a record; who did not answer is told by the others.
            end.q850_cause = 0 if account == LEG_RECORD and status == "no answer" else _CAUSES.get(status, 0)
        end.reason = _REMEMBERED
        by = record.text("reason").lower().partition(" ")[0]
        if by in ("src", "dst"):
            end.hung_up_by = "caller" if by == "src" else "callee"
    events += ends if status not in ("voicemail", "abandoned") else ends[:1]
    recording = record.text("recording", "record_file")
    if recording:
        recorded = event("recorded", answered or began, "")
        recorded.recording = recording
        events.append(recorded)
    for each in events:
        if each.leg_id == target:
            each.reason = account
    if uid and uid != call_id:
        start.linked_ids = [uid]
    return events


def _began(record: Record, call_id: str) -> int:
    """When the CDR began, ms."""
    stated = record.perhaps_at("timestamp") or _shown(record) or _timeline(record)
    if not stated:
        raise Malformed("/msg/time_start: is missing; send the report as Yeastar gives it")
    since = born(call_id)
    if since < EARLIEST_MS or -2_000 <= stated - since <= _LONGEST_MS:
        return stated
    return since + (stated - since) % _QUARTER_MS  # the zone is not the PBX's


def _shown(record: Record) -> int:
    """`time_start`, ms. 30039 writes it as the PBX is set to show times (`10/16/2026 03:04:09 PM`); the ids of the leg
    and of the call begin with the same second, digit by digit."""
    written = record.perhaps_at("time_start", "timestart", "start_time", "time")
    for name in () if written else ("cdr_id", "uid"):
        digits = _SECOND.match(record.text(name))
        if digits:
            date = "{}-{}-{} {}:{}:{}".format(*digits.groups())
            return Record({"at": date}, record.zone, record.latest).perhaps_at("at")
    if not written:
        record.at("time_start", "timestart", "start_time", "time")  # raises where it is no time
    record.implausible = False
    return written


def _timeline(record: Record) -> int:
    """When the first event of 30039's timeline happened, ms; 0 without one."""
    listed = record.fields.get("event_list")
    found: list[int] = []
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict):
            at = Record(item, record.zone, record.latest).perhaps_at("event_ts", "timestamp", "time")
            if at:
                found.append(at)
    return min(found, default=0)


def _who(start: Event, record: Record) -> None:
    start.role = "caller"
    start.direction = _DIRECTIONS.get(record.text("type", "call_type").lower())
    caller = _party(record.text("call_from", "callfrom"))
    own = caller.number if start.direction in ("internal", "outbound") else ""
    start.caller = Party(caller.number, caller.name, extension=own)
    start.callee = _party(record.text("call_to", "callto"))
    trunk = record.text("src_trunk_name", "srctrunkname", "src_trunk")
    start.trunk = trunk or record.text(*_ONWARD)
    start.did = record.text("did_number", "didnumber")
    start.outbound_caller_id = record.text("dod_number")
    start.user_data = record.text("pin_code")


def _party(raw: str) -> Party:
    """`1001` or `Kristin Hale<1001>`."""
    named: Any = _NAMED.match(raw)
    return Party(named[2].strip(), named[1].strip(' "')) if named else Party(raw)
