"""Missed calls: who called from outside, reached nobody and was not called back; who has waited longest comes first."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from pipeline.query.access.report_access import manager
from pipeline.query.questions.endpoint import directory_of, reader_of
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.period import period_of
from pipeline.query.ui.frame.session import Visiting
from pipeline.query.ui.frame.urls import query_of
from pipeline.reports.catalogue import ALL
from pipeline.reports.ranges import Span
from pipeline.reports.rendering.render import lines_of
from pipeline.reports.types.build import Question

router = pages()

_WAITING, _TRIED, _REACHED = "Not called back", "Tried in vain", "Reached"
# State in the report → how it is called here, its tone.
STATES: Final = {
    _WAITING: (N_("Not called back"), "bad"),
    _TRIED: (N_("Tried in vain"), "warn"),
    _REACHED: (N_("Reached later"), "good"),
}


@router.get("/missed")
async def show(request: Request, visitor: Visiting) -> Response:
    """The report `missed` of `/v1/reports`, in the order in which people should be called back."""
    await manager(visitor.caller)
    query = query_of(request)
    period = period_of(dict(query.pairs), visitor.zone, "7d")
    view = visitor.caller.view
    span = Span(period.first_ms, period.end_ms, visitor.zone.key)
    question = Question(
        reader_of(request), await directory_of(request, view), "missed", span, masked=visitor.caller.masked
    )
    report = await ALL["missed"].build(question)
    rows: list[dict[str, Any]] = []
    async for line in lines_of(report.tables[0]):
        names = ("caller", "called", "missed", "first", "last", "longest_s", "state", "tries", "reached_at")
        rows.append(dict(zip(names, line.cells, strict=True)))
    everybody = query.get("all") == "1"
    shown = [row for row in rows if everybody or row["state"] != _REACHED]
    return page(
        visitor,
        request,
        "missed.html",
        title=visitor.language.say(N_("Missed calls")),
        period=period,
        kept=query.without("range", "from", "to").pairs,
        figures_of={tile.name: tile.value for tile in report.tiles},
        rows=sorted(shown, key=lambda row: (list(STATES).index(row["state"]), row["last"])),
        states=STATES,
        everybody=everybody,
        other=query.with_("all", "" if everybody else "1"),
    )
