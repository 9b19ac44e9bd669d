"""Clocks that disagree: legs of another node brought onto the caller's clock."""

from __future__ import annotations

from pipeline.calls.steps.legs import Leg
from schemas.event import EARLIEST_MS

# A clock wrong by more than this is not a clock; its times are left as they are.
_LARGEST_SKEW_MS = 3_600_000
# Smaller differences are the network's.
_SMALLEST_SKEW_MS = 500


def straighten(caller: Leg, legs: list[Leg]) -> bool:
    """Shift the legs of other nodes so that effect follows cause; True when any was shifted.

    Durations within a leg stay what its own clock measured. Only an order that cannot be (a
    target tried before the call began, or answered after the answer it caused) betrays a skew.
    """
    shifted = False
    for leg in legs:
        if leg.node == caller.node or not leg.node or not caller.node:
            continue
        by = _offset(caller, leg, alone=len(legs) == 1)
        if by and abs(by) <= _LARGEST_SKEW_MS and leg.first_at + by >= EARLIEST_MS:
            _shift(leg, by)
            shifted = True
    return shifted


def _offset(caller: Leg, leg: Leg, *, alone: bool) -> int:
    began = leg.first_at if leg.started is None else leg.started
    first = caller.first_at if caller.started is None else caller.started
    impossible = began < first - _SMALLEST_SKEW_MS
    if caller.answered is not None and leg.answered is not None and caller.answered_by != "pbx" and alone:
        late = leg.answered > caller.answered + _SMALLEST_SKEW_MS and began <= caller.answered
        if impossible or late:
            return caller.answered - leg.answered
    return first - began if impossible else 0


def _shift(leg: Leg, by: int) -> None:
    leg.first_at += by
    for moment in ("started", "progress", "rang", "answered", "ended"):
        at = getattr(leg, moment)
        if at is not None:
            setattr(leg, moment, at + by)
    if leg.holds:
        leg.holds = [(at + by, held) for at, held in leg.holds]
    if leg.bridges:
        leg.bridges = [(at + by, peer, joined) for at, peer, joined in leg.bridges]
    if leg.conferences:
        leg.conferences = [(at + by, room, joined) for at, room, joined in leg.conferences]
