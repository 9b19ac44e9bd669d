"""`cdr produce` on a real broker."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from pipeline.errors import Problem
from pipeline.settings import Settings
from pipeline.traffic.produce import Simulation, from_file, produce, run, simulated
from tests.servers import BrokerServer, KafkaServer


def settings_of(broker: BrokerServer) -> Settings:
    return Settings(kafka=broker.bootstrap, events_topic="call-events")


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


async def test_events_of_a_call_stay_in_order(kafka: KafkaServer) -> None:
    settings = settings_of(kafka).model_copy(update={"events_topic": "in-order"})
    number = await produce(settings, "in-order", list(simulated(Simulation("day", calls=30))), False)
    arrived = await read(kafka, "in-order", number)
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


def test_file_is_produced(kafka: KafkaServer) -> None:
    settings = settings_of(kafka).model_copy(update={"events_topic": "from-file"})
    lines = io.BytesIO(b'{"type":"started","at":1790000000000,"call_id":"c1"}\nnonsense\n')
    assert run(settings, None, lines, "from-file") == (1, 1)


def test_a_topic_that_is_not_there_is_named(kafka: KafkaServer) -> None:
    with pytest.raises(
        Problem, match=r"Kafka has no topic 'nowhere'\. Create it, or give one of asterisk-events, call-events, "
    ):
        run(settings_of(kafka), Simulation("answered", calls=1), None, "nowhere")


def test_kafka_away() -> None:
    with pytest.raises(Problem, match="Kafka does not answer"):
        run(Settings(kafka="127.0.0.1:1"), Simulation(calls=1), None, "x")
