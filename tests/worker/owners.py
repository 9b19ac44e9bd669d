"""Owners of partitions over tables in memory: each partition with a worker of its own, which may be held, killed and
followed by another while the others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import pairwise

from pipeline.settings import Settings
from pipeline.worker.core.batch_loop import Worker
from pipeline.worker.core.chunk import Chunk, Start
from tests.worker.memory import Crash, Memory, MemoryStore
from tests.worker.records import Record
from tests.worker.tariffs import no_tariffs


class Partition:
    """What the group knows of a partition, and the process that owns it."""

    def __init__(self, number: int, memory: Memory, settings: Settings) -> None:
        self.number, self.memory, self.settings = number, memory, settings
        self.committed = 0
        self.claims: list[int] = []
        self.generation = 0
        self.held: list[Owner] = []
        self.owner = Owner(self)

    @property
    def start(self) -> Start:
        """Where an owner begins now."""
        self.claims = [claim for claim in self.claims if claim > self.committed]
        return Start(self.committed, tuple(sorted(set(self.claims))))

    def take_over(self, *, kill: bool) -> None:
        """Another owner; the one before is killed, or held and may go on later."""
        if kill:
            self.owner.end()
        else:
            self.owner.store.door.hold()
            self.held.append(self.owner)
        self.owner = Owner(self)

    async def wake(self) -> None:
        """The owner held longest goes on until it finds out, then it is gone."""
        if self.held:
            owner = self.held.pop(0)
            owner.store.door.thaw()
            await rest()
            owner.end()

    def end(self) -> None:
        for owner in (*self.held, self.owner):
            owner.end()


class Owner:
    """A worker process that owns one partition."""

    def __init__(self, partition: Partition) -> None:
        partition.generation += 1
        self.partition, self.generation = partition, partition.generation
        self.store = MemoryStore(partition.settings, partition.memory)
        self.start = partition.start
        self.read = partition.committed
        self.worker = Worker(partition.settings, self.store, self._acknowledge, self._claim)
        self.worker._pricing.tariffs = no_tariffs  # type: ignore[assignment,method-assign]
        self.worker.assigned({partition.number: self.start}, epoch=1, generation=self.generation)
        self.task = asyncio.get_running_loop().create_task(self.worker.run())
        self.tasks: list[asyncio.Task[None]] = []

    def _acknowledge(self, chunk: Chunk) -> None:
        if self.generation == self.partition.generation:  # the broker refuses the commits of others
            self.partition.committed = max(self.partition.committed, chunk.records[-1].offset + 1)

    async def _claim(self, generation: int, ends: Mapping[int, int], _grown: object) -> bool:
        await self.store.door.step()
        if generation != self.partition.generation:
            return False
        self.partition.claims += ends.values()
        return True

    def feed(self, most: int) -> None:
        """Hand over so many of the records that come next."""
        log = self.partition.memory.logs[self.partition.number]
        end = min(len(log), self.read + most)
        cuts = [claim for claim in self.start.claims if self.read < claim < end]
        for first, last in pairwise([self.read, *cuts, end]):
            if first < last:
                records = [Record(offset, *log[offset]) for offset in range(first, last)]
                chunk = Chunk("call-events", self.partition.number, records, None, 1, first)
                self.tasks.append(asyncio.get_running_loop().create_task(self.worker.add(chunk)))
        self.read = end

    @property
    def dead(self) -> bool:
        writing = self.worker._writing
        tasks = [self.task, *([writing] if writing is not None else [])]
        return any(task.done() and not task.cancelled() and isinstance(task.exception(), Crash) for task in tasks)

    def end(self) -> None:
        for task in (self.task, self.worker._writing, *self.tasks):
            if task is not None:
                task.cancel()
        self.store.door.thaw()


async def rest(turns: int = 150) -> None:
    """Long enough for everything that can be done."""
    for _ in range(turns):
        await asyncio.sleep(0)
