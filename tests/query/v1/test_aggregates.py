"""Aggregates over HTTP; what the measures are is tested in tests/warehouse."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import chdb
import httpx
import pytest

from pipeline.query.v1.aggregates import Aggregate
from pipeline.warehouse.analytics.measures import CALL_MEASURES
from pipeline.warehouse.identity.tokens import create_token
from tests.query.attack.injections import INJECTIONS
from tests.query.conftest import LEAK, Warehouse
from tests.query.stored_calls import MINUTE, stored_call, write

pytestmark = pytest.mark.embedded

HOUR = 60 * MINUTE
AUTUMN = 1_792_800_000_000 - 1_792_800_000_000 % (24 * HOUR) - HOUR  # 2026-10-24T00:00:00+01:00


async def test_the_example_calls(client: httpx.AsyncClient) -> None:
    body = (await client.get("/v1/aggregate")).json()
    Aggregate.model_validate(body)
    assert body == {
        "data": [{"calls": 6, "answered": 4, "asr": pytest.approx(400 / 6), "acd_ms": 30000.0}],
        "total": {"calls": 6, "answered": 4, "asr": pytest.approx(400 / 6), "acd_ms": 30000.0},
        "count": 1,
        "zone": "UTC",
    }
    everything = (await client.get("/v1/aggregate?open=true&measures=calls,open,cost&total=false")).json()
    assert everything["data"] == [{"calls": 7, "open": 1, "cost": "1.5125"}]
    assert everything["total"] is None


async def test_the_same_question_in_both_forms(client: httpx.AsyncClient) -> None:
    question = {
        "measures": ["calls", "talk_ms", "pdd_p95_ms"],
        "by": ["direction", "caller.number"],
        "order": ["-calls"],
    }
    posted = await client.post("/v1/aggregate", json=question | {"filter": {"status": {"ne": "busy"}}, "total": True})
    asked = await client.get(
        "/v1/aggregate?measures=calls,talk_ms,pdd_p95_ms&by=direction,caller.number&order=-calls&status[ne]=busy"
    )
    assert posted.json() == asked.json()
    assert posted.json()["data"][0]["calls"] == 3
    assert posted.json()["total"]["calls"] == 5
    assert {row["direction"] for row in posted.json()["data"]} == {"internal", "inbound", "outbound"}


async def test_days_of_a_changing_clock_with_empty_ones(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    header = {"Authorization": f"Bearer {create_token(warehouse.client, 'clock', 't')}"}
    at = [AUTUMN + n * HOUR for n in range(24 + 25)]
    write(warehouse.client, [stored_call("clock", f"h{n}", each) for n, each in enumerate(at)])
    query = "measures=calls&bucket=day&zone=Europe/London&from=2026-10-22T23:00:00Z&to=2026-10-28T00:00:00Z"
    body = (await client.get(f"/v1/aggregate?{query}", headers=header)).json()
    assert [(row["bucket"], row["calls"]) for row in body["data"]] == [
        ("2026-10-23T00:00:00+01:00", 0),
        ("2026-10-24T00:00:00+01:00", 24),
        ("2026-10-25T00:00:00+01:00", 25),
        ("2026-10-26T00:00:00+00:00", 0),
        ("2026-10-27T00:00:00+00:00", 0),
    ]
    assert body["data"][1]["bucket_end"] == body["data"][2]["bucket"]
    assert body["total"] == {"calls": 49}
    hours = (await client.get("/v1/aggregate?measures=calls&by=hour_of_day&zone=Europe/London", headers=header)).json()
    counts = {int(row["hour_of_day"]): row["calls"] for row in hours["data"]}
    assert counts == {hour: 3 if hour == 1 else 2 for hour in range(24)}
    days = (await client.get("/v1/aggregate?measures=calls&by=day_of_week&zone=Europe/London", headers=header)).json()
    assert {int(row["day_of_week"]): row["calls"] for row in days["data"]} == {6: 24, 7: 25}


async def test_forms(client: httpx.AsyncClient) -> None:
    query = "/v1/aggregate?measures=calls,asr&by=status,callee.name&order=status,callee.name"
    rows = (await client.get(query)).json()["data"]
    lines = (await client.get(query, headers={"Accept": "application/x-ndjson"})).text
    assert [json.loads(line) for line in lines.splitlines()] == rows
    table = list(csv.DictReader(io.StringIO((await client.get(query + "&format=csv")).text)))
    assert [row["callee_name"] for row in table] == [row["callee.name"] for row in rows]
    assert [int(row["calls"]) for row in table] == [row["calls"] for row in rows]
    assert (await client.get(query + "&format=xml")).status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "measures=calls,asr,acd_ms,talk_ms,cost,first_started_at&by=status,callee.name,sip_status&order=-calls",
        "measures=calls,erlangs,peak_calls_at,mos_avg&bucket=15_minutes&zone=Europe/London&by=trunk",
        "of=call-logs&measures=targets,answered&by=kind,hour_of_day",
        "of=queue-visits&measures=visits,asa_ms&by=queue",
        "measures=calls&by=call_id&call_id=nobody",
    ],
)
async def test_parquet_has_the_same_rows_with_types(client: httpx.AsyncClient, tmp_path: Path, query: str) -> None:
    rows = (await client.get(f"/v1/aggregate?{query}")).json()["data"]
    answer = await client.get(f"/v1/aggregate?{query}&format=parquet")
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    (tmp_path / "rows.parquet").write_bytes(answer.content)
    read = chdb.query(
        f"SELECT * FROM file('{tmp_path}/rows.parquet') SETTINGS date_time_output_format = 'iso',"
        " output_format_json_quote_64bit_integers = 0",
        "JSON",
    )
    table = json.loads(read.bytes())
    kinds = {column["name"]: column["type"] for column in table["meta"]}
    for name, kind in {"calls": "Int64", "asr": "Float64", "peak_calls_at": "DateTime64", "cost": "String"}.items():
        assert kind in kinds.get(name, kind)
    assert len(table["data"]) == len(rows)
    for had, row in zip(table["data"], rows, strict=True):
        for name, value in row.items():
            same = had[name.replace(".", "_")]
            if name in ("bucket", "bucket_end", "first_started_at", "peak_calls_at") and value is not None:
                same, value = (dt.datetime.fromisoformat(each) for each in (same, value))
            assert same == (int(value) if name == "hour_of_day" else value), name


async def test_it_need_not_be_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/v1/aggregate?by=status")
    assert (
        await client.get("/v1/aggregate?by=status", headers={"If-None-Match": first.headers["etag"]})
    ).status_code == 304


async def test_pages_of_groups(client: httpx.AsyncClient) -> None:
    whole = (await client.get("/v1/aggregate?by=call_id&measures=calls")).json()
    assert whole["count"] == 6
    page = (await client.get("/v1/aggregate?by=call_id&measures=calls&limit=2&offset=3")).json()
    assert page["data"] == whole["data"][3:5]
    assert page["count"] == 6


async def test_call_logs_and_queues(client: httpx.AsyncClient) -> None:
    logs = (await client.get("/v1/aggregate?of=call-logs&measures=targets,answered&by=kind&outcome=answered")).json()
    assert {row["kind"]: row["targets"] for row in logs["data"]} == {"extension": 3, "outside": 1}
    queues = (await client.get("/v1/aggregate?of=queue-visits&measures=visits,service_level_20&by=queue")).json()
    assert queues["data"] == []
    assert queues["total"] == {"visits": 0, "service_level_20": None}


async def test_every_measure_by_every_dimension(client: httpx.AsyncClient) -> None:
    measures = ",".join(CALL_MEASURES)
    assert (await client.get(f"/v1/aggregate?measures={','.join(list(CALL_MEASURES)[:50])}")).status_code == 200
    assert (await client.get(f"/v1/aggregate?measures={measures}")).status_code == 400  # too many at once
    for name in ("caller.number", "trunk", "sip_status", "status", "talk_ms", "reroute_reason", "service_number"):
        answer = await client.get("/v1/aggregate", params={"by": name, "measures": "calls,peak_calls,erlangs"})
        assert answer.status_code == 200, answer.text
        assert sum(row["calls"] for row in answer.json()["data"]) == 6


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("measures=calls,luck", 400, "measures"),
        ("of=stars", 400, "of"),
        ("by=started_at", 400, "by"),
        ("by=tenant", 400, "by"),
        ("by=a,b,c,d,e,f,g", 400, "by"),
        ("bucket=fortnight", 400, "bucket"),
        ("zone=Mars/Olympus", 400, "zone"),
        ("order=cost", 400, "order"),
        ("limit=0", 400, "limit"),
        ("from=2026-01-02&to=2026-01-01", 400, "from"),
        ("bucket=minute&from=2020-01-01&to=2026-01-01", 422, None),
        ("kind=queue", 400, "kind"),
        ("nothing=1", 400, "nothing"),
        ("status=no", 400, "status"),
        ("filter=%7B", 400, "filter"),
    ],
)
async def test_what_cannot_be_understood_is_said(
    client: httpx.AsyncClient, query: str, status: int, field: str | None
) -> None:
    answer = await client.get(f"/v1/aggregate?{query}")
    assert answer.status_code == status, answer.text
    if field:
        assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize("text", INJECTIONS)
async def test_values_stay_values(client: httpx.AsyncClient, text: str) -> None:
    for name in (
        "of",
        "measures",
        "by",
        "bucket",
        "zone",
        "from",
        "order",
        "limit",
        "filter",
        "trunk",
        "caller.number",
    ):
        answer = await client.get(
            f"/v1/aggregate?by=trunk&{name}={quote(text)}" if name != "by" else f"/v1/aggregate?by={quote(text)}"
        )
        assert answer.status_code in (200, 400), (name, answer.text)
        assert LEAK not in answer.text
    bodies: list[dict[str, Any]] = [
        {"measures": [text]}, {"by": [text]}, {"zone": text}, {"bucket": text}, {"order": [text]},
        {"filter": {text: 1}},
    ]  # fmt: skip
    for body in bodies:
        assert (await client.post("/v1/aggregate", json=body)).status_code in (200, 400)
    ok = await client.post("/v1/aggregate", json={"filter": {"trunk": {"contains": text}}, "measures": ["calls"]})
    assert ok.json()["data"] == [{"calls": 0}]


@pytest.mark.parametrize(
    "body", [{"of": 1}, {"limit": "x"}, {"limit": 0}, {"total": 1}, {"by": {}}, {"measures": [1]}, {"x": 1}]
)
async def test_bodies_of_the_wrong_kind(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert (await client.post("/v1/aggregate", json=body)).status_code == 400


async def test_a_user_counts_own_calls(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    token = create_token(warehouse.client, "acme", "carol2", role="user", extension="202")
    header = {"Authorization": f"Bearer {token}"}
    body = (await client.get("/v1/aggregate?measures=calls,peak_calls", headers=header)).json()
    assert body["data"] == [{"calls": 1, "peak_calls": 1}]
