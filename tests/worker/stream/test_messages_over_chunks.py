"""SIP messages whose pieces lie in several chunks of a partition: joined, sent on once, acknowledged when they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, cast

import pytest

from pipeline.settings import Settings
from pipeline.sources.registry import raw_decoder
from pipeline.sources.sip.decoder import decode
from pipeline.worker.core.chunk import Chunk
from pipeline.worker.core.durable_store import Store
from pipeline.worker.core.publisher import Publisher
from pipeline.worker.stream.raw_decoder import RawSource
from tests.sources.test_hep import INVITE, sent
from tests.worker.records import Record

_BYE = sent(
    b"BYE sip:1002@h SIP/2.0\r\nFrom: <sip:1001@h>;tag=ta\r\nTo: <sip:1002@h>;tag=tb\r\n"
    b"Call-ID: q@h\r\nCSeq: 8 BYE\r\n\r\n"
)
_LONG_S, _SHORT_S = 600.0, 0.01  # to wait for the rest of a message


class Kafka:
    """What is published, and which chunks are acknowledged; it is always there."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.dead: list[Any] = []
        self.done: list[Chunk] = []
        self.news = asyncio.Event()

    async def step(self, _name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        return await work()

    async def forward(self, events: Sequence[tuple[bytes, bytes]]) -> list[int]:
        self.sent += [value for _, value in events]
        return []

    async def dead_letters(self, letters: Sequence[Any]) -> None:
        self.dead += letters

    def acknowledge(self, chunk: Chunk) -> None:
        self.done.append(chunk)
        self.news.set()

    async def acknowledged(self, count: int) -> None:
        while len(self.done) < count:
            self.news.clear()
            await self.news.wait()


def chunk(offset: int, *values: bytes, partition: int = 0) -> Chunk:
    return Chunk("sip-events", partition, [Record(offset + place, b"k", value) for place, value in enumerate(values)])


@pytest.fixture
async def kafka() -> Kafka:
    return Kafka()


@pytest.fixture
async def reads(kafka: Kafka) -> AsyncIterator[Callable[[float], RawSource]]:
    """A source that runs and waits so long for the rest of a message."""
    started: list[tuple[RawSource, asyncio.Task[None]]] = []

    def start(wait_s: float) -> RawSource:
        store, publisher = cast(Store, kafka), cast(Publisher, kafka)
        source = RawSource("sip", raw_decoder("sip"), Settings(), store, publisher, kafka.acknowledge, wait_s)
        started.append((source, asyncio.create_task(source.run())))
        return source

    yield start
    for source, task in started:
        source.stop()
        await task


def ids(events: Sequence[Any]) -> list[str]:
    return [event.event_id for event in events]


@pytest.mark.parametrize("cut", [10, 40, 170, len(INVITE) - 5])
async def test_a_message_over_two_chunks(reads: Callable[[float], RawSource], kafka: Kafka, cut: int) -> None:
    source = reads(_LONG_S)
    first, second = chunk(0, _BYE, sent(INVITE[:cut])), chunk(2, sent(INVITE[cut:], 1), _BYE)
    await source.add(first)
    await source.add(chunk(0, _BYE, partition=1))
    await kafka.acknowledged(1)
    assert [each.partition for each in kafka.done] == [1]  # the other one waits for the rest of its message
    await source.add(second)
    await kafka.acknowledged(3)
    assert kafka.done[1:] == [first, second]
    assert not kafka.dead
    invite = ids(decode([sent(INVITE)]).events)
    assert sum(invite[0].encode() in value for value in kafka.sent) == 1
    assert len(kafka.sent) == 4


async def test_a_message_over_three_chunks(reads: Callable[[float], RawSource], kafka: Kafka) -> None:
    source = reads(_LONG_S)
    chunks = [chunk(0, sent(INVITE[:50])), chunk(1, sent(INVITE[50:170], 1)), chunk(2, sent(INVITE[170:], 2))]
    for each in chunks:
        await source.add(each)
    await kafka.acknowledged(3)
    assert (kafka.done, len(kafka.sent), kafka.dead) == (chunks, 1, [])


async def test_a_rest_that_never_comes_is_waited_for_a_little(
    reads: Callable[[float], RawSource], kafka: Kafka
) -> None:
    source = reads(_SHORT_S)
    alone = chunk(0, _BYE, sent(INVITE[:170]))
    await source.add(alone)
    await kafka.acknowledged(1)
    assert kafka.done == [alone]
    assert len(kafka.sent) + len(kafka.dead) == 2


async def test_what_waits_is_given_back_at_a_rebalance(reads: Callable[[float], RawSource], kafka: Kafka) -> None:
    """It is read again by the next owner, with what follows it."""
    source = reads(_LONG_S)
    await source.add(chunk(0, sent(INVITE[:170])))
    await source.add(chunk(0, _BYE, partition=1))
    await kafka.acknowledged(1)
    source.revoked()
    await source.drained()
    whole = chunk(0, sent(INVITE[:170]), sent(INVITE[170:], 1))
    await source.add(whole)
    await kafka.acknowledged(2)
    assert kafka.done[1:] == [whole]
    assert not kafka.dead
