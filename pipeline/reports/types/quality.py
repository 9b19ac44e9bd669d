"""Our report about the data itself: what is unusual in the records, and how each node reports."""

from __future__ import annotations

from typing import Final

from pipeline.reports.rendering.plots import Bar, Bars
from pipeline.reports.rendering.table import Column, Line, Report, Table, Tile, ratio
from pipeline.reports.types import overview
from pipeline.reports.types.build import Question
from pipeline.reports.types.traffic import began
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.clauses import CALLS, matching, moment
from pipeline.warehouse.query.expressions import EVERYTHING

# Flag of a call → what it means.
FLAGS: Final = {
    "incomplete": "The hang-up never came: closed at the last evidence",
    "end_estimated": "The end is an estimate",
    "start_missing": "The first event never came: begun at the first evidence",
    "clock_skew": "Nodes disagree about the time; durations are from one clock where possible",
    "late_hangup": "A leg's hang-up came after the call had ended",
    "zero_duration": "Answered, but nobody talked for a whole millisecond",
    "duration_capped": "Longer than the table holds; cut",
    "answer_from_hangup_record": "The answer is known from a hang-up record only",
}
_LATE_S: Final = 60


async def data_quality(question: Question) -> Report:
    """How far the figures can be trusted."""
    span = question.span
    bindings = Bindings()
    (count,) = await question.rows(
        "quality",
        "SELECT count() AS calls, countIf(state = 'open') AS open, countIf(length(flags) > 0) AS flagged,"
        " countIf(has(flags, 'incomplete')) AS incomplete, countIf(length(merged_call_ids) > 0) AS joined,"
        " countIf(caller_number = '') AS nameless, countIf(state = 'closed' AND cost = '' AND isNotNull(answered_at)"
        " AND direction IN ('outbound', 'inbound_outbound')) AS unrated, sum(events) AS events"
        f" {matching(question.view, CALLS, EVERYTHING, bindings)} AND {question.within(bindings)}",
        bindings,
    )
    bindings = Bindings()
    flags = await question.rows(
        "quality_flags",
        f"SELECT arrayJoin(flags) AS flag, count() AS n {matching(question.view, CALLS, EVERYTHING, bindings)}"
        f" AND {question.within(bindings)} GROUP BY flag ORDER BY n DESC, flag LIMIT 100",
        bindings,
    )
    bindings = Bindings()
    delay = "toUnixTimestamp(archived_at) - intDiv(toUnixTimestamp64Milli(at), 1000)"
    nodes = await question.rows(
        "quality_nodes",
        "SELECT node, count() AS events, uniq(call_id) AS calls, toUnixTimestamp64Milli(min(at)) AS first_ms,"
        f" toUnixTimestamp64Milli(max(at)) AS last_ms, greatest(quantile(0.5)({delay}), 0) AS delay,"
        f" countIf({delay} > {_LATE_S}) AS late FROM event_rows"
        f" WHERE tenant = {bindings.bind(question.tenant, 'String')}"
        f" AND at >= {moment(span.first_ms, bindings)} AND at < {moment(span.end_ms, bindings)}"
        " GROUP BY node ORDER BY node LIMIT 1000",
        bindings,
    )
    calls = int(count["calls"])
    unusual = Table(
        (
            Column("Flag", about="What is unusual about the record of a call"),
            Column("Meaning", about="What the flag says"),
            Column("Calls", "count", "Calls with the flag"),
            Column("% Calls", "percent", "Of all calls that began in the time"),
        ),
        [Line((row["flag"], FLAGS.get(row["flag"], ""), int(row["n"]), ratio(int(row["n"]), calls))) for row in flags],
        "Unusual records",
    )
    by_node = Table(
        (
            Column("Node", about="PBX node that reported"),
            Column("Events", "count", "Events archived, repeated ones among them"),
            Column("Calls", "count", "Calls that it reported about"),
            Column("First", "time", "Oldest event of the time"),
            Column("Last", "time", "Newest event of the time: a node that fell silent shows here"),
            Column("Delay", "duration", "From an event to its archiving: half of them took no longer"),
            Column("Late", "count", f"Events that were archived more than {_LATE_S} s after they happened"),
        ),
        [
            Line(
                (
                    row["node"] or "–",
                    int(row["events"]),
                    int(row["calls"]),
                    int(row["first_ms"]),
                    int(row["last_ms"]),
                    round(float(row["delay"])),
                    int(row["late"]),
                )
            )
            for row in nodes
        ],
        "Nodes",
    )
    figures = (
        ("Calls", calls, "count", "Calls that began in the time, open ones among them"),
        ("Unusual", ratio(int(count["flagged"]), calls), "percent", "Calls with at least one flag"),
        ("Incomplete", int(count["incomplete"]), "count", "Calls whose hang-up never came"),
        ("Still Open", int(count["open"]), "count", "Calls that are not over"),
        ("Joined", int(count["joined"]), "count", "Calls that came under several ids and turned out to be one"),
        ("No Caller", int(count["nameless"]), "count", "Calls without a caller's number: withheld, or not reported"),
        ("Unrated", int(count["unrated"]), "count", "Answered calls to the outside without a price"),
    )
    bars = Bars(
        "Unusual records",
        "Calls with each flag.",
        [Bar(row["flag"].replace("_", " "), [("warn", int(row["n"]))]) for row in flags[:12]],
    )
    plots = await overview.call_plots(question, lambda bindings: began(question, EVERYTHING, bindings))
    return Report(
        question.type,
        "Data quality",
        "How far the figures can be trusted",
        span,
        (unusual, by_node),
        (),
        tuple(Tile(name, value, kind, about) for name, value, kind, about in figures),
        (*plots[:1], bars) if flags else plots[:1],
    )
