"""Answers against what the vendor's schemas say: names in their order, their types, enumerations and limits."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from pipeline.query.app import create_app
from pipeline.query.portsip import models
from pipeline.settings import Settings
from pipeline.warehouse.identity.tokens import create_token
from schemas.call import Call
from tests.query.conftest import Warehouse
from tests.query.stored_calls import MINUTE, NOON, stored_call, write

pytestmark = pytest.mark.embedded

EVERYTHING = {
    "direction": "inbound_outbound",
    "did": "+441632960001",
    "trunk": "carrier-a",
    "outbound_caller_id": "+441632960000",
    "service_number": "8000",
    "user_data": "order=7",
}
TARGET = (
    *("caller", "caller_domain", "caller_display_name", "callee", "callee_domain", "callee_display_name"),
    *("started_at", "rang_at", "answered_at", "ended_at", "call_id", "direction", "end_reason", "reroute_reason"),
    *("status_code", "destination", "outbound_caller_id", "did_cid", "trunk", "duration"),
)
PRICE = ("cost", "billed_account")
REST = ("service_number", "user_data")


@pytest.fixture(scope="module")
def full(warehouse: Warehouse) -> tuple[Call, dict[str, str]]:
    """A call of which everything is known, and the header of its tenant; with calls before it, 100 in all."""
    reroute = {"at": NOON, "kind": "blind_transfer", "reason": "transfer", "from": "201", "to": "202", "by": "201"}
    log = EVERYTHING | {"reroute_reason": "transfer", "sip_status": 1}
    call = stored_call(
        "full",
        "full",
        NOON,
        logs=[log],
        sip_status=1,
        reroutes=[{**reroute, "result": "answered"}],
        cost="0.10000000000000000001",
        billed_account="acme",
        **EVERYTHING,
    )
    write(warehouse.client, [call, *(stored_call("full", f"other {n}", NOON - n * MINUTE) for n in range(1, 100))])
    return call, {"Authorization": f"Bearer {create_token(warehouse.client, 'full', 't')}"}


async def test_a_list_of_cdrs(client: httpx.AsyncClient, full: tuple[Call, dict[str, str]]) -> None:
    call, header = full
    body = (await client.get("/api/cdrs?top=1", headers=header)).json()
    assert list(body) == ["count", "items"]
    assert body["count"] == 100
    (item,) = body["items"]
    assert tuple(item) == ("id", *TARGET, *REST)
    shown = {
        name: item[name] for name in ("id", "direction", "end_reason", "reroute_reason", "status_code", "duration")
    }
    assert shown == {
        "id": str(call.id),
        "direction": "INBOUND_OUTBOUND_CALL",
        "end_reason": "CALLER_DISCONNECTED",
        "reroute_reason": "TRANSFER",
        "status_code": 1,
        "duration": 30,
    }


async def test_the_details_of_a_cdr(client: httpx.AsyncClient, full: tuple[Call, dict[str, str]]) -> None:
    call, header = full
    answer = await client.get(f"/api/cdrs/{call.id}", headers=header)
    assert list(answer.json()) == ["items"]
    (item,) = answer.json()["items"]
    assert tuple(item) == (*TARGET, *PRICE, *REST)
    assert '"cost":0.10000000000000000001,' in answer.text  # as exact as it was priced
    assert item["billed_account"] == "acme"


async def test_a_list_of_call_logs(client: httpx.AsyncClient, full: tuple[Call, dict[str, str]]) -> None:
    call, header = full
    body = (await client.get("/api/calllogs?top=1", headers=header)).json()
    assert list(body) == ["count", "items"]
    (item,) = body["items"]
    assert tuple(item) == ("id", "session_id", *TARGET, *REST)
    assert item["session_id"] == str(call.id)


async def test_the_details_of_a_call_log(client: httpx.AsyncClient, full: tuple[Call, dict[str, str]]) -> None:
    call, header = full
    body = (await client.get(f"/api/calllogs/{call.logs[0].id}", headers=header)).json()
    assert tuple(body) == ("id", "session_id", *TARGET, *PRICE, *REST)


@pytest.mark.parametrize("path", ["/api/cdrs", "/api/calllogs"])
async def test_every_row_is_valid(client: httpx.AsyncClient, warehouse: Warehouse, path: str) -> None:
    long = stored_call(
        "long",
        "long",
        NOON,
        logs=[{"number": "9" * 300, "name": "x" * 2000, "caller_number": "8" * 300, "outbound_caller_id": "7" * 99}],
        caller_number="8" * 300,
        caller_name="x" * 2000,
        caller_domain="d" * 2000,
        callee_number="9" * 300,
        outbound_caller_id="7" * 99,
        end_reason="",
    )
    write(warehouse.client, [long])
    shape: Any = models.CdrPage if path == "/api/cdrs" else models.CallLogPage
    for tenant in ("acme", "full", "long"):
        header = {"Authorization": f"Bearer {create_token(warehouse.client, tenant, 't')}"}
        body = (await client.get(path, headers=header)).json()
        assert body["items"]
        shape.model_validate(body)


async def test_empty_texts_when_the_setting_says_so(warehouse: Warehouse) -> None:
    settings: Settings = warehouse.settings.model_copy(update={"portsip_blanks": "empty"})
    app = create_app(settings)
    headers = {"Authorization": f"Bearer {warehouse.token}"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
        body = (await client.get("/api/cdrs", params={"filter": "call_id eq 'busy'"})).json()
    (item,) = body["items"]
    assert tuple(item) == ("id", *TARGET, *REST)
    assert (item["end_reason"], item["reroute_reason"], item["outbound_caller_id"]) == ("", "", "")
    app.state.gate.close()
    app.state.reader.close()
