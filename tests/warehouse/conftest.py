"""A migrated database and a reader of it, once a module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.warehouse.query.reader import Reader
from tests.servers import ClickHouseServer


@pytest.fixture(scope="module")
def client(clickhouse_server: ClickHouseServer) -> Iterator[Any]:
    clickhouse_server.start()
    name = clickhouse_server.migrated_database()
    made = clickhouse_server.client(name)
    yield made
    made.close()
    clickhouse_server.give_back(name)


@pytest.fixture(scope="module")
def reader(clickhouse_server: ClickHouseServer, client: Any) -> Iterator[Reader]:
    made = Reader(clickhouse_server.url, client.database)
    yield made
    made.close()
