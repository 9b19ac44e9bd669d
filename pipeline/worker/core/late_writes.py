"""Looks after calls whose rows another writer may still touch: after a takeover, a rebalance, a join.

A write that was given up may arrive all the same, long after the partition has gone to somebody else, and
ClickHouse has no way to refuse it. So the calls concerned are looked at again, once it must have arrived:
what it left behind is retired. Both sides do so, since either may be killed.
"""

from __future__ import annotations

import asyncio
import heapq
import time
import uuid
from collections.abc import Iterable, Mapping
from functools import partial

import structlog

from pipeline.warehouse.storage.archive import CallKey, Stored
from pipeline.warehouse.storage.client import WRITE_TIMEOUT_S
from pipeline.warehouse.storage.orphans import Moments, retire_orphans
from pipeline.worker import metrics
from pipeline.worker.core.durable_store import Store
from pipeline.worker.core.open_calls import OpenCall

log = structlog.get_logger()

# Soon, for what was on its way; and when the longest write has either arrived or been given up.
LOOK_AFTER_S = (4.0, WRITE_TIMEOUT_S + 10.0)
MOST_CALLS = 200_000
_AT_ONCE = 5_000


class Fence:
    """Calls to look at again, and when. Memory only: whoever takes over looks at them anew."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._due: list[tuple[float, int, dict[CallKey, Moments]]] = []
        self._waiting = 0
        self._number = 0
        self._stopping = asyncio.Event()

    def watch(self, calls: Iterable[OpenCall]) -> None:
        """Look at the rows of these calls again later."""
        found = {}
        for call in calls:
            rows = call.all_rows()
            first = min([call.first_at or call.last_at, *(row.key[0] for row in rows)])
            for call_id in {call.call_id, *(row.call_id for row in rows)}:
                found[call.tenant, call_id] = (first, max(first, call.last_at))
        self._put(found)

    def watch_stored(self, calls: Mapping[CallKey, Stored]) -> None:
        """The same for calls that were read from the archive: two owners write the rows of joined ones."""
        found = {}
        for key, stored in calls.items():
            instants = [event.at for event in stored.events]
            if instants:
                found[key] = (min(instants), max(instants))
        self._put(found)

    def _put(self, found: dict[CallKey, Moments]) -> None:
        if not found or self._waiting > MOST_CALLS:
            return
        now = time.monotonic()
        for after in LOOK_AFTER_S:
            self._number += 1
            self._waiting += len(found)
            heapq.heappush(self._due, (now + after, self._number, found))

    def stop(self) -> None:
        """End `run` after the look at hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Until `stop`."""
        while not self._stopping.is_set():
            try:
                await asyncio.wait_for(self._stopping.wait(), 1.0)
            except TimeoutError:
                await self._look()

    async def _look(self) -> None:
        now = time.monotonic()
        calls: dict[CallKey, Moments] = {}
        while self._due and self._due[0][0] <= now and len(calls) < _AT_ONCE:
            _, _, found = heapq.heappop(self._due)
            self._waiting -= len(found)
            calls |= found
        if not calls:
            return
        work = partial(retire_orphans, calls=calls, token=uuid.uuid4().hex)
        retired = await self._store.step("fence", lambda: self._store.query(work))
        if retired:
            metrics.ORPHANS.inc(retired)
            log.info("rows retired that a late write had left", rows=retired)
