"""A database with the schema, and what webhooks are kept and sent with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from pipeline.push.jobs import push_reader
from pipeline.push.store import PushStore
from pipeline.settings import Settings
from tests.push.receiver import Receiver, receiving
from tests.servers import ClickHouseServer


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def settings(clickhouse_endpoint: ClickHouseServer, database: str) -> Settings:
    return Settings(
        clickhouse=clickhouse_endpoint.url,
        database=database,
        webhook_private=True,
        webhook_retry_s="0,0",
        webhook_timeout_s=5,
    )


@pytest.fixture
def client(clickhouse_endpoint: ClickHouseServer, database: str) -> Iterator[Any]:
    found = clickhouse_endpoint.client(database)
    yield found
    found.close()


@pytest.fixture
async def store(settings: Settings, client: Any) -> AsyncIterator[PushStore]:
    reader = push_reader(settings)
    yield PushStore(reader)
    reader.close()
