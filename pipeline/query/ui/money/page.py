"""The page: sums of a period, by who pays, over which trunk and where to."""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.responses import Response

from pipeline.query.access.report_access import manager
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.measured import asker_of
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.period import period_of
from pipeline.query.ui.frame.session import Visiting
from pipeline.query.ui.frame.urls import query_of
from pipeline.query.ui.money.sums import MOST, UNPRICED, named_destinations, sums_of

router = pages()


@router.get("/money")
async def show(request: Request, visitor: Visiting) -> Response:
    """The sums of this month unless another period is asked for."""
    await manager(visitor.caller)
    query = query_of(request)
    period = period_of(dict(query.pairs), visitor.zone, "month")
    asker, span = await asker_of(request, visitor), (period.first_ms, period.end_ms)
    whole, accounts, trunks, prefixes, unrated = await asyncio.gather(
        sums_of(asker, span, []),
        sums_of(asker, span, ["billed_account"]),
        sums_of(asker, span, ["trunk"]),
        sums_of(asker, span, ["rate_class", "rate_prefix"]),
        asker.one(span, ["unrated"]),
    )
    return page(
        visitor,
        request,
        "money/page.html",
        title=visitor.language.say(N_("Money")),
        period=period,
        kept=query.without("range", "from", "to").pairs,
        whole=whole,
        accounts=accounts,
        trunks=trunks,
        prefixes=prefixes,
        destinations=await named_destinations(asker, prefixes[:MOST]),
        most=MOST,
        unrated=unrated["unrated"],
        unpriced=list(UNPRICED),
    )
