"""Measures of calls, call logs or visits to queues, by dimensions, in calendar buckets."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipeline.query.http.problems import RequestProblem, invalid
from pipeline.query.questions.fields import Field as Shown
from pipeline.query.questions.fields import Presentation, value_sql
from pipeline.query.questions.formats import Format
from pipeline.query.questions.lists.members import window_of
from pipeline.query.questions.lists.table import Table
from pipeline.query.questions.lists.tables import CALL_TABLE, LOG_TABLE
from pipeline.warehouse.analytics.aggregate import Bucket, Groups, Measure, aggregate
from pipeline.warehouse.analytics.calendar import STEPS, local_text, offsets, zone_of
from pipeline.warehouse.analytics.measures import measure
from pipeline.warehouse.query.clauses import CALLS, CLOSED_CALLS, QUEUE_VISITS, Source
from pipeline.warehouse.query.columns import QUEUE_VISIT
from pipeline.warehouse.query.directory_names import named_sql
from pipeline.warehouse.query.expressions import BadExpression, Column, Node
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.query.view import View
from schemas.call import rfc3339

OPTIONS: Final = (
    *("of", "measures", "by", "bucket", "zone", "from", "to", "order", "limit", "offset"),
    *("total", "open", "format", "filter"),
)
DEFAULT_MEASURES: Final = "calls,answered,asr,acd_ms"
_MOST_MEASURES, _MOST_DIMENSIONS, MOST_ROWS = 50, 6, 10_000
# Where no window is given, clocks are known for these years.
_FIRST_MS: Final = 946_684_800_000  # 2000
_HOUR_MS: Final = 3_600_000
LOCAL: Final = ("hour_of_day", "day_of_week")
VISIT_DIMENSIONS: Final = ("queue", "queue_name", "queue_reason", "queue_agent")

VISIT_TABLE: Final = Table("queue-visits", QUEUE_VISITS, CALL_TABLE.fields, CALL_TABLE.groups, {})
TABLES: Final = {each.name: each for each in (CALL_TABLE, LOG_TABLE, VISIT_TABLE)}


@dataclass(frozen=True, slots=True)
class Grouping:
    table: Table
    source: Source
    measures: tuple[Measure, ...]
    by: tuple[str, ...]
    bucket: Bucket | None
    zone: str
    first_ms: int | None
    end_ms: int | None
    order: tuple[str, ...]
    limit: int
    offset: int
    total: bool
    where: Node
    form: Format


def table_of(name: str) -> Table:
    if name not in TABLES:
        raise invalid("of", name, f"is none of {', '.join(TABLES)}")
    return TABLES[name]


def grouping_of(table: Table, members: Mapping[str, Any], where: Node, form: Format, zone: ZoneInfo) -> Grouping:
    first, end = window_of(members, zone)
    source = table.source
    if source is CALLS and not members.get("open"):
        source = CLOSED_CALLS
    wanted = _texts("measures", members.get("measures", DEFAULT_MEASURES), _MOST_MEASURES)
    try:
        measures = tuple(measure(name, source) for name in dict.fromkeys(wanted))
    except BadExpression as error:
        raise RequestProblem(400, "invalid", str(error), field="measures") from None
    step = members.get("bucket")
    if step and step not in STEPS:
        raise invalid("bucket", step, f"is none of {', '.join(STEPS)}")
    by = tuple(dict.fromkeys(_texts("by", members.get("by"), _MOST_DIMENSIONS)))
    order = tuple(_texts("order", members.get("order"), _MOST_DIMENSIONS))
    known = [*(["bucket"] if step else []), *by, *(each.name for each in measures)]
    for name in order:
        if name.removeprefix("-") not in known:
            raise invalid("order", name, f"is none of {', '.join(known)}")
    return Grouping(
        table, source, measures, by, Bucket(step, zone.key) if step else None, zone.key, first, end, order,
        members.get("limit") or 1000, members.get("offset") or 0, bool(members.get("total")), where, form,
    )  # fmt: skip


def _texts(name: str, value: Any, most: int) -> list[str]:
    """A comma-separated text, or a list of texts."""
    found = value.split(",") if isinstance(value, str) else [] if value is None else value
    if not isinstance(found, list) or len(found) > most or not all(isinstance(each, str) for each in found):
        raise invalid(name, None, f"is no list of at most {most} names")
    names = [each.strip() for each in found]
    if value is not None and not (names and all(names)):
        raise invalid(name, None, "has an empty name in it, or none at all; separate names by single commas")
    return names


def _dimension(name: str, question: Grouping, look: Presentation) -> Column:
    """What rows are grouped by, called as it was asked for."""
    if name in LOCAL:
        return Column(name, _local_sql(name, question))
    if question.table is VISIT_TABLE and name in VISIT_DIMENSIONS:
        column = QUEUE_VISIT[name]
        if name == "queue_name" and look.named:
            return Column(name, named_sql(column.sql, QUEUE_VISIT["queue"].sql, masked=look.masked))
        return replace(column, name=name)
    field: Shown | None = question.table.fields.get(name)
    if field is not None and field.kind == "list":  # a row stands in the group of each of its values
        return Column(name, f"arrayJoin({field.sql})")
    if field is None or field.kind not in ("text", "word", "number") or name == "tenant":
        kinds = ("text", "word", "number", "list")
        there = [path for path, each in question.table.fields.items() if each.kind in kinds]
        more = VISIT_DIMENSIONS if question.table is VISIT_TABLE else ()
        raise invalid("by", name, f"is none of {', '.join([*there, *more, *LOCAL])}")
    return Column(name, value_sql(field, look))


def _local_sql(name: str, question: Grouping) -> str:
    """The hour, or the day of the week (Monday 1, ISO 8601), that the zone's clock showed."""
    first = _FIRST_MS if question.first_ms is None else question.first_ms
    end = int(time.time() * 1000) + 366 * 24 * _HOUR_MS if question.end_ms is None else question.end_ms
    changes = offsets(zone_of(question.zone), first, max(first, end))
    since = "[" + ", ".join(f"toInt64({at})" for at, _ in changes) + "]"
    shifts = "[" + ", ".join(f"toInt64({offset})" for _, offset in changes) + "]"
    at = "toUnixTimestamp64Milli(started_at)"
    local = f"({at} + transform(roundDown({at}, {since}), {since}, {shifts}))"
    if name == "hour_of_day":
        return f"intDiv({local}, {_HOUR_MS}) % 24"
    return f"(intDiv({local}, {24 * _HOUR_MS}) + 3) % 7 + 1"


async def groups_of(reader: Reader, view: View, question: Grouping, look: Presentation) -> Groups:
    """The groups and their measures. Raises RequestProblem."""
    dimensions = [_dimension(name, question, look) for name in question.by]
    try:
        return await aggregate(
            reader,
            view,
            question.source,
            question.measures,
            dimensions,
            question.where,
            bucket=question.bucket,
            first_ms=question.first_ms,
            end_ms=question.end_ms,
            order=question.order,
            limit=question.limit,
            offset=question.offset,
            total=question.total,
        )
    except BadExpression as error:
        raise RequestProblem(422, "too_costly", str(error)) from None


def rows_of(question: Grouping, groups: Groups) -> list[dict[str, Any]]:
    zone = zone_of(question.zone)
    ends = {stretch.first_ms: stretch.end_ms for stretch in groups.stretches}
    first, end = question.first_ms, question.end_ms
    found = []
    for row in groups.rows:
        about = {}
        if question.bucket:
            about = {
                "bucket": local_text(row["bucket"], zone),
                "bucket_end": local_text(ends[row["bucket"]], zone),
                "partial": (first is not None and row["bucket"] < first)
                or (end is not None and ends[row["bucket"]] > end),
            }
        found.append(about | {name: row[name] for name in question.by} | measured(row, question.measures))
    return found


def measured(row: Mapping[str, Any], measures: Sequence[Measure]) -> dict[str, Any]:
    return {
        each.name: rfc3339(int(row[each.name]))
        if each.kind == "instant" and row[each.name] is not None
        else row[each.name]
        for each in measures
    }
