"""ipcortex' call reports under `/rest`: log-in, received calls, dialled calls, costs, and both by company.

Every answer is HTTP 200 with `result`. Days and months are the tenant's own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.security import APIKeyCookie
from starlette.responses import Response

from pipeline.query.access.authenticator import Authenticator
from pipeline.query.access.dependencies import DOCUMENTED
from pipeline.query.http.bodies import json_object
from pipeline.query.http.documents import json_body_of
from pipeline.query.http.problems import RequestProblem, speaks
from pipeline.query.ipcortex import models
from pipeline.query.ipcortex.errors import ipcortex_json, ipcortex_response
from pipeline.query.ipcortex.login import COOKIE, SESSION_S, caller_of, log_in, user_of
from pipeline.query.ipcortex.recalc import recalculate
from pipeline.query.ipcortex.reports import Report, allcalls, incalls, outcalls, outsummary
from pipeline.query.ipcortex.scope import scope_of
from pipeline.query.local_time import zone_of
from pipeline.rating.numbers import numbering_of
from pipeline.settings import Settings
from pipeline.warehouse.reference.directories import Directories

_MONTH: Final = {"year": 2024, "month": 8}
_DAY: Final = _MONTH | {"day": 20}
_SESSION: Final = Depends(
    APIKeyCookie(name=COOKIE, auto_error=False, scheme_name="session", description="Cookie of /rest/auth/.")
)

router = APIRouter(prefix="/rest", tags=["ipcortex"])
speaks("/rest/", ipcortex_response)


def _asked(**scope: Any) -> dict[str, Any]:
    return {"type": "cdr", "scope": scope}


@router.post(
    "/auth/",
    operation_id="ipcortex_auth",
    summary="Log in",
    response_model=models.LoggedIn,
    openapi_extra=json_body_of(
        models.Login, {"auth": {"type": "auth", "username": "reporting", "password": "correct horse"}}
    ),
)
async def auth(request: Request) -> Response:
    """Sets the session cookie, for eight hours."""
    caller = await log_in(request, await json_object(request))
    gate: Authenticator = request.app.state.gate
    session = await gate.issue(caller, "session", SESSION_S)
    directory = await _directories(request).seen(caller.view)
    answer = ipcortex_json({"result": "success", "user": user_of(caller, directory, session)})
    answer.set_cookie(
        COOKIE,
        session,
        max_age=SESSION_S,
        path="/rest",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


router.add_api_route("/auth", auth, methods=["POST"], include_in_schema=False)


@router.get("/auth/logout", include_in_schema=False)
@router.post(
    "/auth/logout",
    operation_id="ipcortex_logout",
    summary="Log out",
    response_model=models.Envelope,
    dependencies=[_SESSION],
)
async def logout(request: Request) -> Response:
    """Ends the session of the cookie."""
    gate: Authenticator = request.app.state.gate
    if cookie := request.cookies.get(COOKIE):
        await gate.end(cookie)
    answer = ipcortex_json({"result": "success"})
    answer.delete_cookie(COOKIE, path="/rest", httponly=True, samesite="strict")
    return answer


@router.post(
    "/call/incalls",
    operation_id="ipcortex_incalls",
    summary="Received calls by extension",
    response_model=models.InCalls,
    openapi_extra=json_body_of(models.InRequest, _asked(**_DAY, company="default", extensions=["201"])),
    dependencies=[DOCUMENTED, _SESSION],
)
async def in_calls(request: Request) -> Response:
    """What the extensions of the companies received. A call within the company is here and in outcalls."""
    return await _report(request, incalls)


@router.post(
    "/call/outcalls",
    operation_id="ipcortex_outcalls",
    summary="Dialled calls by device",
    response_model=models.OutCalls,
    openapi_extra=json_body_of(models.OutRequest, _asked(**_DAY, company=["default", "north"], keeviomerge=True)),
    dependencies=[DOCUMENTED, _SESSION],
)
async def out_calls(request: Request) -> Response:
    """What the devices of the companies dialled, with costs."""
    return await _report(request, outcalls)


@router.post(
    "/call/outsummary",
    operation_id="ipcortex_outsummary",
    summary="Costs by company",
    response_model=models.OutSummary,
    openapi_extra=json_body_of(models.SummaryRequest, _asked(**_MONTH, detail=True)),
    dependencies=[DOCUMENTED, _SESSION],
)
async def out_summary(request: Request) -> Response:
    """What the calls of a month cost, by company and device."""
    return await _report(request, outsummary, monthly=True)


@router.post(
    "/call/allcalls",
    operation_id="ipcortex_allcalls",
    summary="All calls by company",
    response_model=models.AllCalls,
    openapi_extra=json_body_of(models.AllRequest, _asked(**_DAY, days=7)),
    dependencies=[DOCUMENTED, _SESSION],
)
async def all_calls(request: Request) -> Response:
    """Received and dialled calls of all companies, without costs."""
    return await _report(request, allcalls)


async def _report(
    request: Request, make: Callable[[Report], Awaitable[dict[str, Any]]], *, monthly: bool = False
) -> Response:
    body = await json_object(request)
    caller = await caller_of(request, body)
    settings: Settings = request.app.state.settings
    directory = await _directories(request).seen(caller.view)
    numbering = numbering_of(directory, settings.country)
    back = settings.ipcortex_days == "back"
    scope = scope_of(body, zone_of(directory.tenant.zone), back=back, monthly=monthly)
    with _alone(request, caller.tenant, locking=settings.ipcortex_lock or scope.recalc):
        if scope.recalc:
            await recalculate(settings, caller, scope.first_ms, scope.end_ms)
        report = Report(request.app.state.reader, caller, directory, numbering, scope)
        values = await make(report)
    return ipcortex_json({"result": "success", "values": values})


@contextmanager
def _alone(request: Request, tenant: str, *, locking: bool) -> Iterator[None]:
    """The tenant's lock: of every report when the service is set so, which is what clients of the vendor expect;
    always of those that have calls priced again."""
    if not locking:
        yield
        return
    busy: set[str] = request.app.state.ipcortex_busy
    if tenant in busy:
        raise RequestProblem(200, "busy", "Another user has billing locked. Please try again in a moment.")
    busy.add(tenant)
    try:
        yield
    finally:
        busy.discard(tenant)


def _directories(request: Request) -> Directories:
    directories: Directories = request.app.state.directories
    return directories
