"""The thread that fetches from Kafka and commits to it, with a loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from aiokafka.errors import IllegalGenerationError, KafkaError, RebalanceInProgressError, UnknownMemberIdError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka
from faust.types import TP

from pipeline.worker.core.chunk import Start
from pipeline.worker.stream.offset_metadata import claims_of, noted_count

# Live, the broker gathers what comes within this time instead of answering with a record or two: a
# tenth of the requests, for a delay that the batch would have anyway.
FETCH_BYTES = 32 << 10

FETCH_WAIT_MS = 50

COMMIT_S = 10.0  # how long a commit may take before it is tried again: a broker may die with it under way


log = structlog.get_logger()


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
        async with asyncio.timeout(COMMIT_S):
            await coordinator.ensure_coordinator_known()
        async with coordinator._commit_lock:
            if coordinator.generation != generation:
                return False
            try:
                async with asyncio.timeout(COMMIT_S):
                    await coordinator._do_commit_offsets(None, wanted)
            except (UnknownMemberIdError, IllegalGenerationError, RebalanceInProgressError) as error:
                log.info("commit refused: the group has moved on", error=str(error) or type(error).__name__)
                return False
        return True
