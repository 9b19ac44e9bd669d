from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from pipeline.query.access.authenticator import Authenticator
from pipeline.warehouse.identity.tokens import create_token, hashed, list_tokens, revoke_token
from tests.query.conftest import Warehouse

pytestmark = pytest.mark.embedded

PATHS = ["/api/cdrs", "/api/cdrs/1", "/api/calllogs", "/api/calllogs/1", "/v1/calls", "/v1/calls/1"]


@pytest.fixture
def gate_of(service: FastAPI) -> Iterator[Callable[..., None]]:
    """Gives the service a gate with other clocks for the time of a test."""
    before = service.state.gate

    def replace(**clocks: Any) -> None:
        service.state.gate = Authenticator(service.state.reader, **clocks)

    yield replace
    service.state.gate = before


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer cdr_",
        "Bearer cdr_" + "A" * 43,
        "Bearer " + "x" * 60_000,
        "Bearer cdr_' OR 1=1 --aaaaaaaaaaaaaaaaaaaaaaaa",
        "Basic dXNlcjpwYXNz",
        "Bearer \u00e9",
    ],
)
async def test_no_valid_token_no_calls(anonymous: httpx.AsyncClient, path: str, header: str | None) -> None:
    headers = [] if header is None else [(b"authorization", header.encode())]
    answer = await anonymous.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    if path.startswith("/api"):
        assert answer.json()["errors"][0]["code"] == "UNAUTHORIZED"
    else:
        assert answer.json()["code"] == "unauthorized"


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/version", "/openapi.json", "/docs"])
async def test_what_tells_nothing_of_calls_needs_no_token(anonymous: httpx.AsyncClient, path: str) -> None:
    assert (await anonymous.get(path)).status_code == 200


async def test_a_token_works_at_once_and_ends_within_five_seconds(
    anonymous: httpx.AsyncClient, gate_of: Callable[..., None], warehouse: Warehouse
) -> None:
    passed = 0.0
    gate_of(monotonic=lambda: time.monotonic() + passed)
    token = create_token(warehouse.client, "acme", "short-lived")
    headers = {"Authorization": f"Bearer {token}"}
    assert (await anonymous.get("/v1/calls", headers=headers)).status_code == 200
    assert revoke_token(warehouse.client, "short-lived") == [hashed(token)[:12]]
    passed = 5.0
    assert (await anonymous.get("/v1/calls", headers=headers)).status_code == 401


async def test_a_token_ends_when_it_expires(
    anonymous: httpx.AsyncClient, gate_of: Callable[..., None], warehouse: Warehouse
) -> None:
    now = time.time()
    later = 0
    gate_of(wall=lambda: now + later)
    token = create_token(warehouse.client, "acme", "expiring", expires_at=int(now * 1000) + 60_000)
    headers = {"Authorization": f"Bearer {token}"}
    assert (await anonymous.get("/v1/calls", headers=headers)).status_code == 200
    later = 61  # though it is remembered
    assert (await anonymous.get("/v1/calls", headers=headers)).status_code == 401


async def test_a_token_without_the_scope_reads_nothing(anonymous: httpx.AsyncClient, warehouse: Warehouse) -> None:
    token = create_token(warehouse.client, "acme", "no scope", scopes=("nothing",))
    answer = await anonymous.get("/v1/calls", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403


def test_only_the_hash_is_stored(warehouse: Warehouse) -> None:
    token = create_token(warehouse.client, "acme", "stored?")
    stored = warehouse.client.raw_query("SELECT * FROM api_token_rows", fmt="JSONEachRow").decode()
    assert hashed(token) in stored
    assert token not in stored
    assert token.removeprefix("cdr_") not in stored
    assert token not in str(list_tokens(warehouse.client))


async def test_tokens_are_not_logged(
    client: httpx.AsyncClient, warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    await client.get("/api/cdrs?filter=nonsense", headers={"X-Request-ID": "seen-in-log"})
    written = "".join(capsys.readouterr())
    assert "seen-in-log" in written
    assert warehouse.token.removeprefix("cdr_") not in written
    assert "nonsense" not in written  # queries hold numbers of people


async def test_tokens_are_not_logged_when_something_fails(
    client: httpx.AsyncClient,
    warehouse: Warehouse,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fails(*_: object, **__: object) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr("pipeline.query.portsip.routes.page", fails)
    answer = await client.get("/api/cdrs")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (500, "UNKNOWN")
    assert "foresaw" not in answer.text
    written = "".join(capsys.readouterr())
    assert "nobody foresaw this" in written
    assert warehouse.token.removeprefix("cdr_") not in written
