"""The change feed as server-sent events (WHATWG HTML, 9.2): every version of every call, in order per call.

Each client reads the feed by itself, from where it stands. An event's id is that place: the offset behind it in each
partition, so who comes back with it as Last-Event-ID goes on exactly there, on whichever server. What Kafka keeps no
longer is said with an event `gap`: nothing is left out unsaid.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline import kafka
from pipeline.errors import BadField
from pipeline.settings import Settings

ALIVE_S: Final = 10.0
_RETRY_MS: Final = 2_000
_LOOK_MS: Final = 30_000  # how often Kafka is asked for new partitions
_MOST_RECORDS: Final = 500
_PLACE: Final = re.compile(r"\d{1,4}:\d{1,18}(,\d{1,4}:\d{1,18}){0,1023}", re.ASCII)

# A call document or a retired one as the client may see it; None when it may not.
Look = Callable[[dict[str, Any]], Awaitable[dict[str, Any] | None]]


def place_of(text: str) -> dict[int, int]:
    """Partition → offset of an event's id. Raises BadField."""
    if not _PLACE.fullmatch(text):
        raise BadField(
            "Last-Event-ID", text, "is no id of this stream; leave it out to begin now, 0:0 for all there is"
        )
    return {int(part): int(offset) for part, _, offset in (each.partition(":") for each in text.split(","))}


class Following:
    """One client and where it stands."""

    def __init__(self, settings: Settings, tenant: str, look: Look, place: Mapping[int, int] | None) -> None:
        self._settings, self._look, self._given = settings, look, place
        self._place: dict[int, int] = {}
        self._gaps: list[dict[str, int]] = []
        self._consumer: Any = None
        # A cheap look before the document is decoded; what passes is looked at for real.
        self._mark = orjson.dumps(tenant)

    async def begin(self) -> None:
        """Connect and stand where the client was. Raises KafkaError or OSError when Kafka is away."""
        settings, topic = self._settings, self._settings.cdrs_topic
        consumer = AIOKafkaConsumer(
            **kafka.connection(settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            group_id=None,
            metadata_max_age_ms=_LOOK_MS,
            max_partition_fetch_bytes=kafka.LARGEST_MESSAGE,
        )
        try:
            await consumer.start()
            # The consumer itself knows the partitions of topics only that it reads already.
            count = await kafka.partition_count(settings, topic)
            if not count:
                raise KafkaError(f"Kafka has no topic {topic}")
            parts = [TopicPartition(topic, number) for number in range(count)]
            consumer.assign(parts)
            if self._given is None:
                self._place = {part.partition: end for part, end in (await consumer.end_offsets(parts)).items()}
            else:
                self._place = await self._go_on(consumer, parts, self._given)
            for part in parts:
                consumer.seek(part, self._place[part.partition])
        except (KafkaError, OSError):
            await consumer.stop()
            raise
        self._consumer = consumer

    async def _go_on(self, consumer: Any, parts: list[TopicPartition], given: Mapping[int, int]) -> dict[int, int]:
        """Where the client was. What was deleted since is a gap; a place that never was is of another topic of this
        name, which is read from its beginning. A partition that the client does not know came later."""
        firsts, ends = await consumer.beginning_offsets(parts), await consumer.end_offsets(parts)
        places = {}
        for part in parts:
            number, wanted = part.partition, given.get(part.partition, 0)
            places[number] = wanted if firsts[part] <= wanted <= ends[part] else firsts[part]
            if wanted and places[number] != wanted:
                self._gaps.append({"partition": number, "from": wanted, "to": firsts[part]})
        return places

    async def events(self) -> AsyncGenerator[bytes, None]:
        """Events until nobody wants them, or Kafka goes: then the client comes back with its last id."""
        sent_at = time.monotonic()
        try:
            yield b"retry: %d\n%s: here\n\n" % (_RETRY_MS, self._id())
            for gap in self._gaps:
                yield b"event: gap\n%sdata: %s\n\n" % (self._id(), orjson.dumps(gap))
            while self._has_all():
                found = await self._consumer.getmany(timeout_ms=1000, max_records=_MOST_RECORDS)
                pieces = [piece for part, records in found.items() for piece in await self._pieces(part, records)]
                if pieces:
                    yield b"".join(pieces)
                elif time.monotonic() - sent_at >= ALIVE_S:
                    yield b"%s: alive\n\n" % self._id()
                else:
                    continue
                sent_at = time.monotonic()
        except KafkaError:
            return
        finally:
            await self._consumer.stop()

    def _has_all(self) -> bool:
        """Whether the topic has the partitions it had. One that was grown is followed by who comes back."""
        return len(self._consumer.partitions_for_topic(self._settings.cdrs_topic) or ()) <= len(self._place)

    def _id(self) -> bytes:
        return b"id: %s\n" % ",".join(f"{part}:{offset}" for part, offset in self._place.items()).encode()

    async def _pieces(self, part: TopicPartition, records: list[Any]) -> list[bytes]:
        pieces = []
        for record in records:
            self._place[part.partition] = record.offset + 1
            if self._mark not in (record.value or b""):
                continue
            try:
                document = orjson.loads(record.value)
                shown = await self._look(document)
                if shown is None:
                    continue
                retired = bool(document.get("retired"))
                body = orjson.dumps(shown)
            except (ValueError, TypeError, KeyError):  # no call document
                continue
            pieces.append(b"event: %s\n%sdata: %s\n\n" % (b"retired" if retired else b"call", self._id(), body))
        return pieces
