"""Channels → legs: what a PBX tells of its channels under more than one name, told of one leg each.

Four events say how: `data` with the reason `originated` (a call that the PBX began under the id `leg_id`, which is
nobody's leg, by calling the phone `to` first), `data` with the reason `renamed` (the leg `peer_leg_id` goes on as
`leg_id`), `data` with the reason `taken_over` (from then on, what is told of `leg_id` is of `peer_leg_id`: a call that
rang was picked up), and `bridged` or `unbridged` that name a bridge (`data.bridge`) instead of the other leg.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import msgspec

from schemas.event import Event, Party

RENAMED = "renamed"
TAKEN_OVER = "taken_over"
ORIGINATED = "originated"
# Of a bridge with more legs than this, a conference, not every pair is told.
_MOST = 8
_GOES_ON = frozenset(("answered", "bridged", "unbridged"))
# What a leg did while it was still its own, even at the instant at which another took it over.
_ITS_OWN = frozenset(("started", "progress", "rang", "rerouted", "data"))


def as_legs(events: list[Event]) -> list[Event]:
    """The events, in order, each of the leg that it is about."""
    renamed = {e.peer_leg_id: e.leg_id for e in events if e.type == "data" and e.reason == RENAMED and e.peer_leg_id}
    taken: dict[str, tuple[int, str]] = {}
    for event in events:
        if event.type == "data" and event.reason == TAKEN_OVER and event.peer_leg_id:
            taken.setdefault(event.leg_id, (event.at, event.peer_leg_id))
    told_of = bool(taken)
    if taken:
        # Asterisk 12 and later tells of the phone under its own id: the id that rang is only let go of.
        on = {e.leg_id for e in events if e.leg_id in taken and e.at >= taken[e.leg_id][0] and e.type in _GOES_ON}
        taken = {leg: taken[leg] for leg in on}
    if renamed or told_of:
        last = _last_names(renamed)
        events = [_moved(event, last, taken) for event in events]
    phones = {e.leg_id: e.to for e in events if e.type == "data" and e.reason == ORIGINATED and e.to}
    if phones:
        events = _begun(events, phones)
    if any(event.data is not None and event.data.bridge is not None for event in events):
        events = _paired(events)
    return events


def _begun(events: list[Event], phones: dict[str, str]) -> list[Event]:
    """The phone that was called first is the caller's, and the others were called for it."""
    first: dict[str, str] = {}
    for event in events:
        if event.type == "started" and event.peer_leg_id in phones and event.peer_leg_id not in first:
            number = event.callee.number if isinstance(event.callee, Party) else event.callee
            if number == phones[event.peer_leg_id]:
                first[event.peer_leg_id] = event.leg_id
    callers = set(first.values())
    kept: list[Event] = []
    for event in events:
        if event.leg_id in callers:
            changes: dict[str, Any] = {"role": "caller", "caller": event.callee or event.caller, "callee": None}
            if event.type == "started":
                changes["reason"] = "originate"
            event = msgspec.structs.replace(event, peer_leg_id="", **changes)
        elif event.peer_leg_id in first:
            event = msgspec.structs.replace(event, peer_leg_id=first[event.peer_leg_id])
        if event.leg_id not in first or event.reason != ORIGINATED:
            kept.append(event)
    return kept


def _last_names(renamed: dict[str, str]) -> dict[str, str]:
    """Each name that a leg had, and the last one that it got."""
    last: dict[str, str] = {}
    for first in renamed:
        names: dict[str, None] = {}
        leg = first
        while leg in renamed and leg not in names and leg not in last:
            names[leg] = None
            leg = renamed[leg]
        leg = last.get(leg, leg)
        last |= dict.fromkeys(names, leg)
    return last


def _moved(event: Event, renamed: dict[str, str], taken: dict[str, tuple[int, str]]) -> Event:
    """The event told of the leg that its own became."""
    changes: dict[str, Any] = {}
    for field in ("leg_id", "peer_leg_id", "second_leg_id", "transferee_leg_id", "target_leg_id"):
        named: str = getattr(event, field)
        leg = renamed.get(named, named)
        if field == "leg_id" and leg in taken and event.type not in _ITS_OWN and event.at >= taken[leg][0]:
            leg = taken[leg][1]
            changes |= {"caller": None, "callee": None, "kind": None, "role": "", "peer_leg_id": ""}
        if leg != named:
            changes[field] = leg
    if event.type == "data" and event.reason in (RENAMED, TAKEN_OVER):
        changes["peer_leg_id"] = ""
    return msgspec.structs.replace(event, **changes) if changes else event


def _paired(events: list[Event]) -> list[Event]:
    """Say of each bridge which leg hears which, as long as there are two."""
    inside: dict[str, dict[str, None]] = {}
    paired: list[Event] = []
    for event in events:
        bridge = event.data.bridge if event.data is not None else None
        if not isinstance(bridge, str) or event.type not in ("bridged", "unbridged") or event.peer_leg_id:
            paired.append(event)
            continue
        legs = inside.setdefault(bridge, {})
        legs.pop(event.leg_id, None)
        others = list(islice(legs, _MOST))
        if event.type == "bridged":
            legs[event.leg_id] = None
        if not others:
            paired.append(event)  # it is alone there: nobody hears it
        for place, other in enumerate(others):
            id_ = event.event_id if not place else f"{event.event_id}-{place}"
            paired.append(msgspec.structs.replace(event, peer_leg_id=other, event_id=id_))
    return paired
