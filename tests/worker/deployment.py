"""A worker, or several, as processes, with topics and a database of their own."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from pipeline import kafka
from pipeline.calls.fold import fold
from pipeline.calls.grouping import group
from pipeline.embedded.process import HOST, free_port
from pipeline.settings import Settings
from pipeline.warehouse.storage import rows
from pipeline.worker.core.batch_loop import REFRESH_EVERY_S
from schemas.call import Call, document
from schemas.event import Event
from tests.forks import Forked
from tests.servers import BrokerServer, ClickHouseServer
from tests.worker.phone_calls import CallKey, JsonEvent, encoded, truth

_numbers = itertools.count(1)
PATIENCE_S = 180.0
TIMES = frozenset(
    ("started_at", "progress_at", "rang_at", "answered_at", "talk_started_at", "ended_at", "last_event_at")
)

KeyValue = tuple[bytes | None, bytes | None]


def wait_for(condition: Callable[[], bool], what: str | Callable[[], str], seconds: float = PATIENCE_S) -> None:
    """Wait until the condition holds; fails with `what` when it never does."""
    deadline = time.monotonic() + seconds
    pause = 0.02
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not in {seconds:.0f} s: {what if isinstance(what, str) else what()}")
        time.sleep(pause)
        pause = min(pause * 1.3, 0.5)  # asking costs CPU that what is waited for needs


@dataclass(frozen=True, slots=True)
class Program:
    """A worker that is another program than today's, or runs elsewhere: its command, and where it runs."""

    command: tuple[str, ...] = (sys.executable, "-m", "pipeline.cli", "worker")
    folder: Path | None = None
    network: Executor | None = None  # threads in its network namespace, by which it is asked


class WorkerProcess:
    """`cdr worker` in a process of its own."""

    def __init__(self, environment: dict[str, str], log: Path, program: Program | None = None) -> None:
        self.port = free_port()
        self.log = log
        environment = dict(os.environ) | environment | {"CDR_METRICS_PORT": str(self.port)}
        if program is None and "LD_PRELOAD" in environment:  # is read when a program is loaded, not when it forks
            program = Program()
        self._network = program.network if program else None
        self._popen: Forked | subprocess.Popen[bytes]
        with log.open("ab") as out:
            if program is None:
                self._popen = Forked(["worker"], stdout=out, stderr=out, env=environment)
            else:
                self._popen = subprocess.Popen(
                    program.command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    env=environment,
                    cwd=program.folder,
                )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    @property
    def said(self) -> str:
        """Its log."""
        return self.log.read_text(errors="replace")

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of its HTTP address; (0, "") when nobody answers."""
        return self._network.submit(self._get, path).result() if self._network else self._get(path)

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    @property
    def ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def checks(self) -> dict[str, str]:
        """What /readyz says of each part."""
        checks: dict[str, str] = json.loads(self.get("/readyz")[1] or "{}").get("checks", {})
        return checks

    def metric(self, name: str) -> float:
        """The sum of a metric's samples; labels are ignored unless they are in the name."""
        lines = [line for line in self.get("/metrics")[1].splitlines() if line.startswith(name)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    @property
    def rss_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def wait_ready(self) -> None:
        wait_for(lambda: self.ready or not self.running, lambda: f"ready: {self.checks()} {self.said[-2000:]}")
        assert self.running, self.said[-3000:]

    def signal(self, sign: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._popen.send_signal(sign)

    def kill(self) -> None:
        """kill -9."""
        self.signal(signal.SIGKILL)
        self._popen.wait()

    def stop(self, seconds: float = 20) -> int:
        """SIGTERM; gives the exit status."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the worker did not end {seconds} s after SIGTERM: {self.said[-3000:]}") from None

    def wait(self, seconds: float = PATIENCE_S) -> int:
        """Wait until it ends by itself."""
        return self._popen.wait(seconds)


class Deployment:
    """Topics, a group and a database that no other test has; workers on them; what was produced."""

    def __init__(
        self, broker: BrokerServer, clickhouse: ClickHouseServer, folder: Path, partitions: int = 4, **env: object
    ) -> None:
        name = f"t{next(_numbers)}"
        self.broker, self.clickhouse, self.folder = broker, clickhouse, folder
        self.database = clickhouse.migrated_database()
        self.env: dict[str, str] = {
            "CDR_KAFKA": broker.bootstrap,
            "CDR_CLICKHOUSE": clickhouse.url,
            "CDR_DATABASE": self.database,
            "CDR_GROUP": f"{name}-workers",
            "CDR_EVENTS_TOPIC": f"{name}-events",
            **{f"CDR_{source.upper()}_TOPIC": f"{name}-{source}" for source in kafka.raw_topics(Settings())},
            "CDR_CDRS_TOPIC": f"{name}-cdrs",
            "CDR_DEAD_LETTERS_TOPIC": f"{name}-dead",
            "CDR_REPORTS_TOPIC": f"{name}-reports",
            "CDR_PARTITIONS": str(partitions),
            "CDR_SESSION_TIMEOUT_S": "6",
            "CDR_REBALANCE_TIMEOUT_S": "6",
            "CDR_LOG_LEVEL": "info",
        } | {f"CDR_{key.upper()}": str(value) for key, value in env.items()}
        self.settings = Settings(
            **{key.removeprefix("CDR_").lower(): value for key, value in self.env.items()}  # type: ignore[arg-type]
        )
        self.workers: list[WorkerProcess] = []
        self.values: list[bytes] = []  # what was produced to the events topic
        self.ends: dict[int, int] = {}  # partition → offset after the last record produced
        self.raw_ends: dict[tuple[str, int], int] = {}  # the same of raw topics
        self.client = clickhouse.client(self.database)
        asyncio.run(kafka.ensure_topics(self.settings))

    def close(self) -> None:
        for worker in self.workers:
            if worker.running:
                worker.kill()
        self.client.close()
        self.clickhouse.give_back(self.database)

    # -- workers -------------------------------------------------------------------------------

    def worker(
        self,
        *,
        ready: bool = True,
        process: dict[str, str] | None = None,
        program: Program | None = None,
        **env: object,
    ) -> WorkerProcess:
        """Start a worker; settings by name without their prefix, `process` is environment as it is."""
        more = {f"CDR_{key.upper()}": str(value) for key, value in env.items()} | (process or {})
        worker = WorkerProcess(self.env | more, self.folder / f"worker{len(self.workers)}.log", program)
        self.workers.append(worker)
        if ready:
            worker.wait_ready()
        return worker

    @property
    def environment(self) -> dict[str, str]:
        """Environment of a process of this deployment."""
        return dict(os.environ) | self.env

    @property
    def said(self) -> str:
        return "\n".join(worker.said[-3000:] for worker in self.workers)

    # -- Kafka ---------------------------------------------------------------------------------

    def produce(self, events: Iterable[JsonEvent]) -> None:
        """Produce events under their call_id, in this order."""
        self.send(encoded(events))

    def send(self, messages: Sequence[KeyValue], *, partition: int | None = None) -> None:
        """Produce keys and values to the events topic, in this order."""
        asyncio.run(self._send(messages, partition))

    def send_with_headers(self, messages: Sequence[tuple[bytes, bytes, dict[str, str]]]) -> None:
        """Produce keys, values and headers to the events topic."""
        asyncio.run(
            self._send_all(
                self.settings.events_topic,
                [
                    (key, value, [(name, told.encode()) for name, told in headers.items()])
                    for key, value, headers in messages
                ],
            )
        )

    def send_raw(self, source: str, messages: Sequence[tuple[bytes, bytes, str]]) -> None:
        """Produce raw values to the topic of a source: key, value, and the tenant for the header ("" for none)."""
        topic = kafka.raw_topics(self.settings)[source]
        ends = asyncio.run(
            self._send_all(
                topic,
                [(key, value, [(kafka.TENANT_HEADER, told.encode())] if told else []) for key, value, told in messages],
            )
        )
        for partition, end in ends.items():
            self.raw_ends[topic, partition] = max(self.raw_ends.get((topic, partition), 0), end)

    async def _send_all(
        self, topic: str, messages: Sequence[tuple[bytes, bytes, list[tuple[str, bytes]]]]
    ) -> dict[int, int]:
        """Partition → offset after the last record sent to it."""
        ends: dict[int, int] = {}
        async with AIOKafkaProducer(**kafka.connection(self.settings), acks="all", linger_ms=2) as producer:
            futures = [await producer.send(topic, value, key=key, headers=told) for key, value, told in messages]
            for sent in await asyncio.gather(*futures):
                ends[sent.partition] = max(ends.get(sent.partition, 0), sent.offset + 1)
        return ends

    async def _send(self, messages: Sequence[KeyValue], partition: int | None) -> None:
        async with AIOKafkaProducer(
            **kafka.connection(self.settings), acks="all", linger_ms=2, max_request_size=8 << 20
        ) as producer:
            topic = self.settings.events_topic
            futures = [await producer.send(topic, value, key=key, partition=partition) for key, value in messages]
            for sent in await asyncio.gather(*futures):
                self.ends[sent.partition] = max(self.ends.get(sent.partition, 0), sent.offset + 1)
        self.values += [value for _, value in messages if value is not None]

    def committed(self, group: str = "", topic: str = "") -> dict[int, int]:
        """Partition → committed offset of the events topic, or another."""
        return asyncio.run(self._committed(group or self.settings.group, topic or self.settings.events_topic))

    async def _committed(self, group: str, topic: str) -> dict[int, int]:
        tps = [TopicPartition(topic, number) for number in range(await kafka.partition_count(self.settings, topic))]
        admin = AIOKafkaAdminClient(**kafka.connection(self.settings))
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(group, partitions=tps)
        finally:
            await admin.close()
        return {tp.partition: meta.offset for tp, meta in offsets.items() if meta.offset >= 0}

    def log_ends(self, topic: str = "") -> dict[int, int]:
        """Partition → offset after the last record of the events topic, or another, as the broker has it."""
        return asyncio.run(self._log_ends(topic or self.settings.events_topic))

    async def _log_ends(self, topic: str) -> dict[int, int]:
        consumer = AIOKafkaConsumer(**kafka.connection(self.settings))
        await consumer.start()
        try:
            count = await kafka.partition_count(self.settings, topic)
            tps = [TopicPartition(topic, number) for number in range(count)]
            return {tp.partition: end for tp, end in (await consumer.end_offsets(tps)).items() if end}
        finally:
            await consumer.stop()

    def caught_up(self, group: str = "") -> bool:
        """Whether everything in the events topic is committed."""
        try:
            ends, committed = self.log_ends(), self.committed(group)
        except KafkaError:
            return False
        return all(committed.get(partition, 0) >= end for partition, end in ends.items())

    def wait_done(self, seconds: float = PATIENCE_S, group: str = "") -> None:
        """Wait until everything produced is committed."""

        def story() -> str:
            return f"committed {self.committed(group)}, ends {self.log_ends()}; {self.said}"

        deadline = time.monotonic() + seconds
        pause = 0.1
        while not self.caught_up(group):
            assert time.monotonic() < deadline, story()
            assert any(worker.running for worker in self.workers), f"no worker left: {self.said}"
            time.sleep(pause)
            pause = min(pause * 1.3, 1.0)

    def wait_raw_done(self) -> None:
        """Wait until every raw value is decoded and what came of it is committed, too."""

        def done() -> bool:
            try:
                at = {topic: self.committed(topic=topic) for topic, _ in self.raw_ends}
            except KafkaError:
                return False
            return all(at[topic].get(partition, 0) >= end for (topic, partition), end in self.raw_ends.items())

        wait_for(done, lambda: f"raw {self.raw_ends}; {self.said}")
        for _ in range(3):  # what was decoded, sent on, and told to other partitions
            self.wait_done()

    def records(self, topic: str) -> list[Any]:
        """Everything in a topic, in order within each partition."""
        return asyncio.run(self._records(topic))

    async def _records(self, topic: str) -> list[Any]:
        """To the end that it had when this was asked."""
        found: list[Any] = []
        async with AIOKafkaConsumer(**kafka.connection(self.settings), max_partition_fetch_bytes=8 << 20) as consumer:
            parts = [TopicPartition(topic, part) for part in range(await kafka.partition_count(self.settings, topic))]
            consumer.assign(parts)
            await consumer.seek_to_beginning(*parts)
            ends = await consumer.end_offsets(parts)
            while any([await consumer.position(part) < end for part, end in ends.items()]):
                batch = await consumer.getmany(timeout_ms=300)
                found += [record for records in batch.values() for record in records]
        return found

    def feed(self) -> list[Any]:
        """Records of the change feed."""
        return self.records(self.settings.cdrs_topic)

    def dead_letters(self) -> list[Any]:
        """Records of the dead-letter topic."""
        return self.records(self.settings.dead_letters_topic)

    # -- ClickHouse ----------------------------------------------------------------------------

    def stored(self, table: str, columns: Sequence[str]) -> list[dict[str, Any]]:
        """Live rows of a table; times as ms."""
        listed = ", ".join(f"toUnixTimestamp64Milli({name})" if name in TIMES else f"`{name}`" for name in columns)
        found = self.client.query(f"SELECT {listed} FROM {table} FINAL WHERE retired = 0").result_rows
        return [dict(zip(columns, row, strict=True)) for row in found]

    def verify(
        self, values: Iterable[bytes] | None = None, *, expired: frozenset[CallKey] = frozenset(), feed: bool = True
    ) -> dict[CallKey, Call]:
        """The tables equal the fold of all values produced: every call, every log, every field, no more.

        Rows of open calls may be a moment old, so what is not yet equal is looked at again.
        """
        deadline = time.monotonic() + REFRESH_EVERY_S + 4
        while True:
            try:
                return self._verify(values, expired=expired, feed=feed)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def _verify(
        self, values: Iterable[bytes] | None, *, expired: frozenset[CallKey], feed: bool
    ) -> dict[CallKey, Call]:
        values = self.values if values is None else list(values)
        calls = truth(values, expired=expired)
        self._verify_rows(calls)
        self._verify_archive(calls)
        if feed:
            self.verify_feed(calls)
        return calls

    def verify_joined(self, events: Sequence[Event], *, expired: bool = False) -> dict[CallKey, Call]:
        """The tables equal the fold of all events, where those that are linked are one call: every call, every
        log, every field, no more; the feed's last word of each id is the same."""
        calls = [fold(together, expired=expired) for together in group(events)]
        by_key = {(call.tenant, call.call_id): call for call in calls}
        assert len(by_key) == len(calls)
        deadline = time.monotonic() + REFRESH_EVERY_S + 25  # what two owners wrote at once is set right after seconds
        while True:
            try:
                self._verify_rows(by_key)
                break
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
        self._verify_joined_feed(by_key)
        return by_key

    def _verify_joined_feed(self, calls: dict[CallKey, Call]) -> None:
        newest: dict[CallKey, dict[str, Any]] = {}
        for record in self.feed():
            shown = orjson.loads(record.value)
            key = (shown["tenant"], shown["call_id"])
            if key not in newest or shown["version"] >= newest[key]["version"]:
                newest[key] = shown
        for key, call in calls.items():
            assert newest[key] == orjson.loads(orjson.dumps(document(call))), key
        for key, shown in newest.items():
            if key not in calls:
                assert shown["retired"] is True, shown
                assert (key[0], shown["merged_into"]["call_id"]) in calls

    def _verify_rows(self, calls: dict[CallKey, Call]) -> None:
        wanted = {key: call_fields(call) for key, call in calls.items()}
        stored = self.stored("call_rows", rows.CALL_COLUMNS)
        found = {(row["tenant"], row["call_id"]): row | {"detail": json.loads(row["detail"])} for row in stored}
        assert len(stored) == len(found), "a call has two live rows"
        assert found.keys() == wanted.keys()
        for key, want in wanted.items():
            wrong = {name: (found[key][name], value) for name, value in want.items() if found[key][name] != value}
            assert not wrong, f"{key}: (stored, folded) {wrong}"
        want_logs = sorted((log_fields(log) for call in calls.values() for log in call.logs), key=_log_order)
        found_logs = sorted(self.stored("call_log_rows", rows.LOG_COLUMNS), key=_log_order)
        for log, want_log in zip(found_logs, want_logs, strict=False):
            wrong = {name: (log[name], value) for name, value in want_log.items() if log[name] != value}
            assert not wrong, f"log of {log['call_id']}: (stored, folded) {wrong}"
        assert len(found_logs) == len(want_logs)

    def _verify_archive(self, calls: dict[CallKey, Call]) -> None:
        """Every distinct event is archived, and no other."""
        query = "SELECT tenant, call_id, uniqExact(event_id) FROM event_rows GROUP BY tenant, call_id"
        archived = {(tenant, call_id): count for tenant, call_id, count in self.client.query(query).result_rows}
        assert archived == {key: call.events for key, call in calls.items()}

    def verify_feed(self, calls: dict[CallKey, Call]) -> None:
        """The newest version of every call is in the feed, as its document, under its key."""
        newest: dict[CallKey, dict[str, Any]] = {}
        for record in self.feed():
            shown = orjson.loads(record.value)
            assert record.key == shown["call_id"].encode()
            key = (shown["tenant"], shown["call_id"])
            if key not in newest or shown["version"] >= newest[key]["version"]:
                newest[key] = shown
        assert newest.keys() == calls.keys()
        for key, call in calls.items():
            assert newest[key] == orjson.loads(orjson.dumps(document(call)))


def call_fields(call: Call) -> dict[str, Any]:
    """A call as the columns of call_rows; times as ms."""
    values = msgspec.structs.asdict(call)
    row = dict(zip(rows.CALL_COLUMNS, rows.call_row(call), strict=True))
    row |= {name: values[name] for name in TIMES}
    return row | {"detail": json.loads(row["detail"])}


def log_fields(log: Any) -> dict[str, Any]:
    """A call log as the columns of call_log_rows; times as ms."""
    return msgspec.structs.asdict(log) | {"retired": 0}


def _log_order(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["tenant"], row["call_id"], row["position"], row["id"]
