"""PortSIP's report NORMAL: every call with its targets; and the filter by caller, callee, answer and duration."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from pipeline.reports.definition import extension_ranges
from pipeline.reports.rendering.table import Column, Line, Report, Table
from pipeline.reports.types import overview
from pipeline.reports.types.build import Question, in_order
from pipeline.warehouse.analytics.visits import RING_S, TALK_S, calls_ended
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.clauses import TARGETS, matching
from pipeline.warehouse.query.expressions import EVERYTHING
from pipeline.warehouse.query.masking import masked_text

MOST_CALLS: Final = 20_000  # vendor release note
_PAGE: Final = 2_000
_WINDOW: Final = 10_000
_UNKNOWN_END: Final = "CallEndCode(0)"
_FROM: Final = ("caller_number", "caller_extension")
_TO: Final = ("callee_number", "callee_extension", "destination", "answered_by")
_MS: Final = "toUnixTimestamp64Milli({0}) AS {0}_ms"
_SESSION: Final = (
    f"SELECT id, {', '.join(_MS.format(name) for name in ('started_at', 'rang_at', 'answered_at', 'ended_at'))},"
    " caller_number, caller_name, callee_number, callee_name, cost, outbound_caller_id, did, end_reason, trunk,"
    f" user_data, {TALK_S} AS talk_s, status"
)
_TARGETS: Final = (
    "SELECT session_id, number AS callee_number, name AS callee_name,"
    f" {', '.join(_MS.format(name) for name in ('started_at', 'rang_at', 'answered_at', 'ended_at'))},"
    f" end_reason, trunk, {TALK_S} AS talk_s, outbound_caller_id, did, user_data"
)


def condition(question: Question, bindings: Bindings) -> str:
    """The condition on calls that the filter makes."""
    given = question.filter
    parts = [
        _party(given.get("from", "ANY"), _value(question, "from"), _FROM, ("internal", "outbound"), bindings),
        _party(given.get("to", "ANY"), _value(question, "to"), _TO, ("internal", "inbound"), bindings),
        {"ANSWERED": "isNotNull(answered_at)", "NOT_ANSWERED": "isNull(answered_at)"}.get(
            given.get("answer_state", "ANY"), "1"
        ),
    ]
    measured = {"RING_DURATION": RING_S, "TALK_DURATION": TALK_S}.get(given.get("duration", "ANY"))
    if measured:
        if given.get("duration_from") is not None:
            parts.append(f"{measured} >= {bindings.bind(given['duration_from'], 'Int64')}")
        if given.get("duration_to") is not None:
            parts.append(f"{measured} <= {bindings.bind(given['duration_to'], 'Int64')}")
    return " AND ".join(f"({part})" for part in parts if part != "1") or "1"


def _value(question: Question, side: str) -> str:
    """What a side of the call is compared with; a whole number as the calls show it, masked or not."""
    value = str(question.filter.get(f"{side}_value", ""))
    return masked_text(value) if question.masked and question.filter.get(side) == "NUMBER" else value


def _party(which: str, value: str, columns: tuple[str, ...], inside: tuple[str, str], bindings: Bindings) -> str:
    """`inside`: directions in which this side of the call is an extension."""
    if which in ("INTERNAL_EXTENSIONS", "EXTERNAL_NUMBERS"):
        found = f"direction IN {bindings.bind(list(inside), 'Array(String)')}"
        return found if which == "INTERNAL_EXTENSIONS" else f"NOT {found}"
    if which == "EXTENSION_OR_EXTENSION_RANGE":
        return in_ranges(value, columns, bindings)
    form = {
        "NUMBER": "{0} = {1}",
        "NUMBERS_START_WITH": "startsWith({0}, {1})",
        "NUMBERS_CONTAIN": "position({0}, {1}) > 0",
    }.get(which)
    if form is None:
        return "1"
    bound = bindings.bind(value.strip(), "String")
    return " OR ".join(form.format(column, bound) for column in columns)


def in_ranges(value: str, columns: tuple[str, ...], bindings: Bindings) -> str:
    """One of the columns is an extension in `value`: 101, 101-110 or 101,105-110."""
    parts = []
    for first, last in extension_ranges("filter", value):
        low, high = bindings.bind(first, "String"), bindings.bind(last, "String")
        parts += [f"({name} BETWEEN {low} AND {high} AND length({name}) = {len(first)})" for name in columns]
    return " OR ".join(parts)


async def normal(question: Question) -> Report:
    """NORMAL: a row a call, then a row for each of its targets."""
    span = question.span

    def calls(part: Question, bindings: Bindings) -> str:
        which = calls_ended(question.view, span.first_ms, span.end_ms, bindings, part.window)
        return f"{_SESSION} {which} AND {condition(question, bindings)}"

    def plotted(bindings: Bindings) -> str:
        return f"SELECT started_at_ms AS at, status FROM ({calls(question, bindings)})"

    plots = await overview.call_plots(question, plotted)
    total = int(sum(sum(series.values) for series in getattr(plots[0], "series", ()))) if plots else 0
    notes = [f"Only the first {MOST_CALLS} of {total} calls are listed."] if total > MOST_CALLS else []
    given = question.filter
    columns = (
        Column("Caller", about="Who called; empty in the rows of the call's targets"),
        Column("Callee", about="First target of the call; below it, each target that was tried"),
        Column("Start Time", "time", "First INVITE"),
        Column("Ring Time", "time", "When a phone first rang"),
        Column("Answer Time", "time", "When the call, or the target, was answered"),
        Column("End Time", "time", "Hang-up: the calls are those that ended in the time of the report"),
        Column("Talking Time", "duration", "Answer to end"),
        Column("Cost", "money", "Price of the call; empty when it has none"),
        Column("CLI", about="Number shown to the outside"),
        Column("DID/DDI", about="Number that the outside dialled"),
        Column("End Reason", about=f"Why it ended; {_UNKNOWN_END} when nobody said"),
        Column("Trunk Name", about="Trunk that carried it"),
        Column("User Data", about="Free text of the PBX"),
    )
    return Report(
        question.type,
        "Normal Report",
        "Normal Report",
        span,
        (Table(columns, _lines(question, calls)),),
        (
            ("All Calls", span.words),
            ("Caller ID", _asked(given.get("from", "ANY"), given.get("from_value", ""))),
            ("Destination", _asked(given.get("to", "ANY"), given.get("to_value", ""))),
        ),
        plots=plots,
        notes=tuple(notes),
    )


def _asked(which: str, value: str) -> str:
    word = which.replace("_", " ").capitalize()
    return f"{word} {value}" if value and which not in ("ANY", "INTERNAL_EXTENSIONS", "EXTERNAL_NUMBERS") else word


async def _lines(question: Question, calls: Any) -> AsyncIterator[Line]:
    listed = 0
    page: list[dict[str, Any]] = []
    async for row in in_order(question, "normal", calls, ("started_at_ms", "id"), _WINDOW):
        page.append(row)
        listed += 1
        if len(page) == _PAGE or listed == MOST_CALLS:
            for line in await _page(question, page):
                yield line
            page = []
        if listed == MOST_CALLS:
            return
    for line in await _page(question, page) if page else ():
        yield line


async def _page(question: Question, page: list[dict[str, Any]]) -> list[Line]:
    bindings = Bindings()
    first, last = page[0]["started_at_ms"], max(row["ended_at_ms"] for row in page)
    rows = await question.rows(
        "normal_targets",
        f"{_TARGETS} {matching(question.view, TARGETS, EVERYTHING, bindings, int(first), int(last) + 1)}"
        f" AND session_id IN {bindings.bind([int(row['id']) for row in page], 'Array(UInt64)')}"
        " ORDER BY position, started_at, id",
        bindings,
    )
    targets: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        targets.setdefault(int(row["session_id"]), []).append(row)
    lines: list[Line] = []
    for row in page:
        caller = question.party(row["caller_number"], row["caller_name"])
        lines.append(Line((caller, *_cells(question, row, row["cost"] or None)), "head"))
        lines += [Line((None, *_cells(question, target, None))) for target in targets.get(int(row["id"]), ())]
    return lines


def _cells(question: Question, row: dict[str, Any], cost: str | None) -> tuple[Any, ...]:
    return (
        question.party(row["callee_number"], row["callee_name"]),
        row["started_at_ms"],
        row["rang_at_ms"],
        row["answered_at_ms"],
        row["ended_at_ms"],
        int(row["talk_s"]),
        cost,
        row["outbound_caller_id"],
        row["did"],
        row["end_reason"].upper() or _UNKNOWN_END,
        row["trunk"],
        row["user_data"],
    )
