from __future__ import annotations

from typing import Any

import httpx
import pytest

from pipeline.query.access.login_throttle import OF_BOTH
from pipeline.query.portsip import models
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.identity.users import create_user
from tests.query.conftest import Warehouse

pytestmark = pytest.mark.embedded

WORD = "correct horse"
ANN = {"grant_type": "password", "username": "ann", "password": WORD, "domain": "pbx.acme.example"}


@pytest.fixture(scope="module", autouse=True)
def users(warehouse: Warehouse, quick_passwords: None) -> None:
    create_user(warehouse.client, "acme", "ann", WORD, extension="202", domain="pbx.acme.example")


async def log_in(client: httpx.AsyncClient, **form: Any) -> httpx.Response:
    return await client.post("/api/login/oauth/token", data=form)


async def status_with(client: httpx.AsyncClient, token: str) -> int:
    return (await client.get("/api/cdrs", headers={"Authorization": f"Bearer {token}"})).status_code


async def test_a_login_gives_tokens_in_the_vendors_form(anonymous: httpx.AsyncClient) -> None:
    answer = await log_in(anonymous, **ANN, scope="all", client_id="3fa85f64-5717-4562-b3fc-2c963f66afa6", other="x")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    body = answer.json()
    models.Login.model_validate(body)
    assert list(body) == ["access_token", "expires_in", "refresh_token", "token_type"]
    assert (body["expires_in"], body["token_type"]) == (1800, "Bearer")
    assert await status_with(anonymous, body["access_token"]) == 200
    assert await status_with(anonymous, body["refresh_token"]) == 401


async def test_a_token_may_stand_for_a_password(anonymous: httpx.AsyncClient, warehouse: Warehouse) -> None:
    for tenant, status in (("acme", 200), ("other", 400)):
        answer = await log_in(anonymous, grant_type="password", username=tenant, password=warehouse.token)
        assert answer.status_code == status
    ingest = create_token(warehouse.client, "acme", "ingest only", scopes=("cdr:ingest",))
    assert (await log_in(anonymous, grant_type="password", username="acme", password=ingest)).status_code == 400


async def test_a_refresh_token_is_good_once(anonymous: httpx.AsyncClient) -> None:
    first = (await log_in(anonymous, **ANN)).json()
    answer = await log_in(anonymous, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert answer.status_code == 200
    second = answer.json()
    models.Login.model_validate(second)
    assert second["refresh_token"] != first["refresh_token"]
    assert await status_with(anonymous, second["access_token"]) == 200
    assert await status_with(anonymous, first["access_token"]) == 200  # until it expires
    again = await log_in(anonymous, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert (again.status_code, again.json()["errors"][0]["code"]) == (400, "UNAUTHORIZED")
    assert await status_with(anonymous, second["access_token"]) == 401  # somebody else has it


@pytest.mark.parametrize("which", ["access_token", "refresh_token", "header"])
async def test_revoking_one_token_ends_the_login(anonymous: httpx.AsyncClient, which: str) -> None:
    tokens = (await log_in(anonymous, **ANN)).json()
    if which == "header":
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        answer = await anonymous.post("/api/login/oauth/revoke", headers=headers)
    else:
        answer = await anonymous.post("/api/login/oauth/revoke", data={"token": tokens[which]})
    assert (answer.status_code, answer.json()) == (200, {"ended": True})
    again = await anonymous.post("/api/login/oauth/revoke", data={"token": tokens["access_token"]})
    assert (again.status_code, again.json()) == (200, {"ended": False})
    assert await status_with(anonymous, tokens["access_token"]) == 401
    renewed = await log_in(anonymous, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert renewed.status_code == 400


@pytest.mark.parametrize("token", ["nonsense", "cdrs_" + "0" * 24 + "_" + "A" * 43, "x" * 10_000])
async def test_what_is_no_token_is_revoked_already(anonymous: httpx.AsyncClient, token: str) -> None:
    answer = await anonymous.post("/api/login/oauth/revoke", data={"token": token})
    assert answer.status_code == 400 or answer.json() == {"ended": False}


async def test_a_token_of_no_login_is_not_said_to_be_ended(anonymous: httpx.AsyncClient, warehouse: Warehouse) -> None:
    answer = await anonymous.post("/api/login/oauth/revoke", data={"token": warehouse.token})
    assert answer.status_code == 400
    assert "cdr token revoke" in answer.json()["errors"][0]["detail"]
    assert await status_with(anonymous, warehouse.token) == 200


@pytest.mark.parametrize(
    ("form", "code", "says"),
    [
        ({}, "VALIDATE_FAILED", "grant_type"),
        ({"grant_type": "client_credentials"}, "VALIDATE_FAILED", "grant_type"),
        ({"grant_type": "password", "password": WORD}, "VALIDATE_FAILED", "username"),
        ({"grant_type": "password", "username": "ann"}, "VALIDATE_FAILED", "password"),
        ({"grant_type": "refresh_token"}, "VALIDATE_FAILED", "refresh_token"),
        ({**ANN, "password": "wrong"}, "UNAUTHORIZED", "Name"),
        ({**ANN, "domain": "pbx.other.example"}, "UNAUTHORIZED", "Name"),
        ({**ANN, "username": "' OR 1=1 --"}, "UNAUTHORIZED", "Name"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "UNAUTHORIZED", "Name"),
    ],
)
async def test_refusals_have_the_vendors_form(
    anonymous: httpx.AsyncClient, form: dict[str, str], code: str, says: str
) -> None:
    answer = await log_in(anonymous, **form)
    assert answer.status_code == 400
    models.PortsipErrors.model_validate(answer.json())
    (error,) = answer.json()["errors"]
    assert error["code"] == code
    assert error["detail"].startswith(says)
    if code == "UNAUTHORIZED":
        assert error["message"] == "Login failed, authentication error"
    assert WORD not in answer.text


async def test_a_wrong_password_cannot_be_tried_for_ever(anonymous: httpx.AsyncClient) -> None:
    wrong = {**ANN, "username": "guessed", "password": "guess"}
    answers = [await log_in(anonymous, **wrong) for _ in range(OF_BOTH + 1)]
    assert [answer.status_code for answer in answers] == [400] * OF_BOTH + [429]
    assert answers[-1].json()["errors"][0]["code"] == "TOO_MANY_REQUESTS"
    assert int(answers[-1].headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"grant_type": "password"}', "application/json", 400),
        (b"grant_type=%FF", "application/x-www-form-urlencoded", 400),
        (b"grant_type=password&grant_type=password", "application/x-www-form-urlencoded", 400),
        (b"grant_type=password&username=%00&password=x", "application/x-www-form-urlencoded", 400),
        (b"username=" + b"x" * 100_000, "application/x-www-form-urlencoded", 413),
        (b"", "", 400),
    ],
)
@pytest.mark.parametrize("path", ["token", "revoke"])
async def test_what_is_no_form(anonymous: httpx.AsyncClient, path: str, body: bytes, kind: str, status: int) -> None:
    answer = await anonymous.post(f"/api/login/oauth/{path}", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    models.PortsipErrors.model_validate(answer.json())
