"""Calls to look at again a little later, because a worker may have them in hand at the moment."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from pipeline.warehouse.storage.archive import CallKey
from pipeline.worker.repair.refold import Refolded

# A worker shows what is new of an open call once a second; and a batch has to be written.
SETTLE_S = 2.5
# After this long nobody has a call in hand any more.
BACKLOG_S = 3600
LOOKS = 4  # how often a call is looked at before it counts as different
MOST = 20_000


@dataclass(slots=True)
class Doubt:
    """What was seen of a call at the last look."""

    since: CallKey  # where the page began that it was found on
    looks: int
    at: float  # monotonic
    events: int
    written: bool = False


class Doubtful:
    """The calls to look at again, bounded by whoever takes from it when it is full."""

    def __init__(self) -> None:
        self._calls: dict[CallKey, Doubt] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def note(self, group: Refolded, since: CallKey, before: Doubt | None, *, written: bool = False) -> None:
        """Look at this call again."""
        key = (group.tenant, group.call_ids[0])
        looks = before.looks + 1 if before is not None else 1
        events = group.call.events if group.call is not None else 0
        self._calls[key] = Doubt(
            since, looks, time.monotonic(), events, written or (before is not None and before.written)
        )

    @property
    def due(self) -> bool:
        """Whether some may be looked at now, or there are too many."""
        first = next(iter(self._calls.values()), None)
        return first is not None and (len(self._calls) > MOST or first.at + SETTLE_S < time.monotonic())

    async def take(self, size: int) -> dict[CallKey, Doubt]:
        """The oldest of them, once a worker had the time to write them."""
        some = dict(list(self._calls.items())[:size])
        for key in some:
            del self._calls[key]
        if some:
            await asyncio.sleep(max(0.0, max(doubt.at for doubt in some.values()) + SETTLE_S - time.monotonic()))
        return some

    def first_page(self, after: CallKey) -> CallKey:
        """Where to go on so that none of them is left out; `after` when there are none."""
        return min((doubt.since for doubt in self._calls.values()), default=after)


def doubt_of(group: Refolded, some: dict[CallKey, Doubt]) -> Doubt | None:
    """What was noted of a call, under any of its ids."""
    return next((some[key] for call_id in group.call_ids if (key := (group.tenant, call_id)) in some), None)


def in_hand(group: Refolded, before: Doubt | None) -> bool:
    """Whether a worker is likely to write the call by itself: the archive is ahead of its rows, and that was
    not so for long, or there is more news each time."""
    if not group.in_work:
        return False
    assert group.call is not None
    return before is None or before.looks < LOOKS or group.call.events > before.events


def left_to_worker(group: Refolded) -> bool:
    """Whether only a worker should write the call: in a backlog it puts off what goes on, for as long as the
    backlog lasts, and would not know of rows that somebody else wrote meanwhile."""
    return group.in_work and bool(group.calls) and group.archived_at > time.time() - BACKLOG_S
