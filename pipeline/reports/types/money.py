"""Our reports for billing and fraud: statements of accounts, short calls and what looks odd."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from pipeline.reports.rendering.plots import Bar, Bars
from pipeline.reports.rendering.table import Column, Line, Report, Table, Tile, ratio
from pipeline.reports.types import overview
from pipeline.reports.types.build import Question
from pipeline.reports.types.figures import BILLABLE, CALLS, COST, UNRATED, Figure, both, groups
from pipeline.reports.types.traffic import began
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.clauses import CLOSED_CALLS, matching
from pipeline.warehouse.query.columns import CALL
from pipeline.warehouse.query.expressions import Column as Dimension
from pipeline.warehouse.query.expressions import Compare, In, Literal, Node
from pipeline.warehouse.query.view import identity

_RATED: Final = Figure("rated", "Rated", "count", "Calls that have a price")
_STATEMENT: Final = (CALLS, _RATED, UNRATED, BILLABLE, COST)
_ANSWERED: Final = Compare("ne", CALL["answered_at"], Literal(None))
_OUT: Final = In(CALL["direction"], (Literal("outbound"), Literal("inbound_outbound")))
_SHORT_S: Final = 10
_TOP: Final = 100
# All that is shown of a caller: the order of callers who look alike is that of what is seen.
_SHOWN: Final = "caller_number, name, hints, calls, answered, night, abroad, numbers, burst, billable"
# What makes somebody look: (name, condition on the row of a caller, what it means).
_HINTS: Final = (
    ("Short calls", "short >= 10 AND short * 2 >= answered", "ten answered calls or more were short, and half of them"),
    ("Burst", "burst >= 30", "thirty calls or more began within one hour"),
    ("Night", "night >= 10 AND night * 2 >= calls", "ten calls or more, and half of them, between 22:00 and 6:00"),
    ("Abroad", "abroad >= 10 AND abroad * 2 >= calls", "ten calls or more, and half of them, were international"),
    ("Many numbers", "numbers >= 100", "a hundred different numbers or more were called"),
)


async def statements(question: Question) -> Report:
    """What each account owes, by class of number. Answered calls to the outside; one line a currency."""
    asked = question.filter.get("accounts") or []
    account, currency = CALL_ACCOUNT, Dimension("currency", "currency")
    class_ = Dimension("rate_class", "upper(rate_class)")
    where: Node = both(_OUT, _ANSWERED)
    if asked:
        where = both(where, In(account, tuple(Literal(name) for name in asked)))
    whole = await groups(question, _STATEMENT, (account, currency), where, order=("billed_account", "currency"))
    parts = await groups(question, _STATEMENT, (account, currency, class_), where, order=("rate_class",))
    owed = _in_one_currency(whole.rows)
    shares = _in_one_currency(parts.rows)
    lines: list[Line] = []
    for row in owed:
        key = (row["billed_account"], row["currency"])
        name: str | None = row["billed_account"] or "No account"
        for part in shares:
            if (part["billed_account"], part["currency"]) == key:
                lines.append(
                    Line(
                        (name, part["rate_class"] or "Unknown", *_cells(part), row["currency"]), "head" if name else ""
                    )
                )
                name = None
        lines.append(Line(("Total", None, *_cells(row), row["currency"]), "total"))
    columns = (
        Column("Account", about="Who pays; calls that nobody is named for stand under No account"),
        Column("Class", about="Class of the numbers called, as rating has it"),
        *(figure.column for figure in _STATEMENT),
        Column("Currency", about="Currency of the cost; calls without a price have none"),
    )
    bars = Bars(
        "Billable time",
        "Minutes by account.",
        [
            Bar(
                row["billed_account"] or "No account",
                [("a", int(row["billable_ms"]) / 60_000)],
                f"{int(row['billable_ms']) / 60_000:.0f} min",
            )
            for row in sorted(owed, key=lambda row: -int(row["billable_ms"]))[:12]
        ],
    )
    return Report(
        question.type,
        "Statements",
        "Statement per account",
        question.span,
        (Table(columns, lines),),
        (("Accounts", ", ".join(asked) or "All"), ("Calls", "Answered, to the outside")),
        plots=(*(await overview.call_plots(question, lambda bindings: began(question, where, bindings)))[:1], bars)
        if whole.rows
        else (),
    )


def _in_one_currency(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, those without a currency (free calls, calls without a price) added to the account's others where all of
    these are in one currency: one account, one sum."""
    currencies: dict[str, set[str]] = {}
    for row in rows:
        currencies.setdefault(row["billed_account"], set()).add(row["currency"])
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        known = currencies[row["billed_account"]] - {""}
        currency = row["currency"] or (next(iter(known)) if len(known) == 1 else "")
        key = (row["billed_account"], currency, row.get("rate_class", ""))
        held = found.get(key)
        found[key] = (row | {"currency": currency}) if held is None else _added(held, row)
    return sorted(found.values(), key=lambda row: (row["billed_account"], row["currency"], row.get("rate_class", "")))


def _added(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two rows of sums as one. Sums of money are decimals as text, None without a price."""
    sums = {figure.measure: int(one[figure.measure]) + int(other[figure.measure]) for figure in _STATEMENT[:-1]}
    costs = [Decimal(row["cost"]) for row in (one, other) if row["cost"] is not None]
    return one | sums | {"cost": f"{sum(costs, Decimal(0)):f}" if costs else None}


CALL_ACCOUNT: Final = Dimension("billed_account", "billed_account")


def _cells(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(figure.cell(row) for figure in _STATEMENT)


async def short_calls(question: Question) -> Report:
    """Short calls by trunk, and callers whose calls look like fraud."""
    span = question.span
    least = int(question.filter.get("seconds") or _SHORT_S)
    bindings = Bindings()
    zone = bindings.bind(span.zone, "String")
    limit = bindings.bind(least * 1000, "Int64")
    calls = (
        f"SELECT {identity(question.view, 'caller_number')} AS who, {identity(question.view, 'callee_number')} AS whom,"
        " caller_number, caller_name, trunk, direction, isNotNull(answered_at) AS answered,"
        f" answered AND billable_ms < {limit} AS short, billable_ms, cost,"
        f" toHour(toTimeZone(started_at, {zone})) AS hour, upper(rate_class) = 'INTERNATIONAL' AS abroad,"
        " intDiv(toUnixTimestamp64Milli(started_at), 3600000) AS in_hour"
        f" {matching(question.view, CLOSED_CALLS, _OUT, bindings)} AND {question.within(bindings)}"
    )
    hints = ", ".join(f"if({condition}, '{name}', '')" for name, condition, _ in _HINTS)
    rows = await question.rows(
        "short_calls",
        "SELECT *, arrayStringConcat(arrayFilter(hint -> hint != '', ["
        f"{hints}]), ', ') AS hints FROM (SELECT who, any(caller_number) AS caller_number, any(name) AS name,"
        " sum(n) AS calls,"
        " sum(answered_n) AS answered,"
        " sum(short_n) AS short, sum(night_n) AS night, sum(abroad_n) AS abroad, uniqExactMerge(numbers_s) AS numbers,"
        " max(n) AS burst, sum(billable) AS billable FROM (SELECT who, in_hour,"
        " any(caller_number) AS caller_number, any(caller_name) AS name,"
        " count() AS n, countIf(answered) AS answered_n, countIf(short) AS short_n, countIf(hour >= 22 OR hour < 6) AS"
        " night_n, countIf(abroad) AS abroad_n, uniqExactState(whom) AS numbers_s,"
        " sum(billable_ms) AS billable"
        f" FROM ({calls}) GROUP BY who, in_hour) GROUP BY who)"
        f" WHERE short > 0 OR hints != '' ORDER BY hints != '' DESC, short DESC, {_SHOWN} LIMIT {_TOP}",
        bindings,
    )
    bindings = Bindings()
    limit = bindings.bind(least * 1000, "Int64")
    trunks = await question.rows(
        "short_calls_trunks",
        "SELECT trunk, direction, countIf(isNotNull(answered_at)) AS answered,"
        f" countIf(isNotNull(answered_at) AND billable_ms < {limit}) AS short"
        f" {matching(question.view, CLOSED_CALLS, _ANSWERED, bindings)} AND {question.within(bindings)}"
        " AND direction != 'internal' GROUP BY trunk, direction ORDER BY short DESC, trunk, direction LIMIT 1000",
        bindings,
    )
    answered, short = sum(int(row["answered"]) for row in trunks), sum(int(row["short"]) for row in trunks)
    callers = Table(
        (
            Column("Caller", about="Who called out"),
            Column("Hints", about="; ".join(f"{name}: {meaning}" for name, _, meaning in _HINTS)),
            Column("Calls", "count", "Calls to the outside"),
            Column("Answered", "count", "Of these, answered"),
            Column("Short", "count", f"Of these, shorter than {least} s from answer to end"),
            Column("% Short", "percent", "Short by answered"),
            Column("Night", "count", f"Calls that began between 22:00 and 6:00 ({span.zone})"),
            Column("Abroad", "count", "Calls of the class INTERNATIONAL"),
            Column("Numbers", "count", "Different numbers called"),
            Column("Most in an hour", "count", "Most calls that began in one hour of the clock (UTC)"),
            Column("Billable Time", "duration", "Answer to end of answered calls"),
        ),
        [
            Line(
                (
                    question.party(row["caller_number"], row["name"]),
                    row["hints"],
                    *(int(row[name]) for name in ("calls", "answered", "short")),
                    ratio(int(row["short"]), int(row["answered"])),
                    *(int(row[name]) for name in ("night", "abroad", "numbers", "burst")),
                    round(int(row["billable"]) / 1000),
                )
            )
            for row in rows
        ],
        "Callers to look at",
        f"At most {_TOP}: those with hints first, then those with the most short calls.",
    )
    by_trunk = Table(
        (
            Column("Trunk", about="Trunk that carried the calls"),
            Column("Direction", about="Seen from the PBX"),
            Column("Answered", "count", "Answered calls"),
            Column("Short", "count", f"Of these, shorter than {least} s"),
            Column("% Short", "percent", "Short by answered: a high share hints at false answers"),
        ),
        [
            Line(
                (
                    row["trunk"] or "–",
                    row["direction"].replace("_", " "),
                    int(row["answered"]),
                    int(row["short"]),
                    ratio(int(row["short"]), int(row["answered"])),
                )
            )
            for row in trunks
        ],
        "Short calls by trunk",
    )
    hinted = sum(bool(row["hints"]) for row in rows)
    return Report(
        question.type,
        "Short calls",
        "Short calls and hints at fraud",
        span,
        (callers, by_trunk),
        (("Short", f"Less than {least} s"),),
        (
            Tile("Short Calls", short, "count", f"Answered calls shorter than {least} s, over trunks"),
            Tile("Share", ratio(short, answered), "percent", "Short by answered"),
            Tile("Callers With Hints", hinted, "count", "Callers whose calls look odd in at least one way"),
        ),
        await overview.call_plots(question, lambda bindings: began(question, _OUT, bindings)),
    )
