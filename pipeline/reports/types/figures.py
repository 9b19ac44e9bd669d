"""Figures that our own reports share: measures of calls as columns with their definitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.reports.rendering.table import Column, Tile
from pipeline.reports.types.build import Question
from pipeline.warehouse.analytics.aggregate import Bucket, Groups, Measure, aggregate
from pipeline.warehouse.analytics.measures import measure, money
from pipeline.warehouse.query.clauses import CLOSED_CALLS
from pipeline.warehouse.query.columns import CALL
from pipeline.warehouse.query.expressions import EVERYTHING, All, Compare, Literal, Node
from pipeline.warehouse.query.expressions import Column as Dimension
from pipeline.warehouse.query.reader import Row


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure as reports show it. `good`: 1 when more is better, -1 when less is."""

    measure: str
    name: str
    kind: str
    about: str
    good: int = 0

    def cell(self, row: Row) -> Any:
        """Its value in a row of measures, in the unit of its kind."""
        return as_cell(row.get(self.measure), self.kind)

    @property
    def column(self) -> Column:
        return Column(self.name, self.kind, self.about)


def as_cell(value: Any, kind: str) -> Any:
    """A measure's value in the unit of a cell: per cent → share, ms → seconds."""
    if value is None:
        return None
    match kind:
        case "percent":
            return float(value) / 100
        case "duration":
            return round(float(value) / 1000)
        case "decimal":
            return float(value) / 1000
        case "count":
            return int(value)
        case "money":
            text = str(value)
            return text.rstrip("0").rstrip(".") if "." in text else text
        case _:
            return value


CALLS: Final = Figure("attempts", "Calls", "count", "Finished calls that began in the time")
ANSWERED: Final = Figure("answered", "Answered", "count", "Calls that were answered; an IVR or a queue answers, too", 1)
TALKED: Final = Figure("talked", "Talked", "count", "Calls in which a human was reached", 1)
ASR: Final = Figure("asr", "ASR", "percent", "Answer seizure ratio (ITU-T E.425): answered by seizures", 1)
NER: Final = Figure(
    "ner",
    "NER",
    "percent",
    "Network effectiveness ratio (ITU-T E.425): answered, busy, not answered or refused by seizures",
    1,
)
ACD: Final = Figure("acd_ms", "ACD", "duration", "Average call duration: answer to end, of answered calls")
PDD: Final = Figure(
    "pdd_avg_ms", "PDD (s)", "decimal", "Mean post-dial delay, seconds: from the INVITE to the first sign of life", -1
)
PDD95: Final = Figure(
    "pdd_p95_ms", "PDD p95 (s)", "decimal", "Post-dial delay, seconds, that 95 of 100 calls do not exceed", -1
)
TALK: Final = Figure("talk_ms", "Talking Time", "duration", "Time with a human, each second once")
BILLABLE: Final = Figure("billable_ms", "Billable Time", "duration", "Answer to end of answered calls")
PEAK: Final = Figure("peak_calls", "Peak", "count", "Most calls at one time, ringing or talking")
COST: Final = Figure("cost", "Cost", "money", "Price of the calls that have one; empty when in several currencies")
UNRATED: Final = Figure("unrated", "Unrated", "count", "Finished calls without a price: unknown, not free", -1)

CARRIER_COST: Final = money("carrier_cost", "carrier_cost", "carrier_currency")
MARGIN: Final = measure("margin", CLOSED_CALLS)


async def groups(
    question: Question,
    figures: Sequence[Figure],
    dimensions: Sequence[Dimension] = (),
    where: Node = EVERYTHING,
    *,
    more: Sequence[Measure] = (),
    bucket: Bucket | None = None,
    order: Sequence[str] = (),
    limit: int | None = None,
    total: bool = False,
    before: bool = False,
) -> Groups:
    """Figures of finished calls that began in the time of the question.

    Parameters:
        question: the report's tenant, time and zone
        figures: what is counted, as columns of the report
        dimensions: what groups are made by
        where: which calls
        more: measures beside the figures
        bucket: stretches of time that each group is split into
        order: names of measures or dimensions, with - in front for descending
        limit: most groups
        total: also over all calls, which is not the sum of the groups
        before: the time of the same length before the question's instead
    """
    span = question.span.before if before else question.span
    measures = [measure(figure.measure, CLOSED_CALLS) for figure in figures]
    return await aggregate(
        question.reader,
        question.view,
        CLOSED_CALLS,
        [*measures, *more],
        dimensions,
        where,
        bucket=bucket,
        first_ms=span.first_ms,
        end_ms=span.end_ms,
        order=order,
        limit=limit,
        total=total,
    )


def tiles(figures: Sequence[Figure], now: Row, before: Row) -> tuple[Tile, ...]:
    """Figures with how they changed against the time before."""
    found = []
    for figure in figures:
        value, old = figure.cell(now), figure.cell(before)
        change = None
        if isinstance(value, int | float) and isinstance(old, int | float) and old:
            change = value / old - 1
        found.append(Tile(figure.name, value, figure.kind, figure.about, change, figure.good))
    return tuple(found)


def direction(question: Question) -> Node:
    """The calls of the filter's direction."""
    asked = question.filter.get("direction", "any")
    return EVERYTHING if asked == "any" else Compare("eq", CALL["direction"], Literal(asked))


def both(*parts: Node) -> Node:
    return All(tuple(part for part in parts if part != EVERYTHING))


DIRECTIONS: Final = ("any", "inbound", "outbound", "internal", "inbound_outbound")
