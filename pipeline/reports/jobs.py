"""Reports in worker processes: who owns the first partition of the job topic says what is due, who owns a
job's partition runs it.

A partition has one owner, so a job runs once; a job whose worker was killed goes to the next owner. Beside the fold,
in a thread with a loop of its own: a long report delays no event.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterable
from typing import Any, Final

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from pipeline import kafka
from pipeline.files import files_of
from pipeline.instants import instant
from pipeline.reports.runs import Runner, now_ms
from pipeline.reports.schedule import due
from pipeline.reports.store import as_definition
from pipeline.settings import Settings
from pipeline.warehouse.reader import QueryFailed, Reader, TooCostly, Unavailable

log = structlog.get_logger("cdr.reports")

LOOK_EVERY_S: Final = 1.0
CLEAR_EVERY_S: Final = 3600.0
# A job that brought no result by then is produced again; it changes nothing when the first is still under way.
AGAIN_MS: Final = 300_000
_AWAY_S: Final = 2.0
_STOP_S: Final = 3.0
# Longest that one report may take before Kafka takes its partition for dead.
_LONGEST_S: Final = 3600
_QUERY_S: Final = 300.0
_QUERY_ROWS: Final = 200_000


def report_reader(settings: Settings) -> Reader:
    """A reader for reports: few queries at a time, each as long as it takes."""
    return Reader(settings.clickhouse, settings.database, threads=4, max_seconds=_QUERY_S, max_rows=_QUERY_ROWS)


class ReportJobs:
    """The reports of one worker process. `start` and `stop` are for its main thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End; a report under way is run again by the next owner of its partition."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:  # the fold goes on without reports
            log.error("reports end: unexpected error", exc_info=error)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        reader = report_reader(self._settings)
        work = asyncio.create_task(Jobs(self._settings, reader).run())
        stop = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        reader.close()


class Jobs(ConsumerRebalanceListener):  # type: ignore[misc]
    """The consumer of the job topic, and the scheduler beside it."""

    def __init__(self, settings: Settings, reader: Reader) -> None:
        self._settings = settings
        self._topic = settings.reports_topic
        self._runner = Runner(settings, reader, files_of(settings))
        self._owned: set[TopicPartition] = set()
        self._produced: dict[tuple[str, int, int], int] = {}  # tenant, report, due → when
        self._cleared_at = time.monotonic() - CLEAR_EVERY_S + 60

    async def run(self) -> None:
        """Until cancelled; starts again when Kafka goes away."""
        while True:
            try:
                await self._connected()
            except (KafkaError, OSError) as error:
                log.warning("reports wait for Kafka", error=str(error) or type(error).__name__)
                await asyncio.sleep(_AWAY_S)

    async def _connected(self) -> None:
        settings = self._settings
        consumer = AIOKafkaConsumer(
            **kafka.connection(settings),
            group_id=f"{settings.group}-reports",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(settings.session_timeout_s * 1000),
            heartbeat_interval_ms=int(settings.session_timeout_s * 200),
            rebalance_timeout_ms=int(settings.rebalance_timeout_s * 1000),
            max_poll_interval_ms=_LONGEST_S * 1000,
        )
        consumer.subscribe([self._topic], listener=self)
        producer = kafka.producer(settings, linger_ms=0)
        scheduler: asyncio.Task[None] | None = None
        try:
            await consumer.start()
            await producer.start()
            scheduler = asyncio.create_task(self._schedule(producer))
            while True:
                if scheduler.done():
                    scheduler.result()
                for part, records in (await consumer.getmany(timeout_ms=500, max_records=1)).items():
                    for record in records:
                        await self._perform(part, record.value)
                        await self._commit(consumer, part, record.offset + 1)
        finally:
            self._owned = set()
            if scheduler is not None:
                scheduler.cancel()
                with contextlib.suppress(asyncio.CancelledError, KafkaError):
                    await scheduler
            with contextlib.suppress(KafkaError, OSError):
                await asyncio.shield(asyncio.gather(consumer.stop(), producer.stop()))

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """What is under way goes on, but sends no mail any more."""
        self._owned -= set(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._owned = set(assigned)

    async def _commit(self, consumer: Any, part: TopicPartition, offset: int) -> None:
        try:
            await consumer.commit({part: offset})
        except (CommitFailedError, IllegalStateError) as error:
            log.info("commit refused: the group has moved on", error=str(error))

    async def _perform(self, part: TopicPartition, value: bytes | None) -> None:
        """Run a job; while ClickHouse is away, again and again."""
        try:
            job = orjson.loads(value or b"")
            tenant, report_id, due_ms = str(job["tenant"]), int(job["report"]), int(job["due_ms"])
        except (ValueError, TypeError, KeyError) as error:
            log.warning("a record of the job topic is no job", error=str(error))
            return
        while part in self._owned:
            try:
                await self._runner.perform(tenant, report_id, due_ms, lambda: part in self._owned)
                return
            except (Unavailable, TooCostly) as error:
                log.warning("reports wait for ClickHouse", error=str(error))
                await asyncio.sleep(_AWAY_S)
            except QueryFailed as error:  # a table of another version: a person must mend it
                log.error("report not run", report=str(report_id), error=str(error))
                return

    # -- what is due ------------------------------------------------------------------------------------

    async def _schedule(self, producer: AIOKafkaProducer) -> None:
        while True:
            if TopicPartition(self._topic, 0) in self._owned:
                try:
                    await self._look(producer)
                except (Unavailable, TooCostly, QueryFailed) as error:
                    log.info("schedules not read", error=str(error))
                    await asyncio.sleep(_AWAY_S)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self, producer: AIOKafkaProducer) -> None:
        """Produce a job for everything that is due, and for mails that are to be tried again."""
        now = now_ms()
        store = self._runner.store
        jobs: list[tuple[str, int, int]] = []
        for row in await store.scheduled():
            definition = as_definition(row)
            if not definition.cron_expr:
                jobs.append((definition.tenant, definition.id, definition.requested_at))
                continue
            zone = (await self._runner.directories.of(definition.tenant)).tenant.zone
            after = max(definition.requested_at, instant(row["last_due"]))
            times = due(definition.cron_expr, zone, after, now, self._settings.report_catch_up)
            jobs += [(definition.tenant, definition.id, at) for at in times]
        jobs += [(run.tenant, run.report_id, run.due_at) for run in await store.unsent(now)]
        for job in jobs:
            if now - self._produced.get(job, 0) < (AGAIN_MS if job in self._produced else 0):
                continue
            tenant, report_id, due_ms = job
            value = orjson.dumps({"tenant": tenant, "report": str(report_id), "due_ms": due_ms})
            await producer.send_and_wait(self._topic, value, key=str(report_id).encode())
            self._produced[job] = now
        waiting = set(jobs)
        self._produced = {job: at for job, at in self._produced.items() if job in waiting}
        if time.monotonic() - self._cleared_at >= CLEAR_EVERY_S:
            self._cleared_at = time.monotonic()
            if number := await self._runner.clear():
                log.info("old reports deleted", reports=number)
