"""Parts of calls in lists, fields that are shown when named, filters of calls in progress, measures of quality."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from pipeline.query.questions.tables import CALL_TABLE, LOG_TABLE
from pipeline.warehouse.analytics.measures import CALL_MEASURES, LOG_MEASURES, VISIT_MEASURES
from pipeline.warehouse.identity.tokens import create_token
from schemas.call import document
from tests.query.conftest import Warehouse
from tests.query.stored_calls import MINUTE, NOON, stored_call, write

pytestmark = pytest.mark.embedded

PARTS = ("logs", "legs", "reroutes", "queue_visits", "missed_by", "merged_call_ids", "recordings", "quality")


async def test_parts_are_those_of_the_document(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    wanted = {call.call_id: document(call) for call in warehouse.calls.values()}
    query = f"fields=call_id&include={','.join(PARTS)}"
    pages: list[dict[str, Any]] = []
    url = f"/v1/calls?limit=3&{query}"
    while True:
        answer = await client.get(url)
        pages += answer.json()["data"]
        if "next" not in answer.links:
            break
        url = answer.links["next"]["url"]
    lines = (await client.get(f"/v1/calls?format=ndjson&{query}")).text.splitlines()
    assert [json.loads(line) for line in lines] == pages
    assert len((await client.get(f"/v1/calls?format=ndjson&limit=2&{query}")).text.splitlines()) == 2
    body = {"fields": ["call_id"], "include": list(PARTS)}
    assert (await client.post("/v1/calls/search", json=body)).json()["data"] == pages
    assert {row["call_id"] for row in pages} == wanted.keys()
    for row in pages:
        assert row == {name: wanted[row["call_id"]][name] for name in ("id", "call_id", *PARTS)}


@pytest.mark.parametrize("query", ["include=", "include=,", "include=logs,", "include=cost", "include=logs&format=csv"])
async def test_what_is_no_part_is_said(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/v1/calls?{query}")).status_code == 400
    assert (await client.get("/v1/call-logs?include=logs")).status_code == 400


async def test_the_document_says_what_fields_and_parts_there_are(client: httpx.AsyncClient) -> None:
    openapi = (await client.get("/openapi.json")).json()
    schemas = openapi["components"]["schemas"]
    for path, name, table in (("/v1/calls", "CallSummary", CALL_TABLE), ("/v1/call-logs", "CallLogItem", LOG_TABLE)):
        known = schemas[name]["properties"]
        groups = {each.partition(".")[0] for each in table.fields}
        assert known.keys() == groups | set(table.parts)
        assert "required" not in schemas[name]  # `fields` may leave any out
        include = f"&include={','.join(table.parts)}" if table.parts else ""
        rows = (await client.get(f"{path}?fields={','.join(table.fields)}{include}")).json()["data"]
        assert rows and all(row.keys() == known.keys() for row in rows)
        shown = (await client.get(path)).json()["data"]
        hidden = {each for each, field in table.fields.items() if not field.shown}
        assert all(row.keys() == known.keys() - hidden - set(table.parts) for row in shown)
        said = {each: known[each]["description"] for each in [*hidden, *table.parts]}
        assert all("Only" in text for text in said.values()), said
    measures = next(
        each["description"]
        for each in openapi["paths"]["/v1/aggregate"]["get"]["parameters"]
        if each["name"] == "measures"
    )
    for of in (CALL_MEASURES, LOG_MEASURES, VISIT_MEASURES):
        assert all(name in measures for name in of)


async def test_how_a_call_was_rated(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    rated: dict[str, Any] = {
        "rate_class": "MOBILE",
        "rate_prefix": "447",
        "carrier_cost": "0.0050",
        "carrier_currency": "EUR",
    }
    write(warehouse.client, [stored_call("rated", "a", NOON, **rated), stored_call("rated", "b", NOON + 1)])
    header = {"Authorization": f"Bearer {create_token(warehouse.client, 'rated', 't')}"}
    rows = (await client.get(f"/v1/calls?fields=call_id,{','.join(rated)}", headers=header)).json()["data"]
    assert rows == [{"call_id": "b", **dict.fromkeys(rated)}, {"call_id": "a", **rated}]
    for query in ("rate_class=MOBILE", "rate_prefix=44*", "carrier_cost[lt]=0.01", "carrier_cost=0.005"):
        found = (await client.get(f"/v1/calls?fields=call_id&{query}", headers=header)).json()["data"]
        assert found == [{"call_id": "a"}], query
    total = (await client.get("/v1/aggregate?measures=carrier_cost&by=rate_class", headers=header)).json()
    assert {row["rate_class"]: row["carrier_cost"] for row in total["data"]} == {None: None, "MOBILE": "0.005"}


async def test_calls_in_progress_can_be_filtered(client: httpx.AsyncClient) -> None:
    async def found(query: str) -> list[str]:
        answer = await client.get(f"/v1/calls/active?{query}")
        assert answer.status_code == 200, answer.text
        return [row["call_id"] for row in answer.json()["data"]]

    assert await found("") == await found("caller.number=101&direction=internal") == ["open"]
    assert await found("caller.number=102") == await found("filter=%7B%22direction%22:%22inbound%22%7D") == []
    for query in ("nothing=1", "caller.number=", "sort=started_at"):
        assert (await client.get(f"/v1/calls/active?{query}")).status_code == 400


async def test_quality_by_hand(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    measured: list[dict[str, float] | None] = [{"mos": 4.0, "jitter_ms": 10.0}, {"mos": 3.0}, None, {"rtt_ms": 80.0}]
    calls = [stored_call("heard", f"{n}", NOON + n * MINUTE, quality=each) for n, each in enumerate(measured)]
    write(warehouse.client, calls)
    header = {"Authorization": f"Bearer {create_token(warehouse.client, 'heard', 't')}"}
    names = "quality_calls,mos_avg,mos_min,mos_max,jitter_ms_avg,loss_percent_avg,rtt_ms_max"
    total = (await client.get(f"/v1/aggregate?measures={names}", headers=header)).json()["total"]
    assert [total[name] for name in names.split(",")] == [2, 3.5, 3, 4, 10, None, 80]
