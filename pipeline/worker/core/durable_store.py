"""The steps that make a batch durable, each waiting as long as it takes.

Each is idempotent, so a batch that was cut off anywhere is simply done again. Their order is the worker's.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import structlog
from aiokafka.errors import KafkaError
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from pipeline.errors import CdrError, Problem
from pipeline.settings import Settings
from pipeline.warehouse.storage import writer
from pipeline.warehouse.storage.client import connect, first_line, passes_by_itself
from pipeline.warehouse.storage.orphans import retire_orphans
from pipeline.worker import failpoints, metrics
from pipeline.worker.core.batch import Batch, archive_body, not_taken
from pipeline.worker.core.publisher import Publisher, absorbed_document

log = structlog.get_logger()

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0
T = TypeVar("T")
AWAY = (ClickHouseError, HTTPError, KafkaError, OSError, Problem)


class Fenced(CdrError):
    """The group has given this worker's partitions to others."""


class Store:
    """ClickHouse and Kafka as the worker writes them. One batch at a time."""

    def __init__(self, settings: Settings, publisher: Publisher) -> None:
        self._settings = settings
        self._publisher = publisher
        self._client: Client | None = None
        self._waiting: dict[str, str] = {}  # step that is being repeated → why

    @property
    def waiting_for(self) -> str:
        """The steps that are being repeated, and why; empty when all is well."""
        return "; ".join(f"{step}: {why}" for step, why in list(self._waiting.items()))

    async def archive(self, batch: Batch) -> None:
        """Return once the batch's events are archived. May run while its calls are still being folded."""
        body, token = archive_body(batch)
        await self.step("archive", lambda: self.query(lambda client: writer.archive(client, body, token)))
        failpoints.after("archive")

    async def announce(self, batch: Batch) -> None:
        """Return once the owners of other ids are told that these are one call with an id of ours."""
        if batch.announce:
            told = [(to.encode(), value) for (_, to, _), value in batch.announce.items()]
            await self.step("announce", lambda: self._publisher.forward(told))
            failpoints.after("announce")

    async def note(self, batch: Batch) -> None:
        """Return once it is in the log where the rows of joined calls are about to be written."""
        if batch.notes:
            await self.step("note", lambda: self._publisher.note(batch.notes))
            failpoints.after("note")

    async def calls(self, batch: Batch) -> None:
        """Return once the calls and their logs are written and published."""
        if not batch.calls:
            return
        calls, logs = batch.calls, batch.logs
        write_logs = partial(self._rows, "call_logs", lambda client: writer.write_call_logs(client, logs))
        write_calls = partial(self._rows, "calls", lambda client: writer.write_calls(client, calls))
        if batch.silent:
            # Nothing is read again for these after a crash, and a call shown as closed is not loaded
            # again: that is said last, when all else is done.
            await write_logs()
            await self._feed(batch)
            await write_calls()
        else:
            await asyncio.gather(write_logs(), write_calls())
            await self._feed(batch)

    async def look(self, batch: Batch) -> None:
        """Retire what other owners of joined calls have written meanwhile, or may still write, and what is not right
        any more: whoever writes last sees the rows of all. The feed is told of ids that another call has."""
        if not (batch.look_at or batch.look_for):
            return
        token = uuid.uuid4().hex
        expected = [(tenant, row) for _, tenant, row in batch.look_for]
        work = partial(retire_orphans, calls=batch.look_at, token=token, expected=expected)
        retired = await self.step("look", lambda: self.query(work))
        if retired.rows:
            metrics.ORPHANS.inc(retired.rows)
            log.info("rows of joined calls retired", rows=retired.rows)
        if retired.absorbed:
            partition = batch.look_for[0][0]
            told = [(partition, each.call_id.encode(), absorbed_document(each)) for each in retired.absorbed]
            await self.step("feed", lambda: self._publisher.feed(told))
        failpoints.after("look")

    async def forward(self, batch: Batch) -> None:
        """Return once the events that lay under a wrong key are under their right one."""
        if batch.forward:
            refused = await self.step("forward", lambda: self._publisher.forward(batch.forward))
            topic = self._settings.events_topic
            batch.dead += [not_taken(*batch.forwarded[place], batch.forward[place][1], topic) for place in refused]
            failpoints.after("forward")

    async def dead_letters(self, batch: Batch) -> None:
        """Return once what is no event is in the dead-letter topic."""
        if batch.dead:
            await self.step("dead_letters", lambda: self._publisher.dead_letters(batch.dead))
            failpoints.after("dead_letters")

    async def _feed(self, batch: Batch) -> None:
        await self.step("feed", lambda: self._publisher.feed(batch.feed))
        failpoints.after("feed")

    async def _rows(self, name: str, insert: Callable[[Client], None]) -> None:
        await self.step(name, lambda: self.query(insert))
        failpoints.after(name)

    async def query(self, work: Callable[[Client], T]) -> T:
        """Run a statement in a thread; connect first where there is no connection."""

        def run() -> T:
            client = self._client  # another step may be at work, and drop it when that fails
            if client is None:
                client = self._client = connect(self._settings.clickhouse, self._settings.database)
            return work(client)

        return await asyncio.to_thread(run)

    async def step(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do `work`, again and again until it succeeds, with growing pauses."""
        started = time.monotonic()
        try:
            result = await self._repeat(name, work)
            if name in self._waiting:
                log.info("resumed", step=name, waited_s=round(time.monotonic() - started, 1))
        finally:
            if self._waiting.pop(name, None):
                metrics.WAITING.labels(name).set(0)
        metrics.STEP_SECONDS.labels(name).observe(time.monotonic() - started)
        return result

    async def _repeat(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        pause = FIRST_WAIT_S
        while True:
            try:
                return await work()
            except AWAY as error:
                lasting = isinstance(error, ClickHouseError) and not passes_by_itself(error)
                self._client = None
                self._waiting[name] = first_line(error)
                metrics.RETRIES.labels(name).inc()
                metrics.WAITING.labels(name).set(1)
                say = log.error if lasting else log.warning
                say(
                    "write refused; it will be repeated, nothing is lost"
                    if lasting
                    else "waiting; it will be repeated, nothing is lost",
                    step=name,
                    error=first_line(error),
                    retry_in_s=round(pause, 1),
                )
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))
                pause = min(pause * 2, LONGEST_WAIT_S)
