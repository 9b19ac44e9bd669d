"""Work of a worker process beside its fold that must have one owner: a consumer group over a topic.

A partition has one owner at a time, so what falls on it is done once; what its owner left undone goes to the next. In a
thread with a loop of its own: long work delays no event.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from pipeline import kafka
from pipeline.settings import Settings

log = structlog.get_logger("cdr.jobs")

AWAY_S: Final = 2.0  # before Kafka or ClickHouse is asked again
_STOP_S: Final = 3.0

Found = Mapping[TopicPartition, Sequence[Any]]


class Sidecar:
    """A thread with a loop that runs `work` until it is told to end. `start` and `stop` are for the main thread."""

    def __init__(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self._name, self._work = name, work
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way is done again by whoever is next."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:  # the fold goes on
            log.error("jobs end: unexpected error", jobs=self._name, exc_info=error)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        work = asyncio.ensure_future(self._work())
        stop = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


class Group(ConsumerRebalanceListener):  # type: ignore[misc]
    """A consumer group over one topic. What it does is told by `take`, and by `beside` while it is connected."""

    def __init__(self, settings: Settings, name: str, topic: str, *, most_records: int, **options: Any) -> None:
        self.settings, self.name, self.topic = settings, name, topic
        self.owned: frozenset[int] = frozenset()
        self.partitions = 1
        self._most_records, self._options = most_records, options

    async def take(self, found: Found) -> None:
        """Do what these records ask for; then they are committed. Raises KafkaError to have them read again."""
        raise NotImplementedError

    async def beside(self) -> None:
        """Until cancelled."""
        raise NotImplementedError

    async def run(self) -> None:
        """Until cancelled; starts again when Kafka goes away."""
        while True:
            try:
                await self._connected()
            except (KafkaError, OSError) as error:
                log.warning("waits for Kafka", jobs=self.name, error=str(error) or type(error).__name__)
                await asyncio.sleep(AWAY_S)

    async def _connected(self) -> None:
        settings = self.settings
        consumer = AIOKafkaConsumer(
            **kafka.connection(settings),
            group_id=f"{settings.group}-{self.name}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(settings.session_timeout_s * 1000),
            heartbeat_interval_ms=int(settings.session_timeout_s * 200),
            rebalance_timeout_ms=int(settings.rebalance_timeout_s * 1000),
            **self._options,
        )
        consumer.subscribe([self.topic], listener=self)
        beside: asyncio.Task[None] | None = None
        try:
            await consumer.start()
            beside = asyncio.create_task(self.beside())
            while True:
                if beside.done():
                    beside.result()
                self.partitions = len(consumer.partitions_for_topic(self.topic) or ()) or 1
                found = await consumer.getmany(timeout_ms=500, max_records=self._most_records)
                if found:
                    await self.take(found)
                    await _commit(consumer, {part: records[-1].offset + 1 for part, records in found.items()})
        finally:
            self.owned = frozenset()
            if beside is not None:
                beside.cancel()
                with contextlib.suppress(asyncio.CancelledError, KafkaError):
                    await beside
            with contextlib.suppress(KafkaError, OSError):
                await asyncio.shield(consumer.stop())

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """What is under way ends or goes on unseen; nothing new is begun."""
        self.owned -= {part.partition for part in revoked}

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self.owned = frozenset(part.partition for part in assigned)


async def _commit(consumer: Any, offsets: Mapping[TopicPartition, int]) -> None:
    try:
        await consumer.commit(dict(offsets))
    except (CommitFailedError, IllegalStateError) as error:
        log.info("commit refused: the group has moved on", error=str(error))
