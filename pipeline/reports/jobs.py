"""Reports in worker processes: who owns the first partition of the job topic says what is due, who owns a
job's partition runs it.

A partition has one owner, so a job runs once; a job whose worker was killed goes to the next owner. Sidecar the fold,
in a thread with a loop of its own: a long report delays no event.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

import orjson
import structlog
from aiokafka import AIOKafkaProducer, TopicPartition

from pipeline import clock, kafka
from pipeline.files import files_of
from pipeline.instants import instant
from pipeline.jobs import AWAY_S, Found, Group, Sidecar
from pipeline.reports.runs import Runner
from pipeline.reports.schedule import due
from pipeline.reports.store import as_definition
from pipeline.settings import Settings
from pipeline.settings.clickhouse import ClickHouseSettings
from pipeline.warehouse.query.reader import QueryFailed, Reader, TooCostly, Unavailable

log = structlog.get_logger("cdr.reports")

LOOK_EVERY_S: Final = 1.0
CLEAR_EVERY_S: Final = 3600.0
# A job that brought no result by then is produced again; it changes nothing when the first is still under way.
AGAIN_MS: Final = 300_000
# Longest that one report may take before Kafka takes its partition for dead.
_LONGEST_S: Final = 3600
_QUERY_S: Final = 300.0
_QUERY_ROWS: Final = 200_000


def report_reader(settings: ClickHouseSettings) -> Reader:
    """A reader for reports: few queries at a time, each as long as it takes."""
    return Reader(settings.clickhouse, settings.database, threads=4, max_seconds=_QUERY_S, max_rows=_QUERY_ROWS)


class ReportJobs(Sidecar):
    """The reports of one worker process."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("reports", lambda: _work(settings))


async def _work(settings: Settings) -> None:
    reader = report_reader(settings)
    try:
        await Jobs(settings, reader).run()
    finally:
        reader.close()


class Jobs(Group):
    """The consumer of the job topic, and the scheduler beside it."""

    def __init__(self, settings: Settings, reader: Reader) -> None:
        # One job at a time: a report that takes long is not done twice for one that came before it.
        super().__init__(
            settings, "reports", settings.reports_topic, most_records=1, max_poll_interval_ms=_LONGEST_S * 1000
        )
        self._runner = Runner(settings, reader, files_of(settings))
        self._produced: dict[tuple[str, int, int], int] = {}  # tenant, report, due → when
        self._cleared_at = time.monotonic() - CLEAR_EVERY_S + 60

    async def take(self, found: Found) -> None:
        """Run the jobs."""
        for part, records in found.items():
            for record in records:
                await self._perform(part, record.value)

    async def _perform(self, part: TopicPartition, value: bytes | None) -> None:
        """Run a job; while ClickHouse is away, again and again."""
        try:
            job = orjson.loads(value or b"")
            tenant, report_id, due_ms = str(job["tenant"]), int(job["report"]), int(job["due_ms"])
        except (ValueError, TypeError, KeyError) as error:
            log.warning("a record of the job topic is no job", error=str(error))
            return
        while part.partition in self.owned:
            try:
                await self._runner.perform(tenant, report_id, due_ms, lambda: part.partition in self.owned)
                return
            except (Unavailable, TooCostly) as error:
                log.warning("reports wait for ClickHouse", error=str(error))
                await asyncio.sleep(AWAY_S)
            except QueryFailed as error:  # a table of another version: a person must mend it
                log.error("report not run", report=str(report_id), error=str(error))
                return

    # -- what is due ------------------------------------------------------------------------------------

    async def beside(self) -> None:
        """Look for what is due, once a second, where the first partition is."""
        producer = kafka.producer(self.settings, linger_ms=0)
        try:
            await producer.start()
            await self._schedule(producer)
        finally:
            await asyncio.shield(producer.stop())

    async def _schedule(self, producer: AIOKafkaProducer) -> None:
        while True:
            if 0 in self.owned:
                try:
                    await self._look(producer)
                except (Unavailable, TooCostly, QueryFailed) as error:
                    log.info("schedules not read", error=str(error))
                    await asyncio.sleep(AWAY_S)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self, producer: AIOKafkaProducer) -> None:
        """Produce a job for everything that is due, and for mails that are to be tried again."""
        now = clock.now_ms()
        store = self._runner.store
        jobs: list[tuple[str, int, int]] = []
        for row in await store.scheduled():
            definition = as_definition(row)
            if not definition.cron_expr:
                jobs.append((definition.tenant, definition.id, definition.requested_at))
                continue
            zone = (await self._runner.directories.of(definition.tenant)).tenant.zone
            after = max(definition.requested_at, instant(row["last_due"]))
            times = due(definition.cron_expr, zone, after, now, self.settings.report_catch_up)
            jobs += [(definition.tenant, definition.id, at) for at in times]
        jobs += [(run.tenant, run.report_id, run.due_at) for run in (*await store.asked(), *await store.unsent(now))]
        for job in jobs:
            if now - self._produced.get(job, 0) < (AGAIN_MS if job in self._produced else 0):
                continue
            tenant, report_id, due_ms = job
            value = orjson.dumps({"tenant": tenant, "report": str(report_id), "due_ms": due_ms})
            await producer.send_and_wait(self.topic, value, key=str(report_id).encode())
            self._produced[job] = now
        waiting = set(jobs)
        self._produced = {job: at for job, at in self._produced.items() if job in waiting}
        if time.monotonic() - self._cleared_at >= CLEAR_EVERY_S:
            self._cleared_at = time.monotonic()
            if number := await self._runner.clear():
                log.info("old reports deleted", reports=number)
