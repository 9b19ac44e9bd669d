"""The number that a leg over a trunk calls, as whoever dialled it said.

A trunk has no number of its own, and what a PBX shows on the leg may be the extension by which the dial plan came there
(a line prefix, a speed dial): `data` with the reason `dials` tells what was dialled, `to` over `trunk`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.event import Event, Party

DIALS = "dials"
_SLACK_MS = 1_000  # a leg may begin just before who calls it says so


def numbered(events: list[Event]) -> list[Event]:
    """The events with the dialled number on each leg over a trunk."""
    said: dict[str, list[tuple[int, str]]] = {}
    for event in events:
        if event.reason == DIALS:
            said.setdefault(event.trunk, []).append((event.at, event.to))
    legs: dict[str, tuple[int, str]] = {}
    for event in events:
        device = event.trunk or (event.data.device if event.data is not None else None)
        if event.type == "started" and isinstance(device, str) and device in said:
            legs.setdefault(event.leg_id, (event.at, device))
    numbers = {leg: (_number(said[device], at), device) for leg, (at, device) in legs.items()}
    rest = [event for event in events if event.reason != DIALS] or events
    return [_told(event, *numbers[event.leg_id]) if event.leg_id in numbers else event for event in rest]


def _number(said: list[tuple[int, str]], at: int) -> str:
    """What was said last when the leg began, else what was said first after it."""
    before = [number for when, number in said if when <= at + _SLACK_MS]
    return before[-1] if before else said[0][1]


def _told(event: Event, number: str, trunk: str) -> Event:
    if event.role == "caller" or event.reason == DIALS:
        return event
    changes: dict[str, Any] = {}
    if event.callee is not None or event.type == "started":
        changes["callee"] = Party(number=number)
    if event.type == "started":
        changes |= {"trunk": trunk, "kind": "outside"}
    return msgspec.structs.replace(event, **changes) if changes else event
