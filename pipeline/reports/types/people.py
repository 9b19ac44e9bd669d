"""Our report about people: what extensions did."""

from __future__ import annotations

from typing import Any, Final

from pipeline.reports.rendering.plots import Bar, Bars
from pipeline.reports.rendering.table import Column, Line, Report, Table, average, ratio
from pipeline.reports.types.build import Question
from pipeline.reports.types.normal import in_ranges
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.callers import MADE_BY
from pipeline.warehouse.query.clauses import CALL_LOGS, CLOSED_CALLS, matching
from pipeline.warehouse.query.expressions import EVERYTHING

_SHOWN_BARS: Final = 12
_KINDS: Final = ("extension", "queue_agent", "ring_group_member")
# Tries that ended because somebody else was faster are nobody's miss.
_MISSED: Final = "outcome IN ('no_answer', 'busy', 'rejected', 'unreachable')"


def _made(question: Question, bindings: Bindings) -> str:
    """SELECT of what each extension called."""
    calls = matching(question.view, CLOSED_CALLS, EVERYTHING, bindings)
    return (
        f"SELECT {MADE_BY} AS extension, any(caller_name) AS name, count() AS made,"
        " countIf(isNotNull(answered_at)) AS made_answered, sum(talk_ms) AS made_talk, 0 AS came, 0 AS came_answered,"
        f" 0 AS missed, 0 AS came_talk, 0 AS came_ring {calls} AND {question.within(bindings)}"
        f" AND extension != '' AND {_chosen(question, (MADE_BY,), bindings)} GROUP BY extension"
    )


def _came(question: Question, bindings: Bindings) -> str:
    """SELECT of what came to each extension: one try a target."""
    return (
        "SELECT number AS extension, any(name) AS name, 0 AS made, 0 AS made_answered, 0 AS made_talk, count() AS came,"
        f" countIf(outcome = 'answered') AS came_answered, countIf({_MISSED}) AS missed, sum(talk_ms) AS came_talk,"
        f" sum(ifNull(ring_ms, 0)) AS came_ring {matching(question.view, CALL_LOGS, EVERYTHING, bindings)}"
        f" AND kind IN {bindings.bind(list(_KINDS), 'Array(String)')} AND number != ''"
        f" AND {question.within(bindings)} AND {_chosen(question, ('number',), bindings)}"
        " GROUP BY extension"
    )


def _chosen(question: Question, columns: tuple[str, ...], bindings: Bindings) -> str:
    """PortSIP's filter of extension statistics, which belongs to none of its listed types."""
    parts = ["1"]
    if question.filter.get("extension", "ANY") != "ANY":
        parts.append(f"({in_ranges(question.filter['extension_value'], columns, bindings)})")
    which = question.filter.get("type", "ANY")
    if which != "ANY":
        parts.append(f"direction {'=' if which == 'INTERNAL' else '!='} 'internal'")
    return " AND ".join(parts)


async def extensions(question: Question) -> Report:
    """What each extension called, and what came to it."""
    bindings = Bindings()
    sums = ("made", "made_answered", "made_talk", "came", "came_answered", "missed", "came_talk", "came_ring")
    rows = await question.rows(
        "extensions",
        f"SELECT extension, any(name) AS label, {', '.join(f'sum({name}) AS {name}_n' for name in sums)}"
        f" FROM ({_made(question, bindings)} UNION ALL {_came(question, bindings)})"
        " GROUP BY extension ORDER BY extension",
        bindings,
    )
    counts = [{name: int(row[f"{name}_n"]) for name in sums} for row in rows]
    lines = [
        Line((question.party(row["extension"], row["label"]), *_cells(count)))
        for row, count in zip(rows, counts, strict=True)
    ]
    whole = {name: sum(count[name] for count in counts) for name in sums}
    lines.append(Line(("Total", *_cells(whole)), "total"))
    columns = (
        Column("Extension", about="Name and number of the extension"),
        Column("Made", "count", "Calls that the extension began", "Outgoing"),
        Column("Answered", "count", "Of these, answered", "Outgoing"),
        Column("Talking Time", "duration", "Time with a human in these", "Outgoing"),
        Column("Received", "count", "Tries to reach the extension: directly, by a queue or a ring group", "Incoming"),
        Column("Answered", "count", "Of these, answered by it", "Incoming"),
        Column(
            "Missed", "count", "Of these, not answered, busy or refused; not those that somebody else took", "Incoming"
        ),
        Column("% Answered", "percent", "Answered by received", "Incoming"),
        Column("Talking Time", "duration", "Time that callers talked to it", "Incoming"),
        Column("Average Ringing", "duration", "Ringing time by received", "Incoming"),
        Column("Talking Time", "duration", "Outgoing and incoming together", "Together"),
    )
    busiest = sorted(zip(rows, counts, strict=True), key=lambda pair: -(pair[1]["made"] + pair[1]["came"]))
    bars = Bars(
        "Busiest extensions",
        "Calls made and received, by extension.",
        [
            Bar(question.party(row["extension"], row["label"]), [("a", count["made"]), ("good", count["came"])])
            for row, count in busiest[:_SHOWN_BARS]
        ],
        [("a", "Made"), ("good", "Received")],
    )
    given = question.filter
    return Report(
        question.type,
        "Extension Statistics",
        "Extension Statistics Report",
        question.span,
        (Table(columns, lines),),
        (
            ("Extension", given.get("extension_value") or "Any"),
            ("Calls", {"INTERNAL": "Internal", "EXTERNAL": "External"}.get(given.get("type", "ANY"), "Any")),
        ),
        plots=(bars,) if rows else (),
    )


def _cells(count: dict[str, int]) -> tuple[Any, ...]:
    return (
        count["made"],
        count["made_answered"],
        round(count["made_talk"] / 1000),
        count["came"],
        count["came_answered"],
        count["missed"],
        ratio(count["came_answered"], count["came"]),
        round(count["came_talk"] / 1000),
        (average(count["came_ring"], count["came"] * 1000) if count["came"] else None),
        round((count["made_talk"] + count["came_talk"]) / 1000),
    )
