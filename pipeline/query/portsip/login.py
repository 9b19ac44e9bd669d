"""PortSIP's login: access and refresh tokens for a name and a password.

Vendor page "Authentication" (REST API), which follows RFC 6749, 4.3 and 6, with PortSIP's error body. A refresh
token is good once: each renewal gives another.
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.query.access.authenticator import Authenticator
from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import address_of, known
from pipeline.query.http.bodies import form_of
from pipeline.query.http.parameters import Parameters
from pipeline.query.http.problems import RequestProblem, invalid
from pipeline.query.portsip import models
from pipeline.warehouse.identity.access import READ
from pipeline.warehouse.identity.tokens import PREFIX

ACCESS_S: Final = 1800
REFRESH_S: Final = 24 * 3600

_FIELDS: Final = ("grant_type", "username", "password", "domain", "refresh_token", "scope", "client_id")
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": models.PortsipErrors, "description": "Wrong name, password or refresh token; a field is missing."},
    413: {"model": models.PortsipErrors, "description": "The form is larger than 64 KB."},
    429: {"model": models.PortsipErrors, "description": "Too many wrong passwords; see Retry-After."},
    503: {"model": models.PortsipErrors, "description": "The warehouse is away; see Retry-After."},
}


def _form(**fields: tuple[str, str]) -> dict[str, Any]:
    """A form of the OpenAPI document: field → meaning, example."""
    properties = {
        name: {"type": "string", "description": text, "examples": [example]} for name, (text, example) in fields.items()
    }
    content = {"application/x-www-form-urlencoded": {"schema": {"type": "object", "properties": properties}}}
    return {"requestBody": {"required": False, "content": content}}


router = APIRouter(prefix="/api/login/oauth", tags=["PortSIP"], responses=_REFUSALS)


@router.post(
    "/token",
    operation_id="log_in",
    summary="Log in, or renew a login",
    response_model=models.Login,
    openapi_extra=_form(
        grant_type=("password or refresh_token.", "password"),
        username=("Name of the user. Or a tenant, whose token is the password.", "alice"),
        password=("Password of the user.", "correct horse"),
        domain=("SIP domain, or tenant, of the user.", "pbx.example.com"),
        refresh_token=("What the last answer gave, for grant_type refresh_token; good once.", ""),
        scope=("Taken for completeness.", "all"),
        client_id=("Taken for completeness.", ""),
    ),
)
async def log_in(request: Request) -> Response:
    """Tokens for a name and a password (`grant_type=password`), or new ones for a refresh token."""
    form = await form_of(request, _FIELDS)
    gate: Authenticator = request.app.state.gate
    grant = _needed(form, "grant_type")
    if grant == "password":
        caller = await _caller(gate, form, address_of(request))
        beside = ""
    elif grant == "refresh_token":
        beside = _needed(form, "refresh_token")
        caller = await gate.spend(beside, "refresh")
    else:
        raise invalid("grant_type", grant, "is neither password nor refresh_token")
    if caller is None or not caller.may(READ):
        raise RequestProblem(400, "unauthorized", "Name, password, domain or refresh token is wrong or out of date.")
    known(request, caller)
    access = await gate.issue(caller, "access", ACCESS_S, beside=beside)
    refresh = await gate.issue(caller, "refresh", REFRESH_S, beside=access)
    body = {"access_token": access, "expires_in": ACCESS_S, "refresh_token": refresh, "token_type": "Bearer"}
    return _json(body)


@router.post(
    "/revoke",
    operation_id="log_out",
    summary="Log out",
    response_model=models.Ended,
    openapi_extra=_form(token=("Access or refresh token; that of the Authorization header when left out.", "")),
)
async def log_out(request: Request) -> Response:
    """Ends the access and refresh tokens of a login (RFC 7009). A token that is none any more is no error; `ended` says
    whether it was one. What `cdr token create` made is not ended here."""
    form = await form_of(request, ("token", "refresh_token", "access_token"))
    token = form.text("token") or form.text("refresh_token") or form.text("access_token")
    scheme, _, held = request.headers.get("authorization", "").partition(" ")
    if token is None and scheme.lower() == "bearer":
        token = held.strip()
    if not token:
        raise invalid("token", None, "is missing; send it in the form or as Authorization: Bearer <token>")
    if token.startswith(PREFIX):
        raise invalid("token", None, "is of no login; cdr token revoke ends what cdr token create made")
    gate: Authenticator = request.app.state.gate
    return _json({"ended": await gate.end(token)})


async def _caller(gate: Authenticator, form: Parameters, address: str) -> Caller | None:
    username, password = _needed(form, "username"), _needed(form, "password")
    if password.startswith(PREFIX):
        return await gate.token_login(username, password)
    return await gate.login(username, password, form.text("domain"), address=address)


def _needed(form: Parameters, name: str) -> str:
    text = form.text(name)
    if text is None:
        raise invalid(name, None, "is missing; send it in the form")
    return text


def _json(body: dict[str, Any]) -> Response:
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
    return Response(orjson.dumps(body), media_type="application/json", headers=headers)
