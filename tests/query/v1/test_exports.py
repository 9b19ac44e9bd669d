from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from pipeline.files import Files
from pipeline.query.questions.export_runs import FORSAKEN_MS
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.reference.exports import find, save
from tests.query.conftest import LEAK, Warehouse
from tests.query.stored_calls import MINUTE, NOON, stored_call, write

pytestmark = pytest.mark.embedded

ROWS = 3_000


@pytest.fixture(scope="module", autouse=True)
def files(service: FastAPI, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    service.state.exports.files = Files(str(folder))
    return folder


@pytest.fixture(scope="module")
def header(warehouse: Warehouse) -> dict[str, str]:
    """A token of a tenant with calls of many days."""
    calls = [stored_call("exports", f"c{n:05}", NOON - n * 37 * MINUTE) for n in range(ROWS)]
    write(warehouse.client, calls)
    return {"Authorization": f"Bearer {create_token(warehouse.client, 'exports', 't')}"}


async def made(client: httpx.AsyncClient, body: dict[str, Any], header: dict[str, str]) -> dict[str, Any]:
    """The export, once it is done."""
    answer = await client.post("/v1/exports", json=body, headers=header)
    assert answer.status_code == 202, answer.text
    return await done(client, answer.headers["location"], header)


async def done(client: httpx.AsyncClient, url: str, header: dict[str, str]) -> dict[str, Any]:
    for _ in range(600):
        answer = await client.get(url, headers=header)
        if answer.status_code == 200:
            state: dict[str, Any] = answer.json()
            return state
        assert (answer.status_code, answer.headers["retry-after"]) == (202, "1"), answer.text
        await asyncio.sleep(0.05)
    raise AssertionError(answer.text)


async def test_a_file_of_all_rows(client: httpx.AsyncClient, header: dict[str, str]) -> None:
    state = await made(client, {"fields": ["call_id", "started_at"]}, header)
    assert (state["state"], state["rows"], state["format"]) == ("ready", ROWS, "csv")
    answer = await client.get(state["file"], headers=header)
    assert hashlib.sha256(answer.content).hexdigest() == state["sha256"]
    assert len(answer.content) == state["bytes"] == int(answer.headers["content-length"])
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["call_id"] for row in rows] == [f"c{n:05}" for n in range(ROWS)]
    assert LEAK not in answer.text


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
async def test_other_forms_and_filters(client: httpx.AsyncClient, header: dict[str, str], form: str) -> None:
    body = {"format": form, "filter": {"call_id": {"startswith": "c0000"}}, "sort": "started_at"}
    state = await made(client, body, header)
    content = (await client.get(state["file"], headers=header)).content
    assert state["rows"] == 10
    if form == "ndjson":
        found = [json.loads(line)["call_id"] for line in content.splitlines()]
        assert found == [f"c0000{n}" for n in range(9, -1, -1)]
    else:
        assert content[:4] == b"PAR1"
    logs = await made(client, {"of": "call-logs", "format": "ndjson", "from": "2024-08-20T00:00:00Z"}, header)
    assert logs["rows"] > 0


async def test_a_transfer_goes_on_where_it_broke_off(client: httpx.AsyncClient, header: dict[str, str]) -> None:
    state = await made(client, {}, header)
    whole = await client.get(state["file"], headers=header)
    size, tag = len(whole.content), whole.headers["etag"]
    got = b""
    while len(got) < size:
        asked = header | {"Range": f"bytes={len(got)}-{len(got) + 99_999}", "If-Range": tag}
        part = await client.get(state["file"], headers=asked)
        assert part.status_code == 206
        assert part.headers["content-range"] == f"bytes {len(got)}-{len(got) + len(part.content) - 1}/{size}"
        got += part.content
    assert got == whole.content
    tail = await client.get(state["file"], headers=header | {"Range": "bytes=-10"})
    assert tail.content == whole.content[-10:]
    rest = await client.get(state["file"], headers=header | {"Range": f"bytes={size - 5}-"})
    assert rest.content == whole.content[-5:]
    beyond = await client.get(state["file"], headers=header | {"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    other = await client.get(state["file"], headers=header | {"Range": "bytes=5-9", "If-Range": '"other"'})
    assert (other.status_code, len(other.content)) == (200, size)
    several = await client.get(state["file"], headers=header | {"Range": "bytes=0-1,5-6"})
    assert several.status_code == 200
    head = await client.head(state["file"], headers=header)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(size), b"")
    assert (await client.get(state["file"], headers=header | {"If-None-Match": tag})).status_code == 304


async def test_the_same_key_is_the_same_export(client: httpx.AsyncClient, header: dict[str, str]) -> None:
    first = await client.post("/v1/exports", json={}, headers=header | {"Idempotency-Key": "monthly"})
    again = await client.post("/v1/exports", json={}, headers=header | {"Idempotency-Key": "monthly"})
    assert first.json()["id"] == again.json()["id"]
    other = await client.post("/v1/exports", json={"format": "ndjson"}, headers=header | {"Idempotency-Key": "monthly"})
    fault = other.json()
    assert (other.status_code, fault["code"]) == (422, "idempotency_key_reused")
    assert fault["errors"][0]["field"] == "Idempotency-Key"
    mine = await client.post("/v1/exports", json={"format": "ndjson"}, headers={"Idempotency-Key": "monthly"})
    assert (mine.status_code, mine.json()["id"] == first.json()["id"]) == (202, False)  # keys are each caller's own
    await done(client, first.headers["location"], header)
    listed = (await client.get("/v1/exports", headers=header)).json()["data"]
    assert first.json()["id"] in [each["id"] for each in listed]
    assert (await client.delete(first.headers["location"], headers=header)).status_code == 204
    assert (await client.get(first.headers["location"], headers=header)).status_code == 404
    assert (await client.get(first.headers["location"] + "/file", headers=header)).status_code == 404


async def test_one_that_a_dead_process_left_is_begun_again(
    client: httpx.AsyncClient, service: FastAPI, header: dict[str, str]
) -> None:
    state = await made(client, {"fields": ["id"]}, header)
    reader = service.state.reader
    stored = await find(reader, "exports", state["id"])
    assert stored is not None
    long_ago = stored.seen_at - 2 * FORSAKEN_MS
    await save(reader, msgspec.structs.replace(stored, state="running", seen_at=long_ago, sha256="", bytes=0))
    again = await done(client, f"/v1/exports/{state['id']}", header)
    assert (again["sha256"], again["bytes"]) == (state["sha256"], state["bytes"])


async def test_one_that_cannot_be_made_says_so(
    client: httpx.AsyncClient, service: FastAPI, header: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.query.questions import export_runs as runs

    def broken(*_: Any) -> Any:
        raise OSError("disk full")

    monkeypatch.setattr(service.state.exports.files, "writing", broken)
    monkeypatch.setattr(runs, "_TRIES", 1)
    state = await made(client, {}, header)
    assert state["state"] == "failed" and state["problem"]
    assert (await client.get(f"/v1/exports/{state['id']}/file", headers=header)).status_code == 409


async def test_exports_are_of_their_tenant_and_user(
    client: httpx.AsyncClient, warehouse: Warehouse, header: dict[str, str]
) -> None:
    state = await made(client, {}, header)
    other = {"Authorization": f"Bearer {warehouse.other_token}"}
    for method, path in (("GET", ""), ("GET", "/file"), ("DELETE", "")):
        assert (await client.request(method, f"/v1/exports/{state['id']}{path}", headers=other)).status_code == 404
    assert (await client.get("/v1/exports", headers=other)).json() == {"data": []}
    token = create_token(warehouse.client, "acme", "carol3", role="user", extension="202")
    user = {"Authorization": f"Bearer {token}"}
    own = await made(client, {"format": "ndjson"}, user)
    assert own["rows"] == 1
    mine: dict[str, str] = {}
    everything = await made(client, {"format": "ndjson"}, mine)
    assert everything["rows"] == 7
    assert (await client.get(everything["file"], headers=user)).status_code == 404
    masked = {
        "Authorization": f"Bearer {create_token(warehouse.client, 'acme', 'm', scopes=('cdr:read', 'numbers:masked'))}"
    }
    assert (await client.get(everything["file"], headers=masked)).status_code == 403
    hidden = await made(client, {"format": "ndjson"}, masked)
    text = (await client.get(hidden["file"], headers=masked)).text
    assert "+4416****0123" in text and "1632960123" not in text


@pytest.mark.parametrize(
    "body",
    [
        {"of": "stars"},
        {"format": "json"},
        {"format": 1},
        {"filter": {"x": 1}},
        {"fields": 1},
        {"from": "x"},
        {"x": 1},
        {"sort": "id"},
    ],
)
async def test_what_is_no_export_is_said(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert (await client.post("/v1/exports", json=body)).status_code == 400


@pytest.mark.parametrize("id_", ["x", "..%2F..%2Fetc", "a" * 300, "%00"])
async def test_unknown_ids(client: httpx.AsyncClient, id_: str) -> None:
    for path in ("", "/file"):
        assert (await client.get(f"/v1/exports/{id_}{path}")).status_code == 404
