"""What goes wrong outside the surfaces is said in each vendor's own form."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from pipeline.query.app import create_app
from pipeline.query.http.problems import RequestProblem, response
from pipeline.settings import Settings

PATHS = {
    "yeastar": "/openapi/v1.0/cdr/search",
    "ipcortex": "/rest/call/incalls",
    "commpeak": "/api/cdrs/cdrs-aggregate",
    "commpeak list": "/api/cdrs/limit/5",
}


@pytest.fixture
async def without_clickhouse() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(clickhouse="http://127.0.0.1:1", database="cdr"))
    header = {"Authorization": "Bearer cdr_" + "x" * 43}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://service", headers=header
    ) as http:
        yield http
    app.state.gate.close()
    app.state.reader.close()


async def test_the_warehouse_is_away(without_clickhouse: httpx.AsyncClient) -> None:
    answer = await without_clickhouse.get(PATHS["yeastar"])
    assert (answer.status_code, answer.json()["errcode"]) == (200, 10009)
    answer = await without_clickhouse.post(PATHS["ipcortex"], json={})
    assert (answer.status_code, answer.json()["result"]) == (200, "retry")
    answer = await without_clickhouse.post(PATHS["commpeak"], json={})
    assert answer.status_code == 503
    assert answer.json()["error"]
    assert "Retry-After" in answer.headers


@pytest.mark.parametrize(
    ("code", "errcode", "result"),
    [
        ("too_many_requests", 60002, "retry"),
        ("too_many_logins", 70004, "fail"),
        ("too_costly", 70082, "fail"),
        ("too_large", 40004, "fail"),
        ("unknown", -2, "fail"),
        ("something new", -1, "fail"),
    ],
)
def test_every_problem_has_a_form(code: str, errcode: int, result: str) -> None:
    problem = RequestProblem(500, code, "why", headers={"Retry-After": "3", "Set-Cookie": "x"})
    said = response(problem, PATHS["yeastar"], "r")
    assert said.status_code == 200
    assert f'"errcode":{errcode},' in bytes(said.body).decode()
    assert "set-cookie" not in said.headers
    assert f'"result":"{result}"' in bytes(response(problem, PATHS["ipcortex"], "r").body).decode()
    for name in ("commpeak", "commpeak list"):
        assert response(problem, PATHS[name], "r").status_code == 500
    assert b'"errors"' in bytes(response(problem, "/api/cdrs/limit", "r").body)  # PortSIP's
