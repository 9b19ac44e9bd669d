"""Decodes the raw events of one source into call events and sends those on to the events topic.

Stateless: what needs several messages to be understood is understood by the fold. A batch that is
done again after a crash gives the same event ids, so nothing counts twice. A message that a capture agent sent in
pieces may go on in the next chunk of its partition: its beginning, and what was read since, waits for that a little,
and its chunk is acknowledged when all of it is sent on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from time import monotonic

import msgspec

from pipeline import clock
from pipeline.kafka import TENANT_HEADER
from pipeline.settings import Settings
from pipeline.sources.contract import RawDecoder
from pipeline.sources.registry import unfinished
from pipeline.worker import failpoints, metrics
from pipeline.worker.core.batch import DeadLetter, dead_letter, not_taken
from pipeline.worker.core.chunk import Chunk, Record
from pipeline.worker.core.durable_store import Store
from pipeline.worker.core.intake_buffer import IntakeBuffer
from pipeline.worker.core.publisher import Publisher

# Values decoded at a time; between two slices the worker does what else is due.
_AT_ONCE = 1_000
_WAIT_S = 1.0  # for the rest of a message

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class _Held:
    """Records at the end of a partition, so far, that begin a message; `chunks` are those that they came in."""

    records: list[Record]
    chunks: list[Chunk]
    until: float  # s, of the monotonic clock


class RawSource:
    """Chunks of one raw topic in, call events out. One chunk at a time, one more waits."""

    def __init__(
        self,
        name: str,
        decode: RawDecoder,
        settings: Settings,
        store: Store,
        publisher: Publisher,
        acknowledge: Callable[[Chunk], None],
        wait_s: float = _WAIT_S,
    ) -> None:
        self.name = name
        self._wait_s = wait_s
        self._decode = decode
        self._settings = settings
        self._store = store
        self._publisher = publisher
        self._acknowledge = acknowledge
        self._incoming = IntakeBuffer()
        self._held: dict[int, _Held] = {}  # by partition
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False

    async def add(self, chunk: Chunk) -> None:
        """Take a chunk; waits while another is waiting."""
        await self._incoming.add(chunk)

    def revoked(self) -> None:
        """What was not sent on comes again, to whoever owns it then."""
        self._incoming.clear()
        self._held.clear()

    async def drained(self) -> None:
        """Wait until the chunk in flight is sent on."""
        await self._idle.wait()

    def stop(self) -> None:
        """End the loop after the chunk at hand."""
        self._stopping = True
        self._incoming.wake()

    async def run(self) -> None:
        """Until `stop`."""
        while not self._stopping:
            await self._incoming.wait(self._wait_s if self._held else None)
            for chunk in self._incoming.take():
                self._idle.clear()
                await self._take(chunk)
                self._idle.set()
            for held in [each for each in self._held.values() if each.until <= monotonic()]:
                self._idle.clear()
                if self._held.pop(held.chunks[-1].partition, None) is held:
                    await self._send_on(held.chunks, held.records)
                self._idle.set()

    async def _take(self, chunk: Chunk) -> None:
        """Send a chunk on, behind what waits of its partition, but for a message at its end that is not whole."""
        held = self._held.pop(chunk.partition, None)
        records, chunks = list(chunk.records), [chunk]
        until = monotonic() + self._wait_s
        if held is not None:
            records, chunks, until = [*held.records, *records], [*held.chunks, chunk], held.until
        values = [record.value or b"" for record in records[-_AT_ONCE:]]
        kept = unfinished(self.name, values) if monotonic() < until else 0
        if not kept:
            await self._send_on(chunks, records)
            return
        rest = records[-kept:]
        done = [each for each in chunks if each.records[-1].offset < rest[0].offset]
        if held is not None and held.records[0] is not rest[0]:
            until = monotonic() + self._wait_s  # it is another message
        self._held[chunk.partition] = _Held(rest, chunks[len(done) :], until)
        await self._send_on(done, records[:-kept], chunk)

    async def _send_on(self, chunks: Sequence[Chunk], records: Sequence[Record], of: Chunk | None = None) -> None:
        """Send records on, of the partition of `of`, and acknowledge the chunks that end with them."""
        events: list[tuple[bytes, bytes]] = []
        origin: list[Record] = []  # of each event
        dead: list[DeadLetter] = []
        chunk = of or chunks[-1]
        start = 0
        while start < len(records):
            end = self._end_of_slice(records, start)
            for tenant, some in _by_tenant(records[start:end], self._settings.tenant):
                self._read(chunk, some, tenant, events, origin, dead)
            start = end
            await asyncio.sleep(0)
        if events:
            refused = await self._store.step("raw_events", lambda: self._publisher.forward(events))
            topic = self._settings.events_topic
            dead += [not_taken(chunk, origin[place], events[place][1], topic) for place in refused]
            failpoints.after("raw_events")
        if dead:
            await self._store.step("dead_letters", lambda: self._publisher.dead_letters(dead))
            metrics.DEAD_LETTERS.labels(chunk.topic).inc(len(dead))
        metrics.RAW.labels(self.name).inc(len(records))
        for each in chunks:
            self._acknowledge(each)

    def _end_of_slice(self, records: Sequence[Record], start: int) -> int:
        """Where to stop: not amidst a message that came in pieces."""
        end = start + _AT_ONCE
        if end >= len(records):
            return len(records)
        return end - unfinished(self.name, [record.value or b"" for record in records[start:end]])

    def _read(
        self,
        chunk: Chunk,
        records: Sequence[Record],
        tenant: str,
        events: list[tuple[bytes, bytes]],
        origin: list[Record],
        dead: list[DeadLetter],
    ) -> None:
        values = [record.value or b"" for record in records]
        decoded = self._decode(values, tenant=tenant, now_ms=clock.now_ms())
        events += [(event.call_id.encode(), _encode(event)) for event in decoded.events]
        origin += [records[place] for place in decoded.origin]
        dead += [dead_letter(chunk, records[rejected.index], rejected.reason) for rejected in decoded.rejected]


def _by_tenant(records: Sequence[Record], otherwise: str) -> list[tuple[str, list[Record]]]:
    """Neighbours of one tenant together. A record names its tenant in a header, as the HTTP ingest does."""
    if not any(record.headers for record in records):
        return [(otherwise, list(records))]
    return [(tenant, list(some)) for tenant, some in groupby(records, lambda record: tenant_of(record, otherwise))]


def tenant_of(record: Record, otherwise: str) -> str:
    """Whose event a record is."""
    for name, value in record.headers:
        if name == TENANT_HEADER and 0 < len(value) <= 64:
            text = value.decode("utf-8", "replace")
            if text.isprintable():
                return text
    return otherwise
