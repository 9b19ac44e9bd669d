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
from aiokafka.errors import IllegalGenerationError, KafkaError, RebalanceInProgressError, UnknownMemberIdError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import TRANSPORTS, aiokafka
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from pipeline.worker import failpoints
from pipeline.worker.core.chunk import Start

log = structlog.get_logger()

SCHEME = "batched"


# Live, the broker gathers what comes within this time instead of answering with a record or two: a
# tenth of the requests, for a delay that the batch would have anyway.
FETCH_BYTES = 32 << 10
FETCH_WAIT_MS = 50
COMMIT_S = 10.0  # how long a commit may take before it is tried again: a broker may die with it under way


class ConsumerThread(aiokafka.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Fetches in portions; commits without taking the worker down when the broker is away for a while.

    Runs in a thread of its own, with its own loop. `seeks` counts how often it went back to what is committed;
    `polled` is what it was when the last poll returned: records of before a seek are not what follows it.
    """

    seeks = 0
    polled = 0
    counts: Mapping[str, int] = {}  # topic → its partitions, at the last seek
    fewest: Mapping[str, int] = {}  # topic → its partitions at the oldest of what the group has committed last
    _commits = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._committing: set[int] = set()

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust has no setting for these two; they are read when the consumer starts.
        consumer._fetch_min_bytes = FETCH_BYTES
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def claim(self, generation: int, offsets: Mapping[TP, OffsetAndMetadata]) -> bool:
        """Commit offsets as a member of this generation of the group; False when the group has moved on.

        Raises KafkaError or TimeoutError when the broker does not answer.
        """
        return bool(await self.call_thread(self._commit_as, generation, offsets))

    async def look_at_partitions(self) -> None:
        """Ask Kafka anew how many partitions the topics have; the group shares them out again where these are more."""
        await self.call_thread(self._look_at_partitions)

    async def _look_at_partitions(self) -> None:
        await self._ensure_consumer()._client.force_metadata_update()

    async def seek(self) -> tuple[int, dict[TP, Start]]:
        """Seek every partition to what the group has committed, or to its first record. Returns the number of this
        seek, and where each partition begins."""
        found: tuple[int, dict[TP, Start]] = await self.call_thread(self._seek_all)
        return found

    async def _seek_all(self) -> tuple[int, dict[TP, Start]]:
        consumer = self._ensure_consumer()
        tps = list(consumer.assignment())
        await consumer._client.force_metadata_update()
        topics = {tp.topic for tp in tps}
        of_topics = {topic: consumer.partitions_for_topic(topic) or set() for topic in topics}
        wanted = {
            aiokafka.ensure_aiokafka_TP(TP(topic, number)) for topic, numbers in of_topics.items() for number in numbers
        }
        committed = await consumer._coordinator.fetch_committed_offsets([*wanted.union(tps)])
        fresh = [tp for tp in tps if tp not in committed]
        first = await consumer.beginning_offsets(fresh) if fresh else {}
        self.counts = {topic: len(numbers) for topic, numbers in of_topics.items()}
        noted: dict[str, int] = {}  # topic → the fewest partitions that it had when something was committed
        for tp, at in committed.items():
            noted[tp.topic] = min(noted_count(at) or self.counts[tp.topic], noted.get(tp.topic, 1 << 31))
        starts = {}
        # No await from here on: what a poll returns is of before all these seeks, or of after them.
        for tp in consumer.assignment().intersection(tps):
            at, count = committed.get(tp), self.counts[tp.topic]
            if at is None:
                starts[ensure_TP(tp)] = Start(None, grown=noted.get(tp.topic, count) < count)
                consumer._fetcher.seek_to(tp, first[tp])
            else:
                grown = (noted_count(at) or count) < count
                starts[ensure_TP(tp)] = Start(at.offset, claims_of(at), grown)
                consumer._fetcher.seek_to(tp, at.offset)
        # A group that has committed nothing yet may see partitions added before its first commit.
        self.fewest = {topic: noted.get(topic, count) for topic, count in self.counts.items()}
        self.seeks += 1
        return self.seeks, starts

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> Any:
        records = await super()._fetch_records(*args, **kwargs)
        self.polled = self.seeks
        return records

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        mine = self.assignment()
        wanted = {
            tp: OffsetAndMetadata(offset, self.consumer.claim_on(tp, offset))
            for tp, offset in offsets.items()
            if tp in mine
        }
        if not wanted:
            return False
        try:
            return await self._commit_as(self.app.consumer_generation_id, wanted)
        except (KafkaError, TimeoutError) as error:
            log.warning("commit failed, will be repeated", error=str(error) or type(error).__name__)
            return False

    async def _commit_as(self, generation: int, offsets: Mapping[TP, OffsetAndMetadata]) -> bool:
        """aiokafka's own `commit` goes on trying for as long as it takes, in whatever generation it then finds
        itself: an offset of before a rebalance could be committed after it, behind another worker's."""
        self._commits += 1
        number = self._commits
        self._committing.add(number)
        try:
            return await self._committed(generation, offsets)
        finally:
            self._committing.discard(number)

    @property
    def committing(self) -> int:
        """Number of the oldest commit that has not returned; 0 for none."""
        return min(self._committing.copy(), default=0)

    async def _committed(self, generation: int, offsets: Mapping[TP, OffsetAndMetadata]) -> bool:
        coordinator = self._ensure_consumer()._coordinator
        wanted = {aiokafka.ensure_aiokafka_TP(tp): at for tp, at in offsets.items()}
        await asyncio.wait_for(coordinator.ensure_coordinator_known(), COMMIT_S)
        async with coordinator._commit_lock:
            if coordinator.generation != generation:
                return False
            try:
                await asyncio.wait_for(coordinator._do_commit_offsets(None, wanted), COMMIT_S)
            except (UnknownMemberIdError, IllegalGenerationError, RebalanceInProgressError) as error:
                log.info("commit refused: the group has moved on", error=str(error) or type(error).__name__)
                return False
        return True


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
        told = ",".join(str(claim) for claim in sorted(claims) if claim > offset)
        return f"{counts.get(tp.topic, 0)}:{told}"

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


def claims_of(at: OffsetAndMetadata) -> tuple[int, ...]:
    """What `claim_on` has written; nothing of what somebody else has."""
    claims = [int(text) for text in at.metadata.partition(":")[2].split(",") if text.isdigit()]
    return tuple(sorted(claim for claim in claims if claim > at.offset))


def noted_count(at: OffsetAndMetadata) -> int:
    """How many partitions the topic had when this was committed; 0 when that is not known."""
    count, colon, _ = at.metadata.partition(":")
    return int(count) if colon and count.isdigit() else 0


class Transport(aiokafka.Transport):  # type: ignore[misc]
    """The aiokafka transport with the chunking consumer."""

    Consumer = Consumer


def register() -> None:
    """Make `batched://host:port` a broker URL."""
    TRANSPORTS.aliases[SCHEME] = f"{__name__}:Transport"
