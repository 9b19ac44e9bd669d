"""Who asks: bearer tokens (RFC 6750), each bound to a tenant.

A token that was found is trusted for 5 s, so a revoked one ends within that time; one that was not
found is asked for again after 1 s. Tokens appear in no log: only their hash is handled.
"""

from __future__ import annotations

import hmac
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from pipeline.query.problems import RequestProblem, unauthorized
from pipeline.warehouse.reader import Reader
from pipeline.warehouse.tokens import PREFIX, READ, Token, find_token, hashed

_FOUND_S: Final = 5.0
_MISSED_S: Final = 1.0
_REMEMBERED: Final = 10_000
_SHAPE: Final = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{20,200}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and for whose calls."""

    tenant: str
    name: str
    scopes: tuple[str, ...]


class Gate:
    """Turns Authorization headers into callers."""

    def __init__(
        self,
        reader: Reader,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._reader = reader
        self._monotonic, self._wall = monotonic, wall
        self._known: OrderedDict[str, tuple[float, Token | None]] = OrderedDict()

    async def caller(self, header: str | None) -> Caller:
        """The caller of a request with this Authorization header; 401 or 403 otherwise."""
        if not header:
            raise unauthorized("No token; send the header Authorization: Bearer <token> (cdr token create makes one).")
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer":
            raise unauthorized("Authorization is of another scheme than Bearer; send Authorization: Bearer <token>.")
        if not _SHAPE.fullmatch(token):
            raise unauthorized(f"The token is malformed; tokens begin with {PREFIX}.", "invalid_token")
        digest = hashed(token)
        found = await self._find(digest)
        if found is None or not hmac.compare_digest(found.token_hash, digest) or found.revoked:
            raise unauthorized("The token is unknown or revoked; make another with cdr token create.", "invalid_token")
        if not found.valid_at(int(self._wall() * 1000)):
            raise unauthorized("The token has expired; make another with cdr token create.", "invalid_token")
        if READ not in found.scopes:
            raise RequestProblem(403, "forbidden", f"The token lacks the scope {READ}; make one that has it.")
        return Caller(found.tenant, found.name, found.scopes)

    async def _find(self, digest: str) -> Token | None:
        now = self._monotonic()
        known = self._known.get(digest)
        if known is not None and now - known[0] < (_MISSED_S if known[1] is None else _FOUND_S):
            return known[1]
        token = await find_token(self._reader, digest)
        self._known[digest] = (now, token)
        self._known.move_to_end(digest)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return token


async def authenticated(request: Request) -> Caller:
    """The dependency of every endpoint that shows calls."""
    gate: Gate = request.app.state.gate
    caller = await gate.caller(request.headers.get("authorization"))
    request.scope["cdr.tenant"] = caller.tenant
    return caller


# For the OpenAPI document, on routers; `authenticated` does the work and words the errors.
DOCUMENTED: Final = Depends(
    HTTPBearer(auto_error=False, scheme_name="token", description="Token of a tenant, made by `cdr token create`.")
)

Authenticated = Annotated[Caller, Depends(authenticated)]
