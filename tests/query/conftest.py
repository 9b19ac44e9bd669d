"""A warehouse with calls of two tenants, and the service in this process over it."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from pipeline.query.app import create_app
from pipeline.settings import Settings
from pipeline.warehouse.identity import passwords
from pipeline.warehouse.identity.tokens import create_token
from schemas.call import Call
from tests.forks import Forked
from tests.query.stored_calls import example_calls, write
from tests.servers import ClickHouseServer

LEAK = "leak.example.org"


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A migrated database with the example calls of tenants acme and other."""

    client: Any
    settings: Settings
    calls: dict[str, Call]  # of acme, by call_id
    token: str  # of acme
    other_token: str


@dataclass
class Running:
    """The service as a process of its own."""

    process: Forked
    port: int
    log: Path
    token: str

    def get(self, path: str, *, timeout: float = 30) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=timeout)

    def raw(self, sent: bytes) -> bytes:
        """The first bytes of the answer to these bytes."""
        with socket.create_connection(("127.0.0.1", self.port), 20) as connection:
            connection.sendall(sent)
            return connection.recv(65_536)


def until(condition: Callable[[], bool], seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def marked(call: Call) -> Call:
    """The call with a domain that shows wherever it leaks. Its ids are those of acme's call."""
    logs = [msgspec.structs.replace(log, caller_domain=LEAK) for log in call.logs]
    return msgspec.structs.replace(call, caller_domain=LEAK, logs=logs)


@pytest.fixture(scope="session")
def quick_passwords() -> Iterator[None]:
    """Passwords that cost little to compare, for tests that log in often."""
    before = passwords.COST
    passwords.COST = (4, 8, 1)
    yield
    passwords.COST = before


@pytest.fixture(scope="module")
def warehouse(clickhouse_server: ClickHouseServer) -> Iterator[Warehouse]:
    clickhouse_server.start()
    name = clickhouse_server.migrated_database()
    client = clickhouse_server.client(name)
    calls = example_calls("acme")
    write(client, calls)
    write(client, [marked(call) for call in example_calls("other")])
    yield Warehouse(
        client=client,
        settings=Settings(clickhouse=clickhouse_server.url, database=name, api_port=0),
        calls={call.call_id: call for call in calls},
        token=create_token(client, "acme", "tests", extension="101"),
        other_token=create_token(client, "other", "tests", extension="101"),
    )
    client.close()
    clickhouse_server.give_back(name)


@pytest.fixture(scope="module")
def admin_token(warehouse: Warehouse) -> str:
    """A token that may do everything in a tenant that nobody else asks for."""
    return create_token(warehouse.client, "explored", "admin", scopes=("admin",))


@pytest.fixture(scope="module")
def service(warehouse: Warehouse) -> Iterator[FastAPI]:
    app = create_app(warehouse.settings)
    yield app
    app.state.reader.close()


@pytest.fixture
async def anonymous(service: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    transport = httpx.ASGITransport(app=service)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


@pytest.fixture
async def client(service: FastAPI, warehouse: Warehouse) -> AsyncIterator[httpx.AsyncClient]:
    """A client with acme's token."""
    transport = httpx.ASGITransport(app=service)
    headers = {"Authorization": f"Bearer {warehouse.token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
        yield client


@pytest.fixture(scope="module")
def running(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The service, until the tests of the module are over."""
    log = tmp_path_factory.mktemp("service") / "log"
    settings = warehouse.settings
    environment = os.environ | {"CDR_CLICKHOUSE": settings.clickhouse, "CDR_DATABASE": settings.database}
    with log.open("wb") as out:
        process = Forked(["api", "--port", "0"], stderr=out, env=environment)
    try:
        until(lambda: b"running on http" in log.read_bytes() or process.poll() is not None)
        found = re.search(rb"running on http://127\.0\.0\.1:(\d+)", log.read_bytes())
        assert found, log.read_text()
        yield Running(process, int(found[1]), log, warehouse.token)
    finally:
        process.kill()
        process.wait()
