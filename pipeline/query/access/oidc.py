"""Bearer tokens of an OpenID Connect provider: JWTs (RFC 7519, RFC 9068), checked with the provider's public keys.

A token must be signed with one of the provider's asymmetric keys, come from the issuer, be meant for the audience
and not have expired. Its claims say whose calls it shows: tenant, scopes, role and extension, each under the name
that a setting gives; `a.b` is member b of claim a. Nothing of a token is believed before its signature.
"""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final, get_args

import jwt
import orjson
import structlog

from pipeline.errors import USAGE, Problem
from pipeline.query.http.problems import RequestProblem, unauthorized, unavailable
from pipeline.settings import Settings
from pipeline.warehouse.identity.access import SCOPES, Role

# Never HS256 or none: a public key is no secret (RFC 8725, 2.1 and 3.1).
ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
_KINDS: Final = frozenset({"RSA", "EC", "OKP"})
_LEEWAY_S: Final = 30
_KEYS_S: Final = 300.0
_AGAIN_S: Final = 10.0  # an unknown key is asked for no more often
_LARGEST: Final = 1 << 20
_LONGEST: Final = 16_384

log = structlog.get_logger("cdr.query")


class Claims(dict[str, Any]):
    """The claims of a token that was checked."""

    def at(self, path: str) -> Any:
        """The claim of this name, or the member of a claim that a dotted path names; None when absent."""
        if path in self:
            return self[path]
        value: Any = self
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value


class Oidc:
    """The tokens of one provider."""

    def __init__(self, settings: Settings, monotonic: Callable[[], float] = time.monotonic) -> None:
        if not settings.oidc_audience:
            raise Problem(
                "CDR_OIDC_ISSUER is set and CDR_OIDC_AUDIENCE is not: tokens for other services would be good here.",
                hint="Set CDR_OIDC_AUDIENCE to what the provider puts into aud.",
                code=USAGE,
            )
        self._settings = settings
        self._monotonic = monotonic
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def claims(self, token: str, audience: str = "") -> Claims:
        """The claims of a good token for the audience of the settings, or for another; 401 otherwise, 503 when the
        provider's keys cannot be had."""
        if len(token) > _LONGEST:
            raise _refused("is too long")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise _refused("is malformed") from None
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise _refused(f"is signed with {str(algorithm)[:20]!r}; {', '.join(ALGORITHMS)} are accepted")
        key = await self._key(str(header.get("kid") or ""))
        if key is None:
            raise _refused("is signed with a key that the provider does not publish")
        try:
            found = jwt.decode(
                token,
                key,
                algorithms=[algorithm] if algorithm == key.algorithm_name else [],
                issuer=self._settings.oidc_issuer,
                audience=audience or self._settings.oidc_audience,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError:
            raise _refused("has expired") from None
        except jwt.InvalidAudienceError:
            raise _refused("is meant for another audience") from None
        except jwt.InvalidIssuerError:
            raise _refused("comes from another issuer") from None
        except (jwt.PyJWTError, ValueError, TypeError):
            raise _refused("is not good: signature, times or claims do not hold") from None
        return Claims(found)

    def tenant(self, claims: Claims) -> str:
        """Whose calls the token shows; 401 when it says none."""
        value = claims.at(self._settings.oidc_tenant_claim)
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        if not isinstance(value, str) or not 0 < len(value) <= 128 or not value.isprintable():
            raise _refused(f"names no tenant in its claim {self._settings.oidc_tenant_claim}")
        return value

    def scopes(self, claims: Claims) -> tuple[str, ...]:
        """What the token may do, of what there is to do."""
        return tuple(scope for scope in _words(claims.at(self._settings.oidc_scope_claim)) if scope in SCOPES)

    def role(self, claims: Claims) -> str:
        """admin, manager or user, the mightiest of those named. Without such a claim, whoever has an extension sees its
        calls, and a program all."""
        named = _words(claims.at(self._settings.oidc_role_claim))
        for role in get_args(Role):
            if role in named:
                return str(role)
        return "user" if named or self.extension(claims) else "manager"

    def extension(self, claims: Claims) -> str:
        value = claims.at(self._settings.oidc_extension_claim)
        return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""

    async def _key(self, id_: str) -> jwt.PyJWK | None:
        """The provider's key of this id; its only key when the token names none."""
        async with self._reading:
            age = self._monotonic() - self._read_at
            if age > _KEYS_S or (self._found(id_) is None and age > _AGAIN_S):
                try:
                    self._keys = await asyncio.to_thread(self._read)
                    self._read_at = self._monotonic()
                except (OSError, ValueError, jwt.PyJWTError, KeyError, TypeError) as error:
                    log.warning("oidc", problem=f"{type(error).__name__}: {error}"[:300])
                    if not self._keys:
                        raise unavailable("The identity provider does not answer; try again in 5 seconds.", 5) from None
                    self._read_at = self._monotonic() - _KEYS_S + _AGAIN_S  # with the old ones for a while
        return self._found(id_)

    def _found(self, id_: str) -> jwt.PyJWK | None:
        if id_:
            return self._keys.get(id_)
        return next(iter(self._keys.values())) if len(self._keys) == 1 else None

    def _read(self) -> dict[str, jwt.PyJWK]:
        """The provider's public keys, by id."""
        url = self._settings.oidc_jwks_url
        if not url:
            url = str(discovered(self._settings.oidc_issuer)["jwks_uri"])
        keys = {}
        for place, each in enumerate(json_at(url)["keys"]):
            if each.get("kty") not in _KINDS or each.get("use", "sig") != "sig":
                continue
            try:
                keys[str(each.get("kid") or f"#{place}")] = jwt.PyJWK(each)
            except jwt.PyJWTError:
                continue  # of a kind that is not known here
        return keys


def _words(value: Any) -> list[str]:
    """Words of a text, or the texts of a list."""
    if isinstance(value, str):
        return value.split()
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def discovered(issuer: str) -> dict[str, Any]:
    """What the provider says of itself (OpenID Connect Discovery 1.0, 4). Raises OSError, ValueError."""
    return json_at(f"{issuer.rstrip('/')}/.well-known/openid-configuration")


def json_at(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The JSON object at a URL, or the answer to a body that is posted there. Raises OSError, ValueError."""
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{url[:100]!r} is no http or https URL")
    with urllib.request.urlopen(urllib.request.Request(url, body, dict(headers or {})), timeout=5) as answer:
        value = orjson.loads(answer.read(_LARGEST))
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value


def _refused(why: str) -> RequestProblem:
    return unauthorized(f"The token {why}.", "invalid_token")
