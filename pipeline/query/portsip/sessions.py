"""PortSIP's sessions: calls in progress (vendor page "Sessions", REST API)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.instants import instant
from pipeline.query.access.dependencies import DOCUMENTED, Authenticated
from pipeline.query.http.ids import parse_id
from pipeline.query.http.parameters import no_options
from pipeline.query.http.problems import not_found
from pipeline.query.names import named_call
from pipeline.query.portsip import models
from pipeline.query.portsip.routes import (
    LIST_PARAMETERS,
    REFUSALS,
    UNKNOWN,
    Id,
    Listing,
    answer,
    directory_of,
    listed,
    reader_of,
)
from pipeline.query.portsip.rows import CDR_NUMBERS, CDR_PROPERTIES
from pipeline.warehouse.query.clauses import OPEN_CALLS
from pipeline.warehouse.query.columns import CALL
from pipeline.warehouse.query.expressions import Column
from pipeline.warehouse.query.reader import Row
from pipeline.warehouse.query.whole_calls import call, logs_of, logs_of_calls

_SHOWN: Final = (
    "id",
    "caller_number",
    "caller_name",
    "callee_number",
    "trunk",
    "started_at",
    "answered_at",
    "ended_at",
    *("callee_name", "direction", "caller_extension", "callee_extension"),
)
_NAMES: Final = (
    *("id", "caller", "caller_display_name", "callee", "trunk", "started_at", "call_id", "direction"),
    *("did_cid", "service_number"),
)
_SESSIONS: Final = Listing(
    OPEN_CALLS,
    (*(CALL[name] for name in _SHOWN), Column("last_event_at", "last_event_at", "time")),
    {name: CDR_PROPERTIES[name] for name in _NAMES},
    tuple(CDR_PROPERTIES[name] for name in ("caller", "callee", "caller_display_name", "did_cid", "call_id")),
    CDR_NUMBERS,
)

router = APIRouter(prefix="/api", tags=["PortSIP"], responses=REFUSALS, dependencies=[DOCUMENTED])


@router.get(
    "/sessions",
    operation_id="list_sessions",
    summary="List calls in progress",
    response_model=models.SessionPage,
    openapi_extra={"parameters": LIST_PARAMETERS},
)
async def list_sessions(request: Request, caller: Authenticated) -> Response:
    """Calls in progress, newest first, each with the targets it is at."""
    found = await listed(request, caller.view, _SESSIONS)
    logs = await logs_of_calls(reader_of(request), caller.view, found.rows)
    items = [_session(row, logs[int(row["id"])]) for row in found.rows]
    return answer(request, {"count": found.count, "items": items})


@router.get(
    "/sessions/{id}",
    operation_id="get_session",
    summary="One call in progress",
    response_model=models.Session,
    responses=UNKNOWN,
)
async def get_session(request: Request, caller: Authenticated, id: Id) -> Response:
    """One call in progress with the targets it is at."""
    no_options(request)
    reader = reader_of(request)
    row = await call(reader, caller.view, parse_id(id, "Session"), OPEN_CALLS)
    if row is None:
        raise not_found(f"There is no call in progress with the id {id[:80]!r}.")
    logs = await logs_of(reader, caller.view, row)
    return answer(request, _session(named_call(await directory_of(request, caller.view), row), logs))


def _session(row: Row, logs: Sequence[Row]) -> dict[str, Any]:
    """A call with the targets that it has not left; with itself while it has none."""
    at = [log for log in logs if log["ended_at"] is None]
    calls = [_call(row, log["number"], log["trunk"] or row["trunk"], log) for log in at]
    return {"id": str(row["id"]), "calls": calls or [_call(row, row["callee_number"], row["trunk"], row)]}


def _call(row: Row, callee: str, trunk: str, target: Row) -> dict[str, Any]:
    answered = target["answered_at"]
    return {
        "caller": row["caller_number"],
        "caller_display_name": row["caller_name"],
        "callee": callee,
        "trunk": trunk,
        "started_at": target["started_at"],
        "talking_time": max(0, int(time.time() - instant(answered) / 1000)) if answered else 0,
    }
