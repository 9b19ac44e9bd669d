"""Prices where they are read: the call document, PortSIP's call targets; and priced again by a service."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from pipeline.calls.fold import fold
from pipeline.query.app import create_app
from pipeline.rating.calls import price
from pipeline.rating.deck import Header
from pipeline.rating.deck_file import parse_csv
from pipeline.settings import Settings
from pipeline.sources import canonical
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.reference import decks
from pipeline.warehouse.reference.decks import Loader, versions
from pipeline.warehouse.reference.rerate import rerate
from pipeline.warehouse.storage import rows, writer
from schemas.call import Call
from tests.rating.outside_calls import outside
from tests.servers import ClickHouseServer
from tests.worker.phone_calls import encoded

START = 1_751_364_000_000  # 2025-07-01T10:00:00Z


def call(call_id: str, number: str) -> Call:
    values = [value for _, value in encoded(outside(call_id, number, 60_000, at=START)) if value is not None]
    return fold(canonical.decode(values).events)


@pytest.fixture
def service(clickhouse_endpoint: ClickHouseServer, database: str) -> Iterator[tuple[FastAPI, Call, str]]:
    client = clickhouse_endpoint.client(database)
    decks.save(client, Header("retail"), parse_csv("prefix,price_n,currency\n44,0.05,GBP\n", "retail"), "tests")
    known, unknown = call("known", "+442079460123"), call("unknown", "+4930123456")
    tariffs = Loader("GB").load(client, versions(client))
    for one in (known, unknown):
        price(one, tariffs)
    writer.write_calls(client, [rows.call_row(one) for one in (known, unknown)])
    writer.write_call_logs(client, [*rows.log_rows(known), *rows.log_rows(unknown)])
    app = create_app(Settings(clickhouse=clickhouse_endpoint.url, database=database, country="GB"))
    yield app, known, create_token(client, "acme", "tests")
    app.state.reader.close()
    client.close()


async def test_prices_are_shown_and_made_anew(
    service: tuple[FastAPI, Call, str], clickhouse_endpoint: ClickHouseServer, database: str
) -> None:
    app, known, token = service
    transport = httpx.ASGITransport(app=app)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
        shown = (await client.get(f"/v1/calls/{known.id}")).json()
        assert (shown["cost"], shown["currency"], shown["rate"]) == ("0.05", "GBP", "0.05")
        (target,) = (await client.get(f"/api/cdrs/{known.id}")).json()["items"]
        assert target["cost"] == 0.05
        listed = {one["call_id"]: one["cost"] for one in (await client.get("/v1/calls")).json()["data"]}
        assert listed == {"known": "0.05", "unknown": None}
        with clickhouse_endpoint.client(database) as warehouse:
            text = "prefix,price_n,currency\n44,0.07,GBP\n49,0.02,GBP\n"
            decks.save(warehouse, Header("retail"), parse_csv(text, "retail"), "tests")
            rerate(warehouse, START, START + 1, tenant="other", country="GB")
            assert (await client.get(f"/v1/calls/{known.id}")).json() == shown
            rerate(warehouse, START, START + 1, tenant="acme", country="GB")
        again = (await client.get(f"/v1/calls/{known.id}")).json()
        assert (again["cost"], again["version"]) == ("0.07", shown["version"] + 1)
        listed = {one["call_id"]: one["cost"] for one in (await client.get("/v1/calls")).json()["data"]}
        assert listed == {"known": "0.07", "unknown": "0.02"}
