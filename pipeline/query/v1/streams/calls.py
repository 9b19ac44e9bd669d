"""Calls as they change, as server-sent events (WHATWG HTML, 9.2).

Finished calls come in the order in which the table took them; calls in progress come when they have changed. Every
batch ends with an id: who comes back with it as Last-Event-ID misses nothing, and may be told the last seconds
twice; `version` says which of two is newer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Final

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from pipeline.instants import DAY_MS
from pipeline.query.access.dependencies import DOCUMENTED, Streaming
from pipeline.query.access.while_good import while_good
from pipeline.query.http.documents import parameter
from pipeline.query.http.limits import StreamSlots
from pipeline.query.http.parameters import parse
from pipeline.query.http.problems import invalid
from pipeline.query.questions.endpoint import look_of, reader_of, refusals
from pipeline.query.questions.fields import Field, Presentation, document_select
from pipeline.query.questions.lists.members import chosen_fields, zone_asked
from pipeline.query.questions.lists.openapi import documented
from pipeline.query.questions.lists.question import Known
from pipeline.query.questions.lists.tables import CALL_TABLE
from pipeline.query.v1.streams.tickets import TICKET
from pipeline.warehouse.query.clauses import CLOSED_CALLS, OPEN_CALLS, Source
from pipeline.warehouse.query.columns import CALL
from pipeline.warehouse.query.expressions import EVERYTHING, All, In, Literal, Node
from pipeline.warehouse.query.pages.changes import Place, changes
from pipeline.warehouse.query.pages.listing import Listing, page_of
from pipeline.warehouse.query.reader import Reader, TooCostly, Unavailable
from pipeline.warehouse.query.view import View
from schemas.call import snowflake_ms

_EVERY_S: Final = 1.0
_ALIVE_S: Final = 15.0
_RETRY_MS: Final = 2_000
_MOST_CHANGES: Final = 200
_MOST_OPEN: Final = 10_000
# How far back a call in progress may have begun.
_OLDEST_OPEN_MS: Final = 7 * DAY_MS
_EARLIEST_MS: Final = 1_000_000_000_000
_FILTERS: Final = ("filter", *CALL_TABLE.language(Presentation()))

router = APIRouter(prefix="/v1", tags=["Calls"], responses=refusals(), dependencies=[DOCUMENTED])


@router.get(
    "/calls/stream",
    operation_id="stream_calls",
    summary="Calls as they change",
    responses={
        200: {
            "description": "Events `call` (a call as lists show it) and `deleted` (its id), until the client goes.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
    openapi_extra={
        "parameters": [
            *(each for each in documented(CALL_TABLE) if each["name"] in _FILTERS),
            parameter("fields", {"type": "string"}, "Only these, comma-separated; id and version always.", "status"),
            parameter("open", {"type": "boolean", "default": True}, "Calls in progress, too.", True),
            TICKET,
            parameter("last_event_id", {"type": "string"}, "As the header Last-Event-ID.", "1773144000000"),
            {
                "name": "Last-Event-ID",
                "in": "header",
                "required": False,
                "schema": {"type": "string"},
                "description": "Go on behind this event; from now on when left out.",
                "example": "1773144000000",
            },
        ]
    },
)
async def stream_calls(request: Request, caller: Streaming) -> Response:
    """Server-sent events: first the calls in progress, then every call that comes, changes or goes. With a filter, of
    the calls that match; one that did and does no more is `deleted`."""
    look = await look_of(request, caller.view)
    language = CALL_TABLE.language(look, await zone_asked(request, caller.view, None))
    known = Known(language, ("fields", "open", "last_event_id", "ticket", "filter"))
    options = parse(request.scope["query_string"], known, repeatable=language, filled=("filter",))
    where = language.of_parameters(options)
    wanted = options.text("fields") if options.has("fields") else None
    fields = chosen_fields(CALL_TABLE, None if wanted is None else f"id,version,{wanted}")
    given = request.headers.get("last-event-id") or options.text("last_event_id")
    now = int(time.time() * 1000)
    if given is not None and not (
        given.isascii() and given.isdigit() and len(given) <= 15 and _EARLIEST_MS <= int(given) <= now + 1000
    ):
        raise invalid("Last-Event-ID", given, "is no id of this stream; leave it out to begin now")
    place = Place(
        caller.tenant, "" if caller.sees_all else caller.extension, 0, now - 1000 if given is None else int(given)
    )
    reader = reader_of(request)
    followers: StreamSlots = request.app.state.followers
    with followers.one(caller.tenant):
        await changes(reader, caller.view, place, 1)  # what is wrong is said with a status
    following = Following(reader, caller.view, fields, look, place, where, with_open=options.truth("open", True))
    return StreamingResponse(
        followers.during(caller.tenant, while_good(request, caller, following.events())),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


class Following:
    """One client and what it was told."""

    def __init__(
        self,
        reader: Reader,
        view: View,
        fields: Sequence[Field],
        look: Presentation,
        place: Place,
        where: Node = EVERYTHING,
        *,
        with_open: bool,
    ) -> None:
        self._reader, self._view, self._place, self._where = reader, view, place, where
        self._select = document_select(fields, look)
        self._with_open = with_open
        self._open: dict[str, int] = {}  # version that was told of each call in progress
        self._ended: set[str] = set()  # calls that were told as in progress, and whose end is to be told

    async def events(self) -> AsyncGenerator[bytes, None]:
        """Events until nobody wants them."""
        yield b"retry: %d\n\n" % _RETRY_MS
        sent_at = time.monotonic()
        while True:
            try:
                pieces = [piece async for piece in self.news()]
            except (Unavailable, TooCostly):  # it comes back by itself, and so does the stream
                pieces = []
            if pieces:
                yield b"".join(pieces)
                sent_at = time.monotonic()
            elif time.monotonic() - sent_at > _ALIVE_S:
                yield b": alive\n\n"
                sent_at = time.monotonic()
            if len(pieces) <= _MOST_CHANGES:
                await asyncio.sleep(_EVERY_S)

    async def news(self) -> AsyncIterator[bytes]:
        """What is new since the last time."""
        before = set(self._open)
        if self._with_open:
            for line in await self._in_progress():
                yield b"event: call\ndata: %s\n\n" % line
            gone = before - set(self._open)
            strayed = await self._strayed(gone)
            self._ended |= gone.difference(strayed)
            for id_ in strayed:
                yield _deleted(id_)
        found, place = await changes(self._reader, self._view, self._place, _MOST_CHANGES)
        if place == self._place:
            return
        there = {change.id for change in found if change.row is not None}
        lines = await self._lines(CLOSED_CALLS, there)
        for line in lines:
            yield b"event: call\ndata: %s\n\n" % line
        matching = there if self._where is EVERYTHING else {int(orjson.loads(line)["id"]) for line in lines}
        for change in found:
            was_told = change.kind == "UPDATED" or str(change.id) in self._ended
            self._ended.discard(str(change.id))
            if change.row is None or (change.id not in matching and was_told):
                yield _deleted(str(change.id))
        self._place = place
        yield b"id: %d\n\n" % place.position

    async def _in_progress(self) -> list[bytes]:
        """Calls in progress that are new, or of a newer version than the one that was told."""
        lines = (await page_of(self._reader, self._in_progress_of(self._where), _MOST_OPEN)).rows
        fresh, there = [], {}
        for line in lines:
            row = orjson.loads(line)
            there[row["id"]] = row["version"]
            if self._open.get(row["id"], -1) < row["version"]:
                fresh.append(line)
        self._open = there
        return fresh

    async def _strayed(self, gone: set[str]) -> list[str]:
        """Of calls that were told as in progress and are not among those any more, the ones that go on: they match no
        longer. (The others have ended; `changes` has them.)"""
        if not gone or self._where is EVERYTHING:
            return []
        which = In(CALL["id"], tuple(Literal(id_, quoted=False) for id_ in sorted(gone)))
        lines = (await page_of(self._reader, self._in_progress_of(which), len(gone))).rows
        return [orjson.loads(line)["id"] for line in lines]

    async def _lines(self, source: Source, ids: set[int]) -> list[bytes]:
        """Of the calls with these ids those that match, as lists show them."""
        if not ids:
            return []
        which = In(CALL["id"], tuple(Literal(str(id_), quoted=False) for id_ in sorted(ids)))
        times = [snowflake_ms(id_) for id_ in ids]
        listing = self._listing(source, All((which, self._where)), min(times), max(times) + 1)
        return (await page_of(self._reader, listing, len(ids))).rows

    def _in_progress_of(self, which: Node) -> Listing:
        return self._listing(OPEN_CALLS, which, int(time.time() * 1000) - _OLDEST_OPEN_MS, None)

    def _listing(self, source: Source, which: Node, first_ms: int, end_ms: int | None) -> Listing:
        return Listing(self._view, source, self._select, which, first_ms, end_ms)


def _deleted(id_: str) -> bytes:
    return b'event: deleted\ndata: {"id":"%s"}\n\n' % id_.encode()
