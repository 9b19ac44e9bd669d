"""Clocks that disagree: legs of another node brought onto the caller's clock."""

from __future__ import annotations

from pipeline.calls.steps.legs import Leg
from schemas.event import EARLIEST_MS

# A clock wrong by more than this is not a clock; its times are left as they are.
_LARGEST_SKEW_MS = 3_600_000
# Smaller differences are the network's.
_SMALLEST_SKEW_MS = 500
_SAME_LENGTH_MS = 2_000  # two nodes' measures of one talk differ by no more


def straighten(caller: Leg, legs: list[Leg]) -> bool:
    """Shift the legs of other nodes so that effect follows cause, and note on each by how many ms its clock was ahead;
    True when any was shifted.

    Durations within a leg stay what its own clock measured. Only an order that cannot be (a target tried before the
    call began or after it had ended, answered after the answer that it caused) betrays a skew.
    """
    by_node: dict[str, list[Leg]] = {}
    for leg in legs:
        if leg.node and caller.node and leg.node != caller.node:
            by_node.setdefault(leg.node, []).append(leg)
    shifted = False
    for group in by_node.values():
        by = _offset(caller, group, alone=len(legs) == 1)
        first = min(leg.first_at for leg in group)
        if by and abs(by) <= _LARGEST_SKEW_MS and first + by >= EARLIEST_MS:
            for leg in group:
                _shift(leg, by)
                leg.clock_ahead = -by
            shifted = True
    return shifted


def _offset(caller: Leg, legs: list[Leg], *, alone: bool) -> int:
    """By how many ms the legs of one node have to be shifted."""
    began = min(leg.first_at if leg.started is None else leg.started for leg in legs)
    first = caller.first_at if caller.started is None else caller.started
    early = began < first - _SMALLEST_SKEW_MS
    late = caller.ended is not None and began > caller.ended + _SMALLEST_SKEW_MS and alone
    answers = [leg for leg in legs if leg.answered is not None]
    if caller.answered is not None and caller.answered_by != "pbx" and len(answers) == 1:
        answered = answers[0].answered
        assert answered is not None
        late = late or (alone and answered > caller.answered + _SMALLEST_SKEW_MS and began <= caller.answered)
        if early or late or _same_talk(caller, answers[0]):
            return caller.answered - answered
    return first - began if early or late else 0


def _same_talk(caller: Leg, leg: Leg) -> bool:
    """Whether a leg's talk, which lies outside the caller's, lasted as long: it is the same talk by another clock."""
    if caller.answered is None or caller.ended is None or leg.answered is None or leg.ended is None:
        return False
    if leg.answered <= caller.ended + _SMALLEST_SKEW_MS:
        return False
    own, other = caller.ended - caller.answered, leg.ended - leg.answered
    return own > _SMALLEST_SKEW_MS and abs(own - other) <= _SAME_LENGTH_MS


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
