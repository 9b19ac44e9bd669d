"""Who may see and make reports, on both their surfaces."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import Request
from starlette.responses import Response

from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import Authenticated
from pipeline.query.http.problems import RequestProblem
from pipeline.reports.store import ReportStore
from pipeline.warehouse.reference.directories import Directories


async def manager(caller: Authenticated) -> Caller:
    """Whoever may see reports: they are about calls of everybody."""
    if not caller.sees_all:
        raise RequestProblem(403, "forbidden", "Reports are about everybody's calls; a user sees only its own.")
    return caller


def writer(caller: Caller) -> Caller:
    """The caller, when it may make reports; 403 otherwise."""
    if not caller.may("reports:write"):
        raise RequestProblem(403, "forbidden", "The token lacks the scope reports:write; make one that has it.")
    return caller


def store_of(request: Request) -> ReportStore:
    return ReportStore(request.app.state.reader)


def json_response(body: Any, status: int = 200) -> Response:
    """JSON that nobody keeps."""
    return Response(orjson.dumps(body), status, media_type="application/json", headers={"Cache-Control": "no-store"})


async def zone_of(request: Request, caller: Caller) -> str:
    """The zone of the caller's tenant."""
    directories: Directories = request.app.state.directories
    return (await directories.of(caller.tenant)).tenant.zone
