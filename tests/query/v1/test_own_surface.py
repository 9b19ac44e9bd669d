"""Every operation under /v1, as its own description has it, with values that may be anything: never a 5xx; and the
limits of requests."""

from __future__ import annotations

import random
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from pipeline.query.app import create_app
from tests.query.conftest import LEAK, Warehouse

pytestmark = pytest.mark.embedded

ODD: list[Any] = [
    *("", " ", "0", "-1", "1e999", "9" * 40, "null", "true", "[]", "{}", '{"or":[]}', "'", '"', "\\", "%", "*"),
    *("é漢\U0001f4de", "\u202e", "2026-03-29T01:30:00Z", "0001-01-01", "9999-12-31T23:59:60Z", "1900-01-02"),
    *("2299-12-30", "a,b,,c", "x" * 3000, "-calls", "../..", "{p0:String}", "Europe/London", "started_at"),
    *("caller", "id", "1;DROP TABLE call_rows"),
]
BODIES: list[Any] = [
    *(None, 1, "x", [], [[]], {}, {"filter": None}, {"filter": 1}, {"filter": {"id": {"in": [{}]}}}),
    *({"filter": {"not": None}}, {"filter": {"talk_ms": 1e308}}, {"filter": {"talk_ms": -(2**63)}}),
    *({"filter": {"cost": {"gt": 0.1}}}, {"filter": {"user_data": "\ufffe"}}, {"limit": 2**70}),
    {"filter": {"started_at": {"between": ["1900-01-01", "9999-01-01"]}}},
    *({"from": "x" * 9000}, {"fields": [""]}, {"fields": [1]}, {"by": [None]}, {"zone": "\0"}, {"cursor": "A" * 40}),
    {"measures": ["pdd_p99_ms", "short_calls_99999", "service_level_99999_patient"]},
    {"bucket": "year", "zone": "Asia/Kathmandu"},
    {"from": "1900-01-02", "to": "2299-12-29", "bucket": "month"},
    {"by": ["hour_of_day"], "from": "2299-12-29"},
]


async def test_nothing_makes_it_fail(service: FastAPI, client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    chance = random.Random(11)
    ids = [str(warehouse.calls["in"].id), "1", "x", "9" * 30]
    for path, operations in service.openapi()["paths"].items():
        if not path.startswith("/v1/") or path.endswith("/stream") or "/directory" in path or "/reports" in path:
            continue  # streams do not end, and that of versions needs Kafka
        for method, operation in operations.items():
            where = path.replace("{id}", chance.choice(ids))
            if method == "post":
                for body in BODIES:
                    answer = await client.post(where, json=body)
                    assert answer.status_code < 500, (where, body, answer.text)
                    assert LEAK not in answer.text
            names = [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]
            for name in [*names, "trunk[contains]", "talk_ms[between]", "started_at[gte]"]:
                options = {name: chance.choice(ODD)} | ({chance.choice(names): chance.choice(ODD)} if names else {})
                answer = await client.request(method, where, params=options)
                assert answer.status_code < 500, (method, where, options, answer.text)
                assert LEAK not in answer.text
                if answer.status_code >= 400:
                    assert answer.headers["content-type"] == "application/problem+json"
                    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_every_operation_is_described_with_examples(service: FastAPI) -> None:
    document = service.openapi()
    for path, operations in document["paths"].items():
        if not path.startswith("/v1/"):
            continue
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            assert {"401", "429"} <= set(operation["responses"]) or "directory" in path or "reports" in path, path
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body is not None and path.startswith(("/v1/calls", "/v1/call-logs", "/v1/aggregate", "/v1/exports")):
                assert body["example"]


async def asked(app: FastAPI, token: str, path: str = "/v1/calls") -> httpx.Response:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.get(path, headers={"Authorization": f"Bearer {token}"})


async def test_who_asks_too_often_is_told_to_wait(warehouse: Warehouse) -> None:
    app = create_app(warehouse.settings.model_copy(update={"api_rate": 3}))
    answers = [await asked(app, warehouse.token) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0", "0"]
    assert answers[0].headers["ratelimit-limit"] == "3"
    assert answers[0].headers["ratelimit-policy"] == '"default";q=3;w=60'
    assert int(answers[3].headers["retry-after"]) > 0
    assert answers[3].json()["code"] == "too_many_requests"
    assert (await asked(app, warehouse.other_token)).status_code == 200  # each token for itself
    assert (await asked(app, warehouse.token, "/livez")).status_code == 200
    app.state.reader.close()


async def test_a_costly_question_is_said(
    service: FastAPI, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(service.state.reader._settings, "max_rows_to_read", 1)
    answer = await client.get("/v1/aggregate?by=trunk")
    assert (answer.status_code, answer.json()["code"]) == (422, "too_costly")
