"""CommPeak's call records under `/api/cdrs`: aggregation, and lists with their options in the path.

HTTP Basic, as the vendor has it: a user's name and password, or a tenant and one of its tokens.
Bearer tokens do as well. Times are UTC.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPBasic
from starlette.responses import Response

from pipeline.directory.model import Directory
from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import DOCUMENTED, requires
from pipeline.query.commpeak import models
from pipeline.query.commpeak.errors import commpeak_response
from pipeline.query.commpeak.fields import selection_of
from pipeline.query.commpeak.filter import filter_of
from pipeline.query.commpeak.list import COLUMNS, fields, item, listing_of
from pipeline.query.http.bodies import json_object, shown
from pipeline.query.http.documents import json_body_of
from pipeline.query.http.problems import invalid, speaks
from pipeline.rating.numbers import Numbering, numbering_of
from pipeline.settings import Settings
from pipeline.warehouse.analytics.aggregate import aggregate
from pipeline.warehouse.identity.access import READ
from pipeline.warehouse.query.clauses import CLOSED_CALLS
from pipeline.warehouse.query.pages.numbered import page
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.reference.directories import Directories

_KNOWN: Final = ("group", "fields", "period", "filter", "order", "limit", "offset")
_MOST_ROWS: Final = 10_000
_PREFIX: Final = b"/api/cdrs/"
_EXAMPLE: Final = {
    "group": "user;call status",
    "fields": "user;call status;total calls;successful calls;ASR",
    "period": "year;month;day",
    "filter": {"start_at": "2024-08-20 00:00:00", "end_at": "2024-08-21 00:00:00", "duration": "5;>|9999;<"},
    "order": "user;desc",
    "limit": 100,
    "offset": 0,
}
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": models.CommpeakError, "description": text}
    for status, text in (
        (400, "A field cannot be understood."),
        (401, "No valid credentials."),
        (403, "The credentials lack the scope cdr:read."),
        (413, "The body is too large."),
        (429, "Too many failed logins."),
        (503, "The warehouse is away; see Retry-After."),
    )
}
_BASIC: Final = Depends(
    HTTPBasic(auto_error=False, scheme_name="basic", description="A user's password, or a tenant and its token.")
)
_OPTIONS_PARAMETER: Final = {
    "name": "options",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "description": "`N;OFFSET`, then `/order/FIELD;asc|desc` and conditions `/FIELD/VALUE;OPERATOR` with operators "
    f"`> >= < <= = !=`, in any order. Fields: {', '.join(fields())}.",
    "example": "100;0/order/start_at;desc/start_at/2024-08-20 00:00:00;>",
}

# What a path of options may begin with: PortSIP's ids stand in the same place.
_FIRST: Final = ("limit", "order", *fields())

Basic = Annotated[Caller, requires(READ, basic=True)]

router = APIRouter(prefix="/api/cdrs", tags=["CommPeak"], responses=_REFUSALS, dependencies=[DOCUMENTED, _BASIC])
# PortSIP's paths have one segment behind /api/cdrs.
speaks(f"/api/cdrs/(?:cdrs-aggregate$|(?:{'|'.join(_FIRST)})/)", commpeak_response)


@router.post(
    "/cdrs-aggregate",
    operation_id="commpeak_aggregate",
    summary="Aggregate CDRs",
    response_model=list[models.Aggregate],
    openapi_extra=json_body_of(models.Aggregation, _EXAMPLE),
)
async def aggregate_cdrs(request: Request, caller: Basic) -> Response:
    """Finished calls in groups: counts, durations, ACD, ASR and costs of each, by period if asked."""
    body = await json_object(request)
    for name in body:
        if name not in _KNOWN:
            raise invalid(name[:80], None, f"is no field; there are {', '.join(_KNOWN)}")
    group = _text(body, "group")
    if not group:
        raise invalid("group", None, "is missing; name what tells groups apart, such as user;call status")
    selection = selection_of(group, _text(body, "fields"), _text(body, "period"))
    directory = await _directories(request).seen(caller.view)
    first_ms, end_ms, where = filter_of(body.get("filter"), _numbering(request, directory))
    found = await aggregate(
        _reader(request),
        caller.view,
        CLOSED_CALLS,
        selection.measures,
        selection.dimensions,
        where,
        first_ms=first_ms,
        end_ms=end_ms,
        order=selection.order(_text(body, "order")),
        limit=_whole(body, "limit", 100, 1, _MOST_ROWS),
        offset=_whole(body, "offset", 0, 0, 10**12),
    )
    width = directory.tenant.display.hour_width
    return _json([selection.shown(row, width) for row in found.rows])


@router.get(
    "/limit/{options:path}",
    operation_id="commpeak_list",
    summary="List CDRs, options in the path",
    response_model=models.CommpeakCdrs,
    openapi_extra={"parameters": [_OPTIONS_PARAMETER]},
)
async def list_cdrs(request: Request, caller: Basic) -> Response:
    """Finished calls, newest first unless ordered otherwise."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    directory = await _directories(request).seen(caller.view)
    listing = listing_of(raw.partition(b"?")[0].partition(_PREFIX)[2], _numbering(request, directory))
    found = await page(
        _reader(request),
        caller.view,
        CLOSED_CALLS,
        COLUMNS,
        listing.where,
        listing.order,
        skip=listing.offset,
        top=listing.limit,
    )
    return _json({"cdrs": [item(row, directory) for row in found.rows]})


for _name in _FIRST[1:]:
    router.add_api_route(f"/{_name}/{{options:path}}", list_cdrs, methods=["GET"], include_in_schema=False)


def _text(body: dict[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid(name, shown(value), 'is no text; write names between semicolons, such as "user;call status"')
    return value


def _whole(body: dict[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = body.get(name)
    if value is None:
        return default
    digits = isinstance(value, str) and re.fullmatch(r"\d{1,18}", value, re.ASCII)
    if digits or (isinstance(value, float) and value.is_integer()):  # JSON knows one kind of numbers
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise invalid(name, shown(value), f"is no whole number from {least} to {most}; leave it out for {default}")
    return value


def _numbering(request: Request, directory: Directory) -> Numbering:
    settings: Settings = request.app.state.settings
    return numbering_of(directory, settings.country)


def _directories(request: Request) -> Directories:
    directories: Directories = request.app.state.directories
    return directories


def _reader(request: Request) -> Reader:
    reader: Reader = request.app.state.reader
    return reader


def _json(body: Any) -> Response:
    return Response(orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "no-store"})
