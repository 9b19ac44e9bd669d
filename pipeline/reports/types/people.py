"""Our reports about people: what extensions did, and who was missed and not called back."""

from __future__ import annotations

from typing import Any, Final

from pipeline.reports.rendering.plots import Bar, Bars
from pipeline.reports.rendering.table import Column, Line, Report, Table, Tile, average, ratio
from pipeline.reports.types import overview
from pipeline.reports.types.build import Question
from pipeline.reports.types.normal import in_ranges
from pipeline.warehouse.query.callers import MADE_BY
from pipeline.warehouse.query.clauses import CALL_LOGS, CALLS, CLOSED_CALLS, matching
from pipeline.warehouse.query.conditions import Bindings
from pipeline.warehouse.query.expressions import EVERYTHING
from pipeline.warehouse.query.view import same_number

_SHOWN_BARS: Final = 12
_MOST_CALLERS: Final = 20_000
# All that is shown of a caller: the order of callers who look alike is that of what is seen.
_SHOWN: Final = "number, name, asked, missed, first_ms, waited_ms, reached_at, tries, reaches"
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


async def missed(question: Question) -> Report:
    """Callers from outside who reached nobody, and whether anybody called them back."""
    bindings = Bindings()
    (count,) = await question.rows(
        "missed_count",
        "SELECT count() AS callers, sum(missed) AS calls, countIf(reaches > 0) AS reached,"
        f" countIf(reaches = 0 AND tries > 0) AS tried, countIf(reaches = 0 AND tries = 0) AS waiting"
        f" FROM ({_missed(question, bindings)})",
        bindings,
    )

    bindings = Bindings()
    rows = await question.rows(
        "missed",
        f"SELECT * FROM ({_missed(question, bindings)}) ORDER BY last_ms DESC, {_SHOWN} LIMIT {_MOST_CALLERS}",
        bindings,
    )
    lines = []
    for row in rows:
        reached = int(row["reaches"]) > 0
        lines.append(
            Line(
                (
                    question.party(row["number"], row["name"]),
                    question.party(row["asked"]),
                    int(row["missed"]),
                    int(row["first_ms"]),
                    int(row["last_ms"]),
                    round(int(row["waited_ms"]) / 1000),
                    "Reached" if reached else "Tried in vain" if int(row["tries"]) else "Not called back",
                    int(row["tries"]),
                    int(row["reached_at"]) if reached else None,
                )
            )
        )
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
    callers = int(count["callers"])
    figures = (
        ("Missed Calls", int(count["calls"]), "count", "Calls from outside in which nobody was reached"),
        ("Callers", callers, "count", "Who made them"),
        ("Reached Later", ratio(int(count["reached"]), callers), "percent", "Callers who were talked to afterwards"),
        ("Not Called Back", int(count["waiting"]), "count", "Callers whom nobody tried to reach afterwards"),
    )
    states = Bars(
        "What became of them",
        f"Of {callers} callers who reached nobody.",
        [
            Bar(name, [(tone, int(count[key]))])
            for name, tone, key in (
                ("Reached", "good", "reached"),
                ("Tried in vain", "warn", "tried"),
                ("Not called back", "bad", "waiting"),
            )
        ],
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
        (*plots[:1], states, *plots[2:]) if callers else (),
        (f"Only the last {_MOST_CALLERS} of {callers} callers are listed.",) if callers > _MOST_CALLERS else (),
    )
