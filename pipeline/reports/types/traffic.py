"""Our reports of calls as a whole: traffic over time, trunks and carriers, top destinations."""

from __future__ import annotations

from typing import Any, Final

import phonenumbers

from pipeline.reports.ranges import Span
from pipeline.reports.rendering.plots import Bar, Bars
from pipeline.reports.rendering.table import Column, Line, Report, Table
from pipeline.reports.types import figures, overview
from pipeline.reports.types.build import Question
from pipeline.reports.types.figures import (
    ACD,
    ANSWERED,
    ASR,
    BILLABLE,
    CALLS,
    COST,
    NER,
    PDD,
    PDD95,
    PEAK,
    TALK,
    TALKED,
    Figure,
    as_cell,
    groups,
    tiles,
)
from pipeline.warehouse.analytics.aggregate import Bucket
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.clauses import CLOSED_CALLS, matching
from pipeline.warehouse.query.columns import CALL
from pipeline.warehouse.query.expressions import Column as Dimension
from pipeline.warehouse.query.expressions import In, Literal, Node

_SUMMED_UP: Final = (CALLS, ANSWERED, TALKED, ASR, NER, ACD, PDD95, TALK, PEAK)
_BY_TRUNK: Final = (CALLS, ANSWERED, ASR, NER, ACD, PDD, PDD95, BILLABLE, COST)
_BY_NUMBER: Final = (CALLS, ANSWERED, ASR, ACD, BILLABLE, COST)
_HOURLY_UP_TO_DAYS: Final = 2
_WEEKLY_FROM_DAYS: Final = 120
_TOP: Final = 50
_CARRIER_COST: Final = Column(
    "Carrier Cost", "money", "What the carriers take for the calls; empty in several currencies"
)
_MARGIN: Final = Column("Margin", "money", "Cost less carrier cost, of calls that have both in one currency")


def began(question: Question, where: Node, bindings: Bindings) -> str:
    """SELECT of the calls that began in the time, for plots."""
    return (
        "SELECT toUnixTimestamp64Milli(started_at) AS at, status"
        f" {matching(question.view, CLOSED_CALLS, where, bindings)} AND {question.within(bindings)}"
    )


async def traffic(question: Question) -> Report:
    """How many calls there were, how they went, and when."""
    span = question.span
    where = figures.direction(question)
    step = "hour" if span.days <= _HOURLY_UP_TO_DAYS else "day" if span.days < _WEEKLY_FROM_DAYS else "week"
    shown = await groups(question, _SUMMED_UP, where=where, bucket=Bucket(step, span.zone), total=True)
    earlier = await groups(question, _SUMMED_UP, where=where, total=True, before=True)
    now, before = shown.total or {}, earlier.total or {}
    lines = [Line((int(row["bucket"]), *(figure.cell(row) for figure in _SUMMED_UP))) for row in shown.rows]
    lines.append(Line((None, *(figure.cell(now) for figure in _SUMMED_UP)), "total"))
    columns = (
        Column(
            step.capitalize(),
            "time" if step == "hour" else "day",
            f"Begin of the {step} ({span.zone}); the last line is the whole time",
        ),
        *(figure.column for figure in _SUMMED_UP),
    )
    return Report(
        question.type,
        "Traffic",
        "Calls over time",
        span,
        (Table(columns, lines),),
        (("Direction", question.filter.get("direction", "any").replace("_", " ")),),
        tiles(_SUMMED_UP, now, before),
        await overview.call_plots(question, lambda bindings: began(question, where, bindings)),
        (f"Changes are against {_words(span.before)}.",),
    )


def _words(span: Span) -> str:
    return span.words


async def trunks(question: Question) -> Report:
    """How each trunk did: ratios of the carrier, minutes, cost and margin."""
    asked = question.filter.get("trunks") or []
    column = CALL["trunk"]
    where: Node = In(column, tuple(Literal(name) for name in asked)) if asked else _carried()
    money = (figures.CARRIER_COST, figures.MARGIN)
    found = await groups(
        question, _BY_TRUNK, (column,), where, more=money, order=("-attempts",), limit=1000, total=True
    )
    earlier = await groups(question, _BY_TRUNK, where=where, total=True, before=True)
    total = found.total or {}

    def cells(row: dict[str, Any]) -> tuple[Any, ...]:
        return (
            *(figure.cell(row) for figure in _BY_TRUNK),
            as_cell(row.get("carrier_cost"), "money"),
            as_cell(row.get("margin"), "money"),
        )

    known = question.directory.trunks
    lines = [
        Line((row["trunk"], known[row["trunk"]].carrier if row["trunk"] in known else "", *cells(row)))
        for row in found.rows
    ]
    lines.append(Line(("Total", None, *cells(total)), "total"))
    columns = (
        Column("Trunk", about="Trunk that carried the calls"),
        Column("Carrier", about="Who runs the trunk, as the directory says"),
        *(figure.column for figure in _BY_TRUNK),
        _CARRIER_COST,
        _MARGIN,
    )
    bars = _bars("Calls by trunk", "Answered calls and the others, by trunk.", found.rows, "trunk")
    return Report(
        question.type,
        "Trunks",
        "Trunks and carriers",
        question.span,
        (Table(columns, lines),),
        (("Trunks", ", ".join(asked) or "All"),),
        tiles((CALLS, ASR, NER, ACD, PDD, BILLABLE), total, earlier.total or {}),
        (*(await overview.call_plots(question, lambda bindings: began(question, where, bindings))), bars),
    )


def _carried() -> Node:
    from pipeline.warehouse.query.expressions import Compare

    return Compare("ne", CALL["trunk"], Literal(""))


def _bars(title: str, about: str, rows: list[dict[str, Any]], name: str) -> Bars:
    return Bars(
        title,
        about,
        [
            Bar(
                row[name] or "–",
                [("good", int(row["answered"])), ("dull", int(row["attempts"]) - int(row["answered"]))],
            )
            for row in rows[:12]
        ],
        [("good", "Answered"), ("dull", "Not answered")],
    )


# The number outside that was called. Of a call that came in and went out again, that is where it was sent to: its last
# forward or transfer to a telephone number, else the last target that was reached; never the DID that it came in by.
_SENT_TO: Final = (
    "arrayLast(number -> match(number, '^[+]?[0-9]{6,}$'), arrayMap(move -> JSONExtractString(move, 'to'),"
    " JSONExtractArrayRaw(detail, 'reroutes')))"
)
_CALLED: Final = Dimension(
    "called",
    f"multiIf(direction = 'outbound', callee_number, {_SENT_TO} != '', {_SENT_TO}, destination != '' AND"
    " destination != did, destination, '')",
)


async def destinations(question: Question) -> Report:
    """Where calls to the outside went: numbers, and classes of them."""
    where: Node = In(CALL["direction"], (Literal("outbound"), Literal("inbound_outbound")))
    number, class_ = _CALLED, Dimension("rate_class", "upper(rate_class)")
    top = int(question.filter.get("limit") or _TOP)
    found = await groups(
        question, _BY_NUMBER, (number,), where, order=("-attempts", "-billable_ms"), limit=min(top, 10_000), total=True
    )
    classes = await groups(question, _BY_NUMBER, (class_,), where, order=("-attempts",), limit=100)
    lines = [
        Line((question.party(row["called"]), country(row["called"]), *_cells(row, _BY_NUMBER))) for row in found.rows
    ]
    lines.append(Line(("Total", None, *_cells(found.total or {}, _BY_NUMBER)), "total"))
    by_class = [Line((row["rate_class"] or "Unknown", *_cells(row, _BY_NUMBER))) for row in classes.rows]
    counted = tuple(figure.column for figure in _BY_NUMBER)
    return Report(
        question.type,
        "Top destinations",
        "Numbers that were called most",
        question.span,
        (
            Table(
                (
                    Column("Number", about="Number called, or sent on to; the last line is all of them"),
                    Column("Country", about="ISO 3166 country of a number with its country code"),
                    *counted,
                ),
                lines,
                f"The {min(top, found.count)} most called of {found.count} numbers",
            ),
            Table((Column("Class", about="Class of the number, as rating has it"), *counted), by_class, "Classes"),
        ),
        (("Calls", "To the outside"),),
        tiles(
            _BY_NUMBER[:5],
            found.total or {},
            (await groups(question, _BY_NUMBER, where=where, before=True, total=True)).total or {},
        ),
        (
            *(await overview.call_plots(question, lambda bindings: began(question, where, bindings))),
            _bars("Most called", "Answered calls and the others, by number.", found.rows, "called"),
        ),
    )


def _cells(row: dict[str, Any], chosen: tuple[Figure, ...]) -> tuple[Any, ...]:
    return tuple(figure.cell(row) for figure in chosen)


def country(number: str) -> str:
    """The country of an international number; "" for any other."""
    if not number.startswith("+"):
        return ""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number)) or ""
    except phonenumbers.NumberParseException:
        return ""
