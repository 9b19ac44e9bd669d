"""What somebody who follows the calls is told."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from pipeline.query.access.caller import Caller
from pipeline.query.questions.fields import Presentation
from pipeline.query.questions.lists.tables import CALL_TABLE
from pipeline.query.v1.streams.calls import Following
from pipeline.warehouse.query.expressions import EVERYTHING, Node
from pipeline.warehouse.query.pages.changes import Place
from pipeline.warehouse.storage.rows import retired_call
from pipeline.warehouse.storage.writer import write_calls
from schemas.call import Call
from tests.query.conftest import LEAK, Warehouse
from tests.query.stored_calls import stored_call, write

pytestmark = pytest.mark.embedded


def now_call(name: str, **changes: Any) -> Call:
    return stored_call("followed", name, int(time.time() * 1000), **changes)


def following(service: FastAPI, position: int, where: Node = EVERYTHING, **changes: Any) -> Following:
    caller = Caller("followed", "t", ("cdr:read",), **changes)
    place = Place("followed", caller.extension, 0, position)
    fields = tuple(CALL_TABLE.fields[name] for name in ("id", "version", "call_id", "state"))
    return Following(service.state.reader, caller.view, fields, Presentation(), place, where, with_open=True)


async def told(client: Following) -> dict[str, dict[str, Any]]:
    """What is new: `call NAME` and `deleted ID`, and the id to come back with."""
    found: dict[str, dict[str, Any]] = {}
    async for piece in client.news():
        lines = dict(line.split(": ", 1) for line in piece.decode().splitlines() if line)
        data = json.loads(lines.get("data", "{}"))
        if "id" in lines:
            found["id"] = {"id": int(lines["id"])}
        else:
            found[f"{lines['event']} {data.get('call_id') or data['id']}"] = data
    return found


async def test_calls_come_change_go_and_come_again(service: FastAPI, warehouse: Warehouse) -> None:
    client = following(service, int(time.time() * 1000) - 1000)
    underway = now_call("underway", state="open", status="", ended_at=None, duration_ms=None, end_reason="")
    write(warehouse.client, [underway])
    first = await told(client)
    assert list(first) == ["call underway"]
    assert first["call underway"]["state"] == "open"
    assert await told(client) == {}  # nothing new of it
    ended = msgspec.structs.replace(underway, state="closed", version=9, ended_at=underway.started_at + 9)
    second = now_call("second")
    write(warehouse.client, [ended, second, stored_call("other", "leak", second.started_at, caller_domain=LEAK)])
    then = await told(client)
    assert set(then) == {"call underway", "call second", "id"}
    assert (then["call underway"]["state"], then["call underway"]["version"]) == ("closed", 9)
    assert await told(client) == {}
    # while nobody listens: a new call, and one that turns out to be part of another
    write(warehouse.client, [now_call("third")])
    write_calls(warehouse.client, [retired_call("followed", (second.started_at, second.id), "second", 99)])
    later = await told(following(service, then["id"]["id"]))
    assert "call third" in later
    assert "call second" not in later
    assert set(await told(client)) == {"call third", f"deleted {second.id}", "id"}


async def test_a_filter_holds_for_calls_in_progress_and_finished_ones(service: FastAPI, warehouse: Warehouse) -> None:
    over_a = CALL_TABLE.language(Presentation()).of_json({"trunk": "filtered-a", "talk_ms": {"gte": 0}})
    client = following(service, int(time.time() * 1000) - 1000, over_a)
    lasting: dict[str, Any] = {"state": "open", "status": "", "ended_at": None, "duration_ms": None}
    stays, leaves, other = (
        now_call(name, trunk=trunk, **lasting)
        for name, trunk in (("stays", "filtered-a"), ("leaves", "filtered-a"), ("other", "b"))
    )
    late = now_call("late", trunk="filtered-a")
    write(warehouse.client, [stays, leaves, other, late, now_call("elsewhere", trunk="b")])
    assert set(await told(client)) == {"call stays", "call leaves", "call late", "id"}
    assert await told(client) == {}
    # one goes on over another trunk, one ends, one is corrected
    write(warehouse.client, [msgspec.structs.replace(leaves, trunk="b", version=5)])
    assert set(await told(client)) == {f"deleted {leaves.id}"}
    ended = {"state": "closed", "status": "answered", "ended_at": stays.started_at + 9}
    write(warehouse.client, [msgspec.structs.replace(stays, version=9, **ended)])
    write(warehouse.client, [msgspec.structs.replace(late, version=9, trunk="b")])
    assert set(await told(client)) == {"call stays", f"deleted {late.id}", "id"}
    # one ends as what is not looked for
    write(warehouse.client, [again := now_call("again", trunk="filtered-a", **lasting)])
    assert set(await told(client)) == {"call again"}
    ends = msgspec.structs.replace(again, version=9, **(ended | {"trunk": "b", "ended_at": again.started_at + 9}))
    write(warehouse.client, [ends])
    assert set(await told(client)) == {f"deleted {again.id}", "id"}
    assert await told(client) == {}


async def test_what_is_no_filter_of_a_stream_is_said(client: httpx.AsyncClient) -> None:
    for query, field in (("trunkk=a", "trunkk"), ("status=", "status"), ("filter={", "filter")):
        answer = await client.get(f"/v1/calls/stream?{query}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)


async def test_a_user_follows_own_calls(service: FastAPI, warehouse: Warehouse) -> None:
    client = following(service, int(time.time() * 1000) - 1000, role="user", extension="777")
    write(warehouse.client, [now_call("theirs"), now_call("mine", caller_number="777", caller_extension="777")])
    assert set(await told(client)) == {"call mine", "id"}


@pytest.mark.parametrize("last", ["x", "-1", "99999999999999999999", "0", "001773144000000123"])
async def test_what_is_no_place_is_said(client: httpx.AsyncClient, last: str) -> None:
    answer = await client.get("/v1/calls/stream", headers={"Last-Event-ID": last})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "Last-Event-ID")
    assert (await client.get("/v1/calls/stream?fields=nothing")).status_code == 400
