"""What may be committed: the offset after the last durable record, never less, never more."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka
from faust.types import TP

from pipeline.worker.core.chunk import Start
from pipeline.worker.stream.app import STUCK_LOOKS, Service
from pipeline.worker.stream.consumer_thread import ConsumerThread
from pipeline.worker.stream.offset_metadata import claims_of, noted_count
from pipeline.worker.stream.transport import Consumer, Records

PART = TP("call-events", 0)


class Broker:
    """The consumer's thread: answers commits, refuses them while `refuses`, and seeks."""

    refuses = False
    committed: int | None = None
    metadata = ""
    seeks = polled = 0
    counts: Mapping[str, int] = {PART.topic: 4}
    fewest: Mapping[str, int] = {PART.topic: 3}

    async def commit(self, _consumer: Any, offsets: Mapping[TP, int]) -> bool:
        if not self.refuses:
            self.committed = offsets[PART]
        return not self.refuses

    async def claim(self, _generation: int, offsets: Mapping[TP, OffsetAndMetadata]) -> bool:
        if not self.refuses:
            self.committed, self.metadata = offsets[PART]
        return not self.refuses

    async def seek(self) -> tuple[int, dict[TP, Start]]:
        self.seeks += 1
        at = None if self.committed is None else OffsetAndMetadata(self.committed, self.metadata)
        return self.seeks, {PART: Start(None) if at is None else Start(at.offset, claims_of(at))}


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch, consumer: Consumer) -> Broker:
    broker = Broker()
    monkeypatch.setattr(aiokafka.Consumer, "_commit", lambda self, offsets: broker.commit(self, offsets))
    consumer._thread = broker
    return broker


@pytest.fixture
def consumer() -> Consumer:
    """A consumer without Faust's services around it."""
    consumer: Consumer = Consumer.__new__(Consumer)
    for name in ("durable", "_confirmed", "_expected", "_ends", "_claims", "_inherited", "_first"):
        setattr(consumer, name, {})
    consumer.epoch, consumer._owner, consumer._grown = 0, True, set()
    consumer._acked, consumer._acked_index = defaultdict(list), defaultdict(set)
    consumer._gap = {}
    consumer.begun = []  # what the worker is told of epochs
    consumer.app = SimpleNamespace(
        consumer_generation_id=7, epoch_begins=lambda *told: consumer.begun.append(told), lost=None
    )

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


async def test_who_takes_over_is_told_as_of_which_offsets_others_may_write(consumer: Consumer, broker: Broker) -> None:
    consumer._first[PART] = 40
    assert await consumer.claim(7, {PART: 60})
    assert (broker.committed, broker.metadata) == (40, "4:60")  # nothing is durable yet
    consumer.durable[PART] = 60
    assert await consumer.claim(7, {PART: 90})
    assert (broker.committed, broker.metadata) == (60, "4:90")
    await consumer.seek_to_committed()  # another process, from here on
    assert consumer.begun == [(1, 7, {PART: Start(60, (90,))})]
    consumer.durable.clear()
    assert await consumer.claim(7, {PART: 70})
    assert (broker.committed, broker.metadata) == (60, "4:70,90")  # both owners may still write
    consumer.durable[PART] = 90
    assert consumer.claim_on(PART, 90) == "4:"


async def test_it_is_not_noted_how_many_partitions_there_are_while_calls_may_lie_on_two(
    consumer: Consumer, broker: Broker
) -> None:
    consumer.durable[PART] = 60
    assert await consumer.claim(7, {PART: 90}, [PART])
    assert broker.metadata == "3:90"
    assert await consumer.claim(7, {PART: 90})
    assert broker.metadata == "4:90"
    assert noted_count(OffsetAndMetadata(60, "4:90")) == 4
    assert noted_count(OffsetAndMetadata(60, "")) == noted_count(OffsetAndMetadata(60, "by hand")) == 0


async def test_nothing_is_claimed_of_what_was_not_read(consumer: Consumer, broker: Broker) -> None:
    """Nothing is committed of the partition, and it was given back meanwhile: the end of a batch that is not durable
    is no offset to commit."""
    assert not await consumer.claim(7, {PART: 60})
    assert broker.committed is None


async def test_a_refused_claim_notes_nothing(consumer: Consumer, broker: Broker) -> None:
    broker.refuses = True
    assert not await consumer.claim(6, {PART: 60})
    assert broker.committed is None and PART not in consumer._confirmed


async def test_metadata_of_others_is_no_claim() -> None:
    assert claims_of(OffsetAndMetadata(60, "copied by hand")) == ()
    assert claims_of(OffsetAndMetadata(60, "4:50,70")) == (70,)


def test_a_chunk_is_cut_where_an_owner_before_may_have_written(consumer: Consumer) -> None:
    consumer._inherited[PART] = (12, 14)
    records = [SimpleNamespace(offset=offset) for offset in (10, 11, 12, 15, 16)]
    parts = consumer._parts(PART, records)
    assert [[record.offset for record in part] for part in parts] == [[10, 11], [12], [15, 16]]
    assert consumer._parts(TP("call-events", 1), records) == [records]


class Polls(Consumer):
    """A consumer whose polls return what a test put in."""

    def __init__(self) -> None:
        """Without Faust's services."""

    async def _wait_next_records(self, _timeout: float) -> Any:
        return self.answers.pop(0), None


async def chunks_of(consumer: Consumer) -> list[Records]:
    return [message.value async for _, message in consumer.getmany(0.1)]


async def test_what_was_polled_before_a_rebalance_reaches_nobody(consumer: Consumer, broker: Broker) -> None:
    """A process is held after a poll, loses its partitions to others, and has them again before it hands over."""
    consumer.__class__ = Polls
    consumer._buffered_partitions, consumer.flow_active, consumer.app.should_stop = set(), True, False
    consumer._stopped, consumer._crashed = asyncio.Event(), asyncio.Event()
    old = [SimpleNamespace(offset=offset, timestamp=0, timestamp_type=0) for offset in (10, 11)]
    new = [SimpleNamespace(offset=offset, timestamp=0, timestamp_type=0) for offset in (50, 51)]
    consumer.answers = [{PART: old}, {PART: new}]
    broker.polled = 0  # the poll returned before the seek …
    broker.committed = 50
    await consumer.seek_to_committed()  # … to what the owner in between has committed
    assert await chunks_of(consumer) == []
    broker.polled = 1
    (chunk,) = await chunks_of(consumer)
    assert [record.offset for record in chunk] == [50, 51]
    assert (chunk.epoch, chunk.begins_at) == (1, 50)


async def test_gaps_between_chunks_are_not_collected(consumer: Consumer) -> None:
    await consumer._add_gap(PART, 1, 10)
    assert consumer._gap == {}


async def test_portions_of_a_fetch_reach_the_consumer() -> None:
    # The consumer has no public way to set them once Faust has made it.
    consumer = AIOKafkaConsumer(fetch_min_bytes=3, fetch_max_wait_ms=4)
    assert (consumer._fetch_min_bytes, consumer._fetch_max_wait_ms) == (3, 4)
    await consumer.stop()


def test_a_commit_that_never_returns_ends_the_worker_while_kafka_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process goes on from what is committed. While Kafka is away a commit may take as long as it likes."""
    ended: list[int] = []
    monkeypatch.setattr("os._exit", ended.append)
    service: Any = SimpleNamespace(app=SimpleNamespace(consumer=SimpleNamespace(committing=0)))
    service._stuck_looks = service._stuck_commit = 0
    for number in (0, 7, 8, 0, *[9] * STUCK_LOOKS):  # commits that return, however slowly, are none of it
        service.app.consumer.committing = number
        Service._end_when_stuck(service)
    assert ended == []
    Service._end_when_stuck(service)
    assert ended == [1]


async def test_the_oldest_commit_that_has_not_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    thread: Any = ConsumerThread.__new__(ConsumerThread)
    thread._committing = set()
    returns = {1: asyncio.Event(), 2: asyncio.Event()}

    async def committed(generation: int, _offsets: Mapping[TP, OffsetAndMetadata]) -> bool:
        await returns[generation].wait()
        return True

    monkeypatch.setattr(thread, "_committed", committed)
    first, second = (asyncio.create_task(thread._commit_as(number, {})) for number in (1, 2))
    await asyncio.sleep(0)
    assert thread.committing == 1
    returns[2].set()
    assert await second
    assert thread.committing == 1
    returns[1].set()
    assert await first
    assert thread.committing == 0
