"""The generated week in a warehouse, and the service with reports over it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from pipeline.query.app import create_app
from pipeline.reports.jobs import report_reader
from pipeline.settings import Settings
from pipeline.warehouse.identity.access import ADMIN
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.reference.directories import save
from schemas.call import Call
from tests.query.stored_calls import write
from tests.reports import week
from tests.servers import ClickHouseServer


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A database with the generated week of acme, the same of another tenant, and their tokens."""

    client: Any
    settings: Settings
    calls: list[Call]
    token: str
    other_token: str


@pytest.fixture(scope="module")
def warehouse(clickhouse_server: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    clickhouse_server.start()
    name = clickhouse_server.migrated_database()
    client = clickhouse_server.client(name)
    calls = week.calls()
    write(client, calls)
    write(client, week.other_tenants(calls))
    classify(client)
    save(client, week.TENANT, week.directory(), "tests")
    files = tmp_path_factory.mktemp("files")
    yield Warehouse(
        client=client,
        settings=Settings(clickhouse=clickhouse_server.url, database=name, api_port=0, files=str(files)),
        calls=calls,
        token=create_token(client, week.TENANT, "tests", scopes=(ADMIN,)),
        other_token=create_token(client, "other", "tests", scopes=(ADMIN,)),
    )
    client.close()
    clickhouse_server.give_back(name)


def classify(client: Any) -> None:
    """Class and prefix of priced calls, as rating would have written them."""
    client.command(
        "ALTER TABLE call_rows UPDATE rate_class = splitByChar('|', rate)[1], rate_prefix = splitByChar('|', rate)[2]"
        " WHERE position(rate, '|') > 0 SETTINGS mutations_sync = 2"
    )


@pytest.fixture(scope="module")
def reader(warehouse: Warehouse) -> Iterator[Reader]:
    found = report_reader(warehouse.settings)
    yield found
    found.close()


@pytest.fixture(scope="module")
def service(warehouse: Warehouse) -> Iterator[FastAPI]:
    app = create_app(warehouse.settings)
    yield app
    app.state.reader.close()


@pytest.fixture
async def client(service: FastAPI, warehouse: Warehouse) -> AsyncIterator[httpx.AsyncClient]:
    """A client with acme's token."""
    transport = httpx.ASGITransport(app=service)
    headers = {"Authorization": f"Bearer {warehouse.token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for what the test makes."""
    return tmp_path
