"""Signing in with an OpenID Connect provider: the authorization code flow with PKCE.

OpenID Connect Core 1.0, 3.1; PKCE is RFC 7636, the issuer in the answer RFC 9207. What begins the flow stays with
the browser (`Begun`); the provider is told a hash of it, and what comes back must fit it: `state` the answer, `nonce`
the ID token, the verifier the code. A program's token says what the program may do, a person's ID token who it is: so
here a role, or an extension, must be named.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import urllib.error
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

import structlog

from pipeline.errors import CdrError
from pipeline.query.access.caller import Caller
from pipeline.query.access.oidc import Claims, Oidc, discovered, json_at
from pipeline.query.http.problems import RequestProblem
from pipeline.settings.oidc import OidcSettings
from pipeline.warehouse.identity.access import SCOPES_OF

# Kind of the subject of a session that rests on a provider's word: its rights are those that it began with.
SUBJECT: Final = "oidc"
TTL_S: Final = 3600  # after which the provider is asked again: by then it may have another opinion
_SECRET: Final = 32  # bytes; 43 characters, what RFC 7636, 4.1 asks for

log = structlog.get_logger("cdr.query")


class NotSignedIn(CdrError):
    """The provider, or what it said, signs nobody in; the text says why."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What a flow began with. Nobody but the browser that began it may know it."""

    state: str
    nonce: str
    verifier: str

    @property
    def challenge(self) -> str:
        """What the provider is told of the verifier (S256)."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


def begin() -> Begun:
    """A new flow."""
    return Begun(*(secrets.token_urlsafe(_SECRET) for _ in range(3)))


class SignIn:
    """The flow with the provider of the settings."""

    def __init__(self, settings: OidcSettings, oidc: Oidc) -> None:
        self._settings, self._oidc = settings, oidc

    async def address(self, begun: Begun, back: str) -> str:
        """Where the browser is sent; the provider sends it on to `back`. Raises NotSignedIn."""
        about = await self._about()
        asked = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": back,
            "scope": self._settings.oidc_scopes,
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": begun.challenge,
            "code_challenge_method": "S256",
        }
        there = str(about["authorization_endpoint"])
        return f"{there}{'&' if '?' in there else '?'}{urlencode(asked)}"

    async def caller(self, begun: Begun, answer: Mapping[str, str], back: str) -> Caller:
        """Who is signed in by the answer that came to `back`. Raises NotSignedIn, RequestProblem (503)."""
        if not hmac.compare_digest(begun.state.encode(), answer.get("state", "").encode(errors="replace")):
            raise NotSignedIn("The answer belongs to no sign-in that was begun in this browser; begin again.")
        about = await self._about()
        issuer = answer.get("iss")
        if (issuer is None and about.get("authorization_response_iss_parameter_supported") is True) or (
            issuer is not None and issuer != self._settings.oidc_issuer
        ):
            raise NotSignedIn("The answer comes from another provider.")
        if answer.get("error"):
            reason = answer.get("error_description") or answer["error"]
            raise NotSignedIn(f"The provider says: {reason[:200]}")
        tokens = await self._exchanged(str(about["token_endpoint"]), begun, answer.get("code", ""), back)
        try:
            claims = await self._oidc.claims(str(tokens.get("id_token") or ""), self._settings.oidc_client_id)
            self._check(claims, begun)
            return self._caller(claims)
        except RequestProblem as problem:
            if problem.status != 401:
                raise
            raise NotSignedIn(problem.detail) from None

    def _check(self, claims: Claims, begun: Begun) -> None:
        """OpenID Connect Core 1.0, 3.1.3.7, beside signature, issuer, audience and times."""
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), begun.nonce.encode()):
            raise NotSignedIn("The ID token was made for another sign-in.")
        party = claims.get("azp")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (party is not None or several) and party != self._settings.oidc_client_id:
            raise NotSignedIn("The ID token was made for another client.")
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise NotSignedIn("The ID token does not say who it is about.")

    def _caller(self, claims: Claims) -> Caller:
        role, extension = self._oidc.role(claims), self._oidc.extension(claims)
        if claims.at(self._settings.oidc_role_claim) is None and not extension:
            raise NotSignedIn("The provider names neither a role nor an extension for you; ask your administrator.")
        if role == "user" and not extension:
            raise NotSignedIn("The provider names no extension whose calls you may see; ask your administrator.")
        scopes = self._oidc.scopes(claims) or SCOPES_OF[role]  # as for users that were given no scopes of their own
        name = str(claims.get("preferred_username") or claims.get("name") or claims["sub"])[:128]
        return Caller(self._oidc.tenant(claims), name, scopes, role, extension, f"{SUBJECT}:{claims['sub'][:128]}")

    async def _about(self) -> dict[str, Any]:
        try:
            about = await asyncio.to_thread(discovered, self._settings.oidc_issuer)
        except (OSError, ValueError) as error:
            log.warning("oidc", problem=f"{type(error).__name__}: {error}"[:300])
            raise NotSignedIn("The identity provider does not answer; try again in a moment.") from None
        if about.get("issuer") != self._settings.oidc_issuer or not {"authorization_endpoint", "token_endpoint"} <= set(
            about
        ):
            log.warning("oidc", problem=f"discovery of {self._settings.oidc_issuer} is about {about.get('issuer')}")
            raise NotSignedIn("The identity provider describes itself as another; the settings must name its issuer.")
        return about

    async def _exchanged(self, there: str, begun: Begun, code: str, back: str) -> dict[str, Any]:
        """The tokens for a code (RFC 6749, 4.1.3)."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": begun.verifier}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        id_, secret = self._settings.oidc_client_id, self._settings.oidc_client_secret
        if secret:  # client_secret_basic, with both parts encoded (RFC 6749, 2.3.1)
            pair = f"{quote_plus(id_)}:{quote_plus(secret)}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        else:
            form["client_id"] = id_
        try:
            return await asyncio.to_thread(json_at, there, urlencode(form).encode(), headers)
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(300).decode(errors="replace")
            log.warning("oidc", problem=f"token endpoint: {error.code} {said}")
            raise NotSignedIn("The provider did not take the code; begin again.") from None
        except (OSError, ValueError) as error:
            log.warning("oidc", problem=f"{type(error).__name__}: {error}"[:300])
            raise NotSignedIn("The identity provider does not answer; try again in a moment.") from None
