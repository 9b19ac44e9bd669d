"""The part that each leg plays: the caller's, a target's, or one in a second call that a party made."""

from __future__ import annotations

from collections.abc import Set

import msgspec

from pipeline.calls.steps.legs import Leg, Story


class Roles(msgspec.Struct, gc=False):
    """The legs of a call by their part. A consultation is a second call that a party of the call
    makes: `seconds` are the legs it begins it with, `consulted` the legs it reaches, by the former's id."""

    caller: Leg
    targets: list[Leg]
    seconds: list[Leg]
    consulted: dict[str, list[Leg]]
    taken: set[str]  # ids of targets whose party began the leg itself, to pick the call up


def caller_leg(legs: dict[str, Leg]) -> Leg:
    """The leg of the party that began the call."""
    if len(legs) == 2:  # nearly every call: the second leg was made for the first
        first, second = legs.values()
        if not first.role and not second.role:
            if second.peer == first.id and not first.peer:
                return first
            if first.peer == second.id and not second.peer:
                return second
    named = {leg.peer for leg in legs.values() if leg.peer}
    return min(legs.values(), key=lambda leg: _callerness(leg, named))


def _callerness(leg: Leg, named_as_peer: set[str]) -> tuple[bool, bool, bool, bool, bool, int, str]:
    return (
        leg.role != "caller",
        leg.role == "target" or bool(leg.peer),
        _silent(leg),
        not leg.caller.number and leg.id not in named_as_peer,
        leg.started is None,
        leg.first_at if leg.started is None else leg.started,
        leg.id,
    )


def roles(story: Story, caller: Leg) -> Roles:
    """What part each leg plays. Targets are in the order of their beginning."""
    targets: list[Leg] = []
    seconds: list[Leg] = []
    nested: list[Leg] = []
    cast = Roles(caller, targets, seconds, {}, set())
    pickers = _pickers(story, caller) if story.bridged or story.moves else set()
    for leg in story.legs.values():
        if leg is caller:
            continue
        if leg.peer == caller.id or leg.role == "target":
            (nested if leg.peer and leg.peer != caller.id else targets).append(leg)
        elif leg.peer and leg.peer != leg.id:
            nested.append(leg)
        elif not _silent(leg):
            _place(cast, leg, pickers)
    if nested:
        second_ids = {leg.id for leg in seconds}
        for leg in nested:
            if leg.peer in second_ids:
                cast.consulted.setdefault(leg.peer, []).append(leg)
            elif leg.peer not in cast.taken:  # else whom a party that came in later had called before
                targets.append(leg)
    if len(targets) > 1:
        targets.sort(key=_start)
    return cast


def _place(cast: Roles, leg: Leg, pickers: Set[str]) -> None:
    """A leg that was made for no other: a target, or its party's own doing."""
    own = leg.caller.number
    called = leg.kind == "outside" and bool(leg.callee.number)  # by the PBX, which shows a number of the house
    if leg.role != "caller" and (not own or called or own == cast.caller.caller.number):
        cast.targets.append(leg)
    elif leg.id in pickers or own in pickers:
        cast.targets.append(leg)
        cast.taken.add(leg.id)
    else:
        cast.seconds.append(leg)


def _pickers(story: Story, caller: Leg) -> Set[str]:
    """Legs that heard the caller, and the legs and numbers that picked a call up."""
    found = {peer for _, peer, _ in caller.bridges or ()}
    for leg in story.legs.values():
        if leg.bridges and leg is not caller and any(peer == caller.id for _, peer, _ in leg.bridges):
            found.add(leg.id)
    if caller.ended is not None:
        called_by = {leg.peer for leg in story.legs.values() if leg.peer}
        for leg in story.legs.values():
            # Who comes to whom the caller had called and left: out of a parking place, say.
            own = leg.role == "caller" and leg.id not in called_by and leg is not caller
            if own and any(on and peer and at >= caller.ended for at, peer, on in leg.bridges or ()):
                found.add(leg.id)
    for event in story.moves or ():
        if event.reason == "pickup":
            found.update((event.leg_id, event.to, event.by))
    found.discard("")
    return found


def _silent(leg: Leg) -> bool:
    """Whether nothing is told of the leg that makes it a party of the call."""
    return leg.started is None and leg.rang is None and leg.answered is None and leg.ended is None


def _start(leg: Leg) -> tuple[int, str]:
    return (leg.first_at if leg.started is None else leg.started, leg.id)
