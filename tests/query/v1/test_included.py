"""Parts of calls in lists, fields that are shown when named, filters of calls in progress, measures of quality."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import chdb
import httpx
import pytest
from fastapi import FastAPI

from pipeline.files import Files
from pipeline.query.questions.lists.tables import CALL_TABLE, LOG_TABLE
from pipeline.warehouse.analytics.measures import CALL_MEASURES, LOG_MEASURES, VISIT_MEASURES
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.reference.directories import save
from schemas.call import document
from tests.query.conftest import Warehouse
from tests.query.rich_calls import MARKS, rich_calls, rich_directory
from tests.query.stored_calls import MINUTE, NOON, example_calls, stored_call, write

pytestmark = pytest.mark.embedded

PARTS = ("logs", "legs", "reroutes", "queue_visits", "missed_by", "merged_call_ids", "recordings", "quality")


@pytest.fixture(scope="module", autouse=True)
def files(service: FastAPI, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where exports are kept."""
    folder = tmp_path_factory.mktemp("files")
    service.state.exports.files = Files(str(folder))
    return folder


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


@pytest.mark.parametrize("query", ["include=", "include=,", "include=logs,", "include=cost"])
async def test_what_is_no_part_is_said(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/v1/calls?{query}")).status_code == 400
    assert (await client.get("/v1/call-logs?include=logs")).status_code == 400


@pytest.mark.parametrize("form", ["ndjson", "csv", "parquet"])
@pytest.mark.parametrize("scope", ["numbers:clear", "numbers:masked"])
async def test_files_have_the_parts_of_the_document(
    client: httpx.AsyncClient, warehouse: Warehouse, files: Path, form: str, scope: str
) -> None:
    """Lists and exports alike: calls with everything in them, names of the directory, numbers masked or not."""
    tenant = f"parts-{form}-{scope[8:]}"
    at = NOON - 3 * MINUTE
    calls = [*rich_calls(tenant), *example_calls(tenant), stored_call(tenant, "no targets", at - 1, logs=[])]
    several = [{"number": str(n), "kind": "outside"} for n in range(12)]
    calls.append(
        stored_call(tenant, "many", at, logs=several, legs=[{"leg_id": 'a "b\\', "answered_at": at, "x": "at"}])
    )
    calls.append(stored_call(tenant, "early", 7, quality={"mos": 4.1}, legs=[{"leg_id": "z", "started_at": -7}]))
    write(warehouse.client, calls)
    save(warehouse.client, tenant, rich_directory(tenant), "tests")
    token = create_token(warehouse.client, tenant, "t", scopes=("cdr:read", scope))
    header = {"Authorization": f"Bearer {token}"}
    wanted = {}
    for call in calls:
        answer = await client.get(f"/v1/calls/{call.id}", headers=header)
        if answer.status_code == 200:
            wanted[str(call.id)] = answer.json()
    assert len(wanted) >= len(calls) - 1
    body = {"fields": ["call_id", "started_at"], "include": list(PARTS), "format": form, "sort": "started_at"}
    listed = await client.post("/v1/calls/search", json=body, headers=header)
    assert listed.status_code == 200, listed.text
    begun = await client.post("/v1/exports", json=body, headers=header)
    assert begun.status_code == 202, begun.text
    async with asyncio.timeout(60):
        while (await client.get(begun.headers["location"], headers=header)).status_code == 202:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    file = (await client.get(f"{begun.headers['location']}/file", headers=header)).content
    for content in (listed.content, file):
        rows = [row for row in rows_in(content, form, files) if row["id"] in wanted]
        assert [row["id"] for row in rows] == sorted(wanted, key=lambda id_: (wanted[id_]["started_at"], int(id_)))
        for row in rows:
            document_ = wanted[row["id"]]
            for part in PARTS:
                assert row[part] == document_[part], (row["call_id"], part)
    if scope == "numbers:masked":
        text = "\n".join(map(str, rows_in(file, form, files)))
        assert [mark for mark in MARKS if mark in text] == []


def rows_in(content: bytes, form: str, folder: Path) -> list[dict[str, Any]]:
    """The rows of a file with their parts read."""
    if form == "ndjson":
        return [json.loads(line) for line in content.splitlines()]
    if form == "csv":
        read: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(content.decode())))
    else:
        (folder / "parts.parquet").write_bytes(content)
        text = chdb.query(f"SELECT * FROM file('{folder}/parts.parquet')", "JSONEachRow").bytes()
        read = [json.loads(line) for line in text.splitlines()]
    return [row | {part: json.loads(row[part]) for part in PARTS} for row in read]


async def test_a_field_and_a_part_of_one_name_are_one_column(client: httpx.AsyncClient) -> None:
    query = "fields=missed_by&include=missed_by,logs"
    lines = (await client.get(f"/v1/calls?{query}&format=ndjson")).text.splitlines()
    assert all(isinstance(json.loads(line)["missed_by"], list) for line in lines)
    for limit in ("", "&limit=3", "&limit=3&sort=-talk_ms"):
        head, *rows = csv.reader(io.StringIO((await client.get(f"/v1/calls?{query}&format=csv{limit}")).text))
        assert head == ["id", "missed_by", "logs"]
        assert len(rows) == (3 if limit else len(lines)) and all(row[2].startswith("[") for row in rows)


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
