"""ClickHouse or Kafka is away, slow, refuses, or forgets to answer: the worker waits and goes on by itself."""

from __future__ import annotations

import random
import re
import time
from typing import Any

import pytest

from tests.servers import ClickHouseServer, KafkaServer
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment, wait_for
from tests.worker.phone_calls import JsonEvent, in_time, phone_calls


def shuffled(count: int, seed: int) -> list[JsonEvent]:
    events = in_time(phone_calls(count, seed))
    random.Random(seed).shuffle(events)
    return events


def begun(deployment: Deployment) -> dict[int, int]:
    """Start a worker and let it store some calls; gives the committed offsets."""
    deployment.worker()
    deployment.produce(shuffled(100, 1))
    deployment.wait_done()
    return deployment.committed()


def test_clickhouse_killed(deploy: Deploy, clickhouse_endpoint: ClickHouseServer) -> None:
    deployment = deploy(batch_events=2000)
    committed = begun(deployment)
    worker = deployment.workers[0]
    clickhouse_endpoint.kill()
    before = worker.rss_mb
    # Far more than the worker may take in: they wait in Kafka.
    for seed in range(2, 8):
        deployment.produce(shuffled(1000, seed))
    wait_for(lambda: worker.metric("cdr_write_waiting") >= 1, "waiting in the metrics")
    assert not worker.ready
    assert re.search(r"ClickHouse does not answer|Connection refused", worker.checks()["writes"])
    assert "waiting; it will be repeated, nothing is lost" in worker.said
    wait_for(lambda: worker.metric("cdr_write_retries_total") >= 4, "retries")
    assert len(deployment.values) > 50_000
    assert worker.rss_mb - before < 150
    assert deployment.committed() == committed
    clickhouse_endpoint.start()
    wait_for(lambda: worker.ready, "ready again")
    assert worker.metric("cdr_write_waiting") == 0
    deployment.wait_done()
    assert "resumed" in worker.said
    deployment.verify(feed=False)


TROUBLE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("refuse", {}),
    ("error", {"code": 241}),
    ("error", {"code": 60}),
    ("slow", {"seconds": 2.0, "count": 2}),
    ("drop_answer", {"match": "event_rows", "count": 3}),
    ("drop_answer", {"match": "call_log_rows", "count": 2}),
    ("drop_answer", {"match": "call_rows", "count": 2}),
)


def test_clickhouse_in_trouble(deploy: Deploy, clickhouse_endpoint: ClickHouseServer) -> None:
    """Refused, failing, slow, or executed without an answer: one after the other."""
    deployment = deploy()
    begun(deployment)
    (worker,) = deployment.workers
    for seed, (mode, options) in enumerate(TROUBLE, start=2):
        committed, retries = deployment.committed(), worker.metric("cdr_write_retries_total")
        clickhouse_endpoint.fault(mode, **options)
        deployment.produce(shuffled(60, seed))
        if "count" not in options:
            wait_for(lambda seen=retries: worker.metric("cdr_write_retries_total") >= seen + 3, "retries")  # type: ignore[misc]
            assert not worker.ready
            assert deployment.committed() == committed
            clickhouse_endpoint.fault("none")
        deployment.wait_done()
        wait_for(lambda: worker.ready, "ready")
        clickhouse_endpoint.fault("none")
    deployment.verify()


def test_clickhouse_frozen(deploy: Deploy, clickhouse_endpoint: ClickHouseServer) -> None:
    """Connections stay open, nothing is answered; the group must not be lost over it."""
    deployment = deploy()
    committed = begun(deployment)
    clickhouse_endpoint.pause()
    try:
        deployment.produce(shuffled(100, 2))
        time.sleep(9)
        assert deployment.committed() == committed
    finally:
        clickhouse_endpoint.resume()
    deployment.wait_done()
    deployment.verify()


@pytest.mark.slow
def test_kafka_killed_and_started_again(deploy: Deploy, kafka: KafkaServer) -> None:
    deployment = deploy()
    begun(deployment)
    worker = deployment.workers[0]
    kafka.kill()
    time.sleep(8)
    assert worker.running
    kafka.start()
    deployment.produce(shuffled(200, 2))
    deployment.wait_done()
    assert worker.running
    deployment.verify()


def test_sigterm_makes_durable_what_was_read(deploy: Deploy) -> None:
    deployment = deploy(batch_events=500)
    worker = deployment.worker()
    deployment.produce(shuffled(1500, 2))
    wait_for(lambda: worker.metric("cdr_events_total") > 0, "work")
    assert worker.stop(12) == 0
    rows = deployment.client.query("SELECT partition, max(offset) + 1 FROM event_rows GROUP BY partition").result_rows
    assert deployment.committed() == dict(rows)
    deployment.worker()
    deployment.wait_done()
    deployment.verify()


@pytest.mark.parametrize("frozen", [False, True])
def test_sigterm_while_clickhouse_is_away(deploy: Deploy, clickhouse_endpoint: ClickHouseServer, frozen: bool) -> None:
    """Refused, or never answered: the worker ends in time and well, and what it had not stored is read again."""
    deployment = deploy()
    committed = begun(deployment)
    worker = deployment.workers[0]
    if frozen:
        clickhouse_endpoint.pause()
        deployment.produce(shuffled(100, 2))
        time.sleep(1)
    else:
        clickhouse_endpoint.fault("refuse")
        deployment.produce(shuffled(100, 2))
        wait_for(lambda: not worker.ready, "waiting")
    assert worker.stop(15) == 0
    assert deployment.committed() == committed
    clickhouse_endpoint.resume()
    clickhouse_endpoint.fault("none")
    deployment.worker()
    deployment.wait_done()
    deployment.verify()
