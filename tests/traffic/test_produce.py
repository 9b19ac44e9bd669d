"""`cdr produce` on a real broker."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from pipeline.embedded.unread import any_unread, keep_unread, produce_unread
from pipeline.errors import Problem
from pipeline.settings import Settings
from pipeline.traffic.produce import Simulation, from_file, produce, run, simulated
from tests.servers import BrokerServer


def settings_of(broker: BrokerServer) -> Settings:
    return Settings(kafka=broker.bootstrap, idempotent_producer=broker.durable, events_topic="call-events")


async def read(broker: BrokerServer, topic: str, number: int) -> list[Any]:
    async with AIOKafkaConsumer(topic, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest") as consumer:
        found: list[Any] = []
        deadline = time.monotonic() + 30
        while len(found) < number and time.monotonic() < deadline:
            for records in (await consumer.getmany(timeout_ms=300)).values():
                found += records
        return found


async def test_simulated_calls_arrive_with_their_keys(broker: BrokerServer) -> None:
    settings = settings_of(broker)
    topic = f"simulated-{broker.name}"
    settings = settings.model_copy(update={"events_topic": topic})
    records = list(simulated(Simulation("queue", rate=50, calls=20)))
    assert await produce(settings, topic, records, False) == len(records)
    arrived = await read(broker, topic, len(records))
    assert {(record.key.decode(), record.value) for record in arrived} == set(records)
    places: dict[bytes, set[int]] = {}
    for record in arrived:
        places.setdefault(record.key, set()).add(record.partition)
    assert all(len(partitions) == 1 for partitions in places.values())


async def test_events_of_a_call_stay_in_order(tansu: BrokerServer) -> None:
    settings = settings_of(tansu).model_copy(update={"events_topic": "in-order"})
    number = await produce(settings, "in-order", list(simulated(Simulation("day", calls=30))), False)
    arrived = await read(tansu, "in-order", number)
    last: dict[str, int] = {}
    for record in arrived:
        event = json.loads(record.value)
        assert event["at"] >= last.get(event["call_id"], 0)
        last[event["call_id"]] = event["at"]


def test_file_with_a_bad_line(capsys: pytest.CaptureFixture[str]) -> None:
    complaints: list[str] = []
    good = b'{"type":"started","at":1790000000000,"call_id":"c1"}'
    records = list(from_file(io.BytesIO(good + b"\n\n{}\nnot json\n" + good), complaints))
    assert records == [("c1", good), ("c1", good)]
    assert [complaint.split(":")[0] for complaint in complaints] == ["line 3", "line 4"]
    assert "line 3" in capsys.readouterr().err


def test_file_is_produced(tansu: BrokerServer) -> None:
    settings = settings_of(tansu)
    lines = io.BytesIO(b'{"type":"started","at":1790000000000,"call_id":"c1"}\nnonsense\n')
    assert run(settings, None, lines, "from-file") == (1, 1)


def test_kafka_away() -> None:
    with pytest.raises(Problem, match="Kafka does not answer"):
        run(Settings(kafka="127.0.0.1:1"), Simulation(calls=1), None, "x")


async def test_unread_records_are_kept_and_produced_again(tansu: BrokerServer, tmp_path: Path) -> None:
    settings = settings_of(tansu).model_copy(update={"events_topic": "unread"})
    records = list(simulated(Simulation("answered", calls=5)))
    await produce(settings, "unread", records, False)
    assert await any_unread(tansu.bootstrap, "nobody", ["unread", "absent"])
    assert await keep_unread(tansu.bootstrap, "nobody", ["unread", "absent"], tmp_path) == len(records)
    tansu.restart()
    await produce(settings, "unread", [], False)  # makes the topic
    assert await produce_unread(tansu.bootstrap, tmp_path) == len(records)
    assert await produce_unread(tansu.bootstrap, tmp_path) == 0
    arrived = await read(tansu, "unread", len(records))
    assert sorted((record.key.decode(), record.value) for record in arrived) == sorted(records)
