"""The page, of all trunks or of one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from fastapi import Request
from markupsafe import Markup
from starlette.responses import Response

from pipeline.instants import DAY_MS
from pipeline.query.access.report_access import manager
from pipeline.query.http.problems import invalid
from pipeline.query.questions.endpoint import directory_of
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.measured import asker_of, step_of
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.period import Period, period_of
from pipeline.query.ui.frame.plots import Column, columns
from pipeline.query.ui.frame.session import Visiting, Visitor
from pipeline.query.ui.frame.urls import query_of
from pipeline.query.ui.overview.course import link_of
from pipeline.query.ui.overview.standing import reasons_of
from pipeline.query.ui.trunks.measured import GRID, Over, grid_of, over_time, trunks_of, values_of

router = pages()

_REASONS: Final = 20


@router.get("/trunks")
async def show(request: Request, visitor: Visiting) -> Response:
    """The trunks of a period, the last 24 hours unless another is asked for; `trunk` chooses one of them."""
    await manager(visitor.caller)
    query = query_of(request)
    period = period_of(dict(query.pairs), visitor.zone, "24h")
    trunk, measure = query.get("trunk"), query.get("show", "asr")
    if measure not in GRID:
        raise invalid("show", measure, f"is none of {', '.join(GRID)}")
    asker = await asker_of(request, visitor, {"trunk": [trunk]} if trunk else {})
    directory = await directory_of(request, visitor.caller.view)
    span = (period.first_ms, period.end_ms)
    trunks, overs, reasons, values = await asyncio.gather(
        trunks_of(asker, directory, span),
        over_time(asker, span),
        reasons_of(asker, span, _REASONS, {"trunk": {"exists": True}}),
        values_of(asker, span, measure),
    )
    channels = sum(row["channels"] for row in trunks) if all(row["channels"] for row in trunks) else 0
    labels = _labels(visitor, period, overs)
    more = [("trunk", trunk)] if trunk else [("trunk[exists]", "true")]
    return page(
        visitor,
        request,
        "trunks/page.html",
        title=visitor.language.say(N_("Trunks")),
        period=period,
        kept=query.without("range", "from", "to").pairs,
        query=query,
        trunk=trunk,
        trunks=trunks,
        measure=measure,
        measures=GRID,
        grid=grid_of(values, [row["trunk"] for row in trunks]),
        over=[(label, each, link_of(each.first, each.end, more)) for label, each in zip(labels, overs, strict=True)],
        plot=_concurrency(visitor, labels, overs, channels, more),
        reasons=reasons,
        failed=sum(row["calls"] for row in reasons),
        more=more,
    )


def _labels(visitor: Visitor, period: Period, overs: Sequence[Over]) -> list[str]:
    """What each stretch is called."""
    figures, step = visitor.figures, step_of((period.first_ms, period.end_ms))
    if "minute" not in step and step != "hour":
        return [figures.short_day(each.first) for each in overs]
    if period.length_ms <= DAY_MS + DAY_MS // 12:
        return [figures.minute(each.first) for each in overs]
    return [f"{figures.short_day(each.first)} {figures.minute(each.first)}" for each in overs]


def _concurrency(
    visitor: Visitor, labels: Sequence[str], overs: Sequence[Over], channels: int, more: list[tuple[str, str]]
) -> Markup:
    """The most calls at once in each stretch, against the channels there are."""
    say, figures = visitor.language.say, visitor.figures
    shown = []
    for label, each in zip(labels, overs, strict=True):
        peak = int(each.row["peak_calls"] or 0)
        tone = "accent" if not channels or peak < channels * 0.8 else "warn" if peak < channels else "bad"
        link = f"/ui/calls?{link_of(each.first, each.end, more)}" if each.row["calls"] else ""
        shown.append(Column(label, ((tone, float(peak)),), figures.number(peak), link))
    name = say(N_("Channels: %(n)s"), n=figures.number(channels)) if channels else ""
    return columns(say(N_("Most calls at once")), shown, height=180, bound=channels, bound_name=name)
