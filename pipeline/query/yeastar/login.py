"""Yeastar's tokens: a client id and secret give an access token for the query string, and a refresh token.

Here the client id is a user's name and the secret its password, or a tenant's id and one of its tokens.
A token made by `cdr token` may stand in the query string itself.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request

from pipeline.query.access.authenticator import Authenticator
from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import address_of, allowed, known
from pipeline.query.http.problems import RequestProblem, invalid
from pipeline.warehouse.identity.access import READ
from pipeline.warehouse.identity.tokens import PREFIX

ACCESS_S: Final = 1800
REFRESH_S: Final = 86_400


def known_client(request: Request) -> None:
    """The vendor answers nobody without a User-Agent."""
    if not request.headers.get("user-agent", "").strip():
        raise RequestProblem(200, "forbidden", "The header User-Agent is missing; send one, such as OpenAPI.")


async def caller_of(request: Request, token: str | None) -> Caller:
    """Whom the access token belongs to; an Authorization header will do where there is none."""
    known_client(request)
    gate: Authenticator = request.app.state.gate
    header = request.headers.get("authorization")
    if token is None and header is None:
        raise RequestProblem(200, "forbidden", "access_token is missing; take one from get_token.")
    if token is None or token.startswith(PREFIX):
        caller = await gate.caller(header if token is None else f"Bearer {token}")
    else:
        found = await gate.caller_of(token, "access")
        if found is None:
            raise RequestProblem(200, "expired", "access_token is unknown, expired or ended; take another.")
        caller = found
    known(request, caller)
    return allowed(caller, READ)


async def log_in(request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """The tokens of a user or of a tenant's token."""
    known_client(request)
    gate: Authenticator = request.app.state.gate
    username, password = text_of(body, "username"), text_of(body, "password")
    caller = await gate.token_login(username, password) if password.startswith(PREFIX) else None
    caller = caller or await gate.login(username, password, address=address_of(request))
    if caller is None:
        raise RequestProblem(200, "forbidden", "username and password belong to nobody; see cdr user list.")
    return await _tokens(gate, allowed(caller, READ), "")


async def refresh(request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """New tokens for a refresh token, which is spent by it."""
    known_client(request)
    gate: Authenticator = request.app.state.gate
    token = text_of(body, "refresh_token")
    caller = await gate.spend(token, "refresh")
    if caller is None:
        raise RequestProblem(200, "expired", "refresh_token is unknown, spent or expired; log in with get_token.")
    return await _tokens(gate, allowed(caller, READ), token)


async def _tokens(gate: Authenticator, caller: Caller, beside: str) -> dict[str, Any]:
    access = await gate.issue(caller, "access", ACCESS_S, beside=beside)
    return {
        "access_token_expire_time": ACCESS_S,
        "access_token": access,
        "refresh_token_expire_time": REFRESH_S,
        "refresh_token": await gate.issue(caller, "refresh", REFRESH_S, beside=access),
    }


def text_of(body: dict[str, Any], name: str) -> str:
    """A text of a body that must be there."""
    value = body.get(name)
    if not isinstance(value, str) or not value or len(value) > 4096 or "\0" in value:
        raise invalid(name, None, "is missing or no plain text; send it as a JSON string")
    return value
