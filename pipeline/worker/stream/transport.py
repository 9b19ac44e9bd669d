"""A Faust transport that hands an agent chunks instead of messages.

Stock Faust awaits once per message, which costs more than decoding, folding and storing it. Here
one Faust message is one chunk: the records of one partition that one poll returned (its value is
the list of records, its offset that of the last). Faust keeps what it is good at: groups,
rebalancing, agents, shutdown.

Faust acknowledges what raised, and its gap arithmetic can commit past a message in flight. So the
offsets to commit come from one place only: `durable`, set by the worker once a batch is stored.
Registered under the URL scheme `batched`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import TRANSPORTS, aiokafka
from faust.types import TP
from faust.types.tuples import ConsumerMessage

log = structlog.get_logger()

SCHEME = "batched"


# Live, the broker gathers what comes within this time instead of answering with a record or two: a
# tenth of the requests, for a delay that the batch would have anyway.
FETCH_BYTES = 32 << 10
FETCH_WAIT_MS = 50


class ConsumerThread(aiokafka.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Fetches in portions; commits without taking the worker down when the broker is away for a while."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust has no setting for these two; they are read when the consumer starts.
        consumer._fetch_min_bytes = FETCH_BYTES
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        consumer = self._ensure_consumer()
        mine = self.assignment()
        wanted = {
            aiokafka.ensure_aiokafka_TP(tp): OffsetAndMetadata(offset, "")
            for tp, offset in offsets.items()
            if tp in mine
        }
        if not wanted:
            return False
        try:
            await consumer.commit(wanted)
        except (CommitFailedError, IllegalStateError) as error:
            log.info("commit refused: the group has moved on", error=str(error))
            return False
        except KafkaError as error:
            log.warning("commit failed, will be repeated", error=str(error) or type(error).__name__)
            return False
        return True


class Consumer(aiokafka.Consumer):  # type: ignore[misc]
    """Yields one message a partition and poll."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # (topic, partition) → offset after the last durable record. Facts: never taken back.
        self.durable: dict[TP, int] = {}
        self._confirmed: dict[TP, int] = {}
        # Awaited before partitions leave, so that what is in flight is committed and not redone.
        self.before_revoke: Callable[[], Awaitable[None]] | None = None
        self._expected: dict[TP, int] = {}  # the offset to be read next
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
        if self.before_revoke is not None:
            await self.before_revoke()
            await self.commit()
        await super().on_partitions_revoked(revoked)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109 - Faust's name
        """Poll once; a chunk for each partition that had records."""
        records, active = await self._wait_next_records(timeout)
        if records is None or self.should_stop:
            return
        generation = self.app.consumer_generation_id
        if not self.flow_active:
            await self.perform_seek()  # what was just polled is polled again after the rebalance
            return
        for tp, chunk in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            if chunk and (active is None or tp in active or tp in self._buffered_partitions):
                if chunk[0].offset > self._expected.get(tp, chunk[0].offset):
                    await self._look_for_lost(tp)
                self._expected[tp] = chunk[-1].offset + 1
                yield tp, self._chunk_message(tp, chunk, generation)

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

    def _chunk_message(self, tp: TP, chunk: list[Any], generation: int) -> ConsumerMessage:
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

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek to what the group has committed, and note it."""
        offsets: Mapping[TP, int] = await super().seek_to_committed()
        for tp, offset in offsets.items():
            if offset is not None and offset >= 0:
                self._confirmed[ensure_TP(tp)] = self._expected[ensure_TP(tp)] = offset
            else:
                self._confirmed.pop(ensure_TP(tp), None)
                self._expected.pop(ensure_TP(tp), None)
        if known := [tp for tp in map(ensure_TP, offsets) if tp in self._expected]:
            for tp in await self._look_for_lost(*known):
                # Nothing is in flight: with this committed nobody is told of the same loss again, and no lag stays.
                self.durable[tp] = max(self.durable.get(tp, 0), self._expected[tp])
                self._acked[tp]
        return offsets


class Transport(aiokafka.Transport):  # type: ignore[misc]
    """The aiokafka transport with the chunking consumer."""

    Consumer = Consumer


def register() -> None:
    """Make `batched://host:port` a broker URL."""
    TRANSPORTS.aliases[SCHEME] = f"{__name__}:Transport"
