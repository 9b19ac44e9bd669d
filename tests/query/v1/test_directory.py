"""The directory over HTTP: who may change it, what is refused, and that nobody overwrites unseen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from pipeline.directory.model import PLURALS
from pipeline.warehouse.identity.tokens import create_token
from tests.query.conftest import Warehouse

ENTRIES: dict[str, tuple[str, dict[str, Any]]] = {
    "companies": ("1", {"name": "Sales", "account": "A-1"}),
    "extensions": ("101", {"name": "Ann", "devices": [{"id": "0004f2aabbcc", "port": "0"}], "groups": ["sales"]}),
    "groups": ("every body", {"members": ["101"], "id": "7"}),
    "trunks": ("PJSIP/carrier-a", {"account": "A-2", "numbers": ["+442079460000"]}),
    "queues": ("6000", {"name": "Support", "sla_s": 30, "members": ["101"]}),
    "ring_groups": ("7000", {"members": ["101"]}),
    "dids": ("+442079460001", {"target": "6000"}),
}


@pytest.fixture
async def writer(service: FastAPI, warehouse: Warehouse) -> AsyncIterator[httpx.AsyncClient]:
    """A client that may write the directory of a tenant of its own."""
    token = create_token(warehouse.client, "writer", "tests", scopes=("cdr:read", "directory:write"))
    transport = httpx.ASGITransport(app=service)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
        yield client
        left = (await client.get("/v1/directory")).json()
        for plural in ("groups", *(plural for plural in PLURALS.values() if plural not in ("tenants", "groups"))):
            for entry in left[plural]:
                key = entry.get("number") or entry.get("name" if plural in ("groups", "trunks") else "id")
                await client.delete(f"/v1/directory/{plural}/{httpx.URL('/', params={'k': key}).params['k']}")


@pytest.mark.parametrize("plural", ENTRIES)
async def test_the_life_of_an_entry(writer: httpx.AsyncClient, plural: str) -> None:
    if plural != "extensions":
        assert (await writer.put("/v1/directory/extensions/101", json={})).status_code == 201
    key, body = ENTRIES[plural]
    path = f"/v1/directory/{plural}/{key}"
    assert (await writer.get(path)).status_code == 404
    assert (await writer.patch(path, json={})).status_code == 404
    made = await writer.put(path, json=body)
    assert made.status_code == 201, made.text
    assert made.json().items() >= body.items() or plural == "extensions"
    shown = await writer.get(path)
    assert (shown.json(), shown.headers["etag"]) == (made.json(), made.headers["etag"])
    assert (await writer.get(path, headers={"If-None-Match": shown.headers["etag"]})).status_code == 304
    assert shown.json() in (await writer.get(f"/v1/directory/{plural}")).json()["data"]
    assert shown.json() in (await writer.get("/v1/directory")).json()[plural]
    again = await writer.put(path, json=shown.json())
    assert (again.status_code, again.json(), again.headers["etag"]) == (200, made.json(), made.headers["etag"])
    assert (await writer.delete(path)).status_code == 204
    assert (await writer.get(path)).status_code == 404
    assert (await writer.delete(path)).status_code == 404


async def test_a_change_that_was_not_seen_is_not_overwritten(writer: httpx.AsyncClient) -> None:
    path = "/v1/directory/extensions/101"
    assert (await writer.put(path, json={}, headers={"If-Match": "*"})).status_code == 412
    first = await writer.put(path, json={"name": "Ann"}, headers={"If-None-Match": "*"})
    assert first.status_code == 201
    assert (await writer.put(path, json={"name": "Eve"}, headers={"If-None-Match": "*"})).status_code == 412
    seen = {"If-Match": first.headers["etag"]}
    second = await writer.patch(path, json={"name": "Anna", "email": "anna@example.com"}, headers=seen)
    assert (second.status_code, second.json()["name"]) == (200, "Anna")
    refused = await writer.patch(path, json={"name": "Eve"}, headers=seen)
    assert refused.status_code == 412
    assert "look at it and try again" in refused.json()["detail"]
    assert (await writer.delete(path, headers=seen)).status_code == 412
    unset = await writer.patch(path, json={"email": None}, headers={"If-Match": second.headers["etag"]})
    assert (unset.json()["email"], unset.json()["name"]) == ("", "Anna")


async def test_the_tenant_itself(writer: httpx.AsyncClient) -> None:
    path = "/v1/directory/tenant"
    assert (await writer.get(path)).json()["zone"] == "UTC"
    put = await writer.put(path, json={"zone": "Europe/Berlin", "country": "de", "display": {"time": "12h"}})
    assert put.json()["country"] == "DE"
    changed = await writer.patch(path, json={"dial_plan": {"area_code": "30"}})
    assert (changed.json()["zone"], changed.json()["dial_plan"]["area_code"]) == ("Europe/Berlin", "30")
    assert changed.json()["display"]["time"] == "12h"
    assert (await writer.get("/v1/directory")).json()["tenant"] == changed.json()
    assert (await writer.delete(path)).status_code == 405


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("extensions/101", b"{", 400, "The body is no JSON"),
        ("extensions/101", b"[]", 400, "send an object of fields"),
        ("extensions/101", b'{"number": "102"}', 400, "number '102' is not '101' of the path"),
        ("extensions/101", b'{"email": "ann"}', 400, "email 'ann' is no mail address; write name@host"),
        ("extensions/101", b'{"name": {"first": "Ann"}}', 400, "is no text; put it in quotes"),
        ("extensions/1 01", b"{}", 400, "is no number"),
        ("extensions/101", b'{"company": "9"}', 409, "company '9' is none of none at all; add it to companies"),
        ("queues/6000", b'{"sla_s": 1e9}', 400, "sla_s"),
        ("tenant", b'{"zone": "Mars"}', 400, "zone 'Mars' is no IANA time zone"),
        ("extensions/101", b'"' + b"a" * (1 << 20) + b'"', 413, "larger than 1 MB"),
    ],
)
async def test_what_is_refused(writer: httpx.AsyncClient, path: str, body: bytes, status: int, said: str) -> None:
    refused = await writer.put(f"/v1/directory/{path}", content=body)
    assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
    assert said in refused.json()["detail"]


async def test_who_is_named_by_another_stays(writer: httpx.AsyncClient) -> None:
    await writer.put("/v1/directory/extensions/101", json={})
    await writer.put("/v1/directory/groups/sales", json={"members": ["101"]})
    refused = await writer.delete("/v1/directory/extensions/101")
    assert (refused.status_code, "take them out of the group" in refused.json()["detail"]) == (409, True)
    shown = (await writer.get("/v1/directory/extensions/101")).json()
    assert shown["groups"] == ["sales"]  # as the group says


async def test_reading_is_for_the_tenant_and_writing_for_the_scope(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, writer: httpx.AsyncClient
) -> None:
    await writer.put("/v1/directory/extensions/101", json={"name": "Ann"})
    assert (await client.get("/v1/directory/extensions")).json() == {"data": []}
    assert (await client.put("/v1/directory/extensions/101", json={})).status_code == 403
    assert (await client.delete("/v1/directory/extensions/101")).status_code == 403
    assert (await anonymous.get("/v1/directory")).status_code == 401


async def test_whoever_sees_numbers_masked_neither_writes_them_back_nor_tests_them(
    service: FastAPI, warehouse: Warehouse, writer: httpx.AsyncClient
) -> None:
    for number, name in (("+442079460001", "B"), ("+442079460991", "Z"), ("+442071110001", "A")):
        assert (await writer.put(f"/v1/directory/dids/{number}", json={"name": name})).status_code == 201
    scopes = ("cdr:read", "directory:write", "numbers:masked")
    token = create_token(warehouse.client, "writer", "masked", scopes=scopes)
    headers = {"Authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(app=service)
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as masked:
        listed = (await masked.get("/v1/directory/dids")).json()["data"]
        seen = [(each["number"], each["name"]) for each in listed]
        assert seen == [("+4420****0001", "A"), ("+4420****0001", "B"), ("+4420****0991", "Z")]
        # right or wrong, a number that looks so finds the same
        alike = ("+442079460001", "+442071110001", "+442000000001", "+4420****0001")
        shown = [await masked.get(f"/v1/directory/dids/{number}") for number in alike]
        assert {(each.status_code, each.headers["etag"], each.text) for each in shown} == {
            (200, shown[0].headers["etag"], shown[0].text)
        }
        clear = await writer.get("/v1/directory/dids/+442071110001")
        assert clear.headers["etag"] != shown[0].headers["etag"]
        for answer in (
            await masked.put("/v1/directory/dids/+442079460001", json=shown[0].json()),
            await masked.patch("/v1/directory/dids/+442079460001", json={"name": "C"}),
            await masked.delete("/v1/directory/dids/+442079460555"),
            await masked.put("/v1/directory/tenant", json={}),
        ):
            assert answer.status_code == 403
            assert "numbers:clear" in answer.json()["detail"]
    assert (await writer.get("/v1/directory/dids/+442079460001")).json()["name"] == "B"
