"""Deployments of the worker on real parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers import BrokerServer, ClickHouseServer, KafkaServer
from tests.worker.deployment import Deployment

Deploy = Callable[..., Deployment]


@pytest.fixture
def deploy(kafka: KafkaServer, clickhouse_endpoint: ClickHouseServer, tmp_path: Path) -> Iterator[Deploy]:
    """Makes deployments on Apache Kafka; settings by name without their prefix."""
    yield from _deploy(kafka, clickhouse_endpoint, tmp_path)


def _deploy(broker: BrokerServer, clickhouse: ClickHouseServer, folder: Path) -> Iterator[Deploy]:
    made: list[Deployment] = []

    def deploy(**env: object) -> Deployment:
        made.append(Deployment(broker, clickhouse, folder, **env))  # type: ignore[arg-type]
        return made[-1]

    yield deploy
    for deployment in made:
        deployment.close()
