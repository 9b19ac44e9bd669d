"""The Kafka side of a benchmark: fill a topic fast, and see how far a group has committed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from zlib import crc32

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from bench.calls import Record

_IN_FLIGHT = 64


def partition_of(key: bytes, partitions: int) -> int:
    """Where a call lies: always the same place, and cheaper to say than by murmur2."""
    return crc32(key) % partitions


async def fill(bootstrap: str, topic: str, partitions: int, records: Iterable[Record]) -> int:
    """Produce the records as whole batches, each call to one partition. Gives how many there were."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks=1, max_batch_size=1 << 19, linger_ms=0)
    await producer.start()
    number = 0
    try:
        flying: list[Awaitable[object]] = []
        builders = [producer.create_batch() for _ in range(partitions)]
        for _, key, value in records:
            number += 1
            partition = partition_of(key, partitions)
            if builders[partition].append(key=key, value=value, timestamp=None) is None:
                flying.append(await producer.send_batch(builders[partition], topic, partition=partition))
                builders[partition] = producer.create_batch()
                builders[partition].append(key=key, value=value, timestamp=None)
                if len(flying) >= _IN_FLIGHT:
                    await asyncio.gather(*flying)
                    flying.clear()
        for partition, builder in enumerate(builders):
            if builder.record_count():
                flying.append(await producer.send_batch(builder, topic, partition=partition))
        await asyncio.gather(*flying)
    finally:
        await producer.stop()
    return number


class Progress:
    """How far a consumer group has committed a topic."""

    def __init__(self, bootstrap: str, group: str, topic: str, partitions: int) -> None:
        self._bootstrap = bootstrap
        self._group = group
        self._tps = [TopicPartition(topic, partition) for partition in range(partitions)]

    async def __aenter__(self) -> Progress:
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap)
        await self._admin.start()
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
        await self._admin.close()

    async def end(self) -> int:
        """Records there are."""
        return sum((await self._consumer.end_offsets(self._tps)).values())

    async def committed(self) -> int:
        """Records the group is done with."""
        offsets = await self._admin.list_consumer_group_offsets(self._group, partitions=self._tps)
        return sum(max(0, found.offset) for found in offsets.values())

    async def reach(self, wanted: int, timeout_s: float, every_s: float = 0.1) -> None:
        """Wait until so many are committed; TimeoutError with how far it got."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        while (done := await self.committed()) < wanted:
            if loop.time() > until:
                raise TimeoutError(f"{done} of {wanted} records committed after {timeout_s:.0f} s")
            await asyncio.sleep(every_s)
