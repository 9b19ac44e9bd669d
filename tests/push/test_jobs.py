"""Webhooks of a worker: from events in Kafka to a receiver, killed in between."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from pipeline.push.jobs import push_reader
from pipeline.push.store import PushStore, Webhook
from pipeline.push.webhooks import made
from tests.push.receiver import Got, Receiver
from tests.servers import ClickHouseServer, KafkaServer
from tests.worker.deployment import Deployment, wait_for
from tests.worker.phone_calls import event, now_ms


@pytest.fixture
def deployment(kafka: KafkaServer, clickhouse_endpoint: ClickHouseServer, tmp_path: Path) -> Iterator[Deployment]:
    found = Deployment(
        kafka, clickhouse_endpoint, tmp_path, partitions=2, webhook_private="true", webhook_retry_s="1,1,1,1,1,1"
    )
    yield found
    found.close()


def webhook(deployment: Deployment, url: str) -> Webhook:
    async def run() -> Webhook:
        reader = push_reader(deployment.settings)
        try:
            return await made(deployment.settings, PushStore(reader), "acme", url, None)
        finally:
            reader.close()

    return asyncio.run(run())


def answered_call(call_id: str) -> list[dict[str, object]]:
    at = now_ms() - 60_000
    return [
        event(call_id, "started", at, 0, leg_id="a", caller="200", callee="300"),
        event(call_id, "answered", at + 2_000, 1, leg_id="a"),
        event(call_id, "ended", at + 9_000, 2, leg_id="a", hung_up_by="caller"),
    ]


def test_events_reach_the_receiver_whoever_is_killed(deployment: Deployment, receiver: Receiver) -> None:
    one = webhook(deployment, receiver.url())
    first = deployment.worker()
    receiver.answer = lambda _: (200, 60.0)  # held: nothing is noted before the worker is gone
    deployment.produce(each for number in range(5) for each in answered_call(f"c-{number}"))
    wait_for(lambda: len(receiver.got) >= 5, lambda: f"{len(receiver.got)} {deployment.said}")
    first.kill()
    before = {got.id for got in receiver.got}
    receiver.got.clear()
    tries: Counter[str] = Counter()

    def answer(got: Got) -> tuple[int, float]:
        tries[got.id] += 1
        return (500 if tries[got.id] == 1 and got.type == "call.ended" else 204), 0.0

    receiver.answer = answer
    deployment.worker()

    def published() -> Counter[str]:
        return Counter(got.type for got in {got.id: got for got in list(receiver.got)}.values())

    whole = {"call.started": 5, "call.answered": 5, "call.ended": 5}
    wait_for(
        lambda: (
            published() == whole and all(tries[got.id] > 1 for got in list(receiver.got) if got.type == "call.ended")
        ),
        lambda: f"{published()} {deployment.said}",
    )
    assert before <= {got.id for got in receiver.got}
    assert all(got.signed_with(one.secret) for got in receiver.got)
    # A late event corrects one of them.
    late = event("c-3", "held", now_ms() - 55_000, 9, leg_id="a")
    deployment.produce([late, event("c-3", "resumed", now_ms() - 54_000, 10, leg_id="a")])
    wait_for(lambda: published()["cdr.corrected"] >= 1, lambda: f"{published()} {deployment.said}")
    data = [orjson.loads(got.body)["data"] for got in receiver.got if got.type == "cdr.corrected"]
    assert {each["call_id"] for each in data} == {"c-3"}
    assert {name: number for name, number in published().items() if name != "cdr.corrected"} == whole


def test_a_report_that_is_ready_is_told(deployment: Deployment, receiver: Receiver) -> None:
    webhook(deployment, receiver.url())
    now = now_ms()
    columns = ["tenant", "id", "report_id", "name", "state", "due_at", "completed_at", "version"]
    row = ["acme", 77, 7, "Queues", "done", now, now, 1]
    names = ", ".join(columns)
    deployment.client.command(
        f"INSERT INTO report_run_rows ({names}) SELECT '{row[0]}', {row[1]}, {row[2]}, '{row[3]}', '{row[4]}',"
        f" fromUnixTimestamp64Milli({now}), fromUnixTimestamp64Milli({now}), 1"
    )
    deployment.worker()
    wait_for(lambda: len(receiver.got) >= 1, lambda: deployment.said)
    body = orjson.loads(receiver.got[0].body)
    assert (body["type"], body["data"]["id"], body["data"]["report_id"]) == ("report.ready", "77", "7")
