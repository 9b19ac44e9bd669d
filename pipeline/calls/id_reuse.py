"""Uses of a call id: an id that comes back on another day is another call.

SIP Call-IDs are unique in practice only: some phones begin anew with the same ones after a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from schemas.event import Event

# Two calls that share an id are one call only if no more than this lies between them, ms.
NEAR_MS: Final = 6 * 3_600_000
# A call whose hang-up never came is over when it was silent for so long and its id begins another, ms.
LOST_MS: Final = 24 * 3_600_000
# How much earlier than its start another event of a call may be dated: by another clock, or by early data, ms.
_BEFORE_START_MS: Final = 60_000


def uses(events: Sequence[Event]) -> list[list[Event]]:
    """The events of one call id, use by use; a pure function of their set, but for the order within a use.

    A new use begins with a start (`started`, of no other leg's making) that comes long after everything else has ended.
    """
    first = min(event.at for event in events)
    last = max(event.at for event in events)
    if last - first < NEAR_MS:
        return [list(events)]
    bounds = _bounds(sorted(events, key=_order))
    if not bounds:
        return [list(events)]
    found: list[list[Event]] = [[] for _ in range(len(bounds) + 1)]
    for event in events:
        found[sum(event.at >= bound for bound in bounds)].append(event)
    return found


def _bounds(ordered: Sequence[Event]) -> list[int]:
    """When each further use begins."""
    bounds: list[int] = []
    open_legs: set[str] = set()
    before = ordered[0].at
    for place, event in enumerate(ordered):
        at = event.at
        if at - before >= (LOST_MS if open_legs else NEAR_MS) and _begins(ordered, place, at):
            bounds.append(at)
            open_legs.clear()
        before = at
        if event.type == "ended":
            open_legs.discard(event.leg_id)
        elif event.type in ("started", "answered"):
            open_legs.add(event.leg_id)
    return bounds


def _begins(ordered: Sequence[Event], place: int, at: int) -> bool:
    """Whether a call begins here, after a silence."""
    for event in ordered[place : place + 100]:
        if event.at > at + _BEFORE_START_MS:
            return False
        if event.type == "started" and not event.peer_leg_id:
            return True
    return False


def _order(event: Event) -> tuple[int, bool, str]:
    return (event.at, event.type != "started", event.event_id)
