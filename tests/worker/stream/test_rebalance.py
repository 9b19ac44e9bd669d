"""Partitions come and go while chunks wait and batches are written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.settings import Settings
from pipeline.worker.core.batch import Batch
from pipeline.worker.core.batch_loop import Worker
from pipeline.worker.core.chunk import Chunk, Start
from tests.worker.phone_calls import event, now_ms
from tests.worker.records import chunk
from tests.worker.tariffs import no_tariffs


class Store:
    """A warehouse without calls, whose writes wait until it is open."""

    waiting_for = ""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.written: list[Batch] = []

    async def archive(self, _batch: Batch) -> None:
        await self.open.wait()

    async def calls(self, batch: Batch) -> None:
        await self.open.wait()
        self.written.append(batch)

    async def nothing(self, _batch: Batch) -> None:
        """A step that this warehouse does not need."""

    announce = note = look = forward = dead_letters = nothing

    async def step(self, _name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        return await work()

    async def query(self, work: Callable[[Any], Any]) -> Any:
        return work(EmptyWarehouse())


class EmptyWarehouse:
    """A client of a warehouse in which nothing is."""

    def query(self, sql: str, **_: object) -> SimpleNamespace:
        return SimpleNamespace(result_rows=[(0,)] if "event_rows" in sql else [])

    def query_column_block_stream(self, *_: object, **__: object) -> Any:
        return contextlib.nullcontext(())


def worker_of(store: Store, acknowledge: Callable[[Chunk], None]) -> Worker:
    """A worker over this store, which prices nothing."""
    worker = Worker(Settings(batch_events=10), store, acknowledge)  # type: ignore[arg-type]
    worker._pricing.tariffs = no_tariffs  # type: ignore[assignment,method-assign]
    return worker


def of(first: int, count: int = 10) -> Chunk:
    at = now_ms()
    return chunk([event(f"c{first + n}", "started", at, 0, leg_id="a") for n in range(count)], first)


@pytest.fixture
def store() -> Store:
    return Store()


async def test_a_chunk_that_waited_through_a_rebalance_is_left_out(store: Store) -> None:
    """It would be taken for what follows the chunks before it, which were given back."""
    worker = worker_of(store, lambda chunk: None)
    worker.assigned({0: Start(None)})
    await worker.add(of(100))
    waiting = asyncio.create_task(worker.add(of(110)))
    await asyncio.sleep(0)
    worker.revoked()
    await waiting
    assert await worker._take() == []


async def test_what_was_begun_is_settled_before_partitions_go(store: Store) -> None:
    acknowledged: list[Chunk] = []
    worker = worker_of(store, acknowledged.append)
    store.open.clear()
    worker.assigned({0: Start(None)})
    loop = asyncio.create_task(worker.run())
    await worker.add(of(100))
    await asyncio.sleep(0.1)
    worker.revoked()
    settled = asyncio.create_task(worker.drained())
    await asyncio.sleep(0.05)
    assert not settled.done()
    store.open.set()
    await asyncio.wait_for(settled, 10)
    assert [chunk.records[0].offset for chunk in acknowledged] == [100]
    worker.stop()
    await loop


async def test_an_abandoned_batch_is_neither_written_nor_acknowledged(store: Store) -> None:
    acknowledged: list[Chunk] = []
    worker = worker_of(store, acknowledged.append)
    store.open.clear()
    worker.assigned({0: Start(None)})
    loop = asyncio.create_task(worker.run())
    await worker.add(of(100))  # being written
    await asyncio.sleep(0.1)
    await worker.add(of(110))  # prepared behind it
    await asyncio.sleep(0.1)
    worker.revoked()
    worker.give_up_in_flight()
    await asyncio.wait_for(worker.drained(), 10)
    store.open.set()
    assert store.written == [] and acknowledged == []
    worker.assigned({0: Start(None)})
    await worker.add(of(100, 20))
    await asyncio.sleep(0.2)
    assert [batch.events for batch in store.written] == [20]
    worker.stop()
    await loop
