"""One box to search in: numbers by part and in any spelling, names, ids."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.query.access.dependencies import DOCUMENTED, Authenticated
from pipeline.query.http.documents import parameter
from pipeline.query.http.parameters import parse
from pipeline.query.http.problems import invalid
from pipeline.query.questions.endpoint import directory_of, refusals
from pipeline.query.questions.formats import JSON
from pipeline.query.questions.lists.answer import listed
from pipeline.query.questions.lists.question import ListQuestion
from pipeline.query.questions.lists.tables import CALL_TABLE
from pipeline.query.questions.search import LONGEST, WHAT, meaning
from pipeline.query.v1.call_rows import CallPage

router = APIRouter(prefix="/v1", tags=["Search"], responses=refusals(), dependencies=[DOCUMENTED])


@router.get(
    "/search",
    operation_id="search",
    summary="Search calls by number, name or id",
    response_model=CallPage,
    openapi_extra={
        "parameters": [
            parameter("q", {"type": "string", "maxLength": LONGEST}, "What to look for.", "01632 960 123")
            | {"required": True},
            parameter("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 50}, "Calls a page.", 50),
            parameter("cursor", {"type": "string"}, "`next_cursor` of the page before, with the same q.", ""),
        ]
    },
)
async def search(request: Request, caller: Authenticated) -> Response:
    """Calls that have every word of `q` in them, newest first: part of a number in any spelling, part of a name (the
    directory's too, as it is now), the id of a call or its call_id."""
    options = parse(request.scope["query_string"], ("q", "limit", "cursor"))
    text = (options.text("q") or "").strip()
    if not text or len(text) > LONGEST:
        raise invalid("q", text, f"is empty or longer than {LONGEST} characters; {WHAT}")
    where = meaning(text, await directory_of(request, caller.view))
    question = ListQuestion(
        where, None, None, tuple(CALL_TABLE.shown), False, options.whole("limit", 50, 1, 1000),
        options.text("cursor"), JSON, False,
    )  # fmt: skip
    return await listed(request, caller, CALL_TABLE, question)
