"""One whole call, as its caller sees it."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from pipeline.query.access.caller import Caller
from pipeline.query.http.ids import parse_id
from pipeline.query.http.problems import not_found
from pipeline.query.questions.endpoint import directory_of, reader_of
from pipeline.query.questions.shown import shown
from pipeline.warehouse.query.from_row import as_call
from pipeline.warehouse.query.reader import Row
from pipeline.warehouse.query.whole_calls import call, logs_of
from schemas.call import document


async def found_call(request: Request, caller: Caller, id_: str) -> Row:
    """The row of a call that the caller sees; 404 otherwise."""
    row = await call(reader_of(request), caller.view, parse_id(id_, "Call"))
    if row is None:
        raise not_found(f"There is no call with the id {id_[:80]!r}.")
    return row


async def whole_call(request: Request, caller: Caller, row: Row) -> dict[str, Any]:
    """The call document as the caller sees it."""
    logs = await logs_of(reader_of(request), caller.view, row)
    return shown(document(as_call(row, logs)), await directory_of(request, caller.view))
