"""How many rows match, month by month and day by day, so that a page is read from where it lies.

A month that was counted is counted again only when its parts have changed: a merge, an insert or a
mutation gives parts new names. So a list of two years of calls costs the count of this month.
"""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import xor
from typing import Final

from pipeline.instants import DAY_MS
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.clauses import STARTED_DAY, Source, between
from pipeline.warehouse.query.pages.paging import Window, window
from pipeline.warehouse.query.reader import QueryFailed, Reader

_QUESTIONS: Final = 256  # of so many questions the counts are remembered
_UNKNOWN: Final = 2**63
# Up to so many matching rows of a month are not counted day by day.
_FEW_A_MONTH: Final = 10_000


@dataclass(slots=True)
class Month:
    """What was counted of a month while its parts were these."""

    parts: int
    rows: int
    days: list[tuple[int, int]] | None = None  # (day since 1970, rows), when somebody asked


@dataclass(slots=True)
class CountQuestion:
    """FROM and WHERE with the values bound in it, and what was counted for it."""

    source: Source
    which: str
    bindings: Bindings
    months: dict[str, Month] = field(default_factory=dict)
    stored: int = _UNKNOWN  # rows of the table, of all tenants and versions

    @property
    def total(self) -> int:
        """Rows that match."""
        return sum(month.rows for month in self.months.values())


class Counts:
    """What was counted of the last questions that a reader was asked."""

    def __init__(self) -> None:
        self._questions: OrderedDict[str, CountQuestion] = OrderedDict()

    @classmethod
    def of(cls, reader: Reader) -> Counts:
        """Those of this reader."""
        found: Counts = reader.kept.setdefault(cls, cls())
        return found

    def known(self, which: str, bindings: Bindings) -> CountQuestion | None:
        """What was counted for this question the last time, if anybody asked."""
        return self._questions.get(_key(which, bindings))

    def question(self, source: Source, which: str, bindings: Bindings) -> CountQuestion:
        """The question with what is known of it, the last asked of all."""
        key = _key(which, bindings)
        question = self._questions.setdefault(key, CountQuestion(source, which, bindings.copy()))
        self._questions.move_to_end(key)
        while len(self._questions) > _QUESTIONS:
            self._questions.popitem(last=False)
        return question


def _key(which: str, bindings: Bindings) -> str:
    return f"{which}\0{bindings.values!r}"


async def counted(reader: Reader, source: Source, which: str, bindings: Bindings) -> CountQuestion:
    """Count the rows of `which`: FROM and WHERE of live rows, as `clauses.matching` makes it. Raises what
    `Reader.rows` raises."""
    question = Counts.of(reader).question(source, which, bindings)
    parts, question.stored = await _parts(reader, question)  # first: what arrives while we count is counted again
    if not parts:
        question.months = await _months(reader, question, which, question.bindings, {})
        return question
    changed = [
        name for name, made in parts.items() if name not in question.months or question.months[name].parts != made
    ]
    if changed:
        bindings = question.bindings.copy()
        within = f"{which} AND _partition_id IN {bindings.bind(changed, 'Array(String)')}"
        found = await _months(reader, question, within, bindings, parts)
        question.months |= {name: Month(parts[name], 0) for name in changed} | found
    for gone in question.months.keys() - parts.keys():
        del question.months[gone]
    return question


async def place(reader: Reader, question: CountQuestion, skip: int, top: int, *, ascending: bool) -> Window | None:
    """The days that hold rows `skip` to `skip + top` of what was counted, or months that have few; None when there
    are no such rows."""
    passed = skipped = 0
    days: list[tuple[int, int]] = []
    whole: dict[int, int] = {}  # end of the first day of a month that stands for all of it → its end, ms
    for name, month in sorted(question.months.items(), reverse=not ascending):
        if passed + month.rows <= skip:
            skipped += month.rows
        elif passed < skip + top:
            if month.days is None and month.rows <= _FEW_A_MONTH:
                begin, end = map(_ms, _span(name))
                days.append((begin // DAY_MS, month.rows))
                whole[begin + DAY_MS] = end
            else:
                if month.days is None:
                    month.days = await _days(reader, question, name)
                days += month.days
        passed += month.rows
    found = window(days, skip - skipped, top, ascending=ascending)
    return found and replace(found, end_ms=whole.get(found.end_ms, found.end_ms))


async def _parts(reader: Reader, question: CountQuestion) -> tuple[dict[str, int], int]:
    """Month → fingerprint of its parts, and of all parts of another table that the question looks into; and the rows
    of the table. Empty where ClickHouse does not tell: another server has the parts, or the user may not see them."""
    bindings = Bindings()
    tables = sorted(question.bindings.tables)
    try:
        rows = await reader.rows(
            "parts",
            "SELECT table, partition_id, groupBitXor(cityHash64(name)) AS made, sum(rows) AS stored"
            " FROM system.parts WHERE active"
            f" AND database = currentDatabase() AND table IN {bindings.bind(tables, 'Array(String)')}"
            " GROUP BY table, partition_id",
            bindings.values,
            by_key=True,
        )
    except QueryFailed:
        return {}, _UNKNOWN
    others = reduce(xor, (int(row["made"]) for row in rows if row["table"] != question.source.table), 0)
    own = [row for row in rows if row["table"] == question.source.table]
    return {row["partition_id"]: int(row["made"]) ^ others for row in own}, sum(int(row["stored"]) for row in own)


async def _months(
    reader: Reader, question: CountQuestion, which: str, bindings: Bindings, parts: Mapping[str, int]
) -> dict[str, Month]:
    rows = await reader.rows(
        f"{question.source.name}_count",
        f"SELECT _partition_id AS month, count() AS n {which} GROUP BY month",
        bindings.values,
    )
    return {row["month"]: Month(parts.get(row["month"], 0), int(row["n"])) for row in rows}


async def _days(reader: Reader, question: CountQuestion, month: str) -> list[tuple[int, int]]:
    begin, end = _span(month)
    bindings = question.bindings.copy()
    rows = await reader.rows(
        f"{question.source.name}_days",
        f"SELECT {STARTED_DAY} AS day, count() AS n {question.which}"
        f" AND {between(_ms(begin), _ms(end), bindings)} GROUP BY day",
        bindings.values,
    )
    return [(int(row["day"]), int(row["n"])) for row in rows]


def _span(month: str) -> tuple[dt.datetime, dt.datetime]:
    """The first instant of a month (yyyymm), and of the next one."""
    first = dt.datetime(int(month[:4]), int(month[4:]), 1, tzinfo=dt.UTC)
    return first, (first + dt.timedelta(days=32)).replace(day=1)


def _ms(at: dt.datetime) -> int:
    return int(at.timestamp() * 1000)
