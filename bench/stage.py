"""What a benchmark runs on: Apache Kafka, the ClickHouse endpoint and our processes, in a temporary
folder on free ports. Everything ends with the benchmark, also on Ctrl-C and SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client

from bench.usage import Usage, usage
from pipeline import kafka
from pipeline.embedded.clickhouse import start_clickhouse, url_of
from pipeline.embedded.kafka import start_kafka
from pipeline.embedded.process import HOST, Child, free_port, start, wait_until
from pipeline.settings import Settings
from pipeline.warehouse.storage.client import connect
from pipeline.warehouse.storage.migrate import migrate

ROOT = Path(__file__).resolve().parents[1]
GROUP = "bench-worker"


def say(text: str) -> None:
    """What is being done, for the person who waits."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


@dataclass
class Stage:
    """Running servers and how to reach them."""

    folder: Path
    settings: Settings
    broker: Child | None
    clickhouse: Child | None = None
    children: list[Child] = field(default_factory=list)

    def start_clickhouse(self, data: Path | None = None) -> None:
        """The endpoint over chDB with the schema of this version in it; `data` is a directory that is kept."""
        data = data or self.folder / "clickhouse"
        port = int(self.settings.clickhouse.rpartition(":")[2])
        self.clickhouse = start_clickhouse(data, port, self.folder / "clickhouse.log")
        self.children.append(self.clickhouse)
        self.settings = self.settings.model_copy(update={"clickhouse": url_of(data, HOST, port)})
        with self.client("") as client:
            migrate(client, self.settings.database)

    @contextlib.contextmanager
    def client(self, database: str = "cdr") -> Iterator[Client]:
        """A connection to ClickHouse."""
        client = connect(self.settings.clickhouse, database)
        try:
            yield client
        finally:
            client.close()

    def process(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Child:
        """One of our processes, with the settings of this stage."""
        where = {
            "CDR_KAFKA": self.settings.kafka,
            "CDR_CLICKHOUSE": self.settings.clickhouse,
            "CDR_GROUP": self.settings.group,
            "CDR_METRICS_PORT": str(self.settings.metrics_port),
            "CDR_API_PORT": str(self.settings.api_port),
            "PYTHONPATH": str(ROOT),
        }
        child = start(name, command, self.folder / f"{name}.log", {**where, **(environment or {})}, cwd=self.folder)
        self.children.append(child)
        return child

    def start_worker(self, environment: Mapping[str, str] | None = None) -> Child:
        """A worker that has its partitions: it begins to read now."""
        worker = self.process("worker", [sys.executable, "-m", "pipeline.cli", "worker"], environment)
        wait_until(worker, lambda: answers(self.settings.metrics_port, "/readyz"))
        return worker

    def start_api(self) -> Child:
        """The query service, ready."""
        api = self.process("api", [sys.executable, "-m", "pipeline.cli", "api", "--host", HOST])
        wait_until(api, lambda: answers(self.settings.api_port, "/readyz"))
        return api

    def usages(self, worker: Child) -> dict[str, Usage]:
        """What each part has used so far."""
        parts = {"worker": worker, "kafka": self.broker, "clickhouse": self.clickhouse}
        return {name: usage(child.pid) for name, child in parts.items() if child is not None}

    def create_topics(self) -> None:
        """The pipeline's topics, as the worker would create them."""
        asyncio.run(kafka.ensure_topics(self.settings))


def answers(port: int, path: str) -> bool:
    """Whether a GET is answered with 200."""
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def metrics(port: int) -> dict[str, float]:
    """What a worker tells Prometheus: sample with its labels → value."""
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    samples = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


@contextlib.contextmanager
def stage(*, with_kafka: bool = True, **chosen: Any) -> Iterator[Stage]:
    """Apache Kafka, running unless it is not needed; everything that was started is stopped at the end."""
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda sign, _: sys.exit(128 + sign))
    with tempfile.TemporaryDirectory(prefix="cdr-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        port = free_port()
        broker = None
        if with_kafka:
            say("starting Apache Kafka")
            broker = start_kafka(folder / "kafka", port, folder / "kafka.log")
        settings = Settings(
            _env_file=None,
            **{
                "kafka": f"{HOST}:{port}",
                "clickhouse": url_of(folder / "clickhouse", HOST, free_port()),
                "group": GROUP,
                "metrics_port": free_port(),
                "api_port": free_port(),
                **chosen,
            },
        )
        made = Stage(folder, settings, broker)
        try:
            yield made
        finally:
            for child in reversed(made.children):
                child.stop(5)
            if broker is not None:
                broker.stop(10)


def run_contender(made: Stage, python: str, module: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Run one of `bench.contenders` to its end and give what it measured; RuntimeError with its last words."""
    result = made.folder / f"{module}.json"
    command = [python, "-m", f"bench.contenders.{module}", made.settings.kafka, str(result), *arguments]
    assert made.broker is not None
    before = usage(made.broker.pid)
    child = made.process(module, command)
    child.popen.wait()
    if not result.exists():
        raise RuntimeError(f"{module} ended without a result:\n{child.last_words(15)}")
    measured: dict[str, Any] = json.loads(result.read_text())
    measured["kafka_cpu_s"] = usage(made.broker.pid).cpu_s - before.cpu_s
    return measured
