"""What waits to be written to Kafka: bounded, in batches, tried again until it is there."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog
from aiokafka.errors import KafkaError

from pipeline.kafka import partition_of

log = structlog.get_logger()

_BATCH: Final = 5_000  # messages written at once
_LARGEST_BACKOFF_S: Final = 10.0


class Batch(Protocol):
    """A batch under construction, as aiokafka builds it."""

    def append(self, *, key: bytes | None, value: bytes | None, timestamp: int | None) -> object | None: ...
    def record_count(self) -> int: ...


class Producer(Protocol):
    """What is used of aiokafka's producer."""

    def create_batch(self) -> Batch: ...
    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> Awaitable[object]: ...
    async def send(self, topic: str, value: bytes, key: bytes, partition: int) -> Awaitable[object]: ...


class Outbox:
    """Messages on their way to one topic.

    `put` never waits: beyond `limit` bytes it refuses, and the caller counts a loss or stops reading. What was
    taken is written at least once; the receiver drops what came twice by its event id.
    """

    def __init__(self, topic: str, partitions: int, *, limit: int = 64 << 20) -> None:
        self.topic = topic
        self.partitions = partitions
        self.limit = limit
        self.size = 0  # bytes waiting or being written
        self.written = 0  # messages
        self._waiting: deque[tuple[bytes, bytes]] = deque()
        self._news = asyncio.Event()
        self._room: list[Callable[[], None]] = []
        self._closed = False

    def put(self, key: bytes, value: bytes) -> bool:
        """Take a message; False when there is no room."""
        cost = len(key) + len(value) + 128
        if self.size + cost > self.limit:
            return False
        self.size += cost
        self._waiting.append((key, value))
        self._news.set()
        return True

    def when_room(self, call: Callable[[], None]) -> None:
        """Call back once, when something has been written."""
        self._room.append(call)

    def close(self) -> None:
        """Let `run` end when everything is written."""
        self._closed = True
        self._news.set()

    async def run(self, producer: Producer) -> None:
        """Write until closed and empty."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                count = min(_BATCH, len(self._waiting))
                items = [self._waiting.popleft() for _ in range(count)]
                await self._insist(producer, items)
                self.written += count
                self.size -= sum(len(key) + len(value) + 128 for key, value in items)
                waiting, self._room = self._room, []
                for call in waiting:
                    call()
            if self._closed:
                return

    async def _insist(self, producer: Producer, items: list[tuple[bytes, bytes]]) -> None:
        backoff = 0.1
        while True:
            try:
                await self._write(producer, items)
                return
            except KafkaError as error:
                log.warning("Kafka does not take packets", error=repr(error), waiting_bytes=self.size, retry_s=backoff)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, _LARGEST_BACKOFF_S)

    async def _write(self, producer: Producer, items: list[tuple[bytes, bytes]]) -> None:
        by_partition: dict[int, list[tuple[bytes, bytes]]] = defaultdict(list)
        for item in items:
            by_partition[partition_of(item[0], self.partitions)].append(item)
        results = await asyncio.gather(
            *(self._write_partition(producer, number, part) for number, part in by_partition.items()),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _write_partition(self, producer: Producer, partition: int, items: list[tuple[bytes, bytes]]) -> None:
        futures: list[Awaitable[object]] = []
        batch = producer.create_batch()
        for key, value in items:
            if batch.append(key=key, value=value, timestamp=None) is None:
                if batch.record_count():
                    futures.append(await producer.send_batch(batch, self.topic, partition=partition))
                    batch = producer.create_batch()
                if batch.append(key=key, value=value, timestamp=None) is None:  # larger than a batch may be
                    futures.append(await producer.send(self.topic, value, key=key, partition=partition))
        if batch.record_count():
            futures.append(await producer.send_batch(batch, self.topic, partition=partition))
        await asyncio.gather(*futures)
