"""What `cdr doctor` finds, on a page: for whoever looks after the installation."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from fastapi import Request
from starlette.responses import Response

from pipeline.doctor.checkup import examine
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.session import Visiting
from pipeline.query.ui.health.nodes import operator

router = pages()

STATES: Final = {"ok": (N_("Well"), "good"), "warn": (N_("To look at"), "warn"), "fail": (N_("Broken"), "bad")}
_ORDER: Final = ("fail", "warn", "ok")
_ONE: Final = asyncio.Lock()  # it asks Kafka and ClickHouse for some seconds


@router.get("/health/checks")
async def show(request: Request, visitor: Visiting) -> Response:
    """All checks, what needs mending first."""
    operator(visitor)
    async with _ONE:
        found = await asyncio.to_thread(examine, request.app.state.settings)
    return page(
        visitor,
        request,
        "health/checks.html",
        title=visitor.language.say(N_("Checks of the installation")),
        checks=sorted(found, key=lambda check: _ORDER.index(check.state)),
        counts=Counter(check.state for check in found),
        states=STATES,
    )
