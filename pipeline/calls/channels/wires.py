"""Wires cut out: channels that a PBX makes as pieces of wire between others are no parties (Asterisk's Local channels).

Their events have the role `wire` and the channel's name in `data.device`; the two halves of one differ in the last
character (`…;1`, `…;2`). The near half is called, or begins a call of the PBX's own; the far half goes through the dial
plan, as a caller would. Whoever is at one end hears whoever is at the other; what the far half executes, the party at
the near end has before it; and a call that a wire began is the call of the phone that was rung first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from schemas.event import Event

WIRE = "wire"
_MOST = 8  # parties at one end of a wire of which every pair is told; bridges that are looked at
_AT_ONCE_MS = 2_000
# What the far half executes for who is at the near end.
_EXECUTED = frozenset(("voicemail", "rerouted", "queue_joined", "queue_left", "queue_agent_rang"))
_ROOMS = frozenset(("conference_joined", "conference_left"))
_MENU = "application"


def cut(events: list[Event]) -> list[Event]:
    """The events of parties only, in order; who heard whom is told of them."""
    wires = _Wires(events)
    parties = [event for event in events if event.role != WIRE]
    if not any(event.type == "started" for event in parties):
        return _as_legs(events)  # both ends are applications of the PBX
    began = wires.began
    caller = "" if began else _caller(parties)
    if began:
        parties, caller = _originated(wires, parties, began)
    parties = [_called(event, wires, caller) for event in _consulted(wires, events, parties)]
    told = [*(event for event in parties if not _names_bridge(event)), *_hearing(wires, events)]
    kept = {event.leg_id for event in parties}
    told = [event for event in told if event.leg_id in kept or not event.leg_id]
    told += _executed(wires, events, told, caller)
    told.sort(key=lambda event: event.at)
    return told


class _Wires:
    """The halves of wires: `other` maps each to the one at its other end, as far as both are told of."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.names: dict[str, str] = {}
        self.began = ""  # the near half that began the call, if one did
        self.answered: dict[str, int] = {}
        self.queues: set[str] = set()  # halves that wait in a queue, whose agents are nobody's choice
        known = False  # some party has begun the call
        for event in events:
            if event.role != WIRE:
                known = known or event.type == "started"
                continue
            name = event.data.device if event.data is not None and isinstance(event.data.device, str) else ""
            self.names.setdefault(event.leg_id, name)
            if event.type == "started" and event.leg_id == event.call_id and name.endswith(";1") and not known:
                self.began = self.began or event.leg_id
            if event.type == "queue_joined":
                self.queues.add(event.leg_id)
            if event.type == "answered":
                self.answered.setdefault(event.leg_id, event.at)
        legs = {name: leg for leg, name in self.names.items()}
        self.other: dict[str, str] = {}
        for leg, name in self.names.items():
            far = legs.get(name[:-1] + ("2" if name.endswith("1") else "1")) if name else None
            if far is not None:
                self.other[leg] = far

    def is_near(self, leg: str) -> bool:
        return self.names.get(leg, "").endswith(";1")


def _as_legs(events: list[Event]) -> list[Event]:
    """A call without parties: the first wire stands for who was called."""
    first = events[0].leg_id
    return [msgspec.structs.replace(event, role="") for event in events if event.leg_id == first]


def _caller(parties: list[Event]) -> str:
    """The leg that began the call."""
    for event in parties:
        if event.leg_id == event.call_id:
            return event.leg_id
    return next((event.leg_id for event in parties if event.type == "started" and not event.peer_leg_id), "")


def _originated(wires: _Wires, parties: list[Event], began: str) -> tuple[list[Event], str]:
    """A call that the PBX began: the phone that was rung first is the caller's, and the others were called for it.

    Where several were rung at once, the first to answer has the call; the others are none of its targets.
    """
    until = wires.answered.get(began)
    starts = {event.leg_id: event.at for event in reversed(parties) if event.type == "started"}
    first_stage = {leg for leg, at in starts.items() if until is None or at < until}
    if not first_stage:  # clocks of whole seconds: what came first has the lower number
        first_stage = {min(starts, key=lambda leg: (starts[leg], len(leg), leg))}
    answers = [event for event in parties if event.type == "answered" and event.leg_id in first_stage]
    first = answers[0].leg_id if answers else min(first_stage, key=lambda leg: (starts[leg], len(leg), leg))
    found = []
    for event in parties:
        if event.leg_id == first:
            found.append(_begins(event))
        elif event.leg_id not in first_stage:
            peer = event.peer_leg_id
            found.append(msgspec.structs.replace(event, peer_leg_id=first) if peer == began else event)
    return found, first


def _begins(event: Event) -> Event:
    """An event of the leg that was called first, told as of the caller's."""
    changes: dict[str, Any] = {"peer_leg_id": ""}
    if event.role != "caller":
        changes |= {"role": "caller", "caller": event.callee or event.caller, "callee": None}
    if event.kind == "outside":
        changes |= {"direction": "outbound", "callee": event.callee, "caller": None}
    if event.type == "started":
        changes["reason"] = "originate"
    if event.type == "answered":
        changes["answered_by"] = "party"
    return msgspec.structs.replace(event, **changes)


def _consulted(wires: _Wires, events: list[Event], parties: list[Event]) -> list[Event]:
    """Who is called by somebody that talks already and has put the other on hold (a feature key): for him, not for the
    caller. He is with the near half in a bridge before anybody has answered at the far one."""
    consulting: dict[str, tuple[str, int, int | None]] = {}  # far half → who consults, from when until when
    bridges = _Bridges(wires)
    ends = {event.leg_id: event.at for event in events if event.type == "ended" and event.role == WIRE}
    for event in events:
        if not _names_bridge(event):
            continue
        bridges.follow(event)
        near = event.leg_id
        answered = wires.answered.get(near)
        if event.type != "bridged" or not wires.is_near(near) or (answered is not None and answered <= event.at):
            continue
        with_it = bridges.reached(bridges.where[near], near)
        far = wires.other.get(near)
        if with_it and far is not None and near != wires.began and far not in wires.queues:
            consulting.setdefault(far, (with_it[0], event.at, answered or ends.get(near)))
    if not consulting:
        return parties
    by: dict[str, str] = {}
    for event in parties:
        if event.type != "started" or not event.peer_leg_id:
            continue
        for far, (leg, since, until) in consulting.items():
            then = since - _AT_ONCE_MS <= event.at and (until is None or event.at <= until)
            if event.leg_id != leg and (event.peer_leg_id == far or (event.peer_leg_id not in wires.names and then)):
                by[event.leg_id] = leg
    return [_for(event, by[event.leg_id]) if event.leg_id in by else event for event in parties]


def _called(event: Event, wires: _Wires, caller: str) -> Event:
    """A leg that a wire called was called for the caller; one that its queue rang is an agent's."""
    far = event.peer_leg_id
    if far not in wires.names:
        return event
    agent = event.type == "started" and any(half in wires.queues for half in (far, wires.other.get(far, "")))
    return msgspec.structs.replace(event, peer_leg_id=caller, kind="queue_agent" if agent else event.kind)


def _for(event: Event, leg: str) -> Event:
    changes: dict[str, Any] = {"peer_leg_id": leg} if event.peer_leg_id else {}
    if event.type == "started":
        changes["kind"] = "consultation"
    return msgspec.structs.replace(event, **changes)


def _names_bridge(event: Event) -> bool:
    told = event.type in ("bridged", "unbridged") and not event.peer_leg_id
    return told and event.data is not None and isinstance(event.data.bridge, str)


class _Bridges:
    """Who is in which bridge by now, and who hears whom through wires."""

    def __init__(self, wires: _Wires) -> None:
        self.wires = wires
        self.inside: dict[str, dict[str, None]] = {}
        self.where: dict[str, str] = {}

    def follow(self, event: Event) -> None:
        """A leg joins or leaves the bridge that the event names."""
        assert event.data is not None
        bridge, leg = str(event.data.bridge), event.leg_id
        inside = self.inside.setdefault(bridge, {})
        if event.type == "bridged":
            inside[leg] = None
            self.where[leg] = bridge
        else:
            inside.pop(leg, None)
            if self.where.get(leg) == bridge:
                del self.where[leg]

    def reached(self, bridge: str, without: str = "") -> list[str]:
        """The parties in a bridge and in those that wires join to it, but for one leg and what is behind it."""
        found: list[str] = []
        seen = {bridge}
        todo = [bridge]
        while todo and len(seen) <= _MOST:
            for leg in islice(self.inside.get(todo.pop(), ()), 4 * _MOST):
                if leg == without:
                    continue
                if leg not in self.wires.names:
                    found.append(leg)
                    continue
                beyond = self.where.get(self.wires.other.get(leg, ""), "")
                if beyond and beyond not in seen:
                    seen.add(beyond)
                    todo.append(beyond)
        return found[:_MOST]


def _hearing(wires: _Wires, events: list[Event]) -> Iterator[Event]:
    """Who begins and ends to hear whom, by the bridges that the events name."""
    bridges = _Bridges(wires)
    for event in events:
        if not _names_bridge(event):
            continue
        assert event.data is not None
        bridge, leg = str(event.data.bridge), event.leg_id
        if (event.type == "bridged") == (leg in bridges.inside.get(bridge, ())):
            continue  # told twice
        if event.type == "bridged":
            bridges.follow(event)
        here = bridges.reached(bridge, leg)
        if leg in wires.names:
            beyond = bridges.where.get(wires.other.get(leg, ""), "")
            there = bridges.reached(beyond, wires.other.get(leg, "")) if beyond and beyond != bridge else []
            pairs = [(one, two) for one in here for two in there if one != two]
        else:
            pairs = [(leg, other) for other in here]
            if not pairs:
                yield msgspec.structs.replace(event, data=None)  # it is alone there: nobody hears it
        if event.type == "unbridged":
            bridges.follow(event)
        for place, (one, two) in enumerate(pairs):
            id_ = f"{event.event_id}-{place}" if place or leg in wires.names else event.event_id
            changes: dict[str, Any] = {"leg_id": one, "peer_leg_id": two, "event_id": id_, "role": ""}
            yield msgspec.structs.replace(event, data=None, **changes)


def _executed(wires: _Wires, events: list[Event], told: list[Event], caller: str) -> Iterator[Event]:
    """What wires execute, told of the caller's leg, if the caller was there: a box that took the call from a phone of a
    group, a queue to which somebody led him. What was before he came is not his."""
    connected = _connections(wires, events, caller)
    for event in events:
        if event.role != WIRE:
            continue
        by_pbx = event.type == "answered" and event.answered_by == "pbx"
        if not by_pbx and event.type not in _EXECUTED and event.type not in _ROOMS and event.reason != _MENU:
            continue
        leg = event.leg_id
        if leg == wires.began:
            since: int | None = event.at
        else:
            spans = [*connected.get(leg, ()), *connected.get(wires.other.get(leg, ""), ())]
            since = _since(sorted(spans, key=lambda span: span[0]), event.at)
        if since is not None:
            changes: dict[str, Any] = {"leg_id": caller, "at": since, "role": "", "data": None}
            if by_pbx:
                changes |= {"type": "data", "reason": _MENU, "to": "answer", "answered_by": ""}
            if event.type != "rerouted" or since == event.at:
                yield msgspec.structs.replace(event, **changes)


def _since(spans: list[tuple[int, int | None]], at: int) -> int | None:
    """When the caller was at the wire, for what it executed from `at` on."""
    for begins, ends in spans:
        if ends is None or ends > at:
            return at if begins <= at + _AT_ONCE_MS else begins
    return None


def _connections(wires: _Wires, events: list[Event], caller: str) -> dict[str, list[tuple[int, int | None]]]:
    """When the caller heard what each wire leads to."""
    bridges = _Bridges(wires)
    open_: dict[str, int] = {}
    found: dict[str, list[tuple[int, int | None]]] = {}
    for event in events:
        if not _names_bridge(event):
            continue
        bridges.follow(event)
        for half in islice(wires.names, 4 * _MOST):
            where = bridges.where.get(half)
            there = where is not None and caller in bridges.reached(where)
            if there and half not in open_:
                open_[half] = event.at
            elif not there and half in open_:
                found.setdefault(half, []).append((open_.pop(half), event.at))
    for half, since in open_.items():
        found.setdefault(half, []).append((since, None))
    return found
