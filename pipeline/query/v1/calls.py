"""Calls under `/v1`: lists, calls in progress, the call document, its timeline and its events."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from pipeline.query.access.dependencies import DOCUMENTED, Authenticated
from pipeline.query.http.documents import parameter
from pipeline.query.http.parameters import no_options, parse
from pipeline.query.questions.endpoint import directory_of, look_of, reader_of, refusals
from pipeline.query.questions.fields import Presentation, document_select
from pipeline.query.questions.formats import JSON, NDJSON, answer, format_of, unchanged
from pipeline.query.questions.lists.answer import listed
from pipeline.query.questions.lists.members import zone_asked
from pipeline.query.questions.lists.openapi import documented, documented_body, other_forms
from pipeline.query.questions.lists.question import Known, asked, asked_in_body
from pipeline.query.questions.lists.tables import CALL_TABLE
from pipeline.query.questions.timeline import Timeline, timeline
from pipeline.query.questions.whole import found_call, whole_call
from pipeline.query.v1.call_rows import CallPage
from pipeline.warehouse.query.clauses import OPEN_CALLS
from pipeline.warehouse.query.events import events_of
from pipeline.warehouse.query.pages.listing import Listing, page_of
from schemas.call_model import CallDocument

_EXAMPLE: Final = {
    "filter": {"direction": "inbound", "or": [{"status": "abandoned"}, {"wait_ms": {"gt": 20000}}]},
    "from": "2026-03-10T00:00:00Z",
    "fields": ["id", "caller.number", "started_at", "wait_ms"],
}
_MOST_ACTIVE: Final = 10_000
_OF_OPEN: Final = ("filter", *CALL_TABLE.language(Presentation()))

Id = Annotated[str, Path(description="Id of the call, as lists show it.", examples=["1407374883553280"])]

router = APIRouter(prefix="/v1", tags=["Calls"], responses=refusals(), dependencies=[DOCUMENTED])


@router.get(
    "/calls",
    operation_id="list_calls",
    summary="List calls",
    response_model=CallPage,
    responses=refusals(406) | {200: {"content": other_forms()}},
    openapi_extra={"parameters": documented(CALL_TABLE)},
)
async def list_calls(request: Request, caller: Authenticated) -> Response:
    """Calls, newest first, those in progress among them. Pages stay stable while calls arrive."""
    return await listed(request, caller, CALL_TABLE, await asked(request, caller, CALL_TABLE))


@router.post(
    "/calls/search",
    operation_id="search_calls",
    summary="List calls by a JSON filter",
    response_model=CallPage,
    responses=refusals(406, 413) | {200: {"content": other_forms()}},
    openapi_extra={"requestBody": documented_body(CALL_TABLE, _EXAMPLE)},
)
async def search_calls(request: Request, caller: Authenticated) -> Response:
    """The same list, asked for in a body: for filters that are long, or made by a program."""
    return await listed(request, caller, CALL_TABLE, await asked_in_body(request, caller, CALL_TABLE))


@router.get(
    "/calls/active",
    operation_id="list_active_calls",
    summary="Calls in progress",
    response_model=CallPage,
    openapi_extra={
        "parameters": [
            parameter("limit", {"type": "integer", "minimum": 1, "maximum": _MOST_ACTIVE}, "At most so many.", 1000),
            *(each for each in documented(CALL_TABLE) if each["name"] in _OF_OPEN),
        ]
    },
)
async def list_active_calls(request: Request, caller: Authenticated) -> Response:
    """Calls that have not ended, newest first, at most two seconds old; filters as in lists. `as_of` says when it was
    looked."""
    look = await look_of(request, caller.view)
    language = CALL_TABLE.language(look, await zone_asked(request, caller.view, None))
    known = Known(language, ("limit", "filter"))
    options = parse(request.scope["query_string"], known, repeatable=language, filled=("limit", "filter"))
    where = language.of_parameters(options)
    listing = Listing(
        caller.view,
        OPEN_CALLS,
        document_select(CALL_TABLE.shown, look),
        where,
    )
    as_of = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    page = await page_of(reader_of(request), listing, options.whole("limit", 1000, 1, _MOST_ACTIVE))
    body = b'{"as_of":"%s","data":[%s],"next_cursor":null}' % (as_of.encode(), b",".join(page.rows))
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})


@router.get(
    "/calls/{id}",
    operation_id="get_call",
    summary="The call document",
    response_model=CallDocument,
    responses=refusals(404),
)
async def get_call(request: Request, caller: Authenticated, id: Id) -> Response:
    """The whole call with its targets, reroutes and quality. The ETag is its version, that of the directory when
    names may come from there, and whether numbers are masked."""
    no_options(request)
    row = await found_call(request, caller, id)
    names = (await directory_of(request, caller.view)).version
    parts = [row["version"], *([names] if names else []), *(["masked"] if caller.masked else [])]
    tag = f'"{"-".join(map(str, parts))}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if unchanged(request, tag):
        return Response(status_code=304, headers=headers)
    body = orjson.dumps(await whole_call(request, caller, row))
    return Response(body, media_type="application/json", headers=headers)


@router.get(
    "/calls/{id}/timeline",
    operation_id="get_call_timeline",
    summary="What happened in a call",
    response_model=Timeline,
    responses=refusals(404),
)
async def get_call_timeline(request: Request, caller: Authenticated, id: Id) -> Response:
    """Every moment of the call and of its targets, reroutes and queues, oldest first."""
    no_options(request)
    row = await found_call(request, caller, id)
    steps = timeline(await whole_call(request, caller, row))
    return answer(request, orjson.dumps({"id": str(row["id"]), "data": steps}))


@router.get(
    "/calls/{id}/events",
    operation_id="list_call_events",
    summary="The raw events of a call",
    responses=refusals(404, 406)
    | {200: {"content": {"application/x-ndjson": {"schema": {"type": "string", "format": "binary"}}}}},
    openapi_extra={
        "parameters": [
            parameter("format", {"type": "string", "enum": ["json", "ndjson"]}, "Form of the answer.", "json")
        ]
    },
)
async def list_call_events(request: Request, caller: Authenticated, id: Id) -> Response:
    """The events of the call as the PBX sent them, oldest first: `event` when they are JSON, `raw` otherwise. Events
    hold numbers in full, so a token that sees numbers masked sees none."""
    options = parse(request.scope["query_string"], ("format",))
    form = format_of(request, options, (JSON, NDJSON))
    row = await found_call(request, caller, id)
    events = [
        orjson.dumps(event)
        for event in await events_of(reader_of(request), caller.view, [row["call_id"], *row["merged_call_ids"]])
    ]
    if form is NDJSON:
        return answer(request, b"".join(event + b"\n" for event in events), form=form)
    return answer(request, b'{"id":"%d","data":[%s]}' % (row["id"], b",".join(events)))
