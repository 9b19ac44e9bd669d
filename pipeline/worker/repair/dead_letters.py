"""Dead letters for the people who mend what made them: list, show, replay.

A replay produces the bytes again, under their key, to the topic they came from, and then notes in
the dead-letter topic that it did: a record without value whose header `replayed` names the letter.
A letter so noted is listed no more; should the value fail again, it comes back as a new letter.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Collection, Iterable
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import KafkaError

from pipeline import kafka
from pipeline.errors import USAGE, Problem
from pipeline.settings import Settings
from pipeline.settings.kafka import KafkaSettings
from schemas.call import rfc3339

QUIET_MS = 300  # nothing for so long behind the known end: the end
PATIENCE_MS = 30_000  # with nothing coming before the known end
HEAD = 80  # bytes of a value that a list shows
_BATCH = 1000  # letters replayed before they are noted
_REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter. `place` names it: its offset, with its partition before it where that is not 0."""

    place: str
    at: int  # ms; when it was written
    topic: str  # where the value came from
    partition: int
    offset: int
    reason: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()  # that the record bore

    def row(self) -> dict[str, object]:
        """The letter as a row of a list."""
        return {
            "offset": self.place,
            "at": rfc3339(self.at),
            "source": f"{self.topic}/{self.partition}/{self.offset}",
            "reason": self.reason,
            "bytes": len(self.value),
            "value": self.value[:HEAD].decode(errors="backslashreplace"),
        }


async def newest(settings: Settings, limit: int, reason: str = "") -> list[Letter]:
    """The newest letters that were not replayed, oldest of them first."""
    done = await _replayed(settings)
    found: deque[Letter] = deque(maxlen=limit)
    async for letter in _letters(settings):
        if letter.place not in done and reason in letter.reason:
            found.append(letter)
    return list(found)


async def one(settings: Settings, place: str) -> Letter:
    """The letter at a place, replayed or not. Raises `Problem` when there is none."""
    async for letter in _letters(settings):
        if letter.place == place:
            return letter
    raise _nothing_at([place])


async def replay(settings: Settings, places: Collection[str], reason: str = "") -> int:
    """Produce letters again; those at `places`, or all not yet replayed whose reason contains
    `reason`. Returns how many. Raises `Problem` when a place has no letter."""
    wanted = set(places)
    done = set() if wanted else await _replayed(settings)
    if wanted:
        known = {letter.place async for letter in _letters(settings) if letter.place in wanted}
        if wanted - known:
            raise _nothing_at(wanted - known)
    count = 0
    producer = kafka.producer(settings)
    try:
        await producer.start()
    except (KafkaError, OSError) as error:
        raise await kafka.explained(settings, error) from error
    try:
        batch: list[Letter] = []
        async for letter in _letters(settings):
            if letter.place in wanted or (not wanted and letter.place not in done and reason in letter.reason):
                batch.append(letter)
            if len(batch) >= _BATCH:
                count += await _again(producer, settings, batch)
                batch = []
        return count + await _again(producer, settings, batch)
    finally:
        await producer.stop()


async def _again(producer: AIOKafkaProducer, settings: KafkaSettings, letters: Iterable[Letter]) -> int:
    """Produce the letters' values, then note that it was done: never the other way round."""
    letters = list(letters)
    for sent in [
        await producer.send(letter.topic, letter.value, key=letter.key, headers=list(letter.headers))
        for letter in letters
    ]:
        await sent
    topic = settings.dead_letters_topic
    notes = [(_REPLAYED, letter.place.encode()) for letter in letters]
    for sent in [await producer.send(topic, None, key=b"replayed", headers=[note]) for note in notes]:
        await sent
    return len(letters)


def _nothing_at(places: Iterable[str]) -> Problem:
    return Problem(
        f"No dead letter at {', '.join(sorted(places))}.", hint="See the offsets of cdr dead-letters list.", code=USAGE
    )


async def _replayed(settings: Settings) -> set[str]:
    """The places of letters that were replayed."""
    return {
        note.decode()
        async for record in _records(settings)
        if (note := dict(record.headers).get(_REPLAYED)) is not None
    }


async def _letters(settings: Settings) -> AsyncGenerator[Letter]:
    """All letters, replayed ones among them, in order."""
    async for record in _records(settings):
        headers = dict(record.headers)
        if _REPLAYED in headers:
            continue
        yield Letter(
            place=f"{record.partition}:{record.offset}" if record.partition else str(record.offset),
            at=record.timestamp,
            topic=headers.get("topic", b"").decode() or settings.events_topic,
            partition=int(headers.get("partition", b"0")),
            offset=int(headers.get("offset", b"0")),
            reason=headers.get("error", b"").decode(errors="replace"),
            key=record.key,
            value=record.value or b"",
            headers=tuple(
                (name.removeprefix(kafka.HEADER_PREFIX), told)
                for name, told in record.headers
                if name.startswith(kafka.HEADER_PREFIX)
            ),
        )


async def _records(settings: Settings) -> AsyncGenerator[ConsumerRecord[bytes, bytes]]:
    """Everything in the dead-letter topic. Raises `Problem` when Kafka or the topic is not there."""
    topic = settings.dead_letters_topic
    consumer = AIOKafkaConsumer(**kafka.connection(settings), auto_offset_reset="earliest", enable_auto_commit=False)
    try:
        await consumer.start()
        if topic not in await consumer.topics():
            return
        consumer.subscribe([topic])
        async with asyncio.timeout(PATIENCE_MS / 1000):
            while not (parts := sorted(consumer.assignment())):
                await consumer.getmany(timeout_ms=100)
        await consumer.seek_to_beginning(*parts)
        ends = await consumer.end_offsets(parts)
        quiet = 0
        while quiet * QUIET_MS < PATIENCE_MS:
            batch = await consumer.getmany(timeout_ms=QUIET_MS)
            quiet = 0 if batch else quiet + 1
            for records in batch.values():
                for record in records:
                    yield record
            if not batch and all([await consumer.position(part) >= ends[part] for part in parts]):
                return
        raise TimeoutError(f"{topic} was not read to its end in {PATIENCE_MS // 1000} s")
    except (KafkaError, OSError) as error:
        raise await kafka.explained(settings, error) from error
    finally:
        await consumer.stop()
