"""PortSIP's call detail records under `/api`: the vendor's paths, options and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from pipeline.directory.model import Directory
from pipeline.query.access.dependencies import DOCUMENTED, Authenticated
from pipeline.query.http.documents import parameter
from pipeline.query.http.ids import parse_id
from pipeline.query.http.parameters import no_options
from pipeline.query.http.problems import not_found
from pipeline.query.names import has_names, named_as, named_call, named_log, shown_sql
from pipeline.query.portsip import models
from pipeline.query.portsip.lists import asked
from pipeline.query.portsip.rows import (
    CALL_LOG_COLUMNS,
    CALL_LOG_NUMBERS,
    CALL_LOG_PROPERTIES,
    CALL_LOG_SEARCHED,
    CDR_COLUMNS,
    CDR_NUMBERS,
    CDR_PROPERTIES,
    CDR_SEARCHED,
    call_log_item,
    cdr_item,
    priced_items,
    target_item,
    without_blanks,
)
from pipeline.settings import Settings
from pipeline.warehouse.query.clauses import CALL_LOGS, CLOSED_CALLS, Source
from pipeline.warehouse.query.columns import CALL_LOG
from pipeline.warehouse.query.expressions import EVERYTHING, Column, Node, OfFinished
from pipeline.warehouse.query.pages.numbered import Page, page
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.query.view import View
from pipeline.warehouse.query.whole_calls import call, call_log, logs_of
from pipeline.warehouse.reference.directories import Directories

LIST_PARAMETERS: Final = [
    parameter(
        "filter",
        {"type": "string", "maxLength": 8192},
        "Which items: `eq ne gt ge lt le in`, `and or not`, parentheses, `startswith endswith contains tolower "
        "toupper length year month day hour date`. Texts in quotes; times quoted or bare. `$filter` too.",
        "caller eq '101' and started_at ge 2024-08-20T00:00:00Z",
    ),
    parameter(
        "search",
        {"type": "string", "maxLength": 8192},
        "Words anywhere in numbers, names and call ids.",
        "101 or 102",
    ),
    parameter(
        "orderby",
        {"type": "string"},
        "Properties, each with `asc` (default) or `desc`. Newest first when left out.",
        "caller asc, started_at desc",
    ),
    parameter("skip", {"type": "integer", "minimum": 0, "default": 0}, "How many items to leave out first.", 0),
    parameter("top", {"type": "integer", "minimum": 1, "maximum": 100, "default": 100}, "How many items.", 100),
    parameter("count", {"type": "boolean", "default": True}, "Taken for completeness: `count` is always there.", True),
]
REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": models.PortsipErrors, "description": "A parameter cannot be understood."},
    401: {"model": models.PortsipErrors, "description": "No valid token."},
    403: {"model": models.PortsipErrors, "description": "The token may not do this."},
    503: {"model": models.PortsipErrors, "description": "The warehouse is away; see Retry-After."},
}
UNKNOWN: Final[dict[int | str, dict[str, Any]]] = {404: {"model": models.PortsipErrors, "description": "No such id."}}

Id = Annotated[str, Path(description="Id as lists show it; base64 of it is understood too.")]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list shows, and how it may be asked."""

    source: Source
    columns: tuple[Column, ...]
    properties: Mapping[str, Column]
    searched: tuple[Column, ...]
    numbers: tuple[Column, ...]  # that a name of the directory may stand for

    @property
    def of_logs(self) -> bool:
        return self.source is CALL_LOGS


_CDRS: Final = Listing(CLOSED_CALLS, CDR_COLUMNS, CDR_PROPERTIES, CDR_SEARCHED, CDR_NUMBERS)
_CALL_LOGS: Final = Listing(CALL_LOGS, CALL_LOG_COLUMNS, CALL_LOG_PROPERTIES, CALL_LOG_SEARCHED, CALL_LOG_NUMBERS)

router = APIRouter(prefix="/api", tags=["PortSIP"], responses=REFUSALS, dependencies=[DOCUMENTED])


@router.get(
    "/cdrs",
    operation_id="list_cdrs",
    summary="List CDRs",
    response_model=models.CdrPage,
    openapi_extra={"parameters": LIST_PARAMETERS},
)
async def list_cdrs(request: Request, caller: Authenticated) -> Response:
    """Finished calls, newest first. Calls in progress come when they have ended."""
    found = await listed(request, caller.view, _CDRS)
    return answer(request, {"count": found.count, "items": [cdr_item(row) for row in found.rows]})


@router.get(
    "/user/cdrs",
    operation_id="list_own_cdrs",
    summary="List one's own CDRs",
    response_model=models.CdrPage,
    openapi_extra={"parameters": LIST_PARAMETERS},
)
async def list_own_cdrs(request: Request, caller: Authenticated) -> Response:
    """Finished calls that the caller's extension made or was a target of, whatever else the caller may see; none of a
    caller without an extension."""
    found = await listed(request, caller.own_view, _CDRS)
    return answer(request, {"count": found.count, "items": [cdr_item(row) for row in found.rows]})


@router.get(
    "/cdrs/{id}",
    operation_id="get_cdr",
    summary="The targets of a call",
    response_model=models.CdrDetail,
    responses=UNKNOWN,
)
async def get_cdr(request: Request, caller: Authenticated, id: Id) -> Response:
    """Every target of a finished call, tried or reached, with cost and billed account."""
    no_options(request)
    row = await call(reader_of(request), caller.view, parse_id(id, "CDR"), CLOSED_CALLS)
    if row is None:
        raise not_found(f"There is no finished call with the id {id[:80]!r}.")
    logs = await logs_of(reader_of(request), caller.view, row)
    directory = await directory_of(request, caller.view)
    named = [named_log(directory, log) for log in logs]
    return answer(request, {"items": [target_item(item) for item in priced_items(row, named)]})


@router.get(
    "/calllogs",
    operation_id="list_call_logs",
    summary="List call logs",
    response_model=models.CallLogPage,
    openapi_extra={"parameters": LIST_PARAMETERS},
)
async def list_call_logs(request: Request, caller: Authenticated) -> Response:
    """One item a target of a finished call, newest first."""
    finished = OfFinished(CALL_LOG["session_id"], caller.tenant)
    found = await listed(request, caller.view, _CALL_LOGS, finished)
    return answer(request, {"count": found.count, "items": [call_log_item(row) for row in found.rows]})


@router.get(
    "/calllogs/{id}",
    operation_id="get_call_log",
    summary="One call log",
    response_model=models.CallLogDetail,
    responses=UNKNOWN,
)
async def get_call_log(request: Request, caller: Authenticated, id: Id) -> Response:
    """One target of a call, with cost and billed account."""
    no_options(request)
    reader = reader_of(request)
    log = await call_log(reader, caller.view, parse_id(id, "Call log"))
    row = log and await call(reader, caller.view, log["session_id"], CLOSED_CALLS)
    logs = await logs_of(reader, caller.view, row) if row else []
    if not log or not row:
        raise not_found(f"There is no call log with the id {id[:80]!r}.")
    wanted = str(log["id"])
    directory = await directory_of(request, caller.view)
    named = [named_log(directory, log) for log in logs]
    item = next((item for item in priced_items(row, named) if item["id"] == wanted), None)
    if item is None:  # corrected between the queries: its row has just been retired
        raise not_found(f"There is no call log with the id {id[:80]!r} any more.")
    return answer(request, item)


async def listed(request: Request, view: View, listing: Listing, which: Node = EVERYTHING) -> Page:
    """The page of a list that the request asks for, through the view; only those rows that meet `which`."""
    directory = await directory_of(request, view)
    properties = listing.properties
    if has_names(directory):  # names are compared and ordered as they are shown
        properties = {
            name: replace(column, sql=shown_sql(column, of_logs=listing.of_logs, masked=view.masked))
            for name, column in properties.items()
        }
    named = partial(named_as, directory=directory, numbers=listing.numbers)
    wanted = asked(request, properties, listing.searched, which, named=named)
    found = await page(
        reader_of(request),
        view,
        listing.source,
        listing.columns,
        wanted.where,
        wanted.order,
        skip=wanted.skip,
        top=wanted.top,
    )
    rename = named_log if listing.of_logs else named_call
    return Page(found.count, [rename(directory, row) for row in found.rows])


async def directory_of(request: Request, view: View) -> Directory:
    """The directory of the tenant, as the view shows it."""
    directories: Directories = request.app.state.directories
    return await directories.seen(view)


def reader_of(request: Request) -> Reader:
    """The service's reader."""
    reader: Reader = request.app.state.reader
    return reader


def answer(request: Request, body: dict[str, Any], status: int = 200) -> Response:
    """The body as JSON, in its `items` nothing that the vendor's schema does not allow."""
    settings: Settings = request.app.state.settings
    if settings.portsip_blanks == "omit":
        body = without_blanks(body)
    return Response(
        orjson.dumps(body), status_code=status, media_type="application/json", headers={"Cache-Control": "no-store"}
    )
