from __future__ import annotations

from typing import Any

import httpx
import pytest

from pipeline.query.v1.call_rows import CallPage
from pipeline.warehouse.identity.tokens import create_token
from schemas.call import document
from schemas.call_model import CallDocument
from tests.query.conftest import Warehouse
from tests.query.stored_calls import MINUTE, NOON, stored_call, write

pytestmark = pytest.mark.embedded

ALL = ["open", "cancelled", "forwarded", "in", "out", "busy", "plain"]


async def names(client: httpx.AsyncClient, **options: Any) -> list[str]:
    answer = await client.get("/v1/calls", params=options)
    assert answer.status_code == 200, answer.text
    return [item["call_id"] for item in answer.json()["data"]]


@pytest.mark.parametrize("call_id", ALL)
async def test_the_document_is_the_calls(client: httpx.AsyncClient, warehouse: Warehouse, call_id: str) -> None:
    call = warehouse.calls[call_id]
    answer = await client.get(f"/v1/calls/{call.id}")
    assert answer.json() == document(call)
    CallDocument.model_validate(answer.json())
    assert answer.headers["etag"] == '"4"'


async def test_an_unchanged_document_is_not_sent_again(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    path = f"/v1/calls/{warehouse.calls['in'].id}"
    assert (await client.get(path, headers={"If-None-Match": '"4"'})).status_code == 304
    assert (await client.get(path, headers={"If-None-Match": '"3"'})).status_code == 200


async def test_list_is_the_documents_in_short(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    body = (await client.get("/v1/calls")).json()
    CallPage.model_validate(body)
    assert [item["call_id"] for item in body["data"]] == ALL
    assert body["next_cursor"] is None
    for item in body["data"]:
        whole = document(warehouse.calls[item["call_id"]])
        assert item == {name: whole[name] for name in item}


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_cursors_hold_every_call_once(client: httpx.AsyncClient, limit: int) -> None:
    found: list[str] = []
    url: str | None = f"/v1/calls?limit={limit}&state=closed&state=open"
    while url:
        answer = await client.get(url)
        found += [item["call_id"] for item in answer.json()["data"]]
        url = answer.links["next"]["url"] if "next" in answer.links else None
        assert (url is None) == (answer.json()["next_cursor"] is None)
    assert found == ALL


async def test_pages_stay_while_calls_arrive(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    header = {"Authorization": f"Bearer {create_token(warehouse.client, 'growing', 't')}"}
    # several calls of one millisecond, and years apart: pages cross both
    times = [NOON] * 5 + [NOON - 2_000 * 24 * 60 * MINUTE] * 3
    write(warehouse.client, [stored_call("growing", f"c{n}", at) for n, at in enumerate(times)])
    found: list[str] = []
    cursor = ""
    for page in range(10):
        answer = (await client.get(f"/v1/calls?limit=2&cursor={cursor}", headers=header)).json()
        found += [item["call_id"] for item in answer["data"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
        write(warehouse.client, [stored_call("growing", f"new{page}", NOON + (page + 1) * MINUTE)])
    assert sorted(found) == [f"c{n}" for n in range(8)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"from": "2024-08-20T12:03:00Z", "to": "2024-08-20T12:05:00Z"}, ["forwarded", "in"]),
        ({"from": "2024-08-20T14:06:00+02:00"}, ["open"]),
        ({"to": "2024-08-20T12:00:00.001Z"}, ["plain"]),
        ({"to": "2020-01-01"}, []),
        ({"state": "open"}, ["open"]),
        ({"status": ["busy", "cancelled"]}, ["cancelled", "busy"]),
        ({"direction": "outbound"}, ["out"]),
        ({"caller": "+336*"}, ["in"]),
        ({"callee": "202"}, ["busy"]),
        ({"any_number": "+44163*"}, ["in", "out"]),
        ({"call_id": "in"}, ["in"]),
        ({"trunk": "carrier-a", "direction": "inbound"}, []),
    ],
)
async def test_filters(client: httpx.AsyncClient, options: dict[str, Any], expected: list[str]) -> None:
    assert await names(client, **options) == expected


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("from=yesterday", "from"),
        ("from=2024-08-20T12:00:00+02:00", "from"),  # the + of the URL is a space: the message says so
        ("from=2024-08-21&to=2024-08-20", "from"),
        ("state=paused", "state"),
        ("status=answered&status=", "status"),
        ("cursor=abc", "cursor"),
        ("cursor=" + "A" * 31, "cursor"),
        ("cursor=%FF", "cursor"),
        ("caller=%00", "caller"),
        ("tenant=other", "tenant"),
    ],
)
async def test_what_cannot_be_understood_is_refused(client: httpx.AsyncClient, query: str, field: str) -> None:
    answer = await client.get(f"/v1/calls?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["errors"][0]["field"] == field
    assert problem["detail"].startswith(field)
    assert problem["request_id"] == answer.headers["x-request-id"]


async def test_a_cursor_belongs_to_its_filters(client: httpx.AsyncClient) -> None:
    cursor = (await client.get("/v1/calls?limit=1&direction=internal")).json()["next_cursor"]
    assert (await client.get(f"/v1/calls?limit=2&direction=internal&cursor={cursor}")).status_code == 200
    answer = await client.get(f"/v1/calls?limit=1&direction=inbound&cursor={cursor}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "cursor")


@pytest.mark.parametrize("id_", ["1", "abc", "9" * 30, "%00", "'or'1'='1"])
async def test_unknown_ids(client: httpx.AsyncClient, id_: str) -> None:
    answer = await client.get(f"/v1/calls/{id_}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
