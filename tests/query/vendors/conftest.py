"""The day of calls in a warehouse of two tenants, and the service over it, spoken to as vendors' clients do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from pipeline.query.app import create_app
from pipeline.settings import Settings
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.identity.users import create_user
from pipeline.warehouse.reference.directories import save
from schemas.call import Call
from tests.query.stored_calls import write
from tests.query.vendors.vendor_calls import day, directory
from tests.servers import ClickHouseServer

LEAK = "+10000000000"
PASSWORD = "correct horse battery"


@dataclass(frozen=True, slots=True)
class Company:
    """A migrated database: tenant acme with the day, its directory and users; tenant other with the same calls,
    all from a number that shows wherever it leaks."""

    client: Any
    settings: Settings
    calls: dict[str, Call]  # of acme, by call_id
    token: str
    other_token: str


@pytest.fixture(scope="module")
def company(clickhouse_server: ClickHouseServer, quick_passwords: None) -> Iterator[Company]:
    clickhouse_server.start()
    name = clickhouse_server.migrated_database()
    client = clickhouse_server.client(name)
    calls = day("acme")
    write(client, calls)
    write(client, [_marked(call) for call in day("other")])
    save(client, "acme", directory("acme"), "tests")
    create_user(client, "acme", "boss", PASSWORD, role="admin")
    create_user(client, "acme", "ben", PASSWORD, role="user", extension="102")
    create_user(client, "other", "boss2", PASSWORD, role="admin")
    yield Company(
        client=client,
        settings=Settings(clickhouse=clickhouse_server.url, database=name, api_port=0),
        calls={call.call_id: call for call in calls},
        token=create_token(client, "acme", "tests"),
        other_token=create_token(client, "other", "tests"),
    )
    client.close()
    clickhouse_server.give_back(name)


def _marked(call: Call) -> Call:
    logs = [msgspec.structs.replace(log, caller_number=LEAK) for log in call.logs]
    return msgspec.structs.replace(call, caller_number=LEAK, logs=logs)


@pytest.fixture(scope="module")
def service(company: Company) -> Iterator[FastAPI]:
    app = create_app(company.settings)
    yield app
    app.state.gate.close()
    app.state.reader.close()


@pytest.fixture
async def http(service: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials."""
    transport = httpx.ASGITransport(app=service)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client
