"""Calls under `/v1`: lists with keyset cursors, and the call document."""

from __future__ import annotations

from typing import Annotated, Any, Final, get_args
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from pipeline.query.auth import DOCUMENTED, Authenticated
from pipeline.query.call_rows import COLUMNS, CallPage, summary
from pipeline.query.cursor import cursor_of, place_of
from pipeline.query.documents import parameter
from pipeline.query.parameters import Parameters, parse
from pipeline.query.portsip_rows import parse_id
from pipeline.query.problems import Problem, invalid, not_found
from pipeline.warehouse.clauses import CALLS, Place
from pipeline.warehouse.columns import CALL
from pipeline.warehouse.expressions import All, Any_, Call, Compare, In, Literal, Node
from pipeline.warehouse.instants import instant
from pipeline.warehouse.queries import call, logs_of, older
from pipeline.warehouse.reader import Reader
from pipeline.warehouse.stored import as_call
from schemas.call import document
from schemas.call_model import CallDocument
from schemas.words import Direction, State, Status

_WORDS: Final = {"state": get_args(State), "status": get_args(Status), "direction": get_args(Direction)}
_NUMBERS: Final = {"caller": ("caller_number",), "callee": ("callee_number",)} | {
    "any_number": ("caller_number", "callee_number", "destination", "answered_by", "did")
}
_EXACT: Final = ("call_id", "trunk")
_KNOWN: Final = ("from", "to", "limit", "cursor", *_WORDS, *_NUMBERS, *_EXACT)
_TIME: Final = {"type": "string", "format": "date-time"}

_PARAMETERS: Final = [
    parameter("from", _TIME, "Calls started at or after this time.", "2024-08-20T00:00:00Z"),
    parameter("to", _TIME, "Calls started before this time.", "2024-08-21T00:00:00Z"),
    parameter("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}, "Calls a page.", 100),
    parameter("cursor", {"type": "string"}, "`next_cursor` of the page before, with the same filters.", ""),
    *(
        parameter(
            name, {"type": "array", "items": {"type": "string", "enum": list(words)}}, "May be repeated.", [words[-1]]
        )
        for name, words in _WORDS.items()
    ),
    parameter("caller", {"type": "string"}, "Number of the caller; a final * stands for any rest.", "101"),
    parameter("callee", {"type": "string"}, "Number first asked for; a final * stands for any rest.", "+4416*"),
    parameter("any_number", {"type": "string"}, "Caller, callee, destination, answering target or DID.", "101"),
    parameter("call_id", {"type": "string"}, "The id that all events of the call share.", "a84b4c76e66710@pbx"),
    parameter("trunk", {"type": "string"}, "Trunk that carried it.", "carrier-a"),
]
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": text, "content": {"application/problem+json": {"schema": Problem.model_json_schema()}}}
    for status, text in (
        (400, "A parameter cannot be understood."),
        (401, "No valid token."),
        (503, "The warehouse is away; see Retry-After."),
    )
}
_UNKNOWN: Final[dict[int | str, dict[str, Any]]] = {404: _REFUSALS[400] | {"description": "No such call."}}

Id = Annotated[str, Path(description="Id of the call, as lists show it.")]

router = APIRouter(prefix="/v1", tags=["Calls"], responses=_REFUSALS, dependencies=[DOCUMENTED])


@router.get(
    "/calls",
    operation_id="list_calls",
    summary="List calls",
    response_model=CallPage,
    openapi_extra={"parameters": _PARAMETERS},
)
async def list_calls(request: Request, caller: Authenticated) -> Response:
    """Calls, newest first, those in progress among them. Pages stay stable while calls arrive."""
    options = parse(request.scope["query_string"], _KNOWN, repeatable=tuple(_WORDS))
    limit = options.whole("limit", 100, 1, 1000)
    question = options.fingerprint(("cursor", "limit"))
    cursor = options.text("cursor")
    begin, end = options.at("from"), options.at("to")
    if begin is not None and end is not None and begin > end:
        raise invalid("from", options.text("from"), f"is later than to {options.text('to')!r}; swap them")
    rows = await older(
        _reader(request),
        caller.tenant,
        CALLS,
        COLUMNS,
        _where(options),
        first_ms=begin,
        end_ms=end,
        after=place_of(cursor, question) if cursor else None,
        limit=limit + 1,
    )
    headers = {"Cache-Control": "no-store"}
    following = None
    if len(rows) > limit:
        last = rows[limit - 1]
        following = cursor_of(Place(instant(last["started_at"]), last["id"]), question)
        headers["Link"] = f'<{_next_url(request, following)}>; rel="next"'
    body = {"data": [summary(row) for row in rows[:limit]], "next_cursor": following}
    return Response(orjson.dumps(body), media_type="application/json", headers=headers)


@router.get(
    "/calls/{id}",
    operation_id="get_call",
    summary="The call document",
    response_model=CallDocument,
    responses=_UNKNOWN,
)
async def get_call(
    request: Request, caller: Authenticated, id: Annotated[str, Path(description="Id of the call.")]
) -> Response:
    """The whole call with its targets, reroutes and quality. The ETag is its version."""
    parse(request.scope["query_string"], ())
    row = await call(_reader(request), caller.tenant, parse_id(id, "Call"))
    if row is None:
        raise not_found(f"There is no call with the id {id[:80]!r}.")
    tag = f'"{row["version"]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in (part.strip() for part in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    logs = await logs_of(_reader(request), caller.tenant, row)
    return Response(orjson.dumps(document(as_call(row, logs))), media_type="application/json", headers=headers)


def _where(options: Parameters) -> Node:
    parts: list[Node] = []
    for name, words in _WORDS.items():
        if wanted := options.word(name, words):
            parts.append(In(CALL[name], tuple(Literal(word) for word in wanted)))
    for name, columns in _NUMBERS.items():
        if number := options.text(name):
            parts.append(Any_(tuple(_number(column, number) for column in columns)))
    for name in _EXACT:
        if text := options.text(name):
            parts.append(Compare("eq", CALL[name], Literal(text)))
    return All(tuple(parts))


def _number(column: str, number: str) -> Node:
    if number.endswith("*"):
        return Call("startswith", (CALL[column], Literal(number[:-1])))
    return Compare("eq", CALL[column], Literal(number))


def _next_url(request: Request, cursor: str) -> str:
    kept = [part for part in request.scope["query_string"].decode("latin-1").split("&") if part]
    kept = [quote(part, safe="=%&+*:@-._~!$'(),/?") for part in kept if part.partition("=")[0] != "cursor"]
    return f"{request.url.path}?{'&'.join([*kept, 'cursor=' + cursor])}"


def _reader(request: Request) -> Reader:
    reader: Reader = request.app.state.reader
    return reader
