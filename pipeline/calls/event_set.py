"""The events of one call as facts: each once, in the order in which they happened."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from schemas.event import Event

# Where two events share their millisecond, cause comes before effect.
_RANK = {
    "started": 0,
    "data": 1,
    "queue_joined": 2,
    "progress": 3,
    "queue_agent_rang": 4,
    "rang": 5,
    "rerouted": 6,
    "voicemail": 7,
    "answered": 8,
    "bridged": 9,
    "transferred": 12,
    "queue_left": 13,
    "unbridged": 14,
    "ended": 15,
}
_MIDDLE = 10


def distinct(events: Iterable[Event]) -> list[Event]:
    """Each fact once, in the order in which it happened.

    The same event id within a call id is the same fact; should two reports of it differ (two
    captures of one SIP message), the earlier one counts, whichever came first.
    """
    known: dict[str | tuple[str, str], Event] = {}
    for event in events:
        other = known.setdefault(event.event_id, event)
        if other is not event and other != event:
            _settle(known, other, event)
    facts = list(known.values())
    before = -1
    for event in facts:
        if event.at <= before:
            facts.sort(key=_order)
            break
        before = event.at
    return facts


def _settle(known: dict[str | tuple[str, str], Event], other: Event, event: Event) -> None:
    """Two different events with one id: of two calls that became one, both count; else the earlier."""
    key: str | tuple[str, str] = event.event_id
    if other.call_id != event.call_id and event.sip is None:
        key = (event.call_id, event.event_id)
        other = known.setdefault(key, event)
    if other is not event and _precedence(event) < _precedence(other):
        known[key] = event


def _precedence(event: Event) -> tuple[object, ...]:
    return (event.at, event.type, event.leg_id, event.seq, msgspec.json.encode(event))


def _order(event: Event) -> tuple[int, int, int, str, str, str]:
    rank = _RANK.get(event.type, _MIDDLE)
    return (event.at, rank, event.seq, event.leg_id, event.event_id, event.call_id)
