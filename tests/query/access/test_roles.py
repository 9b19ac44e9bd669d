"""An ordinary user sees the calls of one extension, through every endpoint and whatever is asked."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.storage.rows import log_rows
from pipeline.warehouse.storage.writer import write_call_logs
from tests.query.conftest import Warehouse
from tests.query.stored_calls import MINUTE, NOON, stored_call, write

pytestmark = pytest.mark.embedded

SECRET = "secret.example.org"  # stands in every call that the user must not see
CDRS, LOGS = "/api/cdrs", "/api/calllogs"
QUESTIONS = [
    "",
    "?filter=caller ne 'x' or 1 eq status_code or not (caller eq 'x')",
    f"?filter=caller_domain eq '{SECRET}'",
    f"?search={SECRET} or secret",
    "?orderby=started_at&skip=0&top=100",
    "?orderby=caller_domain desc",
    "?$filter=started_at gt 2000-01-01&$top=100&$count=true",
]


def header(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def calls(warehouse: Warehouse) -> dict[str, Any]:
    """Calls of tenant roles: made by 300 (which the PBX names, or whose number it tells), to 300, ringing 300 in a
    group, answered by another; and others' calls."""
    open_now = {"state": "open", "status": "", "ended_at": None, "duration_ms": None, "end_reason": ""}
    target = {"number": "300"}
    hidden = {"caller_domain": SECRET}
    lost: list[dict[str, Any]] = [
        {"kind": "queue", "number": "8000"},
        {"kind": "queue_agent", "number": "300", "answered_at": None},
        {},
    ]
    now = int(time.time() * 1000)
    made = {
        "made": stored_call("roles", "made", NOON, caller_number="+44300", caller_extension="300"),
        "got": stored_call("roles", "got", NOON + MINUTE, logs=[{}, target]),
        "lost": stored_call("roles", "lost", NOON + 2 * MINUTE, logs=lost),
        "plain": stored_call("roles", "plain", NOON + 4 * MINUTE, caller_number="300", caller_extension=""),
        "live": stored_call("roles", "live", now, logs=[{**target, "ended_at": None, "outcome": ""}], **open_now),
        "hidden": stored_call("roles", "hidden", NOON + 3 * MINUTE, logs=[{"caller_domain": SECRET}], **hidden),
        "hidden live": stored_call(
            "roles", "hidden live", now, logs=[{"caller_domain": SECRET, "ended_at": None}], **open_now, **hidden
        ),
        "hidden namesake": stored_call(  # somebody outside who calls from a number like the extension's
            "roles",
            "hidden namesake",
            NOON + 5 * MINUTE,
            logs=[{"caller_domain": SECRET}],
            direction="inbound",
            caller_number="300",
            caller_extension="",
            caller_domain=SECRET,
        ),
    }
    write(warehouse.client, list(made.values()))
    another = stored_call("other", "made by 300 of another", NOON, caller_extension="300", logs=[target], **hidden)
    write(warehouse.client, [another])
    return made


@pytest.fixture(scope="module")
def user(warehouse: Warehouse) -> dict[str, str]:
    return header(create_token(warehouse.client, "roles", "300", role="user", extension="300"))


@pytest.fixture(scope="module")
def nobody(warehouse: Warehouse) -> dict[str, str]:
    return header(create_token(warehouse.client, "roles", "999", role="user", extension="999"))


@pytest.fixture(scope="module")
def manager(warehouse: Warehouse) -> dict[str, str]:
    return header(create_token(warehouse.client, "roles", "manager", role="manager"))


async def found(client: httpx.AsyncClient, path: str, headers: dict[str, str]) -> set[str]:
    answer = await client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return {item["call_id"] for item in answer.json()["items"]}


async def test_who_sees_which_calls(
    anonymous: httpx.AsyncClient,
    calls: dict[str, Any],
    user: dict[str, str],
    nobody: dict[str, str],
    manager: dict[str, str],
) -> None:
    own = {"made", "got", "lost", "plain"}
    for path in (CDRS, LOGS, "/api/user/cdrs"):
        assert await found(anonymous, path, user) == own
        assert await found(anonymous, path, nobody) == set()
        everybodys = set() if path == "/api/user/cdrs" else own | {"hidden", "hidden namesake"}
        assert await found(anonymous, path, manager) == everybodys
    assert (await anonymous.get(CDRS, headers=user)).json()["count"] == 4
    logs = (await anonymous.get(f"{LOGS}?filter=call_id eq 'lost'", headers=user)).json()
    assert logs["count"] == 3  # all targets of a call of one's own


async def test_own_calls_of_somebody_who_sees_all(
    anonymous: httpx.AsyncClient, calls: dict[str, Any], warehouse: Warehouse
) -> None:
    headers = header(create_token(warehouse.client, "roles", "boss", role="manager", extension="300"))
    assert await found(anonymous, CDRS, headers) == {"made", "got", "lost", "plain", "hidden", "hidden namesake"}
    assert await found(anonymous, "/api/user/cdrs", headers) == {"made", "got", "lost", "plain"}


@pytest.mark.parametrize("path", [CDRS, LOGS, "/api/user/cdrs", "/api/sessions"])
async def test_no_question_shows_more(
    anonymous: httpx.AsyncClient, calls: dict[str, Any], user: dict[str, str], nobody: dict[str, str], path: str
) -> None:
    for question in QUESTIONS:
        if (path == "/api/sessions" and "status_code" in question) or "caller_domain" in question:
            continue
        own = await anonymous.get(path + quote(question, safe="?&=$"), headers=user)
        assert own.status_code == 200, own.text
        assert SECRET not in own.text
        assert str(calls["hidden"].id) not in own.text
        assert str(calls["hidden live"].id) not in own.text
        none = await anonymous.get(path + quote(question, safe="?&=$"), headers=nobody)
        assert none.json() == {"count": 0, "items": []}


async def test_no_id_shows_more(
    anonymous: httpx.AsyncClient, calls: dict[str, Any], user: dict[str, str], nobody: dict[str, str]
) -> None:
    for name, call in calls.items():
        finished = call.state == "closed"
        paths = [f"{CDRS}/{call.id}", f"{LOGS}/{call.logs[0].id}"] if finished else [f"/api/sessions/{call.id}"]
        for path in paths:
            own, none = await anonymous.get(path, headers=user), await anonymous.get(path, headers=nobody)
            assert (own.status_code, none.status_code) == (404 if "hidden" in name else 200, 404), path


async def test_sessions_of_ones_own(
    anonymous: httpx.AsyncClient, calls: dict[str, Any], user: dict[str, str], manager: dict[str, str]
) -> None:
    own = (await anonymous.get("/api/sessions", headers=user)).json()
    assert [item["id"] for item in own["items"]] == [str(calls["live"].id)]
    assert (await anonymous.get("/api/sessions", headers=manager)).json()["count"] == 2


async def test_a_call_log_that_comes_late_makes_the_call_ones_own(
    anonymous: httpx.AsyncClient, warehouse: Warehouse
) -> None:
    write(warehouse.client, [stored_call("late logs", "x", NOON, logs=[])])
    headers = header(create_token(warehouse.client, "late logs", "400", role="user", extension="400"))
    assert (await anonymous.get(CDRS, headers=headers)).json()["count"] == 0
    call = stored_call("late logs", "x", NOON, logs=[{"number": "400"}])
    write_call_logs(warehouse.client, log_rows(call))
    assert (await anonymous.get(CDRS, headers=headers)).json()["count"] == 1


async def test_no_list_of_the_service_shows_more(
    anonymous: httpx.AsyncClient, calls: dict[str, Any], nobody: dict[str, str], manager: dict[str, str]
) -> None:
    """Every GET operation without a path parameter, of every surface: a user without calls finds none."""
    document = (await anonymous.get("/openapi.json")).json()
    ids = {str(call.id) for call in calls.values()} | {str(log.id) for call in calls.values() for log in call.logs}
    asked = 0
    for path, operations in document["paths"].items():
        operation = operations.get("get")
        if operation is None or "{" in path or "security" not in operation or "stream" in path:
            continue
        answer = await anonymous.get(path, headers=nobody)
        assert answer.status_code < 500, (path, answer.text)
        assert SECRET not in answer.text, path
        assert not any(id_ in answer.text for id_ in ids), path
        asked += 1
    assert asked >= 5
