"""An OpenID Connect provider, small but whole: discovery, keys, authorization codes with PKCE, ID tokens.

It signs in whoever comes, as the person that the test says, and refuses what a provider has to refuse.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, unquote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

CLIENT, SECRET = "cdr-pages", "s3cret/+ of=the client"


@dataclass
class Provider:
    """The provider. `person`: the claims of whoever signs in; `spoil`: changes to the next ID tokens, and `answer` to
    the next answers of the authorization endpoint (None takes a member out)."""

    person: dict[str, Any] = field(default_factory=dict)
    spoil: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, str | None] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                given = {name: values[0] for name, values in parse_qs(query).items()}
                if path == "/authorize":
                    self.send_response(302)
                    self.send_header("Location", provider.authorized(given))
                    self.end_headers()
                else:
                    self.say(200, {"/keys": provider.keys()}.get(path) or provider.about())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                given = {name: values[0] for name, values in parse_qs(body).items()}
                tokens = provider.exchanged(given, self.headers.get("Authorization", ""))
                self.say(200 if "id_token" in tokens else 400, tokens)

            def say(self, status: int, body: dict[str, Any]) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()

    def about(self) -> dict[str, Any]:
        """The discovery document."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "authorization_response_iss_parameter_supported": True,
            "code_challenge_methods_supported": ["S256"],
        }

    def keys(self) -> dict[str, Any]:
        """Its public keys."""
        made = jwt.get_algorithm_by_name("ES256").to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**made, "kid": "1", "use": "sig", "alg": "ES256"}]}

    def authorized(self, given: dict[str, str]) -> str:
        """Where the browser is sent back to."""
        self.asked.append(given)
        assert given["response_type"] == "code" and given["client_id"] == CLIENT
        assert given["code_challenge_method"] == "S256" and len(given["code_challenge"]) == 43
        assert (
            "openid" in given["scope"].split() and urlsplit(given["redirect_uri"]).path == "/ui/sign-in/provider/back"
        )
        code = secrets.token_urlsafe(16)
        self.codes[code] = given
        answer: dict[str, str | None] = {"code": code, "state": given["state"], "iss": self.issuer, **self.answer}
        told = {name: value for name, value in answer.items() if value is not None}
        return f"{given['redirect_uri']}?{urlencode(told)}"

    def exchanged(self, given: dict[str, str], authorization: str) -> dict[str, Any]:
        """Tokens for a code, or what is wrong."""
        asked = self.codes.pop(given.get("code", ""), None)
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        wrong = (
            "unknown or spent code" if asked is None
            else "another redirect_uri" if given.get("redirect_uri") != asked["redirect_uri"]
            else "wrong verifier" if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]
            else "wrong client" if not self.is_client(authorization)
            else ""
        )  # fmt: skip
        if wrong or asked is None:
            self.refused.append(wrong)
            return {"error": "invalid_grant", "error_description": wrong}
        now = int(time.time())
        claims = {
            **{"iss": self.issuer, "aud": CLIENT, "sub": "p-1", "iat": now, "exp": now + 300},
            **{"nonce": asked["nonce"]},
            **self.person,
            **self.spoil,
        }
        body = {name: value for name, value in claims.items() if value is not None}
        return {
            "token_type": "Bearer",
            "access_token": "opaque",
            "id_token": jwt.encode(body, self.key, "ES256", {"kid": "1"}),
        }

    def is_client(self, authorization: str) -> bool:
        """client_secret_basic, RFC 6749, 2.3.1."""
        raw = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        name, _, secret = raw.partition(":")
        return (unquote_plus(name), unquote_plus(secret)) == (CLIENT, SECRET) and secret != quote(SECRET, safe="/+= ")
