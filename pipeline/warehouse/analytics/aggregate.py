"""Measures over groups of rows: any measures, by any dimensions, in calendar stretches.

Ratios are made from counts at read time, in each group and in the total: ratios do not average. A row belongs to
the stretch in which it started; measures of occupancy (erlangs, concurrency) count a row in every stretch that
it touches, and rows that began before the window and reach into it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pipeline.instants import DAY_MS
from pipeline.warehouse.analytics.calendar import MOST_BUCKETS, Bucket, Stretch, runs, stretches_of
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.clauses import EARLIEST_MS, Source, between, matching, moment
from pipeline.warehouse.query.expressions import EVERYTHING, BadExpression, Column, Node
from pipeline.warehouse.query.reader import Reader, Row
from pipeline.warehouse.query.view import View

__all__ = ["Bucket", "Groups", "Measure", "aggregate"]

MOST_ROWS: Final = 100_000
# How long a call may last and still be found in a window that begins when it is under way.
_LONGEST_MS: Final = 31 * DAY_MS

# What a group without rows has, by kind of measure; everything else is unknown.
_NOTHING: Final[dict[str, Any]] = {"count": 0, "sum": 0, "ms": 0, "erlangs": 0.0}


@dataclass(frozen=True, slots=True)
class Measure:
    """An aggregate over the live rows of a source.

    `kind`: count; sum; ms (a sum of milliseconds); duration (a mean, quantile or extreme in ms); percent;
    money (decimal as text); erlangs; instant (ms since the epoch); text; value. Counts and sums of nothing
    are 0, the rest null (money, too: what has no price costs nobody knows what).

    A measure of occupancy names the columns between which a row occupies; its `sql` is then over
    `since`, `till` and `width`: the occupied part within the stretch, and the stretch's length, in ms.
    """

    name: str
    sql: str
    kind: str = "count"
    since: str = ""
    till: str = ""

    @property
    def of_nothing(self) -> Any:
        """Its value where there are no rows."""
        return _NOTHING.get(self.kind)


@dataclass(frozen=True, slots=True)
class Groups:
    """`rows` have the dimensions and measures by name, and `bucket`, ms since the epoch, when asked in
    buckets. `count` is how many rows there are, the limit aside. `stretches` are the buckets in order."""

    rows: list[Row]
    total: Row | None
    count: int
    stretches: list[Stretch] = field(default_factory=list)


async def aggregate(
    reader: Reader,
    view: View,
    source: Source,
    measures: Sequence[Measure],
    dimensions: Sequence[Column] = (),
    where: Node = EVERYTHING,
    *,
    bucket: Bucket | None = None,
    first_ms: int | None = None,
    end_ms: int | None = None,
    order: Sequence[str] = (),
    limit: int | None = None,
    offset: int = 0,
    total: bool = False,
) -> Groups:
    """The measures of each group of rows that match. Raises BadExpression, and what `Reader.rows` raises.

    Groups are the values of the dimensions that occur; with a bucket, each of them in every stretch of the window,
    empty ones too.

    Parameters:
        reader, tenant, source: where, whose and which rows
        measures: what is computed of each group
        dimensions: columns that groups are made by
        where: which rows
        bucket: stretches of time, each a group of its own
        first_ms, end_ms: rows that started in [first_ms, end_ms); without them the time that holds matching rows
        order: names of measures, dimensions or the bucket, with - in front for descending; unknown values come last
        limit, offset: which of the groups, in that order
        total: also over all rows, which is not the sum of the groups
    """
    known = [*(["bucket"] if bucket else []), *(each.name for each in dimensions), *(each.name for each in measures)]
    for name in order:
        if name.removeprefix("-") not in known:
            raise BadExpression(f"order {name[:60]!r} is none of {', '.join(known)}")
    question = _Question(reader, view, source, tuple(dimensions), where, first_ms, end_ms)
    if (bucket or any(each.since for each in measures)) and (first_ms is None or end_ms is None):
        question = await _bounded(question)
    stretches: list[Stretch] = []
    if bucket:
        stretches = stretches_of(bucket, question.first_ms or 0, question.end_ms or 0)
    whole = replace(question, dimensions=())
    if not bucket and not any(each.since for each in measures):
        found, all_ = await asyncio.gather(
            _page(question, measures, order, limit, offset), _rows(whole, measures, ()) if total else _none()
        )
        rows, count = found
        return Groups(rows, _only(all_, measures) if total else None, count)
    inside, all_ = await asyncio.gather(
        _together(question, measures, stretches), _together(whole, measures, ()) if total else _none()
    )
    if bucket:
        inside = _filled(inside, question, measures, stretches) if stretches else []
    _sort(inside, order or [*(["bucket"] if bucket else []), *(each.name for each in dimensions)])
    end = None if limit is None else offset + limit
    return Groups(inside[offset:end], _only(all_, measures) if total else None, len(inside), stretches)


@dataclass(frozen=True, slots=True)
class _Question:
    """Which rows, and what tells their groups apart."""

    reader: Reader
    view: View
    source: Source
    dimensions: tuple[Column, ...]
    where: Node
    first_ms: int | None
    end_ms: int | None

    def rows(self, bindings: Bindings) -> str:
        """FROM and WHERE of the rows that started within the window."""
        first = EARLIEST_MS if self.first_ms is None and self.end_ms is not None else self.first_ms
        return matching(self.view, self.source, self.where, bindings, first, self.end_ms)


async def _none() -> list[Row]:
    return []


def _only(rows: Sequence[Row], measures: Sequence[Measure]) -> Row:
    return rows[0] if rows else {each.name: each.of_nothing for each in measures}


async def _bounded(question: _Question) -> _Question:
    """With the ends of the window that the question leaves open: the first start, and just past the last."""
    bindings = Bindings()
    rows = await question.reader.rows(
        f"{question.source.name}_bounds",
        "SELECT toUnixTimestamp64Milli(min(started_at)) AS first, toUnixTimestamp64Milli(max(started_at)) AS last,"
        f" count() AS n {question.rows(bindings)}",
        bindings.values,
    )
    if not rows[0]["n"]:
        at = question.first_ms if question.first_ms is not None else question.end_ms or 0
        return replace(question, first_ms=at, end_ms=at)
    first = int(rows[0]["first"]) if question.first_ms is None else question.first_ms
    return replace(question, first_ms=first, end_ms=question.end_ms or int(rows[0]["last"]) + 1)


async def _together(question: _Question, measures: Sequence[Measure], stretches: Sequence[Stretch]) -> list[Row]:
    """The groups of all kinds of measures, side by side."""
    empty = {each.name: each.of_nothing for each in measures}
    if question.end_ms is None or question.first_ms is None or question.end_ms <= question.first_ms:
        return [] if question.dimensions or stretches else [empty]
    parts: dict[tuple[str, str], list[Measure]] = {("", ""): []}
    for each in measures:
        parts.setdefault((each.since, each.till), []).append(each)
    answers = await asyncio.gather(
        *(
            (_occupied if since else _rows)(question, wanted, stretches)
            for (since, _), wanted in parts.items()
            if wanted
        )
    )
    found: dict[tuple[Any, ...], Row] = {}
    for rows in answers:
        for row in rows:
            key = (row.get("bucket"), *(row[each.name] for each in question.dimensions))
            found.setdefault(key, {**row, **empty}).update(row)
    return list(found.values())


def _filled(
    rows: list[Row], question: _Question, measures: Sequence[Measure], stretches: Sequence[Stretch]
) -> list[Row]:
    """Each group in every stretch; without dimensions, every stretch."""
    names = [each.name for each in question.dimensions]
    groups = dict.fromkeys(tuple(row[name] for name in names) for row in rows) or ({} if names else {(): None})
    if len(groups) * len(stretches) > MOST_ROWS:
        raise BadExpression(
            f"{len(groups)} groups in {len(stretches)} buckets make more than {MOST_ROWS} rows;"
            " take a wider step, less time or fewer dimensions"
        )
    there = {(row["bucket"], *(row[name] for name in names)): row for row in rows}
    empty = {each.name: each.of_nothing for each in measures}
    return [
        there.get((stretch.first_ms, *group))
        or {"bucket": stretch.first_ms, **dict(zip(names, group, strict=True)), **empty}
        for stretch in stretches
        for group in groups
    ]


def _sort(rows: list[Row], order: Sequence[str]) -> None:
    for name in reversed(order):
        key = name.removeprefix("-")
        known = [row for row in rows if row[key] is not None]
        known.sort(key=_value(key), reverse=name.startswith("-"))
        rows[:] = known + [row for row in rows if row[key] is None]


def _value(name: str) -> Callable[[Row], Any]:
    return lambda row: row[name]


async def _page(
    question: _Question, measures: Sequence[Measure], order: Sequence[str], limit: int | None, offset: int
) -> tuple[list[Row], int]:
    """A page of groups without buckets, cut by ClickHouse; and how many groups there are."""
    if not question.dimensions:
        rows = await _rows(question, measures, ())
        return rows[offset : None if limit is None else offset + limit], 1
    aliases = {each.name: f"m{place}" for place, each in enumerate(measures)}
    aliases |= {each.name: f"d{place}" for place, each in enumerate(question.dimensions)}
    keys = [f"{aliases[name.removeprefix('-')]} {'DESC' if name.startswith('-') else 'ASC'}" for name in order]
    keys += [f"d{place} ASC" for place in range(len(question.dimensions))]
    bindings = Bindings()
    tail = f" ORDER BY {', '.join(keys)}"
    if limit is not None or offset:
        most = bindings.bind(MOST_ROWS if limit is None else limit, "UInt32")
        tail += f" LIMIT {most} OFFSET {bindings.bind(offset, 'UInt64')}"
    answer = await _ask(question, measures, bindings, "", ", count() OVER () AS groups_", question.rows(bindings), tail)
    rows = [_named(row, question.dimensions, measures) for row in answer]
    if answer or not offset:
        return rows, int(answer[0]["groups_"]) if answer else 0
    return rows, (await _page(question, measures, (), 1, 0))[1]  # a page behind the last


async def _rows(question: _Question, measures: Sequence[Measure], stretches: Sequence[Stretch]) -> list[Row]:
    """The groups of measures of rows, each row in the stretch in which it started."""
    bindings = Bindings()
    bounds = _bounds(stretches, bindings)
    bucket = f"roundDown(toUnixTimestamp64Milli(started_at), {bounds})" if stretches else ""
    answer = await _ask(question, measures, bindings, bucket, "", question.rows(bindings), "")
    return [_named(row, question.dimensions, measures) for row in answer]


async def _occupied(question: _Question, measures: Sequence[Measure], stretches: Sequence[Stretch]) -> list[Row]:
    """The groups of measures of occupancy, each row in every stretch that it touches."""
    assert question.first_ms is not None and question.end_ms is not None
    bindings = Bindings()
    first, end = bindings.bind(question.first_ms, "Int64"), bindings.bind(question.end_ms, "Int64")
    dimensions = [f"{each.sql} AS d{place}" for place, each in enumerate(question.dimensions)]
    since, till = measures[0].since, measures[0].till
    rows = (
        f"SELECT {', '.join([*dimensions, ''])}toUnixTimestamp64Milli(assumeNotNull({since})) AS occupied_from,"
        f" toUnixTimestamp64Milli(assumeNotNull({till})) AS occupied_to"
        f" {_touching(question, question.first_ms, question.end_ms, bindings)}"
        f" AND started_at >= ({_earliest(question, bindings)})"
        f" AND isNotNull({since}) AND isNotNull({till})"
        f" AND occupied_to > occupied_from AND occupied_to > {first} AND occupied_from < {end}"
    )
    low, high = first, end
    if stretches:
        bounds = _bounds(stretches, bindings)
        begin, last = (
            f"transform(roundDown({at}, {bounds}), {bounds}, arrayEnumerate({bounds}))"
            for at in (f"greatest(occupied_from, {first})", f"least(occupied_to, {end}) - 1")
        )
        rows = f"SELECT *, arrayJoin(range(toUInt32({begin}), toUInt32({last}) + 1)) AS place FROM ({rows})"
        low, high = f"greatest({first}, {bounds}[place])", f"least({end}, {bounds}[place + 1])"
    parts = (
        f"SELECT *, greatest(occupied_from, {low}) AS since, least(occupied_to, {high}) AS till,"
        f" {high} - {low} AS width FROM ({rows})"
    )
    named = replace(question, dimensions=tuple(replace(d, sql=f"d{n}") for n, d in enumerate(question.dimensions)))
    bucket = f"{bounds}[place]" if stretches else ""
    answer = await _ask(named, measures, bindings, bucket, "", f"FROM ({parts})", "")
    return [_named(row, question.dimensions, measures) for row in answer]


def _touching(question: _Question, first_ms: int, end_ms: int, bindings: Bindings) -> str:
    """FROM and WHERE of the rows that may reach into the window."""
    return matching(question.view, question.source, question.where, bindings, first_ms - _LONGEST_MS, end_ms)


def _earliest(question: _Question, bindings: Bindings) -> str:
    """The start of the oldest row that reaches into the window: where the primary key need not look before."""
    assert question.first_ms is not None
    first, source = moment(question.first_ms, bindings), question.source
    return (
        f"SELECT min(if(isNull(ended_at) OR ended_at > {first}, started_at, {first})) FROM {source.table}"
        f" WHERE tenant = {bindings.bind(question.view.tenant, 'String')}"
        f" AND {between(question.first_ms - _LONGEST_MS, question.first_ms + 1, bindings)}"
    )


async def _ask(
    question: _Question,
    measures: Sequence[Measure],
    bindings: Bindings,
    bucket: str,
    more: str,
    rows: str,
    tail: str,
) -> list[Row]:
    # aliases of our own: one equal to a column's name would take its place in WHERE
    keys = [f"{each.sql} AS d{place}" for place, each in enumerate(question.dimensions) if each.sql != f"d{place}"]
    named = [f"d{place}" for place, each in enumerate(question.dimensions) if each.sql == f"d{place}"]
    keys += [*named, *([f"{bucket} AS bucket_"] if bucket else [])]
    values = [f"{each.sql} AS m{place}" for place, each in enumerate(measures)]
    by = [*(f"d{place}" for place in range(len(question.dimensions))), *(["bucket_"] if bucket else [])]
    return await question.reader.rows(
        f"{question.source.name}_aggregate",
        f"SELECT {', '.join([*keys, *values])}{more} {rows}{' GROUP BY ' + ', '.join(by) if by else ''}{tail}",
        bindings.values,
    )


def _bounds(stretches: Sequence[Stretch], bindings: Bindings) -> str:
    """The borders of the stretches as a constant array, short however many they are."""
    if not stretches:
        return ""
    assert len(stretches) <= MOST_BUCKETS
    borders = runs([*(each.first_ms for each in stretches), stretches[-1].end_ms])
    series = bindings.bind(borders, "Array(Tuple(Int64, Int64, Int64))")
    return f"arrayFlatten(arrayMap(run -> range(run.1, run.1 + run.2 * run.3, run.2), {series}))"


def _named(row: Row, dimensions: Sequence[Column], measures: Sequence[Measure]) -> Row:
    named: Row = {"bucket": int(row["bucket_"])} if "bucket_" in row else {}
    named |= {each.name: row[f"d{place}"] for place, each in enumerate(dimensions)}
    return named | {each.name: row[f"m{place}"] for place, each in enumerate(measures)}
