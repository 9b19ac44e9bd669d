"""Lists of rows as ClickHouse writes them: pages by keyset, and whole answers piece by piece.

Neither reads rows into objects: what comes is what is sent on. A list is ordered by started_at and id, newest
or oldest first, or by another whole number and id; rows that arrive meanwhile move no page.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pipeline.instants import DAY_MS
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.clauses import EARLIEST_MS, STARTED_DAY, TARGETS, Place, Source, by_keys, matching, moment
from pipeline.warehouse.query.expressions import EVERYTHING, NOTHING, Node
from pipeline.warehouse.query.pages.paging import span_of, stretches
from pipeline.warehouse.query.pages.terms import narrowed
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.query.view import View

_LATEST_MS: Final = 10_413_700_000_000  # the year 2299
# Up to so much time whole rows are read at once: finding the keys first would cost more than it saves.
_NARROW_MS: Final = 2 * DAY_MS
# A whole answer is read in runs of days with about so many rows, so that no sort grows with the answer.
_ROWS_A_RUN: Final = 20_000
# An alias may be called as a column is: conditions mean the column.
_SETTINGS: Final[Mapping[str, Any]] = {"prefer_column_name_to_alias": 1, "format_csv_null_representation": ""}
# Formats that have a frame around all rows: one query, whatever its size.
_FRAMED: Final = frozenset({"Parquet"})
# Rows of a whole answer in another order than that of time, at most.
MOST_SORTED: Final = 1000
_HEADED: Final = {"CSVWithNames": "CSV"}


@dataclass(frozen=True, slots=True)
class Listing:
    """Which rows, through which view, shown how. `select` is SQL of the program. Started in [first_ms, end_ms), past
    the place `after`. `by`: SQL of a whole number, never null, by which the rows are ordered in place of started_at,
    and which stands in places then. `targets`: SQL of one target as JSON; whole answers (`stream_of`) have the list of
    a call's targets in a last column `logs`, as JSON."""

    view: View
    source: Source
    select: str
    where: Node = EVERYTHING
    first_ms: int | None = None
    end_ms: int | None = None
    after: Place | None = None
    ascending: bool = False
    by: str = ""
    is_narrow: bool = False  # few stretches can hold its rows
    targets: str = ""

    def rows(self, bindings: Bindings, first_ms: int, end_ms: int | None) -> str:
        """FROM and WHERE of the rows that started in [first_ms, end_ms)."""
        sql = matching(self.view, self.source, self.where, bindings, first_ms, end_ms)
        if self.after is None:
            return sql
        sign, id_ = ">" if self.ascending else "<", bindings.bind(self.after.id, "UInt64")
        if self.by:
            key, at = self.by, bindings.bind(self.after.started_at, "Int64")
        else:  # the stretch already ends at this time: the scalar bound that the primary key uses
            key, at = "started_at", moment(self.after.started_at, bindings)
        return f"{sql} AND ({key} {sign} {at} OR ({key} = {at} AND id {sign} {id_}))"

    @property
    def order(self) -> str:
        way = "ASC" if self.ascending else "DESC"
        return f"ORDER BY {self.by or 'started_at'} {way}, id {way}"

    def bounds(self) -> tuple[int | None, int | None]:
        """The time that can hold rows: the window, narrowed by the place."""
        first, end = self.first_ms, self.end_ms
        if self.by:
            return first, end
        if self.after is not None and self.ascending:
            first = self.after.started_at if first is None else max(first, self.after.started_at)
        elif self.after is not None:
            end = self.after.started_at + 1 if end is None else min(end, self.after.started_at + 1)
        return first, end


@dataclass(frozen=True, slots=True)
class Lines:
    """A page: each row as a JSON object, and where the next page begins, None on the last one."""

    rows: list[bytes]
    following: Place | None


async def page_of(reader: Reader, listing: Listing, limit: int) -> Lines:
    """At most `limit` rows. Looks at a day first, which is where most pages lie, and further only when that is
    not enough. Raises BadExpression, and what `Reader.rows` raises."""
    lines = await _keyset(reader, await _narrowed(reader, listing), limit + 1)
    following = None
    if len(lines) > limit:
        _, _, key = lines[limit - 1].rpartition(_KEY)
        at, _, id_ = key.rstrip(b'"}').partition(b" ")
        following = Place(int(at), int(id_))
    return Lines([line.rpartition(_KEY)[0] + b"}" for line in lines[:limit]], following)


_KEY: Final = b',"_key":"'


def _key_sql(listing: Listing) -> str:
    return f"concat(toString({listing.by or 'toUnixTimestamp64Milli(started_at)'}), ' ', toString(id)) AS _key"


async def _those(reader: Reader, listing: Listing, begin: int, end: int | None, wanted: int) -> list[tuple[int, int]]:
    """The starts and ids of the first rows, `wanted` at most: what whole rows are then read by."""
    bindings = Bindings()
    keys = await reader.rows(
        f"{listing.source.name}_keys",
        f"SELECT toUnixTimestamp64Milli(started_at) AS _at, id {listing.rows(bindings, begin, end)} {listing.order}"
        f" LIMIT {bindings.bind(wanted, 'UInt32')} SETTINGS optimize_read_in_order = 0",
        bindings.values,
    )
    return [(int(key["_at"]), int(key["id"])) for key in keys]


async def _keyset(reader: Reader, listing: Listing, limit: int) -> list[bytes]:
    async def stretch(begin: int, end: int | None, wanted: int) -> list[bytes]:
        bindings = Bindings()
        of = listing.rows(bindings, begin, end)
        if end is not None and end - begin > _NARROW_MS:  # keys first: whole rows are read of the page only
            keys = await _those(reader, listing, begin, end, wanted)
            if not keys:
                return []
            bindings = Bindings()
            of = replace(listing, where=EVERYTHING).rows(bindings, begin, end)
            of += by_keys(keys, bindings)
        body = await reader.body(
            f"{listing.source.name}_list",
            f"SELECT {listing.select}, {_key_sql(listing)} {of} {listing.order}"
            f" LIMIT {bindings.bind(wanted, 'UInt32')}",
            bindings.values,
            "JSONEachRow",
            _SETTINGS,
        )
        return body.splitlines()

    first, end = listing.bounds()
    if listing.where is NOTHING or listing.view.extension == "":
        return []
    if listing.is_narrow or listing.by:
        return await stretch(EARLIEST_MS if first is None else first, _LATEST_MS if end is None else end, limit)
    if listing.ascending:
        begin = first
        if begin is None:
            span = await span_of(reader, listing.view, listing.source)
            if span is None:
                return []
            begin = span[0]
        near = begin + DAY_MS
        rows = await stretch(begin, near if end is None else min(near, end), limit)
        if len(rows) >= limit or (end is not None and near >= end):
            return rows
        span = await span_of(reader, listing.view, listing.source)
        last = max(near, span[1] if span else near) if end is None else end
        for low, high in _upwards(near, last):
            rows += await stretch(low, high, limit - len(rows))
            if len(rows) >= limit:
                break
        return rows
    near = max((int(time.time() * 1000) if end is None else end) - DAY_MS, EARLIEST_MS if first is None else first)
    rows = await stretch(near, end, limit)  # without an end: calls of a clock that runs ahead come first
    if len(rows) >= limit or (first is not None and near <= first):
        return rows
    span = await span_of(reader, listing.view, listing.source)
    if span is None:
        return rows
    oldest = span[0] if first is None else max(span[0], first)
    for low, high in stretches(oldest, min(near, span[1])):
        rows += await stretch(low, high, limit - len(rows))
        if len(rows) >= limit:
            break
    return rows


def _upwards(first_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """The mirror image of `stretches`: oldest first, each wider than the one before."""
    return [(-high, -low) for low, high in stretches(-end_ms, -first_ms)]


async def count_of(reader: Reader, listing: Listing) -> int:
    """How many rows there are, on all pages."""
    return sum(rows for _, rows in await _days(reader, await _narrowed(reader, listing)))


async def _narrowed(reader: Reader, listing: Listing) -> Listing:
    found = await narrowed(reader, listing.view, listing.source, listing.where)
    return replace(listing, where=found.where, is_narrow=found.is_narrow)


async def _days(reader: Reader, listing: Listing) -> list[tuple[int, int]]:
    """(day since 1970, rows) of each day that has any, in the order of the list."""
    bindings = Bindings()
    first, end = listing.bounds()
    rows = await reader.rows(
        f"{listing.source.name}_count",
        f"SELECT {STARTED_DAY} AS day, count() AS n"
        f" {listing.rows(bindings, EARLIEST_MS if first is None else first, end)} GROUP BY day",
        bindings.values,
    )
    return sorted(((int(row["day"]), int(row["n"])) for row in rows), reverse=not listing.ascending)


def _runs(days: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Days together while they have few rows: (first day, last day, rows), in their order."""
    found: list[tuple[int, int, int]] = []
    for day, rows in days:
        if found and found[-1][2] + rows <= _ROWS_A_RUN:
            low, high, before = found[-1]
            found[-1] = (min(low, day), max(high, day), before + rows)
        else:
            found.append((day, day, rows))
    return found


async def stream_of(reader: Reader, listing: Listing, form: str, limit: int | None = None) -> AsyncIterator[bytes]:
    """All rows in ClickHouse's format `form`, piece by piece, at most `limit` of them. Memory does not grow with
    their number, here or (formats with a frame aside) in ClickHouse. Raises what `page_of` raises, also after
    some pieces."""
    listing, keys = await _narrowed(reader, listing), list[tuple[int, int]]()
    first, end = listing.bounds()
    begin, until = EARLIEST_MS if first is None else first, _LATEST_MS if end is None else end
    windows = [(begin, until, 0)]
    if listing.by:  # few enough for their keys to be read first
        keys = await _those(reader, listing, begin, until, MOST_SORTED if limit is None else limit)
        windows = [(begin, until, len(keys))] if keys else []
    elif form not in _FRAMED:
        runs = _runs(await _days(reader, listing))
        windows = [(max(begin, low * DAY_MS), min(until, (high + 1) * DAY_MS), rows) for low, high, rows in runs]
    for place, (low, high, rows) in enumerate(windows or [(begin, begin, 0)]):
        bindings = Bindings()
        of = listing.rows(bindings, low, high) + (by_keys(keys, bindings) if listing.by and keys else "")
        tail = "" if limit is None else f" LIMIT {bindings.bind(limit, 'UInt64')}"
        async for piece in reader.stream(
            f"{listing.source.name}_stream",
            _whole(listing, of, tail, low, high, bindings),
            bindings.values,
            form if place == 0 else _HEADED.get(form, form),
            _SETTINGS,
        ):
            yield piece
        if limit is not None:
            limit -= rows
            if limit <= 0:
                return


def _whole(listing: Listing, of: str, tail: str, first_ms: int, end_ms: int, bindings: Bindings) -> str:
    """SELECT of whole rows that started in [first_ms, end_ms), with their targets when these are asked for."""
    if not listing.targets:
        return f"SELECT {listing.select} {of} {listing.order}{tail}"
    way = "ASC" if listing.ascending else "DESC"
    calls = f"SELECT {listing.select}, {listing.by or 'started_at'} AS _by, id AS _id {of} {listing.order}{tail}"
    # all targets of a call that is shown: the view has shown it already
    view = replace(listing.view, extension=None)
    ended = f"SELECT max(greatest(ifNull(ended_at, started_at), last_event_at)) {of}"
    which = (
        f"{matching(view, TARGETS, EVERYTHING, bindings, first_ms, end_ms + _LONGEST_CALL_MS)}"
        f" AND started_at <= ({ended}) AND session_id IN (SELECT id {of})"
    )
    items = f"arraySort(each -> (each.1, each.2, each.3), groupArray((position, started_at, id, {listing.targets})))"
    texts = f"arrayMap(each -> each.4, {items})"
    logs = f"SELECT session_id, concat('[', arrayStringConcat({texts}, ','), ']') AS logs {which} GROUP BY session_id"
    return (
        "SELECT shown.* EXCEPT (_by, _id), if(targets.logs = '', '[]', targets.logs) AS logs"
        f" FROM ({calls}) AS shown LEFT JOIN ({logs}) AS targets ON targets.session_id = shown._id"
        f" ORDER BY shown._by {way}, shown._id {way} SETTINGS join_algorithm = 'grace_hash',"
        f" max_bytes_in_join = {_MOST_BYTES}, max_bytes_before_external_group_by = {_MOST_BYTES}"
    )


_MOST_BYTES: Final = 256 << 20  # of a join; more goes by way of the disk
# A call's last target is tried no later than this after its start.
_LONGEST_CALL_MS: Final = 31 * DAY_MS
