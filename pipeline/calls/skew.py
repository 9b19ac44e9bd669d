"""Clocks that disagree: legs of another node brought onto the caller's clock."""

from __future__ import annotations

from pipeline.calls.legs import Leg

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
        if not leg.node or not caller.node or leg.node == caller.node:
            continue
        by = _offset(caller, leg, alone=len(legs) == 1)
        if by and abs(by) <= _LARGEST_SKEW_MS:
            _shift(leg, by)
            shifted = True
    return shifted


def _offset(caller: Leg, leg: Leg, *, alone: bool) -> int:
    began = leg.first_at if leg.started is None else leg.started
    first = caller.first_at if caller.started is None else caller.started
    impossible = began < first - _SMALLEST_SKEW_MS
    if caller.answered is not None and leg.answered is not None and caller.answered_by != "pbx" and alone:
        late = leg.answered > caller.answered + _SMALLEST_SKEW_MS
        if impossible or late:
            return caller.answered - leg.answered
    return first - began if impossible else 0


def _shift(leg: Leg, by: int) -> None:
    leg.first_at += by
    if leg.started is not None:
        leg.started += by
    if leg.progress is not None:
        leg.progress += by
    if leg.rang is not None:
        leg.rang += by
    if leg.answered is not None:
        leg.answered += by
    if leg.ended is not None:
        leg.ended += by
    if leg.holds:
        leg.holds = [(at + by, held) for at, held in leg.holds]
