"""Calls that a PBX sums up at their end: its record takes the place of what it told of the targets while they rang.

PBXs whose live events do not say which attempt they mean (PortSIP names the destination only) send a record of the whole
call in the end. Their decoder gives live events of targets the reason `live`, and the record's first event, of type `data`,
the reason `call_record`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from schemas.event import Event

LIVE: Final = "live"
CALL_RECORD: Final = "call_record"


def is_summed_up(events: Iterable[Event]) -> bool:
    """Whether the record of the whole call has come."""
    return any(event.reason == CALL_RECORD and event.type == "data" for event in events)


def summed_up(events: list[Event]) -> list[Event]:
    """The events without what the record tells better."""
    return [event for event in events if event.reason != LIVE]
