"""The Faust application: agents over the batched transport, and the worker behind them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Collection, Mapping
from typing import Any

import faust
import structlog
from faust.types import TP

from pipeline import kafka_security
from pipeline.kafka import raw_topics
from pipeline.settings import Settings
from pipeline.sources.contract import Options
from pipeline.sources.registry import SOURCES, raw_decoder
from pipeline.worker import metrics
from pipeline.worker.core.batch_loop import Worker
from pipeline.worker.core.chunk import Chunk, Start
from pipeline.worker.core.durable_store import Store
from pipeline.worker.core.publisher import Publisher
from pipeline.worker.stream import transport
from pipeline.worker.stream.raw_decoder import RawSource
from pipeline.worker.stream.transport import Records

log = structlog.get_logger()

# A supervisor gives ten seconds; what is not durable by then is read again by the next worker.
DRAIN_S = 6.0
AWAY_S = 2.0  # of these, when ClickHouse or Kafka is away and nothing can become durable
LAST_WORD_S = 1.5  # for the last commit, and for the producer's end
END_S = 9.5
COMMIT_EVERY_S = 0.5
LAG_EVERY_S = 3.0
KAFKA_ANSWERS_S = 5.0
GONE_LOOKS = 3  # times that a topic is not there before it is believed
STUCK_LOOKS = 20  # times, a minute, that Kafka answers while the same commit does not return


class Service:
    """Everything one worker process runs, tied together in one place."""

    def __init__(self, settings: Settings, partitions: dict[str, int]) -> None:
        self.settings = settings
        self.publisher = Publisher(settings, partitions)
        self.store = Store(settings, self.publisher)
        self.worker = Worker(settings, self.store, self._acknowledge, self._claim)
        options = Options(
            zone=settings.zone,
            zones=settings.zones,
            sip_ids=settings.join_sip_ids,
            call_id_suffixes=tuple(settings.call_id_suffixes),
        )
        self.raw = {
            topic: RawSource(name, raw_decoder(name, options), settings, self.store, self.publisher, self._acknowledge)
            for name, topic in raw_topics(settings).items()
            if name in SOURCES
        }
        self.app = _faust_app(settings)
        self.app.lost = self._lost  # before the first partitions come
        self.app.epoch_begins = self._epoch_begins
        self.ready = False
        self._durable_ms: dict[TP, int] = {}  # when Kafka took the last durable record
        self.read_topics = {settings.events_topic, *self.raw}
        self.kafka_trouble = ""
        self._gone_looks = 0
        self._stuck_looks = self._stuck_commit = 0
        self._partitions = 0  # of the events topic, as it was last seen
        self._looking: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._connect()

    def _connect(self) -> None:
        """The agents, and what happens when partitions come and go."""
        app, settings = self.app, self.settings
        events = app.topic(settings.events_topic, key_type=bytes, value_type=bytes, value_serializer="raw")
        for topic, source in self.raw.items():
            self._decode_from(topic, source)

        @app.agent(events, concurrency=1, name="fold")  # type: ignore[untyped-decorator]
        async def fold(stream: Any) -> None:
            async for event in stream.noack().events():
                if self._is_of_now(chunk := _chunk(event)):
                    await self.worker.add(chunk)

        @app.on_partitions_assigned.connect  # type: ignore[untyped-decorator]
        async def assigned(_app: Any, *_: Any, **__: Any) -> None:
            self.ready = True
            if self._looking is None:
                self._looking = asyncio.create_task(self._look())

        @app.on_before_shutdown.connect  # type: ignore[untyped-decorator]
        async def drain(_app: Any, **_: Any) -> None:
            await self._drain()

        @app.task(on_leader=False)  # type: ignore[untyped-decorator]
        async def start(_app: Any) -> None:
            app.consumer.before_revoke = self._before_revoke
            await self.publisher.start()
            for name, run in [("worker", self.worker.run), *((each.name, each.run) for each in self.raw.values())]:
                task = asyncio.create_task(run(), name=name)
                task.add_done_callback(_end_process_on_defect)
                self._tasks.append(task)

        @app.task(on_leader=False)  # type: ignore[untyped-decorator]
        async def lag(_app: Any) -> None:
            while not app.should_stop:
                await asyncio.sleep(LAG_EVERY_S)
                try:
                    await self._measure_lag()
                except Exception as error:  # a figure less; what matters is repeated elsewhere
                    log.info("lag unknown", error=str(error) or type(error).__name__)

    async def _look(self) -> None:
        """Beside the measuring of lag, which waits as long as Kafka is away; and from the first partitions on,
        since the rest of the start waits for Kafka, too."""
        while not self.app.should_stop:
            await asyncio.sleep(LAG_EVERY_S)
            await self._look_at_kafka()

    def _decode_from(self, topic: str, source: RawSource) -> None:
        raw = self.app.topic(topic, key_type=bytes, value_type=bytes, value_serializer="raw")

        @self.app.agent(raw, concurrency=1, name=source.name)  # type: ignore[untyped-decorator]
        async def decode(stream: Any) -> None:
            async for event in stream.noack().events():
                if self._is_of_now(chunk := _chunk(event)):
                    await source.add(chunk)

    async def _look_at_kafka(self) -> None:
        """Whether Kafka answers and has our topics, with no record to read or to write, too."""
        try:
            topics = await self.publisher.topics(KAFKA_ANSWERS_S)
        except Exception as error:
            self.kafka_trouble = f"Kafka does not answer: {error or type(error).__name__}"
            return
        self._end_when_stuck()
        count = topics.get(self.settings.events_topic, 0)
        before = max(self._partitions, self.app.consumer.partition_count(self.settings.events_topic))
        if count > before > 0:
            log.info("partitions were added to the events topic", before=before, now=count)
            self.worker.partitions_added()
            await self.app.consumer.look_at_partitions()
        self._partitions = max(before, count)
        gone = sorted(self.read_topics - topics.keys())
        self.kafka_trouble = f"Kafka has no topic {', '.join(gone)}" if gone else ""
        self._gone_looks = self._gone_looks + 1 if gone else 0
        if self._gone_looks >= GONE_LOOKS:
            log.critical(
                "the worker ends: a topic was deleted, and with it what was not read of it; started again, it makes"
                " the topic anew and goes on with what comes",
                topics=gone,
            )
            os._exit(1)

    def _end_when_stuck(self) -> None:
        """Kafka answers. A commit that does not return all the same never will: a client that lost the group's
        coordinator in a bad moment waits for it for ever (aiokafka 0.13)."""
        commit = self.app.consumer.committing
        self._stuck_looks = self._stuck_looks + 1 if commit and commit == self._stuck_commit else 0
        self._stuck_commit = commit
        if self._stuck_looks >= STUCK_LOOKS:
            log.critical(
                "the worker ends: Kafka answers, but a commit of this process has not returned for a minute; what is"
                " not committed is read again by the next worker"
            )
            os._exit(1)

    async def _measure_lag(self) -> None:
        consumer = self.app.consumer
        parts = consumer.assignment()
        ends = await consumer.highwaters(*parts) if parts else {}
        metrics.LAG_MESSAGES.clear()
        metrics.LAG_SECONDS.clear()
        metrics.DURABLE_OFFSET.clear()
        for tp, end in ends.items():
            done = consumer.reached(tp)
            metrics.DURABLE_OFFSET.labels(tp.topic, tp.partition).set(done)
            metrics.LAG_MESSAGES.labels(tp.topic, tp.partition).set(max(0, end - done))
            taken_at = self._durable_ms.get(tp) if end > done else None
            metrics.LAG_SECONDS.labels(tp.topic, tp.partition).set(
                max(0.0, time.time() - taken_at / 1000) if taken_at else 0
            )

    def _epoch_begins(self, epoch: int, generation: int, starts: dict[TP, Start]) -> None:
        """Partitions are ours, to be read from there on."""
        topic = self.settings.events_topic
        mine = {tp.partition: start for tp, start in starts.items() if tp.topic == topic}
        self.worker.assigned(mine, epoch=epoch, generation=generation)

    def _is_of_now(self, chunk: Chunk) -> bool:
        """Whether a chunk is not of before a rebalance: its records are polled again, after those before them."""
        if chunk.epoch == self.app.consumer.epoch:
            return True
        log.info("left out a chunk of before a rebalance", topic=chunk.topic, partition=chunk.partition)
        return False

    async def _claim(self, generation: int, ends: Mapping[int, int], grown: Collection[int]) -> bool:
        topic = self.settings.events_topic
        claimed: bool = await self.app.consumer.claim(
            generation,
            {TP(topic, partition): end for partition, end in ends.items()},
            {TP(topic, partition) for partition in grown},
        )
        return claimed

    def _acknowledge(self, chunk: Chunk) -> None:
        """The chunk is durable: its offsets may be committed, unless what was read before it was given back."""
        event = chunk.token
        last = chunk.records[-1]
        if chunk.epoch == self.app.consumer.epoch:
            self.app.consumer.durable[event.message.tp] = last.offset + 1
            self._durable_ms[event.message.tp] = last.timestamp
        event.ack()

    async def _before_revoke(self) -> None:
        self.worker.revoked()
        for source in self.raw.values():
            source.revoked()
        settled = asyncio.gather(self.worker.drained(), *(source.drained() for source in self.raw.values()))
        try:
            async with asyncio.timeout(self.settings.session_timeout_s / 2):
                await settled
        except TimeoutError:
            self.worker.give_up_in_flight()
            log.info("rebalance does not wait for the batch in flight; it will be read again")

    def _lost(self, tp: TP, wanted: int, first: int) -> None:
        """Kafka has dropped records that nobody has read."""
        position = {"topic": tp.topic, "partition": tp.partition, "from_offset": wanted, "to_offset": first - 1}
        metrics.LOST.labels(tp.topic).inc(first - wanted)
        if self.settings.lost_events == "skip":
            log.error("records lost before they were read: their topic keeps them too short", **position)
            return
        log.critical(
            "the worker ends: records were lost before they were read, their topic keeps them too short."
            " Lengthen its retention.ms, and set CDR_LOST_EVENTS=skip to go on without them",
            **position,
        )
        os._exit(1)

    async def _drain(self) -> None:
        """Make durable what was read, commit it, and go."""
        self.worker.stop()
        for source in self.raw.values():
            source.stop()
        begun = time.monotonic()
        pending = set(self._tasks)
        while pending and (spent := time.monotonic() - begun) < DRAIN_S:
            _, pending = await asyncio.wait(pending, timeout=0.2)
            if spent > AWAY_S and self.worker.waiting_for:
                break
        if pending:
            log.warning("stopped before the last batch was durable; the next worker reads it again")
        for last_word in (self.app.consumer.commit(), self.publisher.stop()):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORD_S):
                    await last_word


def _chunk(event: Any) -> Chunk:
    message = event.message
    records: Records = message.value
    return Chunk(message.topic, message.partition, records, event, records.epoch, records.begins_at)


def _end_process_on_defect(task: asyncio.Task[None]) -> None:
    """A loop that raised is a defect; going on without it would lose nothing and do nothing."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("the worker ends: unexpected error", part=task.get_name(), exc_info=error)
        os._exit(1)


class _App(faust.App):  # type: ignore[misc]
    """Faust without its data directory: there are no tables, so there is nothing to keep in it."""

    def _create_directories(self) -> None:
        """None are needed."""

    async def on_stop(self) -> None:
        """Stop, and end in any case: with Kafka away its clients would wait for it for a minute."""
        guard = threading.Timer(END_S, self._give_up)
        guard.daemon = True
        guard.start()
        await super().on_stop()

    def _give_up(self) -> None:
        """Asked to end, it ends: what is not committed is read again by the next worker, and that is no failure."""
        log.warning("ended without the last word of Kafka or ClickHouse; what is not committed is read again")
        os._exit(1 if self.crashed else 0)


def _faust_app(settings: Settings) -> faust.App:
    transport.register()
    brokers = ";".join(f"{transport.SCHEME}://{host.strip()}" for host in settings.kafka.split(","))
    return _App(
        settings.group,
        broker=brokers,
        broker_producer="kafka://" + settings.kafka.split(",")[0].strip(),
        broker_credentials=_credentials(settings),
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
        stream_buffer_maxsize=2,  # chunks, not messages: each may hold a whole batch
        broker_commit_interval=COMMIT_EVERY_S,
        broker_max_poll_records=settings.batch_events,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.session_timeout_s / 5,
        broker_rebalance_timeout=settings.rebalance_timeout_s,
        broker_request_timeout=max(40.0, settings.session_timeout_s + 1),
        consumer_max_fetch_size=4 << 20,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.group_instance or None,
        processing_guarantee="at_least_once",
    )


def _credentials(settings: Settings) -> faust.Credentials | None:
    """TLS and SASL as Faust takes them; None for none."""
    given = kafka_security.options(settings)
    context = given.get("ssl_context")
    if "sasl_mechanism" in given:
        return faust.SASLCredentials(
            username=given["sasl_plain_username"],
            password=given["sasl_plain_password"],
            ssl_context=context,
            mechanism=given["sasl_mechanism"],
        )
    return None if context is None else faust.SSLCredentials(context)
