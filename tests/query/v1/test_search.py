from __future__ import annotations

import json

import httpx
import pytest

from pipeline.query.same_number import parts
from tests.query.attack.injections import INJECTIONS
from tests.query.conftest import LEAK, Warehouse

pytestmark = pytest.mark.embedded


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("493098765432", "DE", ["3098765432"]),  # without its +
        ("+44 (0)1632 960-123", "", ["1632960123"]),
        ("0044 1632 960123", "", ["1632960123"]),
        ("01632 960 123", "GB", ["1632960123"]),
        ("01632 960 123", "", ["1632960123"]),
        ("960123", "GB", ["960123"]),
        ("0163", "GB", ["163"]),
        ("201", "GB", ["201"]),
        ("+1 (212) 555.0100", "", ["2125550100"]),
    ],
)
def test_parts(text: str, country: str, expected: list[str]) -> None:
    assert parts(text, country) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1632960123", ["out"]),
        ("+44 (0)1632 960 123", ["out"]),
        ("01632-960.123", ["out"]),
        ("0044 1632 960001", ["in"]),
        ("960", ["in", "out"]),
        ("zoë", ["in"]),
        ("ZOË done", ["in"]),
        ("o'neil", ["out"]),
        ("alice 202", ["forwarded", "busy"]),
        ("forwarded", ["forwarded"]),
        ("nobody", []),
        ("%", ["in"]),
        ("\\", ["in"]),
    ],
)
async def test_one_box(client: httpx.AsyncClient, text: str, expected: list[str]) -> None:
    answer = await client.get("/v1/search", params={"q": text})
    assert answer.status_code == 200, answer.text
    assert [item["call_id"] for item in answer.json()["data"]] == expected


async def test_by_id_and_in_pages(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    call = warehouse.calls["busy"]
    assert [item["id"] for item in (await client.get(f"/v1/search?q={call.id}")).json()["data"]] == [str(call.id)]
    seen: list[str] = []
    url: str | None = "/v1/search?q=alice&limit=2"
    while url:
        answer = await client.get(url)
        seen += [item["call_id"] for item in answer.json()["data"]]
        url = answer.links["next"]["url"] if "next" in answer.links else None
    assert seen == ["open", "cancelled", "forwarded", "out", "busy", "plain"]


@pytest.mark.parametrize("query", ["", "q=", "q=%20", "q=" + "x" * 300, "q=1&limit=0", "q=1&nothing=2", "q=%00"])
async def test_what_is_no_search_is_said(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/v1/search?{query}")).status_code == 400


@pytest.mark.parametrize("text", INJECTIONS)
async def test_values_stay_values(client: httpx.AsyncClient, text: str) -> None:
    answer = await client.get("/v1/search", params={"q": text})
    assert answer.status_code == 200
    assert LEAK not in answer.text


async def test_names_of_today(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    """The directory's names are shown and found; the last test of this module, for they stay a while."""
    body = json.dumps({"number": "201", "name": "Roberta Newname"})
    rows = [["acme", "extension", "201", body, 0, "2026-01-01 00:00:00.000", "tests", 1]]
    columns = ("tenant", "kind", "key", "body", "deleted", "changed_at", "changed_by", "version")
    warehouse.client.raw_insert(
        "directory_rows", columns, "\n".join(json.dumps(row) for row in rows), fmt="JSONCompactEachRow"
    )
    service = client._transport.app  # type: ignore[attr-defined]
    service.state.directories._known.clear()
    found = (await client.get("/v1/search", params={"q": "newname"})).json()["data"]
    assert "plain" in [item["call_id"] for item in found]
    assert found[-1]["callee"]["name"] == "Roberta Newname"
    listed = (await client.get("/v1/calls", params={"callee.name[contains]": "roberta"})).json()["data"]
    assert {item["callee"]["name"] for item in listed} == {"Roberta Newname"}
    assert (await client.get("/v1/calls?callee.name=Bob")).json()["data"] == []
    document = (await client.get(f"/v1/calls/{warehouse.calls['plain'].id}")).json()
    assert document["callee"]["name"] == document["logs"][0]["name"] == "Roberta Newname"
    table = await client.get("/v1/calls?format=csv&fields=callee.name&call_id=plain")
    assert table.text == '"callee_name"\n"Roberta Newname"\n'
    groups = (await client.get("/v1/aggregate?by=callee.name&measures=calls")).json()["data"]
    assert "Roberta Newname" in {row["callee.name"] for row in groups}
