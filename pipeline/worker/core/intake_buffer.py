"""Chunks that wait to be read: as many as one batch holds, and no more."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence

from pipeline.worker.core.chunk import Chunk

NO_CLAIMS: Mapping[int, Sequence[int]] = {}


class IntakeBuffer:
    """What the transport has handed over and no batch has taken. While enough waits, `add` waits."""

    def __init__(self, enough: int = 1, trickle_s: float = 0.0) -> None:
        """`enough`: records of one batch, of up to 1 KiB; larger ones count for more, so that memory is bounded."""
        self._enough, self._trickle_s = enough, trickle_s
        self._chunks: deque[Chunk] = deque()
        self._events = 0
        self._epoch = 0  # grows with every rebalance
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def __len__(self) -> int:
        return len(self._chunks)

    async def add(self, chunk: Chunk) -> None:
        """Take a chunk; waits while enough is waiting already."""
        epoch = self._epoch
        await self._room.wait()
        if epoch != self._epoch:
            return  # a rebalance began while it waited: it comes again, after what was read before it
        self._chunks.append(chunk)
        self._events += _weight(chunk)
        if self._events >= self._enough:
            self._room.clear()
        self._news.set()

    def clear(self) -> None:
        """A rebalance begins: what waits comes again, to whoever owns it then."""
        self._epoch += 1
        self._chunks.clear()
        self._events = 0
        self._room.set()

    def wake(self) -> None:
        """End a `wait` that is under way."""
        self._news.set()

    async def wait(self, timeout_s: float | None = None) -> bool:
        """Whether something came in time. A trickle is waited for a little longer: that makes one write of many."""
        if self._chunks:
            return True
        self._news.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return False
        if self._events < self._enough:
            await asyncio.sleep(self._trickle_s)
        return True

    def take(self, claims: Mapping[int, Sequence[int]] = NO_CLAIMS) -> list[Chunk]:
        """The chunks of the next batch. None of a partition on both sides of one of its `claims`."""
        chunks: list[Chunk] = []
        left: list[Chunk] = []
        side: dict[int, int] = {}  # partition → how many of its claims lie before what this batch has of it
        events = 0
        while self._chunks and events < self._enough:
            chunk = self._chunks.popleft()
            passed = sum(chunk.records[0].offset >= claim for claim in claims.get(chunk.partition, ()))
            if side.setdefault(chunk.partition, passed) != passed:
                left.append(chunk)
                continue
            events += _weight(chunk)
            chunks.append(chunk)
        self._chunks.extendleft(reversed(left))
        self._events = max(0, self._events - events)
        if self._events < self._enough:
            self._room.set()
        return chunks


def _weight(chunk: Chunk) -> int:
    """How much of a batch a chunk fills: its records, or its KiB where these are more."""
    return max(len(chunk.records), sum(len(record.value or b"") for record in chunk.records) >> 10)
