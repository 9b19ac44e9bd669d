"""Nothing crosses tenants and nothing reaches SQL, through any endpoint and parameter."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest

from pipeline.query.portsip.rows import CALL_LOG_PROPERTIES, CDR_PROPERTIES
from tests.query.attack.injections import INJECTIONS
from tests.query.conftest import LEAK, Warehouse

pytestmark = pytest.mark.embedded


PARAMETERS = {
    "/api/cdrs": ("filter", "search", "orderby", "skip", "top", "count"),
    "/api/user/cdrs": ("filter", "search", "orderby", "skip", "top", "count"),
    "/api/calllogs": ("filter", "search", "orderby", "skip", "top", "count"),
    "/v1/calls": (
        *("from", "to", "limit", "cursor", "state", "status", "direction"),
        *("caller", "callee", "any_number", "call_id", "trunk"),
    ),
}


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize(
    ("path", "parameter"), [(path, parameter) for path, parameters in PARAMETERS.items() for parameter in parameters]
)
async def test_values_stay_values(client: httpx.AsyncClient, path: str, parameter: str, text: str) -> None:
    answer = await client.get(f"{path}?{parameter}={quote(text)}")
    assert answer.status_code in (200, 400), answer.text
    assert LEAK not in answer.text
    if answer.status_code == 200 and parameter != "search":  # search takes the words apart
        assert not answer.json().get("items", answer.json().get("data"))


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize("path", ["/api/cdrs", "/api/calllogs"])
async def test_quoted_values_stay_values(client: httpx.AsyncClient, path: str, text: str) -> None:
    literal = "'" + text.replace("'", "''") + "'"
    properties = CDR_PROPERTIES if path == "/api/cdrs" else CALL_LOG_PROPERTIES
    for name, column in properties.items():
        answer = await client.get(path, params={"filter": f"{name} eq {literal}"})
        if column.kind == "text" and not column.words:
            assert (answer.status_code, answer.json()["items"]) == (200, []), (name, answer.text)
        else:
            assert answer.status_code == 400, (name, answer.text)
    for filter_ in (f"contains(caller,{literal})", f"caller in ({literal},{literal})", f"tolower(callee) ge {literal}"):
        answer = await client.get(path, params={"filter": filter_})
        assert answer.status_code == 200
        assert LEAK not in answer.text


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize("path", ["/api/cdrs/", "/api/calllogs/", "/v1/calls/"])
async def test_ids_stay_ids(client: httpx.AsyncClient, path: str, text: str) -> None:
    assert (await client.get(path + quote(text, safe=""))).status_code == 404


async def test_each_tenant_sees_its_own(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    other = {"Authorization": f"Bearer {warehouse.other_token}"}
    call = warehouse.calls["out"]
    paths = [*PARAMETERS, f"/api/cdrs/{call.id}", f"/v1/calls/{call.id}", f"/api/calllogs/{call.logs[0].id}"]
    for path in paths:
        own, others = await client.get(path), await client.get(path, headers=other)
        assert own.status_code == others.status_code == 200
        assert LEAK not in own.text
        assert LEAK in others.text


async def test_a_tenant_without_calls_finds_none_by_any_way(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    from pipeline.warehouse.identity.tokens import create_token

    header = {"Authorization": f"Bearer {create_token(warehouse.client, 'nobody', 't')}"}
    for call in warehouse.calls.values():
        for path in (f"/api/cdrs/{call.id}", f"/v1/calls/{call.id}", f"/api/calllogs/{call.logs[0].id}"):
            assert (await client.get(path, headers=header)).status_code == 404
        for query in (f"filter=id eq {call.id}", "filter=caller eq '101' or 1 eq status_code", "search=alice or 1"):
            answer = await client.get(f"/api/cdrs?{quote(query, safe='=')}", headers=header)
            assert answer.json() == {"count": 0, "items": []}
    cursor = (await client.get("/v1/calls?limit=1")).json()["next_cursor"]
    answer = await client.get(f"/v1/calls?limit=1&cursor={cursor}", headers=header)
    assert answer.json() == {"data": [], "next_cursor": None}


async def test_tables_are_as_they_were(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    rows = warehouse.client.command("SELECT count() FROM call_rows FINAL WHERE tenant = 'other'")
    assert int(rows) == 7
