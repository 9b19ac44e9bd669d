"""Yeastar's report 30011: who takes part in a call, and in which state each is.

Every report has all members, so a state is told again and again; its first report counts. ALERT and ANSWERED are
states of who calls, RING and ANSWER of who is called.
"""

from __future__ import annotations

from typing import Any, Final

from pipeline.calls.steps.provisional import DEFINITE
from pipeline.sources.contract import Malformed, Options
from pipeline.sources.instants import born
from pipeline.sources.json_record import Record
from schemas.event import EARLIEST_MS, Event, Party

_KINDS: Final = ("extension", "inbound", "outbound")
_CALLS: Final = frozenset(("ALERT", "ANSWERED"))
_CALLED: Final = frozenset(("RING", "ANSWER", "EARLYMEDIA"))
_MOST: Final = 256


def members(record: Record, raw: Any, options: Options, node: str) -> list[Event]:
    """The events of one report."""
    call_id = record.id("call_id", "callid")
    if not call_id:
        raise Malformed("/msg/call_id: is missing; send the report as Yeastar gives it")
    at = record.at("received_at", "timestamp", "time")
    if not at:
        raise Malformed(
            "/received_at: is missing, and the report has no time; post it to /ingest/yeastar, which adds it"
        )
    found: list[tuple[str, Record]] = []
    for item in raw[:_MOST] if isinstance(raw, list) else ():
        for kind in _KINDS:
            inner = item.get(kind) if isinstance(item, dict) else None
            if isinstance(inner, dict):
                found.append((kind, Record(inner, record.zone, record.latest)))
    caller = next((_leg(call_id, of) for kind, of in found if _is_caller(kind, of)), "")
    account = Event("data", at, call_id, f"ys-{call_id}-members", "", options.tenant, node, reason=DEFINITE)
    events = [account]
    for kind, of in found:
        events += _member(call_id, at, kind, of, caller, options, node)
    return events


def _leg(call_id: str, of: Record) -> str:
    return f"{call_id}-{of.id('channel_id') or of.id('number', 'to', 'from')}"[:256]


def _is_caller(kind: str, of: Record) -> bool:
    return kind == "inbound" or (kind == "extension" and of.text("member_status").upper() in _CALLS)


def _member(call_id: str, at: int, kind: str, of: Record, caller: str, options: Options, node: str) -> list[Event]:
    status = of.text("member_status").upper()
    leg = _leg(call_id, of)
    calls = _is_caller(kind, of)

    def event(type_: str, when: int, *, again: bool = False) -> Event:
        """`again`: the state comes and goes."""
        id_ = f"ys-{leg}-{type_}-{when}" if again else f"ys-{leg}-{type_}"
        return Event(type_, when, call_id, id_[:256], leg, options.tenant, node)

    began = born(call_id) if calls else 0
    start = event("started", began if EARLIEST_MS <= began <= at else at)
    if calls:
        _calling(start, kind, of)
    elif kind == "outbound" or status in _CALLED:
        _called(start, kind, of, caller if caller != leg else "")
    else:  # held or gone: an earlier report said who it is
        start.role = ""
    events = [start] if start.role else []
    if status in ("ANSWER", "ANSWERED"):
        events += [event("answered", at), event("resumed", at, again=True)]
    elif status == "RING":
        events.append(event("rang", at))
    elif status == "EARLYMEDIA":
        events.append(event("progress", at))
    elif status == "HOLD":
        events.append(event("held", at, again=True))
    elif status == "BYE":
        events.append(event("ended", at))
    return events


def _calling(start: Event, kind: str, of: Record) -> None:
    start.role = "caller"
    if kind == "inbound":
        start.caller, start.callee = Party(of.text("from")), Party(of.text("to"))
        start.did, start.trunk, start.direction = of.text("to"), of.text("trunk_name"), "inbound"
    else:
        number = of.text("number")
        start.caller = Party(number, extension=number)


def _called(start: Event, kind: str, of: Record, caller: str) -> None:
    start.role, start.peer_leg_id = "target", caller
    if kind == "outbound":
        start.callee, start.trunk, start.kind = Party(of.text("to")), of.text("trunk_name"), "outside"
    else:
        number = of.text("number")
        start.callee = Party(number, extension=number)
