"""Missed calls: who called from outside, reached nobody and was not called back; who has waited longest comes first.
And whom they had called, by the hour of the day."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from starlette.responses import Response

from pipeline.directory.model import Directory
from pipeline.query.access.report_access import manager
from pipeline.query.http.problems import invalid
from pipeline.query.questions.endpoint import directory_of, reader_of
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.measured import Asker, asker_of
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.period import period_of
from pipeline.query.ui.frame.session import Visiting, Visitor
from pipeline.query.ui.frame.urls import query_of
from pipeline.reports.ranges import Span
from pipeline.reports.types.build import Question
from pipeline.reports.types.missed import REACHED, TRIED, WAITING, callers_of

router = pages()

_A_PAGE: Final = 100
_LAST_PAGE: Final = 10_000
_MOST_CALLED: Final = 12
_HEAT: Final = 6
# State in the report → how it is called here, its tone.
STATES: Final = {
    WAITING: (N_("Not called back"), "bad"),
    TRIED: (N_("Tried in vain"), "warn"),
    REACHED: (N_("Reached later"), "good"),
}
# Missed calls, as a filter of calls and as it stands in an address.
_MISSED: Final = {"direction": ["inbound"], "state": ["closed"], "talk_started_at": {"exists": False}}
MISSED: Final = (("direction", "inbound"), ("state", "closed"), ("talk_started_at[exists]", "false"))


@dataclass(frozen=True, slots=True)
class Called:
    """Whom callers had called: missed calls in all, and in each hour of the day with its heat (0 to 6)."""

    number: str
    name: str
    calls: int
    hours: tuple[tuple[int, int], ...]


@router.get("/missed")
async def show(request: Request, visitor: Visiting) -> Response:
    """The callers of the report `missed` of `/v1/reports`, in the order in which people should be called back."""
    await manager(visitor.caller)
    query = query_of(request)
    period = period_of(dict(query.pairs), visitor.zone, "7d")
    number = query.get("page", "1")
    if not (number.isascii() and number.isdigit() and 1 <= int(number[:9]) <= _LAST_PAGE):
        raise invalid("page", number, f"is no whole number from 1 to {_LAST_PAGE}")
    place = int(number)
    view = visitor.caller.view
    directory, asker = await directory_of(request, view), await asker_of(request, visitor)
    span = Span(period.first_ms, period.end_ms, visitor.zone.key)
    question = Question(reader_of(request), directory, "missed", span, masked=visitor.caller.masked)
    everybody = query.get("all") == "1"
    day = _today(visitor)
    found, whole, called, today = await asyncio.gather(
        callers_of(question, waiting_first=True, reached=everybody, limit=_A_PAGE, offset=(place - 1) * _A_PAGE),
        asker.one((span.first_ms, span.end_ms), ["calls"], where=_MISSED),
        _called(asker, directory, (span.first_ms, span.end_ms)),
        asker.one(day, ["calls"], where=_MISSED),
    )
    listed = found.callers - (0 if everybody else found.states[REACHED])
    return page(
        visitor,
        request,
        "missed.html",
        title=visitor.language.say(N_("Missed calls")),
        period=period,
        query=query,
        kept=query.without("range", "from", "to", "page").pairs,
        found=found,
        name_of=directory.name_of,
        calls=whole["calls"],
        today=today["calls"] if period.first_ms < day[0] < period.end_ms else None,
        called=called,
        hours=_hours(called),
        missed=list(MISSED),
        states=STATES,
        everybody=everybody,
        other=query.without("page").with_("all", "" if everybody else "1"),
        listed=listed,
        first=(place - 1) * _A_PAGE + 1,
        back=query.with_("page", str(place - 1) if place > 2 else "") if place > 1 else None,
        further=query.with_("page", str(place + 1)) if place * _A_PAGE < listed else None,
    )


def _today(visitor: Visitor) -> tuple[int, int]:
    """Today on the viewer's clock, in ms."""
    period = period_of({"range": "today"}, visitor.zone, "today")
    return period.first_ms, period.end_ms


async def _called(asker: Asker, directory: Directory, span: tuple[int, int]) -> list[Called]:
    """Those whom most missed calls were for: extensions, queues, groups, whatever was asked for first."""
    there = {"and": [_MISSED, {"callee.number": {"exists": True}}]}
    rows = await asker.rows(span, ["calls"], ["callee.number", "hour_of_day"], where=there, order="-calls")
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(row["callee.number"], [0] * 24)[int(row["hour_of_day"])] += row["calls"]
    ranked = sorted(found.items(), key=lambda each: (-sum(each[1]), each[0]))[:_MOST_CALLED]
    most = max((max(hours) for _, hours in ranked), default=0)
    return [Called(number, directory.name_of(number), sum(hours), _heated(hours, most)) for number, hours in ranked]


def _hours(called: Sequence[Called]) -> range:
    """The hours of the day between the first and the last in which a call was missed."""
    busy = [hour for hour in range(24) if any(row.hours[hour][0] for row in called)]
    return range(busy[0], busy[-1] + 1) if busy else range(1)


def _heated(hours: Sequence[int], most: int) -> tuple[tuple[int, int], ...]:
    return tuple((calls, -(-calls * _HEAT // most)) for calls in hours)
