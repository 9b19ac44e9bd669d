"""The page of one call, and its drawings as files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from fastapi import Request
from markupsafe import Markup
from starlette.responses import Response

from pipeline import clock
from pipeline.query.http.problems import not_found
from pipeline.query.questions.endpoint import reader_of
from pipeline.query.questions.timeline import timeline
from pipeline.query.questions.whole import found_call, whole_call
from pipeline.query.ui.call import ladder, lanes, price, story, versions
from pipeline.query.ui.call.zoom import zoom_of
from pipeline.query.ui.frame.assets import STATIC
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.session import Visiting, Visitor
from pipeline.query.ui.frame.urls import query_of
from pipeline.warehouse.query.events import events_of
from pipeline.warehouse.query.reader import Row

router = pages()

_LENGTHS: Final = (
    ("setup_ms", N_("Until answered")),
    ("ring_ms", N_("Rang")),
    ("wait_ms", N_("Waited")),
    ("talk_ms", N_("Talked")),
    ("hold_ms", N_("On hold")),
    ("billable_ms", N_("Billable")),
    ("duration_ms", N_("Length")),
)
_DRAWINGS: Final = ("timeline", "ladder")


async def _events(request: Request, visitor: Visitor, row: Row) -> list[dict[str, Any]]:
    """The events of the call; none for a visitor who sees numbers masked, for they hold numbers in full."""
    if visitor.caller.masked:
        return []
    return await events_of(reader_of(request), visitor.caller.view, [row["call_id"], *row["merged_call_ids"]])


@router.get("/calls/{id}")
async def show(request: Request, visitor: Visiting, id: str) -> Response:
    """Everything about one call."""
    row = await found_call(request, visitor.caller, id)
    call = await whole_call(request, visitor.caller, row)
    events = await _events(request, visitor, row)
    messages = ladder.messages_of(events)
    times = query_of(request).get("times", "absolute")
    times = times if times in ladder.TIMES else "absolute"
    now, query = clock.now_ms(), query_of(request)
    lanes_ = lanes.lanes_of(visitor, call, now, events)
    zoom = zoom_of(query.get("zoom"), lanes.length_of(call, lanes_, now))
    return page(
        visitor,
        request,
        "call/page.html",
        title=visitor.language.say(N_("Call of %(at)s"), at=visitor.figures.moment(call["started_at"])),
        call=call,
        story=story.sentence(visitor, call),
        why=story.why(visitor, call),
        lengths=_LENGTHS,
        steps=timeline(call),
        lanes=lanes_,
        states=lanes.STATES,
        drawing=lanes.drawn(visitor, call, lanes_, zoom),
        zoom=zoom,
        query=query,
        wall=bool(query.get("wall")),
        edges=(lanes.LEFT, lanes.RIGHT, lanes.WIDTH),
        messages=messages,
        ladder=ladder.drawn(visitor, messages, times) if messages else None,
        times=times,
        time_choices=ladder.TIMES,
        prices=price.terms_of(row["rating"], call),
        corrections=versions.versions_of(events),
        events=[(each, _pretty(each)) for each in events],
    )


@router.get("/calls/{id}/{drawing}.svg")
async def as_file(request: Request, visitor: Visiting, id: str, drawing: str) -> Response:
    """A drawing of the call as a file that needs nothing else."""
    if drawing not in _DRAWINGS:
        raise not_found(f"There is no drawing {drawing[:40]!r}; there are {', '.join(_DRAWINGS)}.")
    row = await found_call(request, visitor.caller, id)
    call = await whole_call(request, visitor.caller, row)
    events = await _events(request, visitor, row)
    if drawing == "ladder":
        messages = ladder.messages_of(events)
        if not messages:
            raise not_found(visitor.language.say(N_("No SIP messages of this call are known.")))
        times = query_of(request).get("times", "absolute")
        svg = ladder.drawn(visitor, messages, times, linked=False)
    else:
        now = clock.now_ms()
        lanes_ = lanes.lanes_of(visitor, call, now, events)
        zoom = zoom_of(query_of(request).get("zoom"), lanes.length_of(call, lanes_, now))
        svg = lanes.drawn(visitor, call, lanes_, zoom)
    styled = svg.replace(">", Markup("><style>") + Markup((STATIC / "drawing.css").read_text()) + Markup("</style>"), 1)
    headers = {
        "Content-Disposition": f'attachment; filename="call-{row["id"]}-{drawing}.svg"',
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "Cache-Control": "no-store",
    }
    return Response(str(styled), media_type="image/svg+xml", headers=headers)


def _pretty(event: Mapping[str, Any]) -> str:
    if event["event"] is None:
        return str(event["raw"])
    return orjson.dumps(event["event"], option=orjson.OPT_INDENT_2).decode()
