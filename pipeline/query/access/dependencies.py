"""The dependencies of endpoints: who asks, and whether that caller may."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from pipeline.query.access.authenticator import Authenticator
from pipeline.query.access.caller import Caller
from pipeline.query.http.problems import RequestProblem, unauthorized
from pipeline.warehouse.identity.access import READ


async def identified(request: Request) -> Caller:
    """Who asks, whatever the caller may do; 401 otherwise."""
    return await _identified(request, basic=False)


async def identified_basic(request: Request) -> Caller:
    """Who asks, where HTTP Basic is understood too."""
    return await _identified(request, basic=True)


async def authenticated(request: Request) -> Caller:
    """The dependency of every endpoint that shows calls."""
    return allowed(await identified(request), READ)


async def streaming(request: Request) -> Caller:
    """The dependency of streams: a ticket in the query string does where there is no Authorization header."""
    ticket = request.query_params.get("ticket")
    if ticket is None or "authorization" in request.headers:
        return await authenticated(request)
    gate: Authenticator = request.app.state.gate
    caller = await gate.holder_of(ticket)
    if caller is None:
        raise unauthorized("The ticket is unknown, or older than a minute; take another: POST /v1/tickets.")
    known(request, caller)
    return allowed(caller, READ)


def requires(scope: str, *, basic: bool = False) -> Any:
    """A dependency: the caller, when it has the scope; 403 otherwise."""

    async def scoped(request: Request) -> Caller:
        return allowed(await _identified(request, basic=basic), scope)

    return Depends(scoped)


def allowed(caller: Caller, scope: str) -> Caller:
    """The caller itself; 403 when the scope is missing."""
    if not caller.may(scope):
        raise RequestProblem(403, "forbidden", f"The token lacks the scope {scope}; make one that has it.")
    return caller


def address_of(request: Request) -> str:
    """Where the request comes from, for counting failed logins."""
    return request.client.host if request.client else ""


async def _identified(request: Request, *, basic: bool) -> Caller:
    gate: Authenticator = request.app.state.gate
    caller = await gate.caller(request.headers.get("authorization"), basic=basic, address=address_of(request))
    known(request, caller)
    return caller


def known(request: Request, caller: Caller) -> None:
    """Note who asks, for the log and for the limits."""
    request.scope["cdr.tenant"] = caller.tenant
    request.scope["cdr.caller"] = f"{caller.tenant}\0{caller.name}\0{caller.subject}"


# For the OpenAPI document, on routers; `authenticated` does the work and words the errors.
DOCUMENTED: Final = Depends(
    HTTPBearer(
        auto_error=False,
        scheme_name="token",
        description="Token of a tenant, made by `cdr token create` or issued to a login.",
    )
)

Authenticated = Annotated[Caller, Depends(authenticated)]

Streaming = Annotated[Caller, Depends(streaming)]
