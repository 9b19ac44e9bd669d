"""Decodes captured SIP messages into call events and sends those on to the events topic.

Stateless: what needs several messages to be understood is understood by the fold. A batch that is
done again after a crash gives the same event ids, so nothing counts twice.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

import msgspec

from pipeline.settings import Settings
from pipeline.sources import sip_events
from pipeline.worker import crash, metrics
from pipeline.worker.batch import Chunk, DeadLetter
from pipeline.worker.publisher import Publisher
from pipeline.worker.store import Store


class SipDecoder:
    """Chunks of the SIP topic in, call events out."""

    def __init__(
        self, settings: Settings, store: Store, publisher: Publisher, acknowledge: Callable[[Chunk], None]
    ) -> None:
        self._settings = settings
        self._store = store
        self._publisher = publisher
        self._acknowledge = acknowledge
        self._incoming: deque[Chunk] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._epoch = 0  # grows with every rebalance
        self._stopping = False

    async def add(self, chunk: Chunk) -> None:
        """Take a chunk; waits while another is waiting."""
        epoch = self._epoch
        await self._room.wait()
        if epoch != self._epoch:
            return  # a rebalance began while it waited: it comes again, after what was read before it
        self._incoming.append(chunk)
        self._room.clear()
        self._news.set()

    def revoked(self) -> None:
        """What was not begun comes again, to whoever owns it then."""
        self._epoch += 1
        self._incoming.clear()
        self._room.set()

    async def settle(self) -> None:
        """Wait until the chunk in flight is sent on."""
        await self._idle.wait()

    def stop(self) -> None:
        """End the loop after the chunk at hand."""
        self._stopping = True
        self._news.set()

    async def run(self) -> None:
        """Until `stop`."""
        while not self._stopping:
            await self._news.wait()
            self._news.clear()
            while self._incoming:
                chunk = self._incoming.popleft()
                self._room.set()
                self._idle.clear()
                await self._decode(chunk)
                self._idle.set()

    async def _decode(self, chunk: Chunk) -> None:
        records = chunk.records
        now_ms = time.time_ns() // 1_000_000
        decoded = sip_events.decode(
            [record.value or b"" for record in records], tenant=self._settings.tenant, now_ms=now_ms
        )
        events = [(event.call_id.encode(), msgspec.json.encode(event)) for event in decoded.events]
        dead = [
            DeadLetter(
                chunk.topic,
                chunk.partition,
                records[rejected.index].offset,
                records[rejected.index].key,
                records[rejected.index].value or b"",
                rejected.reason,
            )
            for rejected in decoded.rejected
        ]
        if events:
            await self._store.step("sip_events", lambda: self._publisher.forward(events))
            crash.after("sip_events")
        if dead:
            await self._store.step("dead_letters", lambda: self._publisher.dead_letters(dead))
            metrics.DEAD_LETTERS.labels(chunk.topic).inc(len(dead))
        self._acknowledge(chunk)
