"""Names of the directory on every surface and in every search: queues, groups, softphones, people of a new name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from pipeline.directory.model import Entry, Extension, Queue, RingGroup, Tenant, key_of, kind_of
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.reference.directories import save
from tests.query.stored_calls import MINUTE, NOON, stored_call, write
from tests.query.vendors.conftest import Company

pytestmark = pytest.mark.embedded

OUTSIDE: dict[str, Any] = {
    "direction": "inbound",
    "caller_number": "+441632960101",
    "caller_name": "",
    "caller_extension": "",
}
VISIT: dict[str, Any] = {
    "number": "800",
    "queue": "old-sales",
    "reason": "answered",
    "answered_by": "202",
    "wait_ms": 1000,
}


@pytest.fixture(scope="module")
def headers(company: Company) -> dict[str, str]:
    """Tenant named: the PBX says old names; 201 is a softphone, whose SIP user is ada-soft."""
    calls = [
        stored_call(
            "named", "softphone", NOON, caller_number="ada-soft", caller_extension="201", caller_name="sip user",
            callee_number="202", callee_extension="202", callee_name="old bob", answered_by="202",
            logs=[{"number": "202", "name": "old bob", "caller_number": "201"}],
        ),
        stored_call(
            "named", "queue", NOON + MINUTE, **OUTSIDE, callee_number="800", callee_extension="", callee_name="q800",
            answered_by="202", service_number="800", queue_visits=[VISIT], wait_ms=1000,
            logs=[
                {"kind": "queue", "number": "800", "name": "q800", "direction": "inbound"},
                {"kind": "queue_agent", "number": "202", "name": "old bob", "direction": "inbound"},
            ],
        ),
        stored_call(
            "named", "group", NOON + 2 * MINUTE, **OUTSIDE, callee_number="600", callee_extension="",
            callee_name="g600", answered_by="202",
        ),
        stored_call("named", "from 201 outside", NOON + 3 * MINUTE, **(OUTSIDE | {"caller_number": "201"})),
    ]  # fmt: skip
    write(company.client, calls)
    directory: list[Entry] = [
        Tenant("named"),
        Extension("201", name="Ada Byron"),
        Extension("202", name="Robert Frost"),
        Queue("800", name="Sales line"),
        RingGroup("600", name="Workshop"),
    ]
    save(company.client, "named", {(kind_of(one), key_of(one)): one for one in directory}, "tests")
    return {"Authorization": f"Bearer {create_token(company.client, 'named', 't')}", "User-Agent": "OpenAPI"}


@pytest.fixture
async def client(service: FastAPI, headers: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=service)
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as found:
        yield found


SHOWN = {  # call_id: names of the caller and of who was called
    "softphone": ("Ada Byron", "Robert Frost"),
    "queue": ("", "Sales line"),
    "group": ("", "Workshop"),
    "from 201 outside": ("", "Ada Byron"),  # 201 of somebody else's house
}


async def test_portsip(client: httpx.AsyncClient) -> None:
    async def found(**options: str) -> list[str]:
        answer = (await client.get("/api/cdrs", params={"orderby": "started_at"} | options)).json()
        return [item["call_id"] for item in answer["items"]]

    items = (await client.get("/api/cdrs")).json()["items"]
    assert {item["call_id"]: (item["caller_display_name"], item["callee_display_name"]) for item in items} == SHOWN
    assert await found(search="workshop") == ["group"]
    assert await found(search="sales") == ["queue"]
    assert await found(search='"ada byron"') == ["softphone", "from 201 outside"]
    assert await found(filter="callee_display_name eq 'Sales line'") == ["queue"]
    assert await found(filter="contains(callee_display_name,'old')") == []
    assert await found(orderby="callee_display_name desc") == ["group", "queue", "softphone", "from 201 outside"]
    logs = (await client.get("/api/calllogs", params={"search": "robert"})).json()["items"]
    assert {log["callee_display_name"] for log in logs} == {"Robert Frost"}
    (queue,) = (await client.get("/v1/calls?call_id=queue&fields=id")).json()["data"]
    targets = (await client.get(f"/api/cdrs/{queue['id']}")).json()["items"]
    assert [target["callee_display_name"] for target in targets] == ["Sales line", "Robert Frost"]


async def test_our_own(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/v1/calls?fields=call_id,caller.name,callee.name,id")).json()["data"]
    assert {row["call_id"]: (row["caller"]["name"], row["callee"]["name"]) for row in listed} == SHOWN
    for query, wanted in (
        ("callee.name=Workshop", ["group"]),
        ("any_name[contains]=byron", ["from 201 outside", "softphone"]),
    ):
        rows = (await client.get(f"/v1/calls?{query}")).json()["data"]
        assert [row["call_id"] for row in rows] == wanted, query
    ids = {row["call_id"]: row["id"] for row in listed}
    document = (await client.get(f"/v1/calls/{ids['queue']}")).json()
    assert (document["callee"]["name"], document["queue_visits"][0]["queue"]) == ("Sales line", "Sales line")
    assert [log["name"] for log in document["logs"]] == ["Sales line", "Robert Frost"]
    answer = await client.get("/v1/aggregate?of=queue-visits&by=queue_name,queue&measures=visits")
    assert answer.json()["data"] == [{"queue_name": "Sales line", "queue": "800", "visits": 1}]


async def test_yeastar(client: httpx.AsyncClient) -> None:
    answer = (await client.get("/openapi/v1.0/cdr/list")).json()
    told: dict[int, Any] = {row["timestamp"]: (row["call_from"], row["call_to"]) for row in answer["data"]}
    assert told[NOON // 1000] == ("Ada Byron<201>", "Robert Frost<202>")
    assert told[NOON // 1000 + 60] == ("+441632960101", "Robert Frost<202>")
    by_extension = await client.get("/openapi/v1.0/cdr/search?call_from=201")
    assert {row["timestamp"] for row in by_extension.json()["data"]} == {NOON // 1000, NOON // 1000 + 180}
