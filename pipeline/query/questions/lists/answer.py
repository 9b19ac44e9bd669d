"""The answer to a list: a page in JSON, or a file of rows as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import quote

import orjson
from fastapi import Request
from starlette.responses import Response

from pipeline.query.access.caller import Caller
from pipeline.query.http.limits import StreamSlots
from pipeline.query.questions.endpoint import look_of, reader_of
from pipeline.query.questions.fields import Presentation, document_select, flat_select
from pipeline.query.questions.formats import (
    CSV,
    JSON,
    NDJSON,
    answer,
    streamed,
)
from pipeline.query.questions.lists.cursor import cursor_of, place_of
from pipeline.query.questions.lists.included import with_parts
from pipeline.query.questions.lists.part_columns import TARGETS, parts_select, target_select, unwrapped
from pipeline.query.questions.lists.question import ListQuestion
from pipeline.query.questions.lists.table import Table
from pipeline.warehouse.query.pages.listing import Listing, count_of, page_of, stream_of
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.query.view import View


def listing_of(view: View, table: Table, question: ListQuestion, look: Presentation) -> Listing:
    """The rows that are asked for, as the view and the form show them."""
    fields, parts = question.fields, question.parts
    if question.form in (JSON, NDJSON):
        fields = tuple(field for field in fields if field.path not in parts)  # a part says the same, and more
        select = document_select(fields, look)
    else:
        parts = tuple(part for part in parts if part not in {field.path for field in fields})
        select = flat_select(fields, look, safe=question.form is CSV)
    is_file = question.form is not JSON
    return Listing(
        view,
        table.source,
        select + (parts_select(parts, look) if is_file else ""),
        question.where,
        question.first_ms,
        question.end_ms,
        place_of(question.cursor, question.kept, timed=not question.by) if question.cursor else None,
        question.ascending,
        by=question.by,
        targets=target_select(look) if is_file and TARGETS in parts else "",
    )


def rows_of(reader: Reader, listing: Listing, question: ListQuestion) -> AsyncIterator[bytes]:
    """All rows of a file, piece by piece."""
    pieces = stream_of(reader, listing, question.form.written, question.limit)
    return unwrapped(pieces, question.parts) if question.parts and question.form is NDJSON else pieces


async def listed(request: Request, caller: Caller, table: Table, question: ListQuestion) -> Response:
    """The answer: a page in JSON, or a file of rows as they come."""
    reader, look = reader_of(request), await look_of(request, caller.view)
    listing = listing_of(caller.view, table, question, look)
    if question.form is not JSON:
        turns: StreamSlots = request.app.state.turns
        pieces = rows_of(reader, listing, question)
        return await streamed(turns.during(caller.tenant, pieces), question.form, table.name)
    assert question.limit is not None
    page = await page_of(reader, listing, question.limit)
    rows = await with_parts(request, caller, page.rows, question.parts) if question.parts else page.rows
    headers, following = {}, None
    if page.following is not None:
        following = cursor_of(page.following, question.kept)
        if request.method == "GET":
            headers["Link"] = f'<{_next_url(request, following)}>; rel="next"'
    count = b""
    if question.counted:
        count = b',"count":%d' % await count_of(reader, replace(listing, after=None))
    body = b'{"data":[%s],"next_cursor":%s%s}' % (b",".join(rows), orjson.dumps(following), count)
    return answer(request, body, headers)


def _next_url(request: Request, cursor: str) -> str:
    kept = [part for part in request.scope["query_string"].decode("latin-1").split("&") if part]
    kept = [quote(part, safe="=%&+*:@-._~!$'(),/?[]") for part in kept if part.partition("=")[0] != "cursor"]
    return f"{request.url.path}?{'&'.join([*kept, 'cursor=' + cursor])}"
