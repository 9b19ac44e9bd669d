"""Partitions come and go while chunks wait and batches are written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.settings import Settings
from pipeline.worker.core import batch_loop
from pipeline.worker.core.batch import Batch
from pipeline.worker.core.batch_loop import Claim, Worker
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


def worker_of(store: Store, acknowledge: Callable[[Chunk], None], claim: Claim | None = None) -> Worker:
    """A worker over this store, which prices nothing."""
    worker = Worker(Settings(batch_events=10), store, acknowledge, claim)  # type: ignore[arg-type]
    worker._pricing.tariffs = no_tariffs  # type: ignore[assignment,method-assign]
    return worker


def of(first: int, count: int = 10, *, epoch: int = 0) -> Chunk:
    at = now_ms()
    return replace(
        chunk([event(f"c{first + n}", "started", at, 0, leg_id="a") for n in range(count)], first), epoch=epoch
    )


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


async def newest_generation_only(generation: int, _ends: Mapping[int, int], _grown: Collection[int]) -> bool:
    """The group is in its second generation."""
    return generation == 2


async def test_a_batch_that_the_group_refuses_does_not_undo_what_it_has_given_since(store: Store) -> None:
    """A worker was held; its batch of before is refused when partitions are already its own again."""
    acknowledged: list[Chunk] = []
    worker = worker_of(store, acknowledged.append, newest_generation_only)
    worker.assigned({0: Start(None)}, epoch=1, generation=1)
    loop = asyncio.create_task(worker.run())
    await worker.add(of(100, epoch=1))
    await asyncio.sleep(0.1)  # claimed in vain; nobody has looked at it yet
    worker.revoked()
    worker.assigned({0: Start(None)}, epoch=2, generation=2)
    for first in (100, 110):
        await worker.add(of(first, epoch=2))
        await asyncio.sleep(0.1)
    assert [chunk.records[0].offset for chunk in acknowledged] == [100, 110]
    worker.stop()
    await loop


async def test_who_is_refused_and_given_nothing_ends(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_loop, "FENCED_S", 0.0)
    worker = worker_of(store, lambda chunk: None, newest_generation_only)
    worker.assigned({0: Start(None)}, epoch=1, generation=1)
    loop = asyncio.create_task(worker.run())
    await worker.add(of(100, epoch=1))
    await asyncio.sleep(0.05)
    await worker.add(of(110, epoch=1))  # makes it look at what became of the first
    with pytest.raises(RuntimeError, match="has given no partitions since"):
        await asyncio.wait_for(loop, 30)
