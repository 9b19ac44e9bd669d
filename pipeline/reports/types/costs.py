"""PortSIP's report EXTENSION_GROUP_CALL_COST: what the outbound calls of each extension group cost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final

from pipeline.reports.rendering.table import Column, Line, Report, Table
from pipeline.reports.types import overview
from pipeline.reports.types.build import Question, in_order
from pipeline.warehouse.analytics.visits import TALK_S, calls_ended
from pipeline.warehouse.query.bindings import Bindings

_DECIMALS: Final = Decimal("0.00001")
_NO_COST: Final[Decimal | None] = None
_OUTWARD: Final = "direction IN ('outbound', 'inbound_outbound') AND isNotNull(answered_at)"


def money(value: str | Decimal | None) -> str | None:
    """A price with up to five decimals, as the vendor prints it; None for none."""
    if value is None or value == "":
        return None
    try:
        exact = Decimal(value).quantize(_DECIMALS, ROUND_HALF_UP)
    except InvalidOperation:
        return None
    text = f"{exact:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _calls(question: Question, members: list[str], bindings: Bindings) -> str:
    span = question.span
    which = calls_ended(question.view, span.first_ms, span.end_ms, bindings, question.window)
    asked = question.filter.get("type", "ANY")
    class_ = "" if asked == "ANY" else f" AND upper(rate_class) = {bindings.bind(asked, 'String')}"
    mine = bindings.bind(members, "Array(String)")
    times = ", ".join(
        f"toUnixTimestamp64Milli({name}) AS {name}_ms" for name in ("started_at", "rang_at", "answered_at", "ended_at")
    )
    return (
        f"SELECT id, {times}, caller_number, caller_name, callee_number, callee_name, status, {TALK_S} AS talk_s,"
        f" upper(rate_class) AS class, rate_prefix, cost, currency {which} AND {_OUTWARD}"
        f" AND if(caller_extension = '', caller_number, caller_extension) IN {mine}{class_}"
    )


async def group_costs(question: Question) -> Report:
    """EXTENSION_GROUP_CALL_COST: answered outbound calls, by group; an extension of two groups is in both."""
    directory = question.directory
    groups = question.filter.get("groups") or sorted(directory.groups)
    members = {group: list(directory.members(group)) for group in groups}

    async def lines() -> AsyncIterator[Line]:
        for group in groups:
            named: str | None = group
            talk, cost, currencies = 0, _NO_COST, set[str]()

            def calls(part: Question, bindings: Bindings, group: str = group) -> str:
                return _calls(part, members[group], bindings)

            async for row in in_order(question, "costs", calls, ("started_at_ms", "id")):
                yield Line(_cells(question, named, row), "head" if named else "")
                named = None
                talk += int(row["talk_s"])
                if (price := money(row["cost"])) is not None:
                    cost = (cost or Decimal(0)) + Decimal(price)
                    currencies.add(row["currency"])
            sum_ = money(cost) if len(currencies - {""}) < 2 else None
            if named:
                yield Line((named, *(None,) * 10), "head")
            yield Line(("Total:", *(None,) * 7, talk, None, sum_), "total")

    everyone = sorted({number for numbers in members.values() for number in numbers})
    columns = (
        Column("Group Name", about="Extension group; an extension of two groups is counted in both"),
        Column("Caller", about="Extension that called"),
        Column("Callee", about="Number called"),
        Column("Call Type", about="LOCAL, NATIONAL, MOBILE, INTERNATIONAL; empty when the number has no class"),
        Column("Start Time", "time", "First INVITE"),
        Column("Ring Time", "time", "When it first rang"),
        Column("Answer Time", "time", "When it was answered"),
        Column("End Time", "time", "Hang-up: the calls are those that ended in the time of the report"),
        Column("Talking Time", "duration", "Answer to end"),
        Column("Prefix", about="Prefix of the tariff that priced it"),
        Column("Cost", "money", "Price of the call; empty when no tariff knew the number"),
    )
    return Report(
        question.type,
        "User Group Call Cost",
        "Call Cost by Extension Group Report",
        question.span,
        (Table(columns, lines()),),
        (("Group", groups[0] if len(groups) == 1 else "Multiple"),),
        plots=await overview.call_plots(
            question,
            lambda bindings: f"SELECT started_at_ms AS at, status FROM ({_calls(question, everyone, bindings)})",
        ),
    )


def _cells(question: Question, named: str | None, row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        named,
        question.party(row["caller_number"], row["caller_name"]),
        question.party(row["callee_number"], row["callee_name"]),
        row["class"],
        row["started_at_ms"],
        row["rang_at_ms"],
        row["answered_at_ms"],
        row["ended_at_ms"],
        int(row["talk_s"]),
        row["rate_prefix"],
        money(row["cost"]),
    )
