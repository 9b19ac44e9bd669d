"""The page: tiles, course, heat map and what stands out, of any period and direction."""

from __future__ import annotations

import asyncio
from typing import Any, Final, get_args

from fastapi import Request
from starlette.responses import Response

from pipeline.query.http.problems import invalid
from pipeline.query.questions.endpoint import directory_of
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.measured import Asker, Span, asker_of
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.period import Period, before, period_of
from pipeline.query.ui.frame.session import Visiting
from pipeline.query.ui.frame.urls import query_of
from pipeline.query.ui.overview import course, tiles
from pipeline.query.ui.overview.standing import standing_of
from schemas.words import Direction

router = pages()

_DIRECTIONS: Final = get_args(Direction)


@router.get("/overview")
async def show(request: Request, visitor: Visiting) -> Response:
    """The period, today unless another is asked for."""
    query = query_of(request)
    period = period_of(dict(query.pairs), visitor.zone, "today")
    direction = query.get("direction")
    if direction and direction not in _DIRECTIONS:
        raise invalid("direction", direction, f"is none of {', '.join(_DIRECTIONS)}")
    narrowed = {"direction": [direction]} if direction else {}
    asker = await asker_of(request, visitor, narrowed)
    directory = await directory_of(request, visitor.caller.view)
    more = course.kept(narrowed)
    span, earlier = (period.first_ms, period.end_ms), before(period, visitor.zone)
    (now, cost), (then, cost_then), stretches, heat, standing = await asyncio.gather(
        _figures(asker, span),
        _figures(asker, earlier),
        course.course_of(asker, span, more),
        course.heat_of(asker, span, more),
        standing_of(asker, directory, span),
    )
    return page(
        visitor,
        request,
        "overview/page.html",
        title=visitor.language.say(N_("Overview")),
        period=period,
        kept=query.without("range", "from", "to").pairs,
        more=more,
        direction=direction,
        directions=_DIRECTIONS,
        query=query,
        tiles=[*tiles.tiles_of(visitor, now, then), *tiles.money_of(visitor, cost, cost_then)],
        calls=now["calls"],
        compared=Period("", *earlier, ()).label(visitor.figures) if then["calls"] else "",
        stretches=stretches,
        outcomes={tone: name for tone, (name, _) in course.OUTCOMES.items() if any(s.counts[tone] for s in stretches)},
        filter_of=course.outcome_filter,
        plot=course.drawn(visitor, stretches),
        heat=heat,
        standing=standing,
    )


async def _figures(asker: Asker, span: Span) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The measures of the tiles, and the cost by currency."""
    priced = {"currency": {"exists": True}}
    figures, cost = await asyncio.gather(
        asker.one(span, tiles.MEASURES),
        asker.rows(span, ["cost"], ["currency"], where=priced, order="currency", limit=5),
    )
    return figures, cost
