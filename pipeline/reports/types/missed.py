"""Our report about callers who reached nobody, and whether they were called back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.reports.rendering.plots import Bar, Bars
from pipeline.reports.rendering.table import Column, Line, Report, Table, Tile, ratio
from pipeline.reports.types import overview
from pipeline.reports.types.build import Question
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.clauses import CALLS, CLOSED_CALLS, matching
from pipeline.warehouse.query.expressions import EVERYTHING
from pipeline.warehouse.query.reader import Row
from pipeline.warehouse.query.view import same_number

# What became of callers who reached nobody, and its tone.
REACHED, TRIED, WAITING = "Reached", "Tried in vain", "Not called back"
STATES: Final = {REACHED: "good", TRIED: "warn", WAITING: "bad"}
_MOST_CALLERS: Final = 20_000
# All that is shown of a caller: the order of callers who look alike is that of what is seen.
_SHOWN: Final = "number, name, asked, missed, first_ms, waited_ms, reached_at, tries, reaches"


def _missed(question: Question, bindings: Bindings) -> str:
    """SELECT of one row a caller from outside who reached nobody: how often, and what came after the last time."""
    span = question.span
    digits = same_number(question.view, "caller_number")
    missed = (
        f"SELECT {digits} AS digits, argMax(caller_number, started_at) AS number,"
        " argMax(caller_name, started_at) AS name,"
        " count() AS missed, toUnixTimestamp64Milli(min(started_at)) AS first_ms,"
        " toUnixTimestamp64Milli(max(started_at)) AS last_ms, max(ifNull(duration_ms, 0)) AS waited_ms,"
        " argMax(if(did = '', callee_number, did), started_at) AS asked"
        f" {matching(question.view, CLOSED_CALLS, EVERYTHING, bindings)}"
        f" AND {question.within(bindings)} AND direction = 'inbound' AND isNull(talk_started_at)"
        " AND digits != '' GROUP BY digits"
    )
    back = (
        "SELECT if(direction = 'inbound', "
        f"{digits}, {same_number(question.view, 'callee_number')}) AS digits, toUnixTimestamp64Milli(started_at) AS at,"
        " direction = 'inbound' AS again, isNotNull(talk_started_at) AS reached"
        f" {matching(question.view, CALLS, EVERYTHING, bindings, span.first_ms)}"
        " AND (direction IN ('outbound', 'inbound_outbound') OR (direction = 'inbound' AND isNotNull(talk_started_at)))"
    )
    after = "back.at > missed.last_ms"
    return (
        "SELECT missed.last_ms AS last_ms, missed.digits AS digits, any(missed.number) AS number,"
        " any(missed.name) AS name, any(missed.missed) AS missed, any(missed.first_ms) AS first_ms,"
        " any(missed.waited_ms) AS waited_ms, any(missed.asked) AS asked,"
        f" minIf(back.at, {after} AND back.reached) AS reached_at,"
        f" countIf({after} AND NOT back.again) AS tries, countIf({after} AND back.reached) AS reaches"
        f" FROM ({missed}) AS missed LEFT JOIN ({back}) AS back ON missed.digits = back.digits"
        " GROUP BY last_ms, digits"
    )


@dataclass(frozen=True, slots=True)
class Missed:
    """A caller from outside who reached nobody. Times in ms; `state` is one of STATES, `reached_at` when they first
    talked afterwards."""

    number: str
    name: str
    asked: str
    calls: int
    first: int
    last: int
    waited_ms: int
    state: str
    tries: int
    reached_at: int | None


@dataclass(frozen=True, slots=True)
class Callers:
    """Some of the callers, and how many there are in all, by what became of them; `calls` are those they made."""

    rows: tuple[Missed, ...]
    callers: int
    calls: int
    states: Mapping[str, int]


async def callers_of(
    question: Question,
    *,
    waiting_first: bool = False,
    reached: bool = True,
    limit: int = _MOST_CALLERS,
    offset: int = 0,
) -> Callers:
    """Callers from outside who reached nobody, the last one first.

    Parameters:
        waiting_first: by what became of them, and among those the one first who has waited longest
        reached: also those who were talked to afterwards; they are counted in any case
        limit, offset: which of them
    """
    bindings = Bindings()
    counted = (
        "count() OVER () AS callers, sum(missed) OVER () AS calls, countIf(reaches > 0) OVER () AS reached,"
        " countIf(reaches = 0 AND tries > 0) OVER () AS tried, countIf(reaches = 0 AND tries = 0) OVER () AS waiting"
    )
    order = f"reaches > 0, tries > 0, last_ms, {_SHOWN}" if waiting_first else f"last_ms DESC, {_SHOWN}"
    # where nobody is left to be shown, one row still has the counts
    rows = await question.rows(
        "missed",
        f"SELECT * FROM (SELECT *, {counted}, row_number() OVER (ORDER BY {order}) AS place,"
        f" {'1' if reached else 'reaches = 0'} AS shown FROM ({_missed(question, bindings)}))"
        f" WHERE place = 1 OR (shown AND place > {bindings.bind(offset, 'UInt64')}"
        f" AND place <= {bindings.bind(offset + limit, 'UInt64')}) ORDER BY place",
        bindings,
    )
    if not rows:
        return Callers((), 0, 0, dict.fromkeys(STATES, 0))
    count = rows[0]
    states = {name: int(count[key]) for name, key in zip(STATES, ("reached", "tried", "waiting"), strict=True)}
    shown = (row for row in rows if row["shown"] and int(row["place"]) > offset)
    return Callers(tuple(map(_caller, shown)), int(count["callers"]), int(count["calls"]), states)


def _caller(row: Row) -> Missed:
    reached = int(row["reaches"]) > 0
    return Missed(
        row["number"],
        row["name"],
        row["asked"],
        int(row["missed"]),
        int(row["first_ms"]),
        int(row["last_ms"]),
        int(row["waited_ms"]),
        REACHED if reached else TRIED if int(row["tries"]) else WAITING,
        int(row["tries"]),
        int(row["reached_at"]) if reached else None,
    )


async def missed(question: Question) -> Report:
    """Callers from outside who reached nobody, and whether anybody called them back."""
    found = await callers_of(question)
    lines = [
        Line(
            (
                question.party(row.number, row.name),
                question.party(row.asked),
                row.calls,
                row.first,
                row.last,
                round(row.waited_ms / 1000),
                row.state,
                row.tries,
                row.reached_at,
            )
        )
        for row in found.rows
    ]
    columns = (
        Column("Caller", about="Who called from outside and reached nobody; withheld numbers are left out"),
        Column("Called", about="Number that the caller dialled last"),
        Column("Missed Calls", "count", "How often the caller reached nobody"),
        Column("First", "time", "First of these calls"),
        Column("Last", "time", "Last of these calls"),
        Column("Longest", "duration", "Longest that the caller waited in one of them"),
        Column(
            "State", about="Reached: talked after the last missed call, whoever called. Numbers compare by nine digits"
        ),
        Column("Tries", "count", "Calls to the caller after the last missed one"),
        Column("Reached At", "time", "When they first talked after it"),
    )
    callers, states = found.callers, found.states
    figures = (
        ("Missed Calls", found.calls, "count", "Calls from outside in which nobody was reached"),
        ("Callers", callers, "count", "Who made them"),
        ("Reached Later", ratio(states[REACHED], callers), "percent", "Callers who were talked to afterwards"),
        ("Not Called Back", states[WAITING], "count", "Callers whom nobody tried to reach afterwards"),
    )
    bars = Bars(
        "What became of them",
        f"Of {callers} callers who reached nobody.",
        [Bar(name, [(tone, states[name])]) for name, tone in STATES.items()],
        whole=callers,
    )

    def plotted(bindings: Bindings) -> str:
        return (
            "SELECT toUnixTimestamp64Milli(started_at) AS at, status"
            f" {matching(question.view, CLOSED_CALLS, EVERYTHING, bindings)}"
            f" AND {question.within(bindings)} AND direction = 'inbound' AND isNull(talk_started_at)"
        )

    plots = await overview.call_plots(question, plotted)
    return Report(
        question.type,
        "Missed calls",
        "Missed and unreturned calls",
        question.span,
        (Table(columns, lines),),
        (("Calls", "From outside"),),
        tuple(Tile(name, value, kind, about) for name, value, kind, about in figures),
        (*plots[:1], bars, *plots[2:]) if callers else (),
        (f"Only the last {_MOST_CALLERS} of {callers} callers are listed.",) if callers > _MOST_CALLERS else (),
    )
