"""Tokens of an identity provider: a JWKS server of this test's own, and its keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from fastapi import FastAPI

from pipeline.errors import Problem
from pipeline.query.app import create_app
from pipeline.settings import Settings
from tests.query.conftest import Warehouse

pytestmark = pytest.mark.embedded

AUDIENCE = "cdr-api"


class Provider:
    """Publishes keys and signs with them."""

    def __init__(self) -> None:
        self.keys: dict[str, tuple[Any, str]] = {
            "rsa": (rsa.generate_private_key(65537, 2048), "RS256"),
            "ec": (ec.generate_private_key(ec.SECP256R1()), "ES256"),
            "ed": (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
        }
        self.asked = 0
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked += 1
                body: dict[str, Any] = {"issuer": provider.issuer, "jwks_uri": f"{provider.issuer}/keys"}
                if self.path == "/keys":
                    body = {"keys": [*provider.published(), {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"}]}
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def published(self) -> list[dict[str, Any]]:
        found = []
        for name, (key, algorithm) in self.keys.items():
            made = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
            found.append({**made, "kid": name, "use": "sig", "alg": algorithm})
        return found

    def token(self, kid: str = "rsa", *, key: Any = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        now = int(time.time())
        body = {
            **{"iss": self.issuer, "aud": AUDIENCE, "sub": "u1", "iat": now, "exp": now + 300},
            **{"tenant": "acme", "scope": "openid cdr:read"},
            **claims,
        }
        body = {name: value for name, value in body.items() if value is not None}
        private, algorithm = self.keys[kid]
        return jwt.encode(body, key or private, algorithm=algorithm, headers={"kid": kid, **(header or {})})


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def trusting(warehouse: Warehouse, provider: Provider) -> Iterator[FastAPI]:
    settings = warehouse.settings.model_copy(update={"oidc_issuer": provider.issuer, "oidc_audience": AUDIENCE})
    app = create_app(settings)
    yield app
    app.state.reader.close()


async def ask(app: FastAPI, token: str, path: str = "/v1/calls") -> httpx.Response:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.get(path, headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("kid", ["rsa", "ec", "ed"])
async def test_a_good_token_shows_its_tenants_calls(trusting: FastAPI, provider: Provider, kid: str) -> None:
    answer = await ask(trusting, provider.token(kid))
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["data"]) == 7
    assert {item["tenant"] for item in answer.json()["data"]} <= {"acme"}
    nobody = await ask(trusting, provider.token(kid, tenant="nobody"))
    assert nobody.json()["data"] == []


async def test_roles_and_extensions(trusting: FastAPI, provider: Provider) -> None:
    for claims in ({"role": "user", "extension": "202"}, {"extension": "202"}, {"role": ["staff"], "extension": 202}):
        answer = await ask(trusting, provider.token(**claims))
        assert [item["call_id"] for item in answer.json()["data"]] == ["forwarded"], claims
    assert (await ask(trusting, provider.token(role="user"))).json()["data"] == []
    manager = await ask(trusting, provider.token(role=["x", "manager"], extension="202"))
    assert len(manager.json()["data"]) == 7
    assert (await ask(trusting, provider.token(scope=["cdr:read"]))).status_code == 200
    masked = await ask(trusting, provider.token(scope="cdr:read numbers:masked"))
    assert "1632960123" not in masked.text


def forged(provider: Provider, algorithm: str, secret: bytes) -> str:
    """A token whose signature is an HMAC with the public key: alg confusion."""
    body = jwt.decode(provider.token(), options={"verify_signature": False})
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": algorithm, "typ": "JWT", "kid": "rsa"}, body)
    ]
    signed = b".".join(parts)
    mark = base64.urlsafe_b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).rstrip(b"=")
    return (signed + b"." + (b"" if algorithm == "none" else mark)).decode()


async def test_what_is_not_good_is_refused(trusting: FastAPI, provider: Provider) -> None:
    public = provider.keys["rsa"][0].public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    stranger = rsa.generate_private_key(65537, 2048)
    now = int(time.time())
    good = provider.token()
    head, body, mark = good.split(".")
    other = provider.token(tenant="other").split(".")[1]
    tokens = {
        "alg confusion": forged(provider, "HS256", pem),
        "no signature": forged(provider, "none", pem),
        "secret key of the set": forged(provider, "HS256", b"secret"),
        "expired": provider.token(exp=now - 60),
        "no expiry": provider.token(exp=None),
        "not yet": provider.token(nbf=now + 3600),
        "wrong audience": provider.token(aud="another"),
        "no audience": provider.token(aud=None),
        "wrong issuer": provider.token(iss="http://127.0.0.1:1"),
        "stranger's key": provider.token(key=stranger),
        "unknown key": provider.token(header={"kid": "unknown"}),
        "no key id": provider.token(header={"kid": ""}),
        "key of another kind": provider.token("ec", header={"kid": "rsa"}),
        "no tenant": provider.token(tenant=None),
        "tenant of a strange kind": provider.token(tenant={"a": 1}),
        "other claims": f"{head}.{other}.{mark}",
        "cut off": f"{head}.{body}.",
        "nonsense": "a.b.c",
        "long": "a." + "b" * 20_000 + ".c",
    }
    for name, token in tokens.items():
        answer = await ask(trusting, token)
        assert answer.status_code == 401, (name, answer.text)
        assert 'error="invalid_token"' in answer.headers["www-authenticate"], name
    assert (await ask(trusting, provider.token(scope="openid"))).status_code == 403
    assert (await ask(trusting, provider.token(scope=None))).status_code == 403


async def test_tokens_of_our_own_go_on(trusting: FastAPI, warehouse: Warehouse) -> None:
    assert (await ask(trusting, warehouse.token)).status_code == 200


async def test_keys_are_asked_for_seldom_and_may_change(trusting: FastAPI, provider: Provider) -> None:
    before = provider.asked
    for _ in range(20):
        await ask(trusting, provider.token(header={"kid": "unknown"}))
    assert provider.asked - before <= 2
    provider.keys["new"] = (rsa.generate_private_key(65537, 2048), "RS256")
    trusting.state.gate.oidc._read_at -= 60  # a minute later
    assert (await ask(trusting, provider.token("new"))).status_code == 200


async def test_a_provider_that_is_away_is_said(warehouse: Warehouse, provider: Provider) -> None:
    settings = warehouse.settings.model_copy(update={"oidc_issuer": "http://127.0.0.1:9", "oidc_audience": AUDIENCE})
    app = create_app(settings)
    answer = await ask(app, provider.token())
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    app.state.reader.close()


async def test_without_the_setting_no_jwt_is_good(client: httpx.AsyncClient, provider: Provider) -> None:
    answer = await client.get("/v1/calls", headers={"Authorization": f"Bearer {provider.token()}"})
    assert answer.status_code == 401


def test_an_audience_must_be_set() -> None:
    with pytest.raises(Problem, match="CDR_OIDC_AUDIENCE"):
        create_app(Settings(oidc_issuer="https://id.example.org"))
