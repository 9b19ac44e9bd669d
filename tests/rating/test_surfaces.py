"""Prices where they are read: the call document, PortSIP's call targets; and priced again by a service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.client import Client
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
from pipeline.worker.core.durable_store import Store
from pipeline.worker.core.open_calls import OpenCall
from pipeline.worker.core.pricing import MAX_AGE_S, Pricing
from schemas.call import Call
from tests.rating.outside_calls import outside
from tests.servers import ClickHouseServer
from tests.worker.phone_calls import encoded, event

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


def consulting(call_id: str) -> Call:
    """An internal call: 101 talks to 102, who asks somebody outside for a minute, and takes 101 back."""
    leg = {"role": "target", "direction": "outbound"}
    moments = [
        event(call_id, "started", START, 0, leg_id="a", caller={"number": "101", "extension": "101"}, callee="102")
        | {"direction": "internal"},
        event(call_id, "started", START + 50, 1, leg_id="b", caller="101", callee={"number": "102", "extension": "102"})
        | {"role": "target", "kind": "extension"},
        event(call_id, "answered", START + 2000, 2, leg_id="b"),
        event(call_id, "answered", START + 2000, 3, leg_id="a"),
        event(call_id, "started", START + 10_000, 4, leg_id="c", caller="102", callee="+442079460123")
        | leg
        | {"kind": "outside"},
        event(call_id, "answered", START + 12_000, 5, leg_id="c"),
        event(call_id, "ended", START + 72_000, 6, leg_id="c", hung_up_by="callee"),
        event(call_id, "ended", START + 90_000, 7, leg_id="b", hung_up_by="caller"),
        event(call_id, "ended", START + 90_000, 8, leg_id="a", hung_up_by="caller"),
    ]
    values = [value for _, value in encoded(moments) if value is not None]
    return fold(canonical.decode(values).events)


def cost_of(client: Client, call_id: str) -> tuple[str, str]:
    ((cost, rating),) = client.query(
        "SELECT cost, rating FROM call_rows FINAL WHERE call_id = {id:String}", parameters={"id": call_id}
    ).result_rows
    return cost, rating


def test_a_leg_outside_is_priced_again_in_a_call_of_any_direction(
    clickhouse_endpoint: ClickHouseServer, database: str
) -> None:
    with clickhouse_endpoint.client(database) as client:
        one = consulting("asked outside")
        assert (one.direction, one.rating) == ("internal", "")
        colleagues = consulting("stays inside")
        colleagues.logs = [log for log in colleagues.logs if log.kind != "outside"]
        for each in (one, colleagues):
            writer.write_calls(client, [rows.call_row(each)])
            writer.write_call_logs(client, rows.log_rows(each))
        decks.save(client, Header("retail"), parse_csv("prefix,price_n,currency\n44,0.07,GBP\n", "retail"), "tests")
        done = rerate(client, START, START + 1, tenant="acme", country="GB")
        assert (done.calls, done.changed, done.unknown) == (1, 1, 0)
        assert (cost_of(client, "asked outside")[0], cost_of(client, "stays inside")) == ("0.07", ("", ""))
        orders = "SELECT count() FROM rerate_rows"
        assert client.query(orders).result_rows == [(1,)]
        # nothing is left to be priced: no further order is written down, and none is waited for
        assert rerate(client, START, START + 1, tenant="acme", country="GB").changed == 0


def test_consultations_between_colleagues_need_no_order(clickhouse_endpoint: ClickHouseServer, database: str) -> None:
    with clickhouse_endpoint.client(database) as client:
        inside = consulting("stays inside")
        for log in inside.logs:
            if log.kind == "outside":
                log.kind, log.number, log.direction = "consultation", "103", "internal"
        writer.write_calls(client, [rows.call_row(inside)])
        writer.write_call_logs(client, rows.log_rows(inside))
        decks.save(client, Header("retail"), parse_csv("prefix,price_n,currency\n44,0.07,GBP\n", "retail"), "tests")
        for _ in range(2):
            done = rerate(client, START, START + 1, tenant="acme", country="GB")
            assert (done.calls, done.changed) == (0, 0)
        assert client.query("SELECT count() FROM rerate_rows").result_rows == [(0,)]


async def test_what_a_worker_holds_in_memory_is_priced_as_it_was_ordered(
    clickhouse_endpoint: ClickHouseServer, database: str
) -> None:
    settings = Settings(clickhouse=clickhouse_endpoint.url, database=database, country="GB")
    publisher: Any = None  # nothing is published here
    with clickhouse_endpoint.client(database) as client:

        def sell_at(price_of_a_minute: str) -> None:
            text = f"prefix,price_n,currency\n44,{price_of_a_minute},GBP\n"
            decks.save(client, Header("retail"), parse_csv(text, "retail"), "tests")

        sell_at("0.05")
        now = [0.0]
        pricing = Pricing(Store(settings, publisher), "GB", lambda: now[0])
        first = call("known", "+442079460123")
        price(first, await pricing.tariffs())
        writer.write_calls(client, [rows.call_row(first)])
        writer.write_call_logs(client, rows.log_rows(first))
        held = OpenCall("acme", "known", [], version=first.version, key=rows.call_key(first), rating=first.rating)
        held.closed = True
        sell_at("0.07")
        rerate(client, START, START + 1, tenant="acme", country="GB")
        sell_at("0.09")
        now[0] += MAX_AGE_S
        tariffs = await pricing.tariffs([held])
        assert held.rating == cost_of(client, "known")[1]
        again = call("known", "+442079460123")
        again.rating = held.rating
        price(again, tariffs)
        assert (first.cost, again.cost) == ("0.05", "0.07")
