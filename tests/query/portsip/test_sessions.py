from __future__ import annotations

import time

import httpx
import pytest

from pipeline.query.portsip import models
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.storage.rows import opened_call
from pipeline.warehouse.storage.writer import write_calls
from tests.query.conftest import Warehouse
from tests.query.stored_calls import stored_call, write

pytestmark = pytest.mark.embedded

OPEN = {"state": "open", "status": "", "ended_at": None, "duration_ms": None, "end_reason": "", "hung_up_by": ""}
STILL = {"ended_at": None, "outcome": "", "end_reason": ""}


@pytest.fixture(scope="module")
def header(warehouse: Warehouse) -> dict[str, str]:
    """Calls in progress now: one that talks after a target was left, one that rings, and one known by name only."""
    now = int(time.time() * 1000)
    talks = stored_call(
        "live", "talks", now - 60_000, logs=[{}, {**STILL, "number": "202", "answered_at": now - 20_000}], **OPEN
    )
    rings = stored_call("live", "rings", now - 5_000, logs=[{**STILL, "answered_at": None}], answered_at=None, **OPEN)
    begins = stored_call("live", "begins", now - 1_000, logs=[], answered_at=None, trunk="carrier-a", **OPEN)
    write(warehouse.client, [talks, rings, begins, stored_call("live", "over", now - 90_000)])
    write_calls(warehouse.client, [opened_call("live", (now, 1), "bare", 1)])
    return {"Authorization": f"Bearer {create_token(warehouse.client, 'live', 't')}"}


async def test_sessions_are_calls_in_progress(client: httpx.AsyncClient, header: dict[str, str]) -> None:
    body = (await client.get("/api/sessions", headers=header)).json()
    models.SessionPage.model_validate(body)
    assert body["count"] == 3
    begins, rings, talks = (item["calls"] for item in body["items"])
    assert [call["callee"] for call in talks] == ["202"]  # the target that it has left is history
    assert 20 <= talks[0]["talking_time"] < 60
    assert (rings[0]["callee"], rings[0]["talking_time"]) == ("201", 0)
    assert (begins[0]["callee"], begins[0]["trunk"]) == ("201", "carrier-a")
    assert talks[0]["caller_display_name"] == "Alice"


async def test_one_session(client: httpx.AsyncClient, header: dict[str, str]) -> None:
    items = (await client.get("/api/sessions?search=rings", headers=header)).json()["items"]
    (item,) = items
    body = (await client.get(f"/api/sessions/{item['id']}", headers=header)).json()
    assert body["calls"] == item["calls"]
    models.Session.model_validate(body)


async def test_finished_calls_are_no_sessions(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    for id_ in (str(warehouse.calls["plain"].id), "1", "x"):
        assert (await client.get(f"/api/sessions/{id_}")).status_code == 404


async def test_lists_of_sessions_take_the_options(client: httpx.AsyncClient, header: dict[str, str]) -> None:
    for query, count in (("filter=trunk eq 'carrier-a'", 1), ("search=alice and rings", 1), ("top=1&skip=2", 3)):
        assert (await client.get(f"/api/sessions?{query}", headers=header)).json()["count"] == count
    assert (await client.get("/api/sessions?filter=duration gt 1", headers=header)).status_code == 400
