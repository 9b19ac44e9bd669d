"""Call logs under `/v1`: the targets of calls, tried and perhaps reached."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.query.access.dependencies import DOCUMENTED, Authenticated
from pipeline.query.questions.endpoint import refusals
from pipeline.query.questions.lists.answer import listed
from pipeline.query.questions.lists.openapi import documented, documented_body, other_forms
from pipeline.query.questions.lists.question import asked, asked_in_body
from pipeline.query.questions.lists.tables import LOG_TABLE
from pipeline.query.v1.call_rows import CallLogPage

_EXAMPLE: Final = {"filter": {"kind": "queue_agent", "outcome": ["no_answer", "rejected"]}, "limit": 50}

router = APIRouter(prefix="/v1", tags=["Call logs"], responses=refusals(), dependencies=[DOCUMENTED])


@router.get(
    "/call-logs",
    operation_id="list_logs",
    summary="List call logs",
    response_model=CallLogPage,
    responses=refusals(406) | {200: {"content": other_forms()}},
    openapi_extra={"parameters": documented(LOG_TABLE)},
)
async def list_call_logs(request: Request, caller: Authenticated) -> Response:
    """Targets of calls that the call has left, newest first: an agent that rang, a queue, a voicemail box."""
    return await listed(request, caller, LOG_TABLE, await asked(request, caller, LOG_TABLE))


@router.post(
    "/call-logs/search",
    operation_id="search_logs",
    summary="List call logs by a JSON filter",
    response_model=CallLogPage,
    responses=refusals(406, 413) | {200: {"content": other_forms()}},
    openapi_extra={"requestBody": documented_body(LOG_TABLE, _EXAMPLE)},
)
async def search_call_logs(request: Request, caller: Authenticated) -> Response:
    """The same list, asked for in a body."""
    return await listed(request, caller, LOG_TABLE, await asked_in_body(request, caller, LOG_TABLE))
