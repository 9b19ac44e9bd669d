"""What a call would cost: number, account, time and length in, the price term by term out."""

from __future__ import annotations

import datetime as dt
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import Request
from starlette.responses import Response

from pipeline import clock
from pipeline.instants import instant
from pipeline.query.access.report_access import manager
from pipeline.query.http.problems import invalid
from pipeline.query.prices import Trial, accounts_of, price_of
from pipeline.query.questions.endpoint import directory_of
from pipeline.query.ui.calls.lengths import seconds_of
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.session import Visiting
from pipeline.query.ui.frame.urls import query_of

router = pages()

_LONGEST_S: Final = 10_000_000


@router.get("/money/price")
async def show(request: Request, visitor: Visiting) -> Response:
    """The form, and the price where a number stands in it."""
    await manager(visitor.caller)
    query = query_of(request)
    number, length = query.get("number"), query.get("length", "3:00")
    seconds = seconds_of(length)
    if seconds is None or seconds > _LONGEST_S:
        raise invalid("length", length, "is no length of a call; write 180, 3:00 or 3 min")
    at = _at(query.get("at"), visitor.zone)
    trial = Trial(number, at, seconds, query.get("account"), query.get("trunk"))
    directory = await directory_of(request, visitor.caller.view)
    local = visitor.figures.local(at)
    price = await price_of(request, visitor.caller, trial) if number else None
    about = {"billed_s": seconds}
    kinds = [kind for kind in ("customer", "carrier") if price and price[kind]["deck"]]
    return page(
        visitor,
        request,
        "money/price.html",
        title=visitor.language.say(N_("What would a call cost?")),
        trial=trial,
        length=length,
        at=local.strftime("%Y-%m-%dT%H:%M") if local else "",
        accounts=accounts_of(directory),
        trunks=sorted(directory.trunks),
        price=price,
        charges=[price[kind] | about | {"kind": kind} for kind in kinds] if price else [],
    )


def _at(text: str, zone: ZoneInfo) -> int:
    """A time as a form sends it, on the viewer's clock; or RFC 3339. Now when there is none."""
    if not text:
        return clock.now_ms()
    try:
        local = dt.datetime.fromisoformat(text)
        if local.tzinfo is None:
            return int(local.replace(tzinfo=zone).timestamp() * 1000)
        return instant(text)
    except (ValueError, OverflowError):
        raise invalid("at", text, "is no time; write it like 2026-03-10T14:36") from None
