"""The producers of docs/producers, run as they are: each key lies where a worker expects it, and calls come of it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from pipeline.embedded import kafka, maven
from pipeline.embedded.java import find_java
from pipeline.embedded.process import HOST, free_port
from pipeline.kafka import partition_of
from tests.conftest import missing
from tests.forks import Forked, cdr
from tests.servers import ClickHouseServer, KafkaServer
from tests.worker.deployment import Deployment, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.embedded]

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "producers"
CLIENTS = ROOT / ".cache" / "clients"  # make test-parts
PROGRAMS = {"kcat.sh": ("kcat", "jq"), "curl.sh": ("curl",)}
COMPILER = maven.Jar(
    "org.eclipse.jdt:ecj:3.44.0", 3329741, "14c46ddc2e511c46c998da728f6a80f13a689c920f3832402f7ad150f6a6188d"
)
CALLS = 12  # on four partitions: another partitioner than Kafka's own is found out


@pytest.fixture(scope="module")
def deployment(
    kafka_server: KafkaServer, clickhouse_server: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """A worker that reads what the producers write."""
    kafka_server.start()
    clickhouse_server.start()
    made = Deployment(kafka_server, clickhouse_server, tmp_path_factory.mktemp("producers"))
    try:
        made.worker()
        yield made
    finally:
        made.close()


def _java(source: Path, folder: Path) -> list[str]:
    """Runs a Java program, compiled by Eclipse's compiler: a runtime without one will do."""
    java, jars = [find_java(), "-XX:TieredStopAtLevel=1"], kafka.classpath()
    (compiler,) = maven.fetch([COMPILER], "a Java compiler")
    command = [*java, "-jar", str(compiler), "-17", "-proc:none", "-d", str(folder), "-cp", jars, str(source)]
    subprocess.run(command, check=True, timeout=90)
    return [*java, "-cp", f"{folder}{os.pathsep}{jars}", source.stem]


def _command(file: str, folder: Path) -> list[str]:
    """What runs a producer here; `folder` is for what has to be built first."""
    if file == "Producer.java":
        return _java(FOLDER / file, folder)
    if file.endswith(".sh"):
        for name in PROGRAMS[file]:
            if shutil.which(name) is None:
                missing(f"{name} (make test-parts)")
        return ["sh", str(FOLDER / file)]
    if file == "confluent_producer.py" and not (CLIENTS / "confluent_kafka").is_dir():
        missing("confluent-kafka (make test-parts)")
    return [sys.executable, str(FOLDER / file)]


def _calls(prefix: str) -> dict[str, list[dict[str, object]]]:
    """Call id → the events of a short answered call."""
    types = ("started", "rang", "answered", "ended")
    return {
        call_id: [
            {
                "type": name,
                "at": f"2026-03-10T12:00:0{second}Z",
                "call_id": call_id,
                "event_id": name,
                "leg_id": "a",
                "caller": {"number": "1001", "name": "Zoë\t“desk”"},
                "callee": "1002",
            }
            for second, name in enumerate(types)
        ]
        for call_id in (f"{prefix}-{number}@pbx.example.com" for number in range(CALLS))
    }


def _run(command: list[str], calls: dict[str, list[dict[str, object]]], **environment: str) -> str:
    lines = [json.dumps(event, ensure_ascii=False) for events in calls.values() for event in events]
    done = subprocess.run(
        command,
        input="\n".join(lines).encode() + b"\n",
        env=dict(os.environ) | {"PYTHONPATH": str(CLIENTS)} | environment,
        capture_output=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode()


def _check(deployment: Deployment, calls: dict[str, list[dict[str, object]]]) -> None:
    """Every event lies under its key on its partition, and the worker has made its call of it."""
    partitions = deployment.settings.partitions
    found: dict[str, list[dict[str, object]]] = {call_id: [] for call_id in calls}
    places = set()
    for record in deployment.records(deployment.settings.events_topic):
        if (call_id := (record.key or b"").decode()) in calls:
            assert record.partition == partition_of(record.key, partitions), call_id
            places.add(record.partition)
            event = json.loads(record.value)
            found[call_id].append({name: event[name] for name in calls[call_id][0]})
    assert found == calls
    assert len(places) > 1
    query = "SELECT call_id FROM calls WHERE status = 'answered' AND has({ids:Array(String)}, call_id)"
    wait_for(
        lambda: (
            {row[0] for row in deployment.client.query(query, parameters={"ids": [*calls]}).result_rows} == {*calls}
        ),
        lambda: f"calls of {next(iter(calls))} and so on; {deployment.said}",
    )


@pytest.mark.parametrize("file", ["confluent_producer.py", "aiokafka_producer.py", "Producer.java", "kcat.sh"])
def test_the_producer_sends_each_event_where_the_worker_expects_it(
    deployment: Deployment, file: str, tmp_path: Path
) -> None:
    calls = _calls(file.partition(".")[0])
    _run([*_command(file, tmp_path), deployment.broker.bootstrap, deployment.settings.events_topic], calls)
    _check(deployment, calls)


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
def test_the_worker_reads_every_compression(deployment: Deployment, codec: str) -> None:
    calls = _calls(codec)

    async def send() -> None:
        broker = deployment.broker.bootstrap
        async with AIOKafkaProducer(bootstrap_servers=broker, compression_type=codec, linger_ms=50) as producer:
            for call_id, events in calls.items():
                for event in events:
                    await producer.send(deployment.settings.events_topic, json.dumps(event).encode(), call_id.encode())
            await producer.flush()

    asyncio.run(send())
    _check(deployment, calls)


@contextmanager
def _service(deployment: Deployment) -> Iterator[str]:
    """The query service; gives its address."""
    port = free_port()
    url = f"http://{HOST}:{port}"
    log = deployment.folder / "api.log"
    with log.open("wb") as out:
        running = Forked(["api", "--port", str(port)], stdout=out, stderr=out, env=deployment.environment)

    def ready() -> bool:
        assert running.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            error.close()
            return False
        except OSError:
            return False

    try:
        wait_for(ready, log.read_text)
        yield url
    finally:
        running.terminate()
        running.wait(20)


def test_curl_sends_the_same_without_kafka(deployment: Deployment) -> None:
    create = ["token", "create", "--tenant", "default", "--name", "curl", "--scope", "cdr:ingest"]
    token = cdr(*create, env=deployment.environment).stdout.strip()
    calls = _calls("curl")
    with _service(deployment) as url:
        said = json.loads(_run([*_command("curl.sh", deployment.folder), url], calls, TOKEN=token))
    assert (said["taken"], said["refused"]) == (4 * CALLS, 0)
    _check(deployment, calls)
