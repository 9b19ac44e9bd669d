"""Dead letters: what could not be decoded, why, and sending it again once the cause is mended."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from pipeline.errors import Problem
from pipeline.query.http.problems import RequestProblem, unavailable
from pipeline.query.ui.frame import forgery
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.session import Visiting
from pipeline.query.ui.frame.urls import Query, query_of
from pipeline.query.ui.health.nodes import operator
from pipeline.settings import Settings
from pipeline.warehouse.query.view import HiddenNumbers
from pipeline.worker.repair.dead_letters import Letter, newest, replay

router = pages()

_SHOWN: Final = 50
_VALUE: Final = 20_000  # bytes of a value that are shown
_ONE: Final = asyncio.Lock()  # the topic is read from its beginning
_MOST: Final = 1000  # sent again at a click


@router.get("/health/dead-letters")
async def show(request: Request, visitor: Visiting) -> Response:
    """The newest that were not sent again."""
    operator(visitor)
    if visitor.caller.masked:
        raise HiddenNumbers("dead letters")
    query = query_of(request)
    reason = query.get("reason")
    letters = await _newest(request.app.state.settings, reason, _SHOWN + 1)
    return page(
        visitor,
        request,
        "health/letters.html",
        title=visitor.language.say(N_("Dead letters")),
        letters=[(letter, _text(letter)) for letter in letters[:_SHOWN]],
        more=len(letters) > _SHOWN,
        reason=reason,
        sent=query.get("sent"),
    )


@router.post("/health/dead-letters/replay")
async def send_again(request: Request, visitor: Visiting) -> Response:
    """Send letters again to where they came from: those that were ticked, or all of a reason."""
    form = await forgery.checked_form(
        request, visitor.form_secret, ("place", "reason", "everything"), repeatable=("place",)
    )
    operator(visitor)
    settings, reason = request.app.state.settings, form.text("reason") or ""
    if form.text("everything"):
        places = [letter.place for letter in await _newest(settings, reason, _MOST)]
    else:
        places = form.texts("place")
    count = 0
    if places:
        async with _ONE:
            try:
                count = await replay(settings, places)
            except Problem as problem:
                raise RequestProblem(409, "conflict", f"{problem.args[0]} {problem.hint}") from None
    back = Query((("sent", str(count)), *((("reason", reason),) if reason else ())))
    return RedirectResponse(f"/ui/health/dead-letters?{back}", 303)


async def _newest(settings: Settings, reason: str, most: int) -> list[Letter]:
    """Newest first. 503 when Kafka does not answer."""
    async with _ONE:
        try:
            return (await newest(settings, most, reason))[::-1]
        except (Problem, TimeoutError) as problem:
            raise unavailable(f"Kafka does not tell of dead letters: {problem}.") from None


def _text(letter: Letter) -> str:
    return letter.value[:_VALUE].decode(errors="backslashreplace")
