"""Nothing secret is in a log, whichever way it came: headers, query strings, paths, bodies, settings."""

from __future__ import annotations

import base64
import logging

import httpx
import pytest
import structlog

from pipeline import logs
from pipeline.push.store import Webhook
from pipeline.settings import Settings
from pipeline.warehouse.identity.users import create_user
from tests.query.conftest import Running, Warehouse, until

PASSWORDS = {
    "clickhouse": "http://cdr:s3cret-clickhouse@127.0.0.1:8123",
    "kafka_sasl_password": "s3cret-kafka",
    "kafka_key_password": "s3cret-key",
    "smtp_password": "s3cret-smtp",
    "hep_password": "s3cret-hep",
    "freeswitch_password": "s3cret-freeswitch",
    "freeswitch_host": "pbx=s3cret-node@127.0.0.1",
    "asterisk_password": "s3cret-asterisk",
    "asterisk_host": "pbx=cdr:s3cret-node@127.0.0.1",
    "webhook_key": "s3cret",
    "erasure_key": "s3cret-erasure",
}


@pytest.mark.embedded
def test_what_requests_bring_is_in_no_log(running: Running, warehouse: Warehouse) -> None:
    password, hook = "s3cret-of-a-user", "whsec_" + base64.b64encode(b"s3cret-of-a-webhook-24bytes").decode()
    create_user(warehouse.client, "acme", "ann", password, role="admin")
    base = f"http://127.0.0.1:{running.port}"
    token = {"Authorization": f"Bearer {running.token}"}
    with httpx.Client(base_url=base, timeout=60) as client:
        asked = [
            client.get("/openapi/v1.0/cdr/list", params={"access_token": running.token}),
            client.get("/v1/calls", params={"caller.number": "s3cret-number", "limit": 1}, headers=token),
            client.get("/v1/calls", headers={"Authorization": "Bearer s3cret-bearer"}),
            client.get("/v1/calls?access_token=s3cret-query", headers=token),
            client.post("/rest/auth/", json={"auth": {"type": "auth", "username": "ann", "password": password}}),
            client.post("/rest/call/incalls", json={}, auth=("ann", password)),
            client.post("/rest/call/incalls", json={}, auth=("ann", "s3cret-wrong")),
            client.post(
                "/api/login/oauth/token", data={"grant_type": "password", "username": "ann", "password": password}
            ),
            client.post("/v1/webhooks", json={"url": "https://example.com/s3cret-hook", "secret": hook}, headers=token),
            client.get("/api/blobs/s3cret-blob"),
            client.get("/api/blobs/s3cret-blob/more"),
            client.post("/api/user/cdrs/sync_tokens/s3cret-sync/diff", headers=token),
        ]
        assert all(answer.status_code < 500 for answer in asked), [answer.text for answer in asked]
        issued = asked[7].json()["access_token"]
        client.get("/v1/calls", headers={"Authorization": f"Bearer {issued}"})
        client.get("/livez?last")
    until(lambda: running.log.read_text().count('"/livez"') > 0)
    text = running.log.read_text()
    for secret in (
        "s3cret",
        hook[6:],
        running.token[4:],
        issued[5:],
        base64.b64encode(b"ann:" + password.encode()).decode(),
    ):
        assert secret not in text, secret


def test_settings_do_not_show_their_secrets() -> None:
    settings = Settings(**PASSWORDS, _env_file=None)  # type: ignore[arg-type]
    assert "s3cret" not in repr(settings) and "s3cret" not in str(settings)
    secret = [name for name in Settings.model_fields if name.endswith(("password", "_key")) and name != "kafka_key"]
    assert set(secret) <= PASSWORDS.keys()
    assert "s3cret" not in repr(Webhook("acme", "wh_1", "https://x", "s3cret", ()))


def test_tracebacks_show_no_variables(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    try:
        logs.configure("info")
        password = "s3" + "cret-local"
        try:
            raise RuntimeError(f"of {len(password)} characters")
        except RuntimeError:
            structlog.get_logger("test").exception("it failed")
        told = capsys.readouterr().err
        assert "it failed" in told and "RuntimeError" in told and "s3cret" not in told
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
        structlog.reset_defaults()
