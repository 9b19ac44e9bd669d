"""What a batch says to Kafka: the change feed, dead letters, events sent on under their right key."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Sequence

from aiokafka import AIOKafkaProducer

from pipeline import kafka
from pipeline.settings import Settings
from pipeline.worker.batch import DeadLetter

# Leaves room for key, headers and framing.
_LARGEST_VALUE = kafka.LARGEST_MESSAGE - (64 << 10)


class Publisher:
    """One producer; each method returns when the broker has everything."""

    def __init__(self, settings: Settings, partitions: dict[str, int]) -> None:
        self._settings = settings
        self._partitions = partitions
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect."""
        self._producer = kafka.producer(self._settings, linger_ms=0)
        await self._producer.start()

    async def stop(self) -> None:
        """Send what is left and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def feed(self, documents: Sequence[tuple[int, bytes, bytes]]) -> None:
        """Publish call documents, (partition of their events, call_id, JSON), in order per call.

        The feed keeps the partition of the events, so that a call's versions stay in order
        without hashing keys again; whole batches go in at once instead of message by message.
        """
        topic = self._settings.cdrs_topic
        count = self._partitions[topic]
        by_partition: dict[int, list[tuple[bytes, bytes]]] = defaultdict(list)
        for partition, key, document in documents:
            by_partition[partition % count].append((key, document))
        await asyncio.gather(*(self._send_batches(topic, number, items) for number, items in by_partition.items()))

    async def dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Publish dead letters: the bytes as they came; why and from where in the headers."""
        await self._send_each(
            (
                self._settings.dead_letters_topic,
                letter.key,
                letter.value[:_LARGEST_VALUE],
                [
                    ("error", letter.reason.encode(errors="replace")),
                    ("topic", letter.topic.encode()),
                    ("partition", str(letter.partition).encode()),
                    ("offset", str(letter.offset).encode()),
                    *((kafka.HEADER_PREFIX + name, told) for name, told in letter.headers),
                ],
            )
            for letter in letters
        )

    async def forward(self, events: Sequence[tuple[bytes, bytes]]) -> None:
        """Publish events under their right key."""
        topic = self._settings.events_topic
        count = self._partitions[topic]
        by_partition: dict[int, list[tuple[bytes, bytes]]] = defaultdict(list)
        for item in events:
            by_partition[kafka.partition_of(item[0], count)].append(item)
        await asyncio.gather(*(self._send_batches(topic, number, items) for number, items in by_partition.items()))

    async def _send_each(self, messages: object) -> None:
        assert self._producer is not None
        futures: list[Awaitable[object]] = []
        for topic, key, value, headers in messages:  # type: ignore[attr-defined]
            futures.append(await self._producer.send(topic, value, key=key, headers=headers))
        await asyncio.gather(*futures)

    async def _send_batches(self, topic: str, partition: int, items: Sequence[tuple[bytes, bytes]]) -> None:
        producer = self._producer
        assert producer is not None
        futures: list[Awaitable[object]] = []
        builder = producer.create_batch()
        for key, value in items:
            if builder.append(key=key, value=value, timestamp=None) is None:
                if builder.record_count():
                    futures.append(await producer.send_batch(builder, topic, partition=partition))
                    builder = producer.create_batch()
                if builder.append(key=key, value=value, timestamp=None) is None:
                    # Larger than a batch may be: let the producer say so, or send it alone.
                    futures.append(await producer.send(topic, value, key=key, partition=partition))
        if builder.record_count():
            futures.append(await producer.send_batch(builder, topic, partition=partition))
        await asyncio.gather(*futures)
