"""Who asks ipcortex' reports: a session cookie, credentials in the body, an API key, or HTTP Basic.

A key is a token made by `cdr token`; credentials are a user's, or a tenant's id and one of its tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from zlib import crc32

from fastapi import Request

from pipeline.directory.model import Directory
from pipeline.query.access.authenticator import Authenticator
from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import address_of, allowed, known
from pipeline.query.http.problems import RequestProblem, invalid
from pipeline.query.ipcortex.owners import DEFAULT
from pipeline.warehouse.identity.access import READ
from pipeline.warehouse.identity.tokens import PREFIX

COOKIE: Final = "Red60urne"
SESSION_S: Final = 8 * 3600


async def caller_of(request: Request, body: Mapping[str, Any]) -> Caller:
    """Who asks, by the first of the ways in which the request says so."""
    gate: Authenticator = request.app.state.gate
    header, cookie = request.headers.get("authorization"), request.cookies.get(COOKIE)
    if body.get("auth") is not None:
        caller = await log_in(request, body)
    elif header:
        caller = await gate.caller(header, basic=True, address=address_of(request))
    elif cookie:
        found = await gate.caller_of(cookie, "session")
        if found is None:
            raise RequestProblem(401, "unauthorized", "The session is unknown, expired or ended; log in again.")
        caller = found
    else:
        raise RequestProblem(
            401, "unauthorized", "Nobody is logged in; POST /rest/auth/ first, or send auth or a key with the request."
        )
    known(request, caller)
    return allowed(caller, READ)


async def log_in(request: Request, body: Mapping[str, Any]) -> Caller:
    """The caller of an `auth` block."""
    auth = body.get("auth")
    if not isinstance(auth, Mapping):
        raise invalid("auth", None, 'is missing or no object; send {"type": "auth", "username": …, "password": …}')
    gate: Authenticator = request.app.state.gate
    if "key" in auth:
        return allowed(await gate.caller(f"Bearer {_text(auth, 'key')}"), READ)
    username, password = _text(auth, "username"), _text(auth, "password")
    caller = await gate.token_login(username, password) if password.startswith(PREFIX) else None
    caller = caller or await gate.login(username, password, address=address_of(request))
    if caller is None:
        raise RequestProblem(401, "unauthorized", "Username and password belong to nobody.")
    known(request, caller)
    return allowed(caller, READ)


def user_of(caller: Caller, directory: Directory, session: str) -> dict[str, Any]:
    """The caller as the vendor shows a user."""
    own = directory.extensions.get(caller.extension)
    return {
        "id": crc32(f"{caller.tenant}\n{caller.name}".encode()),
        "login": caller.name,
        "name": (own.name if own is not None else "") or caller.name,
        "company": (own.company if own is not None else "") or DEFAULT,
        "home": caller.extension,
        "session": session,
        "perms": {"admin": caller.sees_all, "billing": True},
    }


def _text(auth: Mapping[str, Any], name: str) -> str:
    value = auth.get(name)
    if not isinstance(value, str) or not value or len(value) > 4096 or "\0" in value:
        raise invalid(f"auth.{name}", None, "is missing or no plain text; send it as a JSON string")
    return value
