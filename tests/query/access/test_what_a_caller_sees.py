"""Every route of every surface, walked by those who may not see everything: with a masked token, with
CDR_MASK_NUMBERS, with a user's own calls, from another tenant. Nothing that is hidden from them shows anywhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chdb
import httpx
import pytest
from fastapi import FastAPI

from pipeline.files import files_of
from pipeline.query.app import create_app
from pipeline.query.questions.fields import Presentation
from pipeline.query.questions.lists.tables import CALL_TABLE, LOG_TABLE
from pipeline.query.v1.streams.calls import Following
from pipeline.reports.jobs import report_reader
from pipeline.reports.runs import Runner
from pipeline.reports.store import run_id
from pipeline.settings import Settings
from pipeline.warehouse.identity.access import ADMIN, CLEAR, MASKED, READ, SCOPES
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.query.pages.changes import Place
from pipeline.warehouse.query.view import View
from pipeline.warehouse.reference.directories import save
from tests.query.attack.neighbours import client_of, own_ids
from tests.query.attack.tenants import fill, things_of
from tests.query.attack.walk import questions, said, shows, unwalked, walk
from tests.query.rich_calls import MARKS, NUMBER, rich_call, rich_calls, rich_directory
from tests.query.stored_calls import MINUTE, NOON
from tests.servers import ClickHouseServer

pytestmark = pytest.mark.embedded

# Of calls that extension 300 had no part in, and that nobody's directory has.
HIDDEN = ("hidden-secret", "received", "dialled", "through", "missed-call")
_ALL_BUT_ADMIN = tuple(scope for scope in SCOPES if scope not in (ADMIN, CLEAR, MASKED))


@dataclass(frozen=True, slots=True)
class House:
    """A tenant's calls, directory and reports, made by somebody who sees all of them in full."""

    settings: Settings
    warehouse: Any
    calls: list[Any]
    things: dict[str, str]  # made by whoever sees all


@pytest.fixture
async def house(clickhouse_endpoint: ClickHouseServer, tmp_path: Path) -> AsyncIterator[House]:
    clickhouse_endpoint.start()
    database = clickhouse_endpoint.migrated_database()
    warehouse = clickhouse_endpoint.client(database)
    settings = Settings(
        clickhouse=clickhouse_endpoint.url, database=database, files=str(tmp_path), kafka="127.0.0.1:9",
        api_rate=0, api_concurrent=1_000, webhook_private=True, _env_file=None,
    )  # fmt: skip
    calls = rich_calls("acme")
    mine = rich_call(
        "acme",
        "of-300",
        NOON + 5 * MINUTE,
        caller_number="+441632961111",
        user_data="",
        logs=[],
        callee_extension="300",
    )
    fill(warehouse, [*calls, mine])
    save(warehouse, "acme", rich_directory("acme"), "tests")
    app = create_app(settings)
    async with client_of(app, create_token(warehouse, "acme", "all", scopes=(ADMIN,), extension="101")) as client:
        things = await things_of(client, settings, "acme", "800", "clear")
        await ready(client, things["export"])
    yield House(settings, warehouse, calls, things)
    await shut(app)
    warehouse.close()
    clickhouse_endpoint.give_back(database)


async def shut(app: FastAPI) -> None:
    await app.state.exports.close()
    app.state.gate.close()
    app.state.reader.close()
    app.state.editor.close()


async def ready(client: httpx.AsyncClient, export: str) -> None:
    async with asyncio.timeout(60):
        while (await client.get(f"/v1/exports/{export}")).status_code == 202:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def walked(house: House, app: FastAPI, token: str) -> dict[str, httpx.Response]:
    """All questions of the surfaces, with what the caller itself has made."""
    async with client_of(app, token) as client:
        sync = (await client.post("/api/user/cdrs/sync_tokens")).json()["token"]
        asked = list(questions(app, own_ids(house.things, house.calls) | {"sync": sync}, token))
        answers = await walk(client, asked)
    assert unwalked(house.settings, asked) == set()
    assert not [request for request, answer in answers.items() if answer.status_code >= 500], answers
    return answers


@pytest.mark.parametrize("by_setting", [False, True])
async def test_no_number_in_full_anywhere(house: House, by_setting: bool) -> None:
    settings = house.settings.model_copy(update={"mask_numbers": by_setting})
    app = create_app(settings)
    scopes = _ALL_BUT_ADMIN if by_setting else (*_ALL_BUT_ADMIN, MASKED)
    token = create_token(house.warehouse, "acme", "masked", scopes=scopes, extension="101")
    try:
        async with client_of(app, token) as client:
            mine = await things_of(client, settings, "acme", "800", "masked")
            await ready(client, mine["export"])
            blob = await client.get(f"/api/blobs/{mine['blob']}")
            schedules = await client.get("/v1/reports/schedules")
            file = await client.get(f"/v1/exports/{mine['export']}/file")
            for path in (f"/v1/exports/{house.things['export']}/file", f"/v1/calls/{house.calls[0].id}/events"):
                assert (await client.get(path)).status_code == 403
            completed = (await client.get("/api/completed_call_reports")).json()
            assert [item["id"] for item in completed["items"]] == [mine["run"]]
            assert (await client.get(f"/api/completed_call_reports/{house.things['run']}")).status_code == 404
        answers = await walked(house, app, token) | {"blob": blob, "file": file, "schedules": schedules}
        assert shows(answers, MARKS) == {}
        assert "****0123" in file.text and "****" in said(answers["GET /v1/directory "])
    finally:
        await shut(app)
    # The same walk by somebody who may see them: it does show numbers, nearly everywhere.
    app = create_app(settings)
    try:
        token = create_token(house.warehouse, "acme", "clear", scopes=(*_ALL_BUT_ADMIN, CLEAR), extension="101")
        clear = await walked(house, app, token)
    finally:
        await shut(app)
    seen = shows(clear, MARKS)
    tags = {
        asked: (answer.headers["etag"], answers[asked].headers.get("etag"))
        for asked, answer in clear.items()
        if "etag" in answer.headers and asked in answers and answer.text != answers[asked].text
    }
    assert not [asked for asked, (one, other) in tags.items() if one == other]
    kinds = {asked.split(" ")[1].partition("?")[0] for asked in tags}
    assert kinds >= {"/v1/calls", "/v1/call-logs", "/v1/search", "/v1/aggregate", "/v1/directory", "/v1/directory/dids"}
    assert {f"/v1/calls/{house.calls[0].id}", f"/v1/calls/{house.calls[0].id}/timeline"} <= kinds
    for part in (
        *("GET /api/cdrs ", "GET /api/calllogs ", "GET /api/sessions ", "GET /api/user/cdrs ", "/api/call_reports"),
        *("GET /v1/calls", "GET /v1/call-logs", "/timeline", "/events", "GET /v1/search", "GET /v1/aggregate"),
        *("POST /api/cdrs/cdrs-aggregate", "GET /api/cdrs/limit", "/cdr/list", "GET /v1/exports/", "/v1/directory"),
        *("POST /rest/call/incalls", "POST /rest/call/outcalls", "POST /rest/call/allcalls"),
        *("/v1/reports/NORMAL", "/v1/reports/missed", "format=html", "format=csv"),
    ):
        assert any(part in request for request in seen) or part == "/api/call_reports", part


async def test_no_number_in_full_in_files_and_streams(house: House, tmp_path: Path) -> None:
    """What is written to be read later, and what is told as it happens: all fields, in all forms."""
    app = create_app(house.settings)
    scopes = (*_ALL_BUT_ADMIN, MASKED)
    told: dict[str, str] = {}
    try:
        async with client_of(app, create_token(house.warehouse, "acme", "files", scopes=scopes)) as client:
            for table in (CALL_TABLE, LOG_TABLE):
                for form in ("csv", "ndjson", "parquet"):
                    asked: dict[str, Any] = {"of": table.name, "format": form, "fields": list(table.fields)}
                    if table.parts:
                        asked["include"] = list(table.parts)
                    made = (await client.post("/v1/exports", json=asked)).json()["id"]
                    await ready(client, made)
                    content = (await client.get(f"/v1/exports/{made}/file")).content
                    told[f"{table.name} {form}"] = text_of(content, tmp_path) if form == "parquet" else content.decode()
            for type_ in ("NORMAL", "missed", "destinations", "QUEUE_ABANDONED_CALLS"):
                for form in ("CSV", "HTML"):
                    told[f"{type_} {form}"] = await file_of_report(client, house.settings, type_, form)
            for number in (NUMBER, "+4416****0123", "+441632000123"):  # whatever looks like it is found by it
                filter_ = json.dumps({"from": "NUMBER", "from_value": number})
                span = {"from": "2024-08-19T00:00:00Z", "to": "2024-08-26T00:00:00Z"}
                report = (await client.get("/v1/reports/NORMAL", params=span | {"filter": filter_})).json()
                assert len(report["tables"][0]["rows"]) > 3, number
        seen = Following(
            app.state.reader, View("acme", masked=True), tuple(CALL_TABLE.fields.values()),
            Presentation(masked=True, named=True), Place("acme", "", 0), with_open=True,
        )  # fmt: skip
        told["/v1/calls/stream"] = b"".join([piece async for piece in seen.news()]).decode()
    finally:
        await shut(app)
    shown = {what: [mark for mark in MARKS if mark in text] for what, text in told.items()}
    assert {what: marks for what, marks in shown.items() if marks} == {}
    assert not [what for what, text in told.items() if "****" not in text and "QUEUE" not in what], told


def text_of(parquet: bytes, folder: Path) -> str:
    """The rows of a Parquet file as text."""
    (folder / "rows.parquet").write_bytes(parquet)
    rows: bytes = chdb.query(f"SELECT * FROM file('{folder}/rows.parquet')", "JSONEachRow").bytes()
    return rows.decode()


async def file_of_report(client: httpx.AsyncClient, settings: Settings, type_: str, form: str) -> str:
    """The file that a run of the report leaves behind."""
    asked = {
        "name": f"r {type_}", "type": type_, "format": form, "range": "CUSTOM",
        "started_at": "2024-08-19T00:00:00Z", "ended_at": "2024-08-25T23:59:59Z",
    }  # fmt: skip
    answer = await client.post("/v1/reports/schedules", json=asked)
    assert answer.status_code in (200, 201), answer.text
    report = int(answer.json()["id"])
    reader = report_reader(settings)
    try:
        runner = Runner(settings, reader, files_of(settings))
        found = await runner.store.definition("acme", report)
        assert found is not None
        await runner.perform("acme", report, found[0].requested_at, lambda: True)
        run = await runner.store.run("acme", run_id(report, found[0].requested_at))
        assert run is not None and run[0].state == "done", run
        with files_of(settings).open(run[0].path) as file:
            return file.read().decode()
    finally:
        reader.close()


async def test_a_user_is_shown_own_calls_only(house: House) -> None:
    app = create_app(house.settings)
    try:
        token = create_token(house.warehouse, "acme", "user", scopes=(READ,), role="user", extension="300")
        answers = await walked(house, app, token)
        marks = (*(str(call.id) for call in house.calls), *(f'"{name}"' for name in HIDDEN))
        assert shows(answers, marks) == {}
        assert any('"of-300"' in answer.text for answer in answers.values())
    finally:
        await shut(app)


async def test_another_tenant_is_shown_nothing(house: House) -> None:
    app = create_app(house.settings)
    try:
        token = create_token(house.warehouse, "rival", "t", scopes=(ADMIN,), extension="101")
        answers = await walked(house, app, token)
        marks = (*(str(call.id) for call in house.calls), *(f'"{name}"' for name in HIDDEN), *MARKS, "Ann", "Bob")
        assert shows(answers, marks) == {}
    finally:
        await shut(app)
