"""/v1/reports and `cdr report`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.errors import Problem
from pipeline.query.report_models import ReportDocument
from pipeline.reports.catalogue import ALL, OURS, PORTSIP
from pipeline.settings import settings
from tests.reports import week
from tests.reports.conftest import Warehouse

SPAN = {"from": "2024-08-19T00:00:00+08:00", "to": "2024-08-26T00:00:00+08:00"}


async def test_which_reports_there_are(client: httpx.AsyncClient) -> None:
    body = (await client.get("/v1/reports")).json()
    assert {item["type"] for item in body["data"]} == set(ALL)


@pytest.mark.parametrize("type_", [*OURS, *PORTSIP])
async def test_every_type_in_every_form(client: httpx.AsyncClient, type_: str) -> None:
    body = (await client.get(f"/v1/reports/{type_}", params=SPAN)).json()
    assert body["range"] == {
        "from": "2024-08-19T00:00:00+08:00",
        "to": "2024-08-25T23:59:59+08:00",
        "zone": week.ZONE,
    }
    ReportDocument.model_validate(body)  # nothing more and nothing less than the OpenAPI document says
    page = await client.get(f"/v1/reports/{type_}", params=SPAN, headers={"Accept": "text/html"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    table = await client.get(f"/v1/reports/{type_}", params=SPAN | {"format": "csv"})
    head = next(csv.reader(io.StringIO(table.text)))
    assert head == [column["name"] for column in body["tables"][0]["columns"]]


async def test_filters_and_zones(client: httpx.AsyncClient) -> None:
    async def calls(**options: str) -> Any:
        answer = await client.get("/v1/reports/traffic", params=SPAN | options)
        assert answer.status_code == 200, answer.text
        return answer.json()["tables"][0]["rows"][-1]["cells"][1]

    inbound, internal = await calls(direction="inbound"), await calls(filter='{"direction":"internal"}')
    assert 0 < inbound < await calls()
    assert 0 < internal < await calls()
    utc = (await client.get("/v1/reports/traffic", params=SPAN | {"tz": "UTC"})).json()
    assert utc["range"]["zone"] == "UTC" and len(utc["tables"][0]["rows"]) == 9
    short = (await client.get("/v1/reports/short_calls", params=SPAN | {"seconds": "30"})).json()
    assert short["facts"] == {"Short": "Less than 30 s"}


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("traffic?direction=sideways", "filter.direction"),
        ("traffic?filter=[", "filter"),
        ('traffic?filter={"x":1}', "filter.x"),
        ("traffic?range=NEVER", "range"),
        ("traffic?from=2024-08-19T00:00:00Z", "to"),
        ("traffic?from=2024-08-19T00:00:00Z&to=2024-08-18T00:00:00Z", "to"),
        ("traffic?format=pdf", "format"),
        ("short_calls?seconds=few", "filter.seconds"),
        ("missed?direction=inbound", "direction"),
    ],
)
async def test_what_is_refused(client: httpx.AsyncClient, path: str, field: str) -> None:
    answer = await client.get(f"/v1/reports/{path}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == field


async def test_unknown_types_and_zones(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/reports/weather")).status_code == 404
    assert (await client.get("/v1/reports/traffic?tz=Mars/Phobos")).status_code == 400


async def test_schedules_of_our_types(client: httpx.AsyncClient) -> None:
    wish = {"name": "Monday", "type": "traffic", "range": "LAST_WEEK", "cron_expr": "0 6 * * 1"}
    made = await client.post("/v1/reports/schedules", json=wish)
    assert made.status_code == 201
    listed = (await client.get("/v1/reports/schedules")).json()["data"]
    (item,) = [item for item in listed if item["id"] == made.json()["id"]]
    assert item["status"] == "SCHEDULED" and item["next_run_at"].endswith("T22:00:00.000Z")
    vendor = (await client.get("/api/call_reports", params={"search": "Monday"})).json()
    assert vendor["count"] == 0  # PortSIP knows no such type
    assert (await client.post("/v1/reports/schedules", json=wish | {"type": "weather"})).status_code == 400
    assert (await client.delete(f"/v1/reports/schedules/{item['id']}")).status_code == 204
    assert (await client.delete(f"/v1/reports/schedules/{item['id']}")).status_code == 404


@pytest.fixture
def cdr(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Types a `cdr report` command."""
    monkeypatch.setenv("CDR_CLICKHOUSE", warehouse.settings.clickhouse)
    monkeypatch.setenv("CDR_DATABASE", warehouse.settings.database)
    monkeypatch.setenv("CDR_TENANT", week.TENANT)
    settings.cache_clear()
    yield lambda *words: CliRunner().invoke(app, ["report", *words])
    settings.cache_clear()


def test_the_command_line(cdr: Callable[..., Result]) -> None:
    assert [item["type"] for item in json.loads(cdr("types", "--output", "json").stdout)] == list(ALL)
    span = ("--from", SPAN["from"], "--to", SPAN["to"])
    table = cdr("run", "queue-performance", *span, "--output", "csv")
    assert table.exit_code == 0, table.exception
    assert table.stdout.startswith("Queue,Received,Agent")
    whole = cdr("run", "traffic", *span, "--filter", '{"direction":"inbound"}', "--output", "json")
    assert json.loads(whole.stdout)["facts"] == {"Direction": "inbound"}
    for words, said in (
        (("traffic", "--range", "never"), "Range 'NEVER': is none of"),
        (("traffic", "--filter", "x"), "Filter 'x': is no JSON"),
        (("weather",), "There is no report 'weather'"),
    ):
        problem = cdr("run", *words).exception
        assert isinstance(problem, Problem) and problem.code == 2 and said in str(problem)
    assert cdr("list", "--output", "json").exit_code == 0
    assert cdr("list", "--completed").exit_code == 0
