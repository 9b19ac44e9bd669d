"""Moves: events that say that the call left one target for another, in one spelling."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pipeline.calls.steps.legs import Leg, Story
from schemas.event import Event

# Other spellings of a reroute's kind: PortSIP's reasons, and the short words of most PBXs.
_KINDS = {
    "": "redirect",
    "transfer": "blind_transfer",
    "blind": "blind_transfer",
    "attended": "attended_transfer",
    "consult": "attended_transfer",
    "semi_attended": "semi_attended_transfer",
    "blonde": "semi_attended_transfer",
    "unconditional": "forward_unconditional",
    "busy": "forward_busy",
    "no_answer": "forward_no_answer",
    "timeout": "forward_no_answer",
    "not_reachable": "forward_not_reachable",
    "unreachable": "forward_not_reachable",
    "exception": "forward_exception",
    "lunch": "forward_lunch",
    "business_trip": "forward_business_trip",
    "away": "forward_away",
    "night_mode": "forward_night_mode",
    "overflow": "queue_overflow",
    "failover": "carrier_failover",
}
_AT_ONCE_MS = 1_000  # between two reports of one move
_STAYS_MS = 3_000  # who hands a call over is gone before that
_LAST = 8  # moves before one that are looked at
TRANSFERS = frozenset(("blind_transfer", "attended_transfer", "semi_attended_transfer"))


ROUTES = frozenset(("carrier_failover",))  # the number stays, the way to it changes: nobody moved the call


class Move(msgspec.Struct, gc=False):
    """One reroute or transfer: `source` is the target it leaves, `by` who moved it; numbers."""

    at: int
    kind: str
    source: str
    to: str
    by: str
    event: Event
    transfer: bool
    by_caller: bool  # the caller handed the call over


def moves(story: Story, caller: Leg) -> list[Move]:
    """The moves of the call, in order; what two interfaces of a PBX tell of one move is one."""
    found: list[Move] = []
    for event in story.moves or ():
        move = _move(event, story.legs, caller)
        if not any(_is_same(before, move) for before in found[-_LAST:]):
            found.append(move)
    return found


def without_three_ways(found: list[Move], story: Story) -> tuple[list[Move], list[Move]]:
    """The moves, and apart from them those by which nobody left: who consulted made it a call of three and stayed."""
    left: list[Move] = []
    joins: list[Move] = []
    for move in found:
        leg = story.legs.get(move.event.leg_id)
        stays = leg is not None and (leg.ended is None or leg.ended > move.at + _STAYS_MS)
        stays = stays and leg is not None and _is_bridged(leg, move.at)
        three = move.kind == "three_way" or (move.kind == "attended_transfer" and move.event.target_leg_id and stays)
        (joins if three else left).append(move)
    return left, joins


def _is_bridged(leg: Leg, at: int) -> bool:
    """Whether a leg is in a bridge a moment after `at`."""
    inside = False
    for when, _, joined in leg.bridges or ():
        if when <= at + _AT_ONCE_MS:
            inside = joined
    return inside


def _is_same(before: Move, move: Move) -> bool:
    """Whether a move was told already. Completes what was told before by what is told better."""
    if before.kind != move.kind or move.at - before.at > _AT_ONCE_MS or before.event.leg_id != move.event.leg_id:
        return False
    if move.kind == "park":
        if before.to.isdigit() == move.to.isdigit() and before.to != move.to:
            return False
        if move.to.isdigit():
            before.to = move.to
        before.source, before.by = before.source or move.source, before.by or move.by
        return True
    if move.kind in TRANSFERS or move.kind == "three_way":
        return before.to == move.to or not before.to or not move.to
    if move.kind == "pickup":
        return before.by == move.by
    return move.kind == "forward" and before.to == move.to


def _move(event: Event, legs: dict[str, Leg], caller: Leg) -> Move:
    at = event.at
    kind = event.reason.lower()
    if kind.startswith("forwarding_"):
        kind = "forward_" + kind.removeprefix("forwarding_")
    transfer = event.type == "transferred"
    if transfer and not kind:
        kind = "attended" if event.second_leg_id or event.target_leg_id else "blind"
    kind = _KINDS.get(kind, kind)
    by = event.by or ("" if kind in ROUTES else event.from_)
    if by in legs:
        by = _number(legs[by], caller)
    elif not by and (transfer or event.leg_id != caller.id):
        by = _number(legs[event.leg_id], caller) if event.leg_id in legs else ""
    source = event.from_ or by
    to = event.to
    if not to and event.target_leg_id in legs:
        to = _number(legs[event.target_leg_id], caller)
    if not to and transfer and event.second_leg_id in legs and event.second_leg_id != event.leg_id:
        to = legs[event.second_leg_id].callee.number  # a queue or another application has no leg of its own
    if transfer and to == by and event.target_leg_id in legs:
        to = legs[event.target_leg_id].callee.number or to  # an application that it dialled has no leg of its own
    if to.startswith(("vm:", "voicemail:")):
        to = "voicemail"
    by_caller = transfer and _is_by_caller(event, caller)
    if kind == "park" and event.leg_id != caller.id and event.leg_id in legs:
        by_caller = by in ("", caller.caller.number, caller.caller.extension)  # whom he had called waits there
    return Move(at, kind, source, to, by, event, transfer, by_caller)


def _is_by_caller(event: Event, caller: Leg) -> bool:
    if event.transferee_leg_id == caller.id:
        return False
    if event.by:
        return event.by in (caller.id, caller.caller.number, caller.caller.extension)
    return event.leg_id == caller.id


def _number(leg: Leg, caller: Leg) -> str:
    if leg is caller or leg.role == "caller":  # who came into the call by a call of its own
        return leg.caller.number
    return leg.callee.number or leg.callee.extension


def by_time(move: Move) -> int:
    """Sorts moves."""
    return move.at


def instants(found: Iterable[Move]) -> list[int]:
    """When the call was handed over."""
    return [move.at for move in found if move.transfer]


def sent(found: Iterable[Move]) -> list[tuple[int, str]]:
    """When the call was sent to another number, and to which."""
    return [(move.at, move.to) for move in found if move.transfer and move.to]
