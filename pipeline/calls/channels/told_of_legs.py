"""Events of channels → events of legs: numbers of trunks, lines, wires, names and bridges, in this order."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.calls.channels.dialled import DIALS, numbered
from pipeline.calls.channels.lines import is_open, lines
from pipeline.calls.channels.names import ORIGINATED, RENAMED, TAKEN_OVER, as_legs
from pipeline.calls.channels.wires import WIRE, cut
from schemas.event import Event

_NAMES = frozenset((RENAMED, TAKEN_OVER, ORIGINATED))


def told_of_legs(events: list[Event], distinct: Callable[[list[Event]], list[Event]]) -> list[Event]:
    """The events, each of the leg that it is about. One look at each event says which of the steps are needed."""
    wires = dials = channels = line = False
    for event in events:
        data = event.data
        if data is not None:
            if data.bridge is not None:
                channels = True
            elif data.device is not None:
                line = line or is_open(event)
        if event.role == WIRE:
            wires = True
        reason = event.reason
        if reason:
            dials = dials or reason == DIALS
            channels = channels or reason in _NAMES
    if dials:
        events = numbered(events)
    if line:
        events = lines(events)
    if wires:
        events = distinct(cut(events))
    return as_legs(events) if channels else events
