"""Calls that came in over a line which neither its name nor its context shows to be one.

The channel that began such a call may as well be of a phone with a name (`data.device` of its `started`). What the PBX
did then tells: who asked for a number written in full, or for none, and had phones of the house rung for it, came from
outside.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.calls.numbering import is_full
from schemas.event import Event, Party


def is_open(event: Event) -> bool:
    """Whether the event is of a channel that began a call and may be a line or a phone."""
    is_begin = event.type == "started" and event.role == "caller" and event.direction is None
    return is_begin and event.data is not None and isinstance(event.data.device, str)


def lines(events: list[Event]) -> list[Event]:
    """The events, with direction and trunk where the call came in."""
    first = next(event for event in events if is_open(event))
    assert first.data is not None
    device = str(first.data.device)
    asked = _number(first.callee)
    if (asked and not is_full(asked)) or not _rings_phones(events, first):
        return events
    return [_over(event, device, asked) if event.leg_id == first.leg_id else event for event in events]


def _rings_phones(events: list[Event], first: Event) -> bool:
    """Whether phones of the house were rung, and nobody else."""
    called = [event for event in events if event.type == "started" and event.leg_id != first.leg_id]
    return bool(called) and all(
        isinstance(event.callee, Party) and event.callee.extension and event.kind != "outside" for event in called
    )


def _over(event: Event, device: str, asked: str) -> Event:
    changes: dict[str, Any] = {"direction": "inbound", "trunk": device, "did": asked}
    if isinstance(event.caller, Party) and event.caller.number == device:
        changes["caller"] = None  # the line's name is nobody's number
    return msgspec.structs.replace(event, **changes)


def _number(party: str | Party | None) -> str:
    return party.number if isinstance(party, Party) else party or ""
