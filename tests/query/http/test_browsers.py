"""What pages in browsers need: HEAD wherever GET is, CORS, and a ticket where no header can be sent."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from pipeline.query.app import create_app
from pipeline.warehouse.identity.tokens import create_token, revoke_token
from tests.query.conftest import Warehouse

pytestmark = pytest.mark.embedded
ORIGIN = "https://app.example.com"


async def test_head_is_get_without_its_body(client: httpx.AsyncClient, service: FastAPI) -> None:
    paths = [path for path, operations in service.openapi()["paths"].items() if "get" in operations and "{" not in path]
    assert "/v1/calls" in paths and "/api/cdrs" in paths
    for path in paths:
        if path.endswith("/cdrs/stream"):  # wants Kafka
            continue
        head = await client.head(path)
        assert head.content == b""
        assert head.headers.get("x-request-id")
        if not path.endswith("/stream"):
            get = await client.get(path)
            assert (head.status_code, head.headers["content-type"]) == (get.status_code, get.headers["content-type"])
    assert (await client.head("/v1/tickets")).status_code == 405


async def test_pages_of_chosen_origins_may_ask(warehouse: Warehouse) -> None:
    app = create_app(warehouse.settings.model_copy(update={"api_origins": f"{ORIGIN}, https://b.example"}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://service") as client:
        asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
        asked["Access-Control-Request-Headers"] = "authorization,last-event-id"
        answer = await client.options("/v1/calls", headers=asked)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        headers = {"Origin": ORIGIN, "Authorization": f"Bearer {warehouse.token}"}
        answer = await client.get("/v1/calls", headers=headers)
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "ETag" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers
        answer = await client.get("/v1/calls", headers=headers | {"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in answer.headers
    app.state.gate.close()
    app.state.reader.close()


async def test_none_may_ask_unless_it_is_set(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/calls", headers={"Origin": ORIGIN})
    assert "access-control-allow-origin" not in answer.headers


async def test_a_ticket_opens_a_stream(anonymous: httpx.AsyncClient, warehouse: Warehouse, service: FastAPI) -> None:
    token = create_token(warehouse.client, "acme", "page")
    headers = {"Authorization": f"Bearer {token}"}
    made = (await anonymous.post("/v1/tickets", headers=headers)).json()
    assert made["expires_in"] == 60
    gate = service.state.gate
    caller = await gate.holder_of(made["ticket"])
    assert (caller.tenant, caller.name) == ("acme", "page")
    assert caller == await gate.caller(headers["Authorization"])
    assert (await anonymous.head(f"/v1/calls/stream?ticket={made['ticket']}")).status_code == 200
    for wrong in ("", "x", made["ticket"][:-1] + "~", token):
        assert (await anonymous.head(f"/v1/calls/stream?ticket={wrong}")).status_code == 401
    # It opens streams, and nothing else.
    for path in ("/v1/calls", "/v1/calls/active", "/api/cdrs"):
        assert (await anonymous.get(f"{path}?ticket={made['ticket']}")).status_code == 401
        assert (await anonymous.get(path, headers={"Authorization": f"Bearer {made['ticket']}"})).status_code == 401
    revoke_token(warehouse.client, "page")
    async with asyncio.timeout(30):
        while await gate.holder_of(made["ticket"]) is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert await gate.holder_of(made["ticket"], opened=True) is None
