"""A Faust transport that hands an agent chunks instead of messages.

Stock Faust awaits once per message, which costs more than decoding, folding and storing it. Here
one Faust message is one chunk: the records of one partition that one poll returned (its value is
the list of records, its offset that of the last). Faust keeps what it is good at: groups,
rebalancing, agents, shutdown.

Faust acknowledges what raised, and its gap arithmetic can commit past a message in flight. So the
offsets to commit come from one place only: `durable`, set by the worker once a batch is stored.
Registered under the URL scheme `batched`.

Ownership of partitions. Each time that this process goes back to what its group has committed, as it does when
partitions are given to it, an epoch begins. A chunk bears the epoch it was polled in and where the chunk before it
ended, so that one of an earlier epoch can be told from one that follows. Before calls are written, the end of their
batch is committed as the metadata of the partition's offset (`claim`). The broker refuses that to whoever is not a
member of the group's current generation; and who takes the partition over reads it, and knows as of which offsets
its predecessors may have written (`Start.claims`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import TRANSPORTS, aiokafka
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from pipeline.worker import failpoints
from pipeline.worker.core.chunk import Start
from pipeline.worker.stream.consumer_thread import ConsumerThread

log = structlog.get_logger()

SCHEME = "batched"


class Records(list[Any]):
    """The records of a chunk, the epoch they were polled in, and the end of the chunk before them."""

    __slots__ = ("begins_at", "epoch")

    def __init__(self, records: Iterable[Any], epoch: int, begins_at: int | None) -> None:
        super().__init__(records)
        self.epoch = epoch
        self.begins_at = begins_at


class Consumer(aiokafka.Consumer):  # type: ignore[misc]
    """Yields one message a partition and poll."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # (topic, partition) → offset after the last durable record. Facts: never taken back.
        self.durable: dict[TP, int] = {}
        self._confirmed: dict[TP, int] = {}
        # Awaited before partitions leave, so that what is in flight is committed and not redone.
        self.before_revoke: Callable[[], Awaitable[None]] | None = None
        self._expected: dict[TP, int] = {}  # the offset to be read next
        self.epoch = 0  # number of the last seek: what was polled before it reaches nobody
        self._owner = False  # whether partitions are given to this process, and no rebalance is under way
        self._ends: dict[TP, int] = {}  # where the last chunk of this epoch ended; where the first one begins
        self._claims: dict[TP, int] = {}  # as of which offset calls may be being written
        self._inherited: dict[TP, tuple[int, ...]] = {}  # the same of the owners before
        self._grown: set[TP] = set()  # of a topic that had fewer partitions lately
        self._first: dict[TP, int] = {}  # the first offset read of a partition of which nothing was committed
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """A rebalance begins: nothing more comes in, what was begun is settled and committed, then let go."""
        if self.assignment():
            # A chunk handed on from here on would skip those before it that were just given back.
            self.stop_flow()
            self.app.flow_control.suspend()
            self.app.flow_control.clear()
        self._owner = False
        if self.before_revoke is not None:
            await self.before_revoke()
            await self.commit()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Partitions are given to this process; `seek_to_committed` comes next."""
        self._owner = True
        await super().on_partitions_assigned(assigned, generation_id)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109 - Faust's name
        """Poll once; a chunk for each partition that had records."""
        records, active = await self._wait_next_records(timeout)
        polled, generation = self._thread.polled, self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        while self.flow_active and polled > self.epoch:  # noqa: ASYNC110
            await asyncio.sleep(0)  # the seek is done, and its answer on the way
        if self.app.should_stop:
            return
        if records:
            failpoints.after("poll")
        if not self.flow_active:
            # What was just polled is polled again. When a rebalance begins a seek follows by itself; later, it was.
            if self._owner:
                await self.perform_seek()
            return
        for tp, chunk in records.items():
            for part in self._parts(tp, chunk):
                if not self.flow_active:
                    return
                if self.app.consumer_generation_id != generation or self.epoch != polled:
                    log.info("left out what was polled before a rebalance", topic=tp.topic, partition=tp.partition)
                    return
                if active is None or tp in active or tp in self._buffered_partitions:
                    if part[0].offset > self._expected.get(tp, part[0].offset):
                        await self._look_for_lost(tp)
                    self._expected[tp] = part[-1].offset + 1
                    self._first.setdefault(tp, part[0].offset)
                    value = Records(part, polled, self._ends.get(tp))
                    self._ends[tp] = part[-1].offset + 1
                    yield tp, self._chunk_message(tp, value, generation)

    def _parts(self, tp: TP, chunk: list[Any]) -> list[list[Any]]:
        """The chunk, cut at the offsets as of which an owner before may have written calls: who takes over folds them
        as of the same offsets."""
        parts = []
        for claim in self._inherited.get(tp, ()):
            before = sum(record.offset < claim for record in chunk)
            parts.append(chunk[:before])
            chunk = chunk[before:]
        return [part for part in (*parts, chunk) if part]

    async def _look_for_lost(self, *tps: TP) -> list[TP]:
        """Offsets may lie apart for good reasons (transactions); below the first one there is, they are lost. Returns
        the partitions that lost some, where the worker is to go on all the same."""
        found: list[TP] = []
        try:
            earliest = await self.earliest_offsets(*tps)
        except KafkaError as error:
            log.info("first offsets unknown", error=str(error) or type(error).__name__)
            return found
        for tp in tps:
            expected, first = self._expected.get(tp), earliest.get(tp)
            if expected is not None and first is not None and first > expected:
                # Told of records that were dropped unread: partition, first offset lost, first offset there is.
                lost: Callable[[TP, int, int], None] = self.app.lost
                lost(tp, expected, first)
                self._expected[tp] = first
                found.append(tp)
        return found

    def _chunk_message(self, tp: TP, chunk: Records, generation: int) -> ConsumerMessage:
        last = chunk[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            (last.timestamp or 0) / 1000.0,
            last.timestamp_type,
            [],
            None,
            chunk,
            None,
            0,
            0,
            tp,
            # A message without the group's generation is dropped by the stream without a word.
            generation_id=generation,
        )

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Chunks leave gaps between their offsets by nature; nothing to remember."""

    def _new_offset(self, tp: TP) -> int | None:
        acked = self._acked[tp]
        self._acked_index[tp].difference_update(acked)
        acked.clear()
        return self.durable.get(tp)

    def _should_commit(self, tp: TP, offset: int) -> bool:
        # Faust notes an offset as committed even when the broker refused it. And never go back:
        # whoever had the partition in between may have come further.
        return offset > self._confirmed.get(tp, -1)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        done = bool(await super()._commit(offsets))
        if done:
            self._confirmed.update(offsets)
        return done

    def reached(self, tp: TP) -> int:
        """Offset after the last record of a partition that is durable, as far as is known; 0 when none is."""
        return max(self.durable.get(tp, 0), self._confirmed.get(tp, 0))

    async def claim(self, generation: int, ends: Mapping[TP, int], grown: Collection[TP] = ()) -> bool:
        """Have it noted, before calls are written, that those of a partition may be written as of an offset: that
        after the last record of the batch. False when the group has given the partitions to others. `grown`: of
        these it is not noted yet how many partitions the topic has.

        Raises KafkaError when the broker does not answer.
        """
        offsets = {}
        self._grown = set(grown)
        for tp, end in ends.items():
            self._claims[tp] = end
            at = max(self.durable.get(tp, -1), self._confirmed.get(tp, -1))
            at = at if at >= 0 else self._first.get(tp, -1)
            if at < 0:  # not read in this epoch: no offset is known behind which nothing is left undone
                return False
            offsets[tp] = OffsetAndMetadata(at, self.claim_on(tp, at))
        done: bool = await self._thread.claim(generation, offsets)
        if done:
            self._confirmed.update({tp: at.offset for tp, at in offsets.items()})
        return done

    @property
    def committing(self) -> int:
        """Number of the oldest commit or claim that has not returned; 0 for none."""
        return int(self._thread.committing)

    def partition_count(self, topic: str) -> int:
        """How many partitions the topic had when this epoch began; 0 before the first one."""
        return int(self._thread.counts.get(topic, 0))

    async def look_at_partitions(self) -> None:
        """Have partitions that were added to a topic shared out in the group: by itself it looks every five minutes."""
        await self._thread.look_at_partitions()

    def claim_on(self, tp: TP, offset: int) -> str:
        """The metadata that goes with an offset: how many partitions the topic has, and the claims beyond the offset,
        one's own and those of owners before. While calls may lie on two partitions, how many it had before."""
        claims = {*self._inherited.get(tp, ()), self._claims.get(tp, 0)}
        counts = self._thread.fewest if tp in self._grown else self._thread.counts
        noted = ",".join(str(claim) for claim in sorted(claims) if claim > offset)
        return f"{counts.get(tp.topic, 0)}:{noted}"

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek to what the group has committed, note it, and tell the worker where its epoch begins."""
        generation = self.app.consumer_generation_id
        epoch, starts = await self._thread.seek()
        self.epoch = epoch
        self._inherited.clear()
        self._claims.clear()
        self._first.clear()
        self._grown = {tp for tp, start in starts.items() if start.grown}
        for tp, start in starts.items():
            if start.claims:
                self._inherited[tp] = start.claims
            if start.offset is not None:
                self._confirmed[tp] = self._expected[tp] = self._ends[tp] = start.offset
            else:
                for known in (self._confirmed, self._expected, self._ends):
                    known.pop(tp, None)
        if known_at := [tp for tp in starts if tp in self._expected]:
            for tp in await self._look_for_lost(*known_at):
                # Nothing is in flight: with this committed nobody is told of the same loss again, and no lag stays.
                self.durable[tp] = max(self.durable.get(tp, 0), self._expected[tp])
                self._acked[tp]
        if self._owner and epoch == self.epoch and generation == self.app.consumer_generation_id:
            begin: Callable[[int, int, dict[TP, Start]], None] = self.app.epoch_begins
            begin(epoch, generation, starts)
        return {tp: start.offset for tp, start in starts.items() if start.offset is not None}


class Transport(aiokafka.Transport):  # type: ignore[misc]
    """The aiokafka transport with the chunking consumer."""

    Consumer = Consumer


def register() -> None:
    """Make `batched://host:port` a broker URL."""
    TRANSPORTS.aliases[SCHEME] = f"{__name__}:Transport"
