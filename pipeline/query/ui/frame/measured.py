"""Figures for pages: the questions of `/v1/aggregate`, asked in the visitor's zone and through the visitor's view.

Calls in progress count as calls, as they do in the lists that figures lead to; ratios leave them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from pipeline.query.questions.aggregates import MOST_ROWS, grouping_of, groups_of, rows_of, table_of
from pipeline.query.questions.endpoint import look_of, reader_of
from pipeline.query.questions.fields import Presentation
from pipeline.query.questions.formats import JSON
from pipeline.query.ui.frame.session import Visitor
from pipeline.warehouse.query.reader import Reader
from schemas.call import rfc3339

Span = tuple[int, int]  # [first, end) in ms


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks. `narrowed`: a filter of calls, as JSON, that holds for every question."""

    reader: Reader
    visitor: Visitor
    look: Presentation
    narrowed: Mapping[str, Any]

    async def rows(
        self,
        span: Span,
        measures: Sequence[str],
        by: Sequence[str] = (),
        *,
        of: str = "calls",
        bucket: str = "",
        order: str = "",
        limit: int = MOST_ROWS,
        where: Mapping[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """The groups and their measures, as `/v1/aggregate` answers with `open=true`. Raises RequestProblem.

        Parameters:
            span: which calls, by their start
            measures, by, of, bucket, order, limit: members of the question
            where: a further filter, as JSON
        """
        table, zone = table_of(of), self.visitor.zone
        members: dict[str, Any] = {"measures": list(measures), "open": True, "limit": limit}
        members |= {"from": rfc3339(span[0]), "to": rfc3339(span[1])}
        members |= {name: value for name, value in (("by", list(by)), ("bucket", bucket), ("order", order)) if value}
        parts = [part for part in (self.narrowed, where) if part]
        node = table.language(self.look, zone).of_json({"and": parts} if parts else {})
        question = grouping_of(table, members, node, JSON, zone)
        return rows_of(question, await groups_of(self.reader, self.visitor.caller.view, question, self.look))

    async def one(
        self, span: Span, measures: Sequence[str], *, where: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The measures over everything."""
        return (await self.rows(span, measures, where=where))[0]


async def asker_of(request: Request, visitor: Visitor, narrowed: Mapping[str, Any] | None = None) -> Asker:
    """The asker of a page."""
    look = await look_of(request, visitor.caller.view)
    return Asker(reader_of(request), visitor, look, narrowed or {})


def step_of(span: Span) -> str:
    """The stretches that a plot of this span has: not so few that nothing shows, not so many that nobody can tell them
    apart."""
    hours = (span[1] - span[0]) / 3_600_000
    for most, step in ((2, "5_minutes"), (6, "15_minutes"), (76, "hour"), (24 * 63, "day"), (24 * 400, "week")):
        if hours <= most:
            return step
    return "month"
