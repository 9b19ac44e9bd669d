"""What a batch says to Kafka: the change feed, dead letters, events sent on under their right key."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError, RecordListTooLargeError

from pipeline import kafka
from pipeline.settings import Settings
from pipeline.warehouse.storage.orphans import Absorbed
from pipeline.worker.core.batch import DeadLetter

log = structlog.get_logger()

# Room for key, headers and framing.
_FRAME = 64 << 10
_LARGEST_VALUE = kafka.LARGEST_MESSAGE - _FRAME
_LARGEST_BATCH = 1 << 19
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
# A topic that takes no more than this in one batch cannot be worked with.
_LEAST = 2048


class Publisher:
    """One producer; each method returns when the broker has everything."""

    def __init__(self, settings: Settings, partitions: dict[str, int]) -> None:
        self._settings = settings
        self._partitions = partitions
        self._producer: AIOKafkaProducer | None = None
        self._limits: dict[str, int] = {}  # topic → bytes that it takes in one batch, where that is little

    async def start(self) -> None:
        """Connect."""
        self._producer = kafka.producer(self._settings, linger_ms=0)
        await self._producer.start()

    async def stop(self) -> None:
        """Send what is left and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def topics(self, seconds: float) -> dict[str, int]:
        """The topics that Kafka has, and how many partitions each. Raises TimeoutError or KafkaError when it does not
        say within so long."""
        if self._producer is None:
            raise KafkaConnectionError("not connected yet")
        async with asyncio.timeout(seconds):
            metadata = await self._producer.client.fetch_all_metadata()
        counts = {topic: len(metadata.partitions_for_topic(topic) or ()) for topic in metadata.topics()}
        # By these numbers keys find their partition: an old one would go on sending events of a call elsewhere.
        self._partitions |= {topic: count for topic, count in counts.items() if count > self._partitions.get(topic, 0)}
        return counts

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
        await self._within_limit(
            topic,
            lambda: asyncio.gather(
                *(self._send_batches(topic, number, items) for number, items in by_partition.items())
            ),
        )

    async def note(self, notes: Sequence[tuple[int, bytes, bytes]]) -> None:
        """Publish a worker's own words, (partition, key, event), in the partitions that they are about."""
        topic = self._settings.events_topic
        by_partition: dict[int, list[tuple[bytes, bytes]]] = defaultdict(list)
        for partition, key, value in notes:
            by_partition[partition].append((key, value))
        await self._within_limit(
            topic,
            lambda: asyncio.gather(
                *(self._send_batches(topic, number, items) for number, items in by_partition.items())
            ),
        )

    async def dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Publish dead letters: the bytes as they came; why and from where in the headers.

        Of a value that the topic does not take, though it was made for more, the beginning must do.
        """
        topic = self._settings.dead_letters_topic
        await self._within_limit(topic, lambda: self._dead_letters(topic, letters))

    async def _dead_letters(self, topic: str, letters: Sequence[DeadLetter]) -> None:
        assert self._producer is not None
        limit = self._limits.get(topic)
        room = _LARGEST_VALUE if limit is None else max(0, limit - _LEAST // 2)
        futures = [await self._producer.send(topic, **as_record(letter, room)) for letter in letters]
        await _all(futures)

    async def forward(self, events: Sequence[tuple[bytes, bytes]]) -> list[int]:
        """Publish events under their right key. Returns the places of those that the topic does not take, because
        each of them alone is too large for it."""
        topic = self._settings.events_topic
        refused = await self._forward(topic, events, range(len(events)))
        if refused is None:  # batches were refused, but no event: make smaller ones from now on
            self._limits[topic] = max(_LEAST, self._limits.get(topic, _LARGEST_BATCH * 2) // 2)
            return []
        return refused

    async def _forward(
        self, topic: str, events: Sequence[tuple[bytes, bytes]], places: Sequence[int]
    ) -> list[int] | None:
        """Publish some of the events; what is refused together is sent in halves. None when only batches were
        refused, and no event alone."""
        count = self._partitions[topic]
        by_partition: dict[int, list[tuple[bytes, bytes]]] = defaultdict(list)
        for place in places:
            by_partition[kafka.partition_of(events[place][0], count)].append(events[place])
        try:
            await _all([self._send_batches(topic, number, items) for number, items in by_partition.items()])
            return []
        except _TOO_LARGE:
            await self._anew()
        if len(places) == 1:
            return list(places)
        half = len(places) // 2
        refused = [await self._forward(topic, events, some) for some in (places[:half], places[half:])]
        return [place for some in refused for place in some or ()] or None

    async def _within_limit(self, topic: str, send: Callable[[], Awaitable[object]]) -> None:
        """Send; when the topic takes less in one batch than we make, again with less."""
        while True:
            try:
                await send()
                return
            except _TOO_LARGE:
                limit = self._limits.get(topic, _LARGEST_BATCH * 2) // 2
                if limit < _LEAST:
                    raise
                self._limits[topic] = limit
                log.warning("the topic takes small records only: raise its max.message.bytes", topic=topic, tried=limit)
                await self._anew()

    async def _anew(self) -> None:
        """Another producer: what was refused leaves a hole in the sequence of an idempotent one."""
        await self.stop()
        await self.start()

    async def _send_batches(self, topic: str, partition: int, items: Sequence[tuple[bytes, bytes]]) -> None:
        producer = self._producer
        assert producer is not None
        if partition not in await producer.partitions_for(topic):  # added since the producer asked for them last
            await producer.client.force_metadata_update()
        futures: list[Awaitable[object]] = []
        builder = producer.create_batch()
        limit = self._limits.get(topic)
        for key, value in items:
            if limit is not None:
                if topic == self._settings.cdrs_topic and len(value) + len(key) >= limit - _LEAST // 4:
                    value = shortened(value)
                if builder.record_count() and builder.size() + len(key) + len(value) > limit - _LEAST // 4:
                    futures.append(await producer.send_batch(builder, topic, partition=partition))
                    builder = producer.create_batch()
            if builder.append(key=key, value=value, timestamp=None) is None:
                if builder.record_count():
                    futures.append(await producer.send_batch(builder, topic, partition=partition))
                    builder = producer.create_batch()
                if builder.append(key=key, value=value, timestamp=None) is None:
                    # Larger than a batch may be: let the producer say so, or send it alone.
                    futures.append(await producer.send(topic, value, key=key, partition=partition))
        if builder.record_count():
            futures.append(await producer.send_batch(builder, topic, partition=partition))
        await _all(futures)


def as_record(letter: DeadLetter, room: int) -> dict[str, Any]:
    """A dead letter as a record whose key, value and headers together take no more than `room` bytes: what is
    longer is cut, and then a header tells how long the value was."""
    few = room // 8
    key = letter.key
    headers = [(kafka.HEADER_PREFIX + name, told) for name, told in letter.headers]
    size = len(letter.value) + len(key or b"") + sum(len(name) + len(told) for name, told in headers)
    told = [
        ("error", letter.reason.encode(errors="replace")),
        ("topic", letter.topic.encode()),
        ("partition", str(letter.partition).encode()),
        ("offset", str(letter.offset).encode()),
    ]
    value = letter.value
    if size > room:
        key = key[:few] if key is not None else None
        headers = [(name, text) for name, text in headers if len(name) + len(text) <= few // 4][:4]
        told.append(("value_bytes", str(len(value)).encode()))
        value = value[: room - len(key or b"") - few]
    return {"key": key, "value": value, "headers": told + headers}


async def _all(futures: Sequence[Awaitable[object]]) -> None:
    """Wait for all, then raise what the first of them raised: none may be on its way when all is sent again."""
    for result in await asyncio.gather(*futures, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def absorbed_document(of: Absorbed) -> bytes:
    """What the change feed says of a call id that another call has now."""
    return orjson.dumps(
        {
            "call_id": of.call_id,
            "tenant": of.tenant,
            "version": of.version,
            "retired": True,
            "merged_into": {"id": str(of.into_id), "call_id": of.into_call_id},
        }
    )


def shortened(document: bytes) -> bytes:
    """A call document in a few bytes, for a topic that does not take it: which call it is, its version and
    its state. The flag `lists_left_out` says so; the tables have it whole."""
    shown = orjson.loads(document)
    kept = ("id", "call_id", "tenant", "version", "state", "retired", "merged_into", "started_at", "ended_at")
    return orjson.dumps({name: shown[name] for name in kept if name in shown} | {"flags": ["lists_left_out"]})
