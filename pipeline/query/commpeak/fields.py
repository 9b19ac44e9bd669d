"""CommPeak's lists of names: what to group by, what to show, in which order, and rows of the answer.

A group has the response key of its column; a metric is one or more sums. Every total is text, as the vendor
writes it; costs are numbers, null where calls that are billed have no price, or are in several currencies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from pipeline.query.commpeak import columns
from pipeline.query.http.problems import invalid
from pipeline.warehouse.analytics.aggregate import Measure
from pipeline.warehouse.analytics.dispositions import ANSWERED, TALK_S, TOTAL_S
from pipeline.warehouse.query.expressions import Column
from pipeline.warehouse.query.reader import Row

GROUPS: Final[Mapping[str, Column]] = {
    "user": columns.USER,
    "call status": columns.STATUS,
    "duration": columns.DURATION,
    "hangup": columns.HANGUP,
    "destination": columns.DST,
    "caller_id": columns.CALLER_ID,
    "q850": columns.Q850,
    "sip termination status": columns.SIP,
    "extension number": columns.SRC,
    "transfer to": columns.TRANSFER_TO,
    "conference to": columns.CONFERENCE_TO,
    "trunk": columns.TRUNK,
}
_NUMBERS: Final = frozenset({"destination", "caller_id", "transfer to"})
_BILLED: Final = f"{ANSWERED} AND direction IN ('outbound', 'inbound_outbound')"
_SEVERAL: Final = "uniqExactIf(currency, cost != '' AND currency != '') > 1"
# Of calls without a price nobody knows the cost: null. Calls that are not billed cost 0, as on the vendor's page.
_COST: Final = (
    f"if(({_SEVERAL}) OR (countIf(cost != '') = 0 AND countIf(cost = '' AND {_BILLED}) > 0), NULL,"
    " sum(toDecimal128OrZero(cost, 12)))"
)
# What the legs cost that a transfer led to: of a call from outside all that went out again, of a call to the outside
# those behind the first. Where one leg only was billed, the rating names none, and it is the call's.
_HANDED: Final = f"direction IN ('outbound', 'inbound_outbound') AND {columns.TRANSFERS.sql} > 0"
_LEG_COSTS: Final = (
    "arrayMap(leg -> toDecimal128OrZero(JSONExtractString(leg, 'cost'), 12), arrayFilter(leg ->"
    " JSONExtractString(leg, 'direction') != 'inbound', JSONExtractArrayRaw(rating, 'legs')))"
)
_BEHIND_TRANSFERS: Final = (
    f"multiIf(direction = 'outbound', arraySum(arraySlice({_LEG_COSTS}, 2)),"
    f" empty({_LEG_COSTS}), toDecimal128OrZero(cost, 12), arraySum({_LEG_COSTS}))"
)
_PRICED: Final = "countIf(cost != '')"
_TRANSFER_COST: Final = (
    f"if({_PRICED} = 0 OR ({_SEVERAL}) OR (countIf({_HANDED} AND cost != '') = 0 AND countIf({_HANDED}) > 0), NULL,"
    f" sumIf({_BEHIND_TRANSFERS}, {_HANDED}))"
)

# Metric -> response key, and the sum by which it is ordered.
METRICS: Final[Mapping[str, Measure]] = {
    "total calls": Measure("total", "count()", "count"),
    "successful calls": Measure("successful", f"countIf({ANSWERED})", "count"),
    "total duration": Measure("call_duration", f"sum({TOTAL_S.sql})", "sum"),
    "total bill duration": Measure("call_bill_duration", f"sum({TALK_S.sql})", "sum"),
    "ACD": Measure("acd", f"if(countIf({ANSWERED}) = 0, 0, sum({TALK_S.sql}) / countIf({ANSWERED}))", "value"),
    "ASR": Measure("asr", f"countIf({ANSWERED}) / count()", "value"),
    "cost": Measure("cost", _COST, "value"),
    "transfer duration": Measure("transfer_duration", f"sum({columns.TRANSFER_S.sql})", "sum"),
    "conference duration": Measure("conference_duration", f"sum({columns.CONFERENCE_S.sql})", "sum"),
    "transfer cost": Measure("transfer_cost", _TRANSFER_COST, "value"),
    "conference cost": Measure("conference_cost", f"if({_PRICED} = 0, NULL, 0)", "value"),
    "total transfer": Measure("total_transfer", f"sum({columns.TRANSFERS.sql})", "sum"),
    "call agent duration": Measure("call_agent_duration", "sum(intDiv(talk_ms, 1000))", "sum"),
}
# What ACD and ASR are worded from.
_BEHIND: Final = tuple(METRICS[name] for name in ("total calls", "successful calls", "total bill duration"))
_HIDDEN: Final = "_"
_MASKED: Final = re.compile(r"\*{3}")
_PERIODS: Final = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H"}


@dataclass(frozen=True, slots=True)
class Selection:
    """What an aggregation shows: the groups, other columns that are shown where all calls of a group agree,
    the period, and the metrics."""

    groups: tuple[str, ...]
    others: tuple[str, ...]
    metrics: tuple[str, ...]
    period: Column | None

    @property
    def dimensions(self) -> tuple[Column, ...]:
        return (*(GROUPS[name] for name in self.groups), *((self.period,) if self.period else ()))

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The sums to ask for, each once."""
        shared = [
            Measure(GROUPS[name].name, f"if(min({sql}) = max({sql}), any({sql}), NULL)", "value")
            for name in self.others
            for sql in (GROUPS[name].sql,)
        ]
        behind = [Measure(_HIDDEN + each.name, each.sql, each.kind) for each in _BEHIND]
        return (*shared, *(METRICS[name] for name in self.metrics), *behind)

    def order(self, text: str | None) -> tuple[str, ...]:
        """`field;desc` as an order of `aggregate`."""
        if not text or not text.strip():
            return ()
        name, _, way = (part.strip() for part in text.partition(";"))
        way = way.lower() or "asc"
        if way not in ("asc", "desc"):
            raise invalid("order", text, "ends in neither ;asc nor ;desc")
        if name == "period" and self.period:
            key = "period"
        elif _known(name, self.groups) or _known(name, self.others):
            key = GROUPS[name.lower()].name
        elif metric := _known(name, self.metrics):
            key = METRICS[metric].name
        else:
            raise invalid("order", text, "is no field of group or fields; name one of them, then ;asc or ;desc")
        return (f"-{key}" if way == "desc" else key,)

    def shown(self, row: Row, width: int = 2) -> dict[str, Any]:
        """A row of the answer; hours of durations have at least `width` digits."""
        item: dict[str, Any] = {}
        for name in (*self.groups, *self.others):
            column = GROUPS[name]
            value = row[column.name]
            if name == "duration":
                if "total duration" not in self.metrics:
                    item["call_duration"] = None if value is None else clock(value, width)
            else:
                item[column.name] = last_three(value) if name in _NUMBERS and value else value
        if self.period:
            item["period"] = row["period"]
        for name in self.metrics:
            key = METRICS[name].name
            item[key] = _metric(name, row[key], row, width)
        return item


def last_three(number: str) -> str:
    """A number that is masked already, as CommPeak masks it: stars, and the last three digits. Others stay."""
    return "*" * (len(number) - 3) + number[-3:] if _MASKED.search(number) else number


def selection_of(group: str, fields: str | None, period: str | None) -> Selection:
    """The names in three lists of a request. Without fields, every metric is shown."""
    groups = _names("group", group, GROUPS)
    shown = _names("fields", fields, {**GROUPS, **METRICS}) if fields and fields.strip() else tuple(METRICS)
    return Selection(
        groups=groups,
        others=tuple(name for name in shown if name in GROUPS and name not in groups),
        metrics=tuple(name for name in shown if name in METRICS),
        period=_period(period),
    )


def clock(seconds: int, width: int) -> str:
    """Seconds as HH:MM:SS; hours may exceed 99. With a width of 1, hours are not padded, but no time at
    all is 00:00:00: the vendor's page shows 0:00:05 beside 00:00:00."""
    if not seconds:
        return "00:00:00"
    minutes, second = divmod(int(seconds), 60)
    return f"{minutes // 60:0{width}d}:{minutes % 60:02d}:{second:02d}"


def _names(field: str, text: str, known: Mapping[str, Any]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for part in text.split(";"):
        if not (part := part.strip()):
            raise invalid(field, text, "has an empty name in it; separate names by single semicolons")
        name = _known(part, known)
        if not name:
            raise invalid(field, part, f"is no name here; there are {'; '.join(known)}")
        names[name] = None
    return tuple(names)


def _known(name: str, among: Sequence[str] | Mapping[str, Any]) -> str:
    """The name as it is spelled among the known ones, whatever its case."""
    return next((each for each in among if each.lower() == name.lower()), "")


def _period(text: str | None) -> Column | None:
    if not text or not text.strip():
        return None
    parts = _names("period", text, _PERIODS)
    directives = " ".join(directive for name, directive in _PERIODS.items() if name in parts)
    return Column("period", f"formatDateTime(started_at, '{directives}', 'UTC')")


def _metric(name: str, value: Any, row: Row, width: int) -> Any:
    total, successful, bill = (row[_HIDDEN + each.name] for each in _BEHIND)
    match name:
        case "total duration" | "total bill duration":
            return clock(value, width)
        case "ACD":
            return f"{_ratio(bill, successful)} (in {successful} calls)"
        case "ASR":
            return f"{_ratio(100 * successful, total)}% (in {successful} of {total} calls)"
        case "cost" | "transfer cost" | "conference cost":
            return value if value is None or value != int(value) else int(value)
        case _:
            return str(value)


def _ratio(part: int, whole: int) -> str:
    """Two decimals at most, rounded half up, no zeros at the end; 0 of nothing."""
    if not whole:
        return "0"
    rounded = (Decimal(part) / Decimal(whole)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return f"{rounded.normalize():f}"
