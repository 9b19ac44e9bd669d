"""What may be committed: the offset after the last durable record, never less, never more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka
from faust.types import TP

from pipeline.worker.stream.transport import Consumer

PART = TP("call-events", 0)


class Broker:
    """Answers commits; refuses them while `refuses`."""

    refuses = False
    committed: int | None = None

    async def commit(self, _consumer: Any, offsets: Mapping[TP, int]) -> bool:
        if not self.refuses:
            self.committed = offsets[PART]
        return not self.refuses

    async def seek(self, _consumer: Any) -> dict[TopicPartition, int | None]:
        return {TopicPartition(*PART): self.committed}


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr(aiokafka.Consumer, "_commit", lambda self, offsets: broker.commit(self, offsets))
    monkeypatch.setattr(aiokafka.Consumer, "seek_to_committed", lambda self: broker.seek(self))
    return broker


@pytest.fixture
def consumer() -> Consumer:
    """A consumer without Faust's services around it."""
    consumer: Consumer = Consumer.__new__(Consumer)
    consumer.durable, consumer._confirmed, consumer._expected = {}, {}, {}
    consumer._acked, consumer._acked_index = defaultdict(list), defaultdict(set)
    consumer._gap = {}

    async def earliest_offsets(*tps: TP) -> dict[TP, int]:
        return dict.fromkeys(tps, 0)

    consumer.earliest_offsets = earliest_offsets
    return consumer


def due(consumer: Consumer) -> int | None:
    """The offset that the next commit would carry."""
    offset = consumer._new_offset(PART)
    return offset if offset is not None and consumer._should_commit(PART, offset) else None


def test_what_faust_acknowledged_is_not_committed(consumer: Consumer) -> None:
    consumer._acked[PART] = [1, 2, 3]
    consumer._acked_index[PART] = {1, 2, 3}
    assert due(consumer) is None
    assert not consumer._acked[PART] and not consumer._acked_index[PART]  # and does not pile up


async def test_durable_offsets_are_committed_once(consumer: Consumer, broker: Broker) -> None:
    consumer.durable[PART] = 100
    assert due(consumer) == 100
    assert await consumer._commit({PART: 100})
    assert due(consumer) is None
    consumer.durable[PART] = 150
    assert due(consumer) == 150
    assert consumer.reached(PART) == 150


async def test_a_refused_commit_is_repeated(consumer: Consumer, broker: Broker) -> None:
    consumer.durable[PART] = 100
    broker.refuses = True
    assert not await consumer._commit({PART: 100})
    assert due(consumer) == 100


async def test_a_commit_never_goes_back_behind_another_worker(consumer: Consumer, broker: Broker) -> None:
    consumer.durable[PART] = 100
    await consumer._commit({PART: 100})
    broker.committed = 200  # the partition was elsewhere, and comes back
    await consumer.seek_to_committed()
    assert due(consumer) is None
    assert consumer.reached(PART) == 200
    broker.committed = None  # the group was reset
    await consumer.seek_to_committed()
    assert due(consumer) == 100


async def test_gaps_between_chunks_are_not_collected(consumer: Consumer) -> None:
    await consumer._add_gap(PART, 1, 10)
    assert consumer._gap == {}


async def test_portions_of_a_fetch_reach_the_consumer() -> None:
    # The consumer has no public way to set them once Faust has made it.
    consumer = AIOKafkaConsumer(fetch_min_bytes=3, fetch_max_wait_ms=4)
    assert (consumer._fetch_min_bytes, consumer._fetch_max_wait_ms) == (3, 4)
    await consumer.stop()
