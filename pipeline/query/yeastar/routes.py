"""Yeastar P-Series' call records under `/openapi/v1.0`: the vendor's paths, parameters and shapes.

Every answer is HTTP 200; `errcode` tells what went wrong. Times are those of the tenant's display.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends, Request
from fastapi.security import APIKeyQuery
from starlette.responses import Response

from pipeline.query.access.authenticator import Authenticator
from pipeline.query.access.caller import Caller
from pipeline.query.http.bodies import json_object
from pipeline.query.http.documents import json_body_of, parameter
from pipeline.query.http.problems import invalid, speaks
from pipeline.query.yeastar import models
from pipeline.query.yeastar.errors import SUCCESS, yeastar_json, yeastar_response
from pipeline.query.yeastar.login import caller_of, log_in, refresh
from pipeline.query.yeastar.rows import COLUMNS, SORTABLE, cdr
from pipeline.query.yeastar.search import (
    FILTERS,
    MOST_ROWS,
    PAGING,
    group_id,
    options_of,
    order_of,
    page_of,
    search_of,
)
from pipeline.rating.numbers import numbering_of
from pipeline.settings import Settings
from pipeline.warehouse.analytics.dispositions import DISPOSITIONS
from pipeline.warehouse.identity.tokens import PREFIX
from pipeline.warehouse.query.clauses import CLOSED_CALLS
from pipeline.warehouse.query.expressions import EVERYTHING, Node
from pipeline.warehouse.query.pages.numbered import page
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.reference.directories import Directories

_WHOLE: Final = {"type": "integer", "minimum": 1}
_PAGING: Final = [
    parameter("page", _WHOLE | {"default": 1}, "Which page, from 1.", 1),
    parameter("page_size", _WHOLE | {"maximum": MOST_ROWS, "default": MOST_ROWS}, "Calls a page.", 100),
    parameter("sort_by", {"type": "string", "enum": list(SORTABLE), "default": "id"}, "Field to sort by.", "time"),
    parameter("order_by", {"type": "string", "enum": ["asc", "desc"], "default": "asc"}, "Which way.", "desc"),
]
_TEXT: Final = {"type": "string"}
_SEARCHING: Final = [
    parameter("start_time", _TEXT, "First start, in the format of the display.", "08/20/2024 00:00:00"),
    parameter("end_time", _TEXT, "Last start, that second included.", "08/20/2024 23:59:59"),
    parameter("call_from", _TEXT, "Number of the caller.", "101"),
    parameter("call_to", _TEXT, "Number of who answered, else of who was called.", "+441632960123"),
    parameter("did", _TEXT, "Number dialled from outside, and perhaps its trunk.", "+441632960001:carrier-b"),
    parameter("extension_group", {"type": "integer"}, "Calls whose caller or callee is of this group.", 7),
    parameter("status", {"type": "string", "enum": list(DISPOSITIONS)}, "What became of the call.", "ANSWERED"),
    parameter("enable_fuzzy_search", {"type": "integer", "enum": [0, 1], "default": 0}, "1: parts of numbers.", 1),
]
_TOKEN: Final = Depends(
    APIKeyQuery(
        name="access_token",
        auto_error=False,
        scheme_name="access_token",
        description="`access_token` of get_token, or a token made by `cdr token create`.",
    )
)

router = APIRouter(prefix="/openapi/v1.0", tags=["Yeastar"])
speaks("/openapi/", yeastar_response)


@router.post(
    "/get_token",
    operation_id="yeastar_get_token",
    summary="Get an access token",
    response_model=models.Tokens,
    openapi_extra=json_body_of(models.Credentials, {"username": "reporting", "password": "correct horse"}),
)
async def get_token(request: Request) -> Response:
    """An access token for half an hour and a refresh token for a day, for a user's name and password or for a
    tenant and one of its tokens."""
    return yeastar_json(SUCCESS | await log_in(request, await json_object(request)))


@router.post(
    "/refresh_token",
    operation_id="yeastar_refresh_token",
    summary="Get another access token",
    response_model=models.Tokens,
    openapi_extra=json_body_of(models.Refreshing, {"refresh_token": "5d1a8c0f"}),
)
async def refresh_token(request: Request) -> Response:
    """Another pair of tokens for a refresh token, which is spent by it."""
    return yeastar_json(SUCCESS | await refresh(request, await json_object(request)))


@router.get(
    "/del_token",
    operation_id="yeastar_del_token",
    summary="End an access token",
    response_model=models.Answer,
    dependencies=[_TOKEN],
)
async def del_token(request: Request) -> Response:
    """Ends the token and the refresh token that came with it. What `cdr token create` made is not ended here."""
    token = options_of(request.scope["query_string"], PAGING).text("access_token")
    await caller_of(request, token)
    if token is None or token.startswith(PREFIX):
        raise invalid("access_token", None, "is none of get_token; cdr token revoke ends what cdr token create made")
    gate: Authenticator = request.app.state.gate
    await gate.end(token)
    return yeastar_json(SUCCESS)


@router.get(
    "/cdr/list",
    operation_id="yeastar_cdr_list",
    summary="List calls",
    response_model=models.CdrList,
    openapi_extra={"parameters": _PAGING},
    dependencies=[_TOKEN],
)
async def cdr_list(request: Request) -> Response:
    """All finished calls, by id."""
    return await _calls(request, searching=False)


@router.get(
    "/cdr/search",
    operation_id="yeastar_cdr_search",
    summary="Search calls",
    response_model=models.CdrList,
    openapi_extra={"parameters": [*_SEARCHING, *_PAGING]},
    dependencies=[_TOKEN],
)
async def cdr_search(request: Request) -> Response:
    """The finished calls that match, by id. A time in another format than the display's finds none."""
    return await _calls(request, searching=True)


@router.get(
    "/extension_group/list",
    operation_id="yeastar_extension_group_list",
    summary="List extension groups",
    response_model=models.GroupList,
    dependencies=[_TOKEN],
)
async def extension_group_list(request: Request) -> Response:
    """The extension groups of the directory, with the ids that a search takes."""
    caller = await caller_of(request, options_of(request.scope["query_string"], PAGING).text("access_token"))
    directory = await _directories(request).seen(caller.view)
    groups = [{"id": group_id(group), "name": name} for name, group in sorted(directory.groups.items())]
    return yeastar_json(SUCCESS | {"total_number": len(groups), "data": groups})


async def _calls(request: Request, *, searching: bool) -> Response:
    options = options_of(request.scope["query_string"], (*PAGING, *(FILTERS if searching else ())))
    caller: Caller = await caller_of(request, options.text("access_token"))
    order, (skip, size) = order_of(options), page_of(options)
    directory = await _directories(request).seen(caller.view)
    settings: Settings = request.app.state.settings
    where: Node | None = (
        search_of(options, directory, numbering_of(directory, settings.country)) if searching else EVERYTHING
    )
    if where is None:
        return yeastar_json(SUCCESS | {"total_number": 0, "data": []})
    reader: Reader = request.app.state.reader
    found = await page(reader, caller.view, CLOSED_CALLS, COLUMNS, where, order, skip=skip, top=size)
    data = [cdr(row, directory) for row in found.rows]
    return yeastar_json(SUCCESS | {"total_number": found.count, "data": data})


def _directories(request: Request) -> Directories:
    directories: Directories = request.app.state.directories
    return directories
