"""The page, and the stream that keeps it no older than two seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from pipeline import clock
from pipeline.query.access.authenticator import Authenticator
from pipeline.query.http.limits import StreamSlots
from pipeline.query.questions.endpoint import directory_of, look_of, reader_of
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import environment, page, pages
from pipeline.query.ui.frame.plots import Column, columns
from pipeline.query.ui.frame.session import KIND, Visiting, Visitor
from pipeline.query.ui.frame.urls import query_of
from pipeline.query.ui.now.board import TONES, Board, Today, board_of, today_of
from pipeline.warehouse.query.reader import TooCostly, Unavailable

router = pages()

_EVERY_S: Final = 1.0
_TODAY_S: Final = 5.0  # figures of the day, and of the hour


class Watching:
    """One visitor, and what of the board changes slowly."""

    def __init__(self, request: Request, visitor: Visitor) -> None:
        self._request, self._visitor = request, visitor
        self._today: tuple[float, Today] | None = None

    async def board(self) -> Board:
        """The board of now."""
        request, visitor, now = self._request, self._visitor, clock.now_ms()
        view, reader = visitor.caller.view, reader_of(request)
        directory, look = await directory_of(request, view), await look_of(request, view)
        if self._today is None or time.monotonic() - self._today[0] > _TODAY_S:
            self._today = (time.monotonic(), await today_of(reader, visitor, look, directory, now))
        return await board_of(reader, visitor, look, directory, self._today[1], now)

    def values(self, board: Board) -> dict[str, Any]:
        """What the template shows."""
        figures, say = self._visitor.figures, self._visitor.language.say
        bars = [Column(figures.minute(at), (("accent", float(number)),), str(number)) for at, number in board.minutes]
        title = say(N_("Calls a minute in the last hour"))
        return {
            "board": board,
            "tones": TONES,
            "plot": columns(title, bars, height=200, width=560)
            if 0 < len(board.queues) < 3
            else columns(title, bars, height=120),
            "now": clock.now_ms(),
        }


@router.get("/now")
async def show(request: Request, visitor: Visiting) -> Response:
    """The page as it is now; scripts keep it so."""
    watching = Watching(request, visitor)
    values = watching.values(await watching.board())
    wall = bool(query_of(request).get("wall"))
    return page(visitor, request, "now/page.html", title=visitor.language.say(N_("Now")), wall=wall, **values)


@router.get("/now/stream")
async def stream(request: Request, visitor: Visiting) -> Response:
    """The board as server-sent events: `board` when it has changed, `tick` every second."""
    followers: StreamSlots = request.app.state.followers
    with followers.one(visitor.caller.tenant):
        pass
    return StreamingResponse(
        followers.during(visitor.caller.tenant, _events(request, visitor)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(request: Request, visitor: Visitor) -> AsyncGenerator[bytes, None]:
    gate: Authenticator = request.app.state.gate
    template = environment(visitor.language.tag).get_template("now/board.html")
    watching, sent = Watching(request, visitor), None
    yield b"retry: 2000\n\n"
    while visitor.session and await gate.caller_of(visitor.session, KIND) == visitor.caller:
        begun = time.monotonic()
        try:
            board = await watching.board()
        except (Unavailable, TooCostly):  # the page says that it is not live until it is again
            await asyncio.sleep(_EVERY_S)
            continue
        if board != sent:
            sent = board
            shown = template.render(watching.values(board) | {"figures": visitor.figures, "visitor": visitor})
            lines = b"".join(b"data: " + line + b"\n" for line in shown.encode("utf-8", "replace").splitlines())
            yield b"event: board\n" + lines + b"\n"
        yield b"event: tick\ndata: %d\n\n" % clock.now_ms()
        await asyncio.sleep(max(0.1, _EVERY_S - (time.monotonic() - begun)))
