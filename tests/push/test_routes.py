"""`/v1/webhooks`, and `cdr webhook`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from typer.testing import CliRunner

from pipeline import settings as settings_module
from pipeline.cli import app as cli
from pipeline.push.store import DEAD, PushStore
from pipeline.query.app import create_app
from pipeline.settings import Settings
from pipeline.warehouse.identity.tokens import create_token
from tests.push.receiver import Receiver


@pytest.fixture
async def api(settings: Settings, client: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings)
    token = create_token(client, "acme", "tests", scopes=("webhooks:write",))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://service",
        headers={"Authorization": f"Bearer {token}"},
    ) as found:
        yield found
    app.state.reader.close()


def bearer(client: Any, tenant: str, *scopes: str, **more: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {create_token(client, tenant, 'tests', scopes=scopes, **more)}"}


async def test_a_webhook_from_its_making_to_its_end(api: httpx.AsyncClient, client: Any, store: PushStore) -> None:
    made = await api.post("/v1/webhooks", json={"url": "https://example.com/hook", "events": ["call.ended"]})
    assert made.status_code == 201
    webhook = made.json()
    assert webhook["secret"].startswith("whsec_") and webhook["events"] == ["call.ended"]
    path = f"/v1/webhooks/{webhook['id']}"
    listed = await api.get("/v1/webhooks")
    assert [one["id"] for one in listed.json()["data"]] == [webhook["id"]]
    assert webhook["secret"] not in listed.text + (await api.get(path)).text
    tested = await api.post(f"{path}/test")
    assert tested.status_code == 202
    deliveries = (await api.get(f"{path}/deliveries")).json()["data"]
    assert [(one["id"], one["state"]) for one in deliveries] == [(tested.json()["id"], "waiting")]
    again = f"{path}/deliveries/{tested.json()['id']}/replay"
    assert (await api.post(again)).status_code == 409
    delivery = await store.delivery("acme", webhook["id"], tested.json()["id"])
    assert delivery is not None
    client.command(f"ALTER TABLE webhook_delivery_rows UPDATE state = '{DEAD}' WHERE 1 SETTINGS mutations_sync = 2")
    assert [one["state"] for one in (await api.get(f"{path}/deliveries?state=dead")).json()["data"]] == ["dead"]
    assert (await api.post(again)).status_code == 202
    assert [one["state"] for one in (await api.get(f"{path}/deliveries")).json()["data"]] == ["waiting"]
    for wish, found in (({"enabled": False}, False), ({"enabled": True, "events": ["call.started"]}, True)):
        assert (await api.patch(path, json=wish)).json()["enabled"] is found
    assert (await api.get(path)).json()["events"] == ["call.started"]
    assert (await api.patch(path, json={"enabled": "yes"})).status_code == 400
    assert (await api.patch(path, json={"url": "ftp://x"})).status_code == 400
    other = bearer(client, "other", "webhooks:write")
    for method, where in (
        ("GET", path),
        ("PATCH", path),
        ("DELETE", path),
        ("GET", f"{path}/deliveries"),
        ("POST", again),
    ):
        assert (await api.request(method, where, headers=other)).status_code == 404
    assert (await api.delete(path)).status_code == 204
    assert (await api.get(path)).status_code == 404
    assert (await api.get("/v1/webhooks")).json() == {"data": []}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "ftp://example.com"}, "url"),
        ({"url": 5}, "url"),
        ({"url": "https://example.com", "events": ["call.began"]}, "events"),
        ({"url": "https://example.com", "events": "call.ended"}, "events"),
        ({"url": "https://example.com", "events": [[]]}, "events"),
        ({"url": "https://example.com", "secret": "mine"}, "secret"),
        ({"url": "https://example.com", "colour": "red"}, "colour"),
    ],
)
async def test_what_is_wrong_is_named(api: httpx.AsyncClient, body: dict[str, Any], field: str) -> None:
    answer = await api.post("/v1/webhooks", json=body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field


async def test_who_may(api: httpx.AsyncClient, client: Any) -> None:
    assert (await api.get("/v1/webhooks", headers=bearer(client, "acme", "cdr:read"))).status_code == 403
    own = bearer(client, "acme", "webhooks:write", role="user", extension="201")
    assert (await api.get("/v1/webhooks", headers=own)).status_code == 403
    assert (await api.get("/v1/webhooks", headers={"Authorization": "Bearer no"})).status_code == 401


def test_the_command(settings: Settings, client: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_module, "settings", lambda: settings.model_copy(update={"tenant": "acme"}))
    run = CliRunner().invoke
    made = run(cli, ["webhook", "create", "--url", receiver.url(), "--event", "call.ended", "-o", "json"])
    webhook = orjson.loads(made.stdout)
    assert run(cli, ["webhook", "test", webhook["id"]]).exit_code == 0
    (got,) = receiver.got
    assert got.type == "webhook.test" and got.signed_with(webhook["secret"])
    listed = run(cli, ["webhook", "list", "-o", "json"]).stdout
    assert webhook["id"] in listed and webhook["secret"] not in listed
    receiver.answer = lambda _: (500, 0.0)
    assert run(cli, ["webhook", "test", webhook["id"]]).exit_code == 1
    assert run(cli, ["webhook", "deliveries", webhook["id"], "-o", "json"]).exit_code == 0
    assert run(cli, ["webhook", "delete", webhook["id"]]).exit_code == 0
    assert webhook["id"] not in run(cli, ["webhook", "list", "-o", "json"]).stdout
    assert run(cli, ["webhook", "test", webhook["id"]]).exit_code == 1
