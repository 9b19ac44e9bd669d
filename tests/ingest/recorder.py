"""What producers sent: recorded, or read back from Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError

from pipeline.ingest.outbox import Batch
from tests.servers import BrokerServer

ROOT = Path(__file__).parents[2]


class Held:
    """Holds what was appended, up to 16 messages."""

    def __init__(self) -> None:
        self.items: list[tuple[bytes, bytes]] = []

    def append(self, *, key: bytes | None, value: bytes | None, timestamp: int | None) -> object | None:
        if len(self.items) == 16:
            return None
        self.items.append((key or b"", value or b""))
        return self

    def record_count(self) -> int:
        return len(self.items)


class Recorder:
    """A producer that keeps what it is given; `faults` writes fail first."""

    def __init__(self, faults: int = 0) -> None:
        self.faults = faults
        self.written: list[tuple[int, bytes, bytes]] = []

    def create_batch(self) -> Held:
        return Held()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> Awaitable[object]:
        assert isinstance(batch, Held)
        return asyncio.ensure_future(self._write(batch.items, partition))

    async def send(self, topic: str, value: bytes, key: bytes, partition: int) -> Awaitable[object]:
        return asyncio.ensure_future(self._write([(key, value)], partition))

    async def _write(self, items: list[tuple[bytes, bytes]], partition: int) -> None:
        await asyncio.sleep(0)
        if self.faults:
            self.faults -= 1
            raise KafkaConnectionError("away")
        self.written += [(partition, *item) for item in items]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; the test's own limit is 20 s."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  the condition is a socket's, nothing signals it
            await asyncio.sleep(0.01)


async def consume_records(broker: BrokerServer, topic: str, number: int) -> list[Any]:
    """So many records of a topic."""
    got: list[Any] = []
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    ) as consumer:
        async with asyncio.timeout(60):
            while len(got) < number:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    got += records
    return got
