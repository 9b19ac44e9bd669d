"""Aggregates under `/v1`: measures of calls, call logs or visits to queues, by dimensions, in calendar buckets."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from pipeline.query.access.authenticator import DOCUMENTED, Authenticated, Caller
from pipeline.query.http.documents import parameter
from pipeline.query.http.parameters import no_options, parse
from pipeline.query.http.problems import RequestProblem, invalid
from pipeline.query.v1 import call_logs, calls
from pipeline.query.v1.endpoint import body_of, look_of, reader_of, refusals
from pipeline.query.v1.fields import Field as Shown
from pipeline.query.v1.fields import Presentation, harmless, value_sql
from pipeline.query.v1.formats import CSV, JSON, NDJSON, Format, answer, format_of, named_format
from pipeline.query.v1.lists import TIME, Table, window_of, zone_asked
from pipeline.warehouse.analytics.aggregate import Bucket, Groups, Measure, aggregate
from pipeline.warehouse.analytics.calendar import STEPS, local_text, offsets, zone_of
from pipeline.warehouse.analytics.measures import measure, names
from pipeline.warehouse.query.clauses import CALLS, CLOSED_CALLS, QUEUE_VISITS, Source
from pipeline.warehouse.query.columns import QUEUE_VISIT
from pipeline.warehouse.query.directory_names import named_sql
from pipeline.warehouse.query.expressions import BadExpression, Column, Node
from schemas.call import rfc3339

_FORMS: Final = (JSON, NDJSON, CSV)
_OPTIONS: Final = (
    *("of", "measures", "by", "bucket", "zone", "from", "to", "order", "limit", "offset"),
    *("total", "open", "format", "filter"),
)
_DEFAULT_MEASURES: Final = "calls,answered,asr,acd_ms"
_MOST_MEASURES, _MOST_DIMENSIONS, _MOST_ROWS = 50, 6, 10_000
# Where no window is given, clocks are known for these years.
_FIRST_MS: Final = 946_684_800_000  # 2000
_HOUR_MS: Final = 3_600_000
_LOCAL: Final = ("hour_of_day", "day_of_week")
_VISIT_DIMENSIONS: Final = ("queue", "queue_name", "queue_reason", "queue_agent")

_VISITS: Final = Table("queue-visits", QUEUE_VISITS, calls.TABLE.fields, calls.TABLE.groups, {})
_TABLES: Final = {each.name: each for each in (calls.TABLE, call_logs.TABLE, _VISITS)}


class Aggregate(BaseModel):
    """Groups of rows and their measures; ratios in per cent, durations in ms, money as decimal text."""

    data: list[dict[str, Any]] = Field(
        description="A group a row: `bucket` and `bucket_end` with the zone's offset, `partial` (from or to cut it"
        " off), dimensions, measures.",
        examples=[
            [{"bucket": "2026-03-29T00:00:00+00:00", "partial": False, "trunk": "carrier-a", "calls": 12, "asr": 75.0}]
        ],
    )
    total: dict[str, Any] | None = Field(
        description="The same measures over all rows; null unless asked for.", examples=[{"calls": 12, "asr": 75.0}]
    )
    count: int = Field(description="How many groups there are, on all pages.", examples=[1])
    zone: str = Field(description="Zone of the buckets.", examples=["Europe/London"])


@dataclass(frozen=True, slots=True)
class _Question:
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


router = APIRouter(prefix="/v1", tags=["Aggregates"], responses=refusals(), dependencies=[DOCUMENTED])

_PARAMETERS: Final = [
    parameter("of", {"type": "string", "enum": list(_TABLES), "default": "calls"}, "Rows that are counted.", "calls"),
    parameter(
        "measures",
        {"type": "string", "default": _DEFAULT_MEASURES},
        "Comma-separated. "
        + " ".join(
            f"Of {each.name}: {', '.join(names(each.source))}." for each in (calls.TABLE, call_logs.TABLE, _VISITS)
        ),
        "calls,asr,acd_ms,pdd_p95_ms",
    ),
    parameter(
        "by",
        {"type": "string"},
        f"Dimensions, comma-separated: fields, {', '.join(_LOCAL)}; of queue-visits {', '.join(_VISIT_DIMENSIONS)}.",
        "trunk",
    ),
    parameter(
        "bucket", {"type": "string", "enum": list(STEPS)}, "Calendar stretches; empty ones are there, too.", "day"
    ),
    parameter("zone", {"type": "string"}, "IANA zone of the buckets; the tenant's when left out.", "Europe/London"),
    parameter("from", TIME, "Started at or after; a date alone: that day or later.", "2026-03-01T00:00:00Z"),
    parameter("to", TIME, "Started before; a date alone: that day or earlier.", "2026-04-01T00:00:00Z"),
    parameter(
        "order", {"type": "string"}, "Names of measures, dimensions or bucket; - in front: descending.", "-calls"
    ),
    parameter(
        "limit", {"type": "integer", "minimum": 1, "maximum": _MOST_ROWS, "default": 1000}, "Groups a page.", 100
    ),
    parameter("offset", {"type": "integer", "minimum": 0, "default": 0}, "Groups left out in front.", 0),
    parameter("total", {"type": "boolean", "default": True}, "Add the total over all rows.", True),
    parameter("open", {"type": "boolean", "default": False}, "Count calls in progress, too.", False),
    parameter("format", {"type": "string", "enum": [each.name for each in _FORMS]}, "Form, before Accept.", "json"),
    parameter(
        "filter",
        {"type": "string", "contentMediaType": "application/json"},
        "A filter as JSON. Fields can be filtered by their names, too, as in lists.",
        '{"direction":"outbound"}',
    ),
    parameter("status", {"type": "array", "items": {"type": "string"}}, "An example of a filter by field.", ["busy"]),
]


@router.get(
    "/aggregate",
    operation_id="get_aggregate",
    summary="Measures by dimensions",
    response_model=Aggregate,
    responses=refusals(406),
    openapi_extra={"parameters": _PARAMETERS},
)
async def get_aggregate(request: Request, caller: Authenticated) -> Response:
    """Any measures over any dimensions, in calendar buckets of a zone. Finished calls unless `open=true`."""
    look = await look_of(request, caller.view)
    options = parse(request.scope["query_string"], _Known(), repeatable=_Filters(), filled=_OPTIONS)
    table = _table(options.text("of") or "calls")
    members: dict[str, Any] = {name: options.text(name) for name in _OPTIONS if options.has(name)}
    members["limit"] = options.whole("limit", 1000, 1, _MOST_ROWS)
    members["offset"] = options.whole("offset", 0, 0, 10**9)
    members["total"], members["open"] = options.truth("total", True), options.truth("open", False)
    zone = await zone_asked(request, caller.view, members.get("zone"))
    language = table.language(look, zone)
    for name, _ in options.all():
        if name not in _OPTIONS and name not in language:
            raise invalid(name[:80], None, f"is no parameter of {table.name}; there are {', '.join(language)}")
    form = format_of(request, options, _FORMS)
    question = _question(table, members, language.of_parameters(options), form, zone)
    return await _answered(request, caller, question, look)


@router.post(
    "/aggregate",
    operation_id="post_aggregate",
    summary="Measures by dimensions, asked for in a body",
    response_model=Aggregate,
    responses=refusals(406, 413),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {
                            each["name"]: each["schema"] | {"description": each["description"]}
                            for each in _PARAMETERS
                            if each["name"] not in ("status", "filter", "measures", "by", "order")
                        }
                        | {name: {"type": "array", "items": {"type": "string"}} for name in ("measures", "by", "order")}
                        | {"filter": {"type": "object"}},
                    },
                    "example": {
                        "measures": ["calls", "asr", "service_level_20"],
                        "by": ["trunk"],
                        "bucket": "day",
                        "zone": "Europe/London",
                        "from": "2026-03-01T00:00:00Z",
                        "to": "2026-04-01T00:00:00Z",
                        "filter": {"direction": ["inbound", "outbound"]},
                    },
                }
            },
        }
    },
)
async def post_aggregate(request: Request, caller: Authenticated) -> Response:
    """The same question as JSON."""
    no_options(request)
    look = await look_of(request, caller.view)
    body = await body_of(request, _OPTIONS)
    for name, kind, what in (
        *((each, str, "text") for each in ("of", "bucket", "zone", "from", "to", "format")),
        *((each, bool, "true or false") for each in ("total", "open")),
        *((each, int, "whole number") for each in ("limit", "offset")),
    ):
        if body.get(name) is not None and (type(body[name]) is not kind or body[name] == ""):
            raise invalid(name, None, f"is empty or no {what}; write one, or leave it out")
    table = _table(body.get("of") or "calls")
    members = {"limit": 1000, "offset": 0, "total": True} | {
        name: each for name, each in body.items() if each is not None
    }
    if not 1 <= members["limit"] <= _MOST_ROWS or not 0 <= members["offset"] <= 10**9:
        raise invalid("limit", None, f"is not from 1 to {_MOST_ROWS}, or offset below 0")
    zone = await zone_asked(request, caller.view, body.get("zone"))
    where = table.language(look, zone).of_json({} if body.get("filter") is None else body["filter"])
    form = named_format(body.get("format"), request, _FORMS)
    return await _answered(request, caller, _question(table, members, where, form, zone), look)


class _Filters:
    """The filters of any table; which one it is, is known later."""

    _languages = tuple(table.language(Presentation()) for table in _TABLES.values())

    def __contains__(self, name: object) -> bool:
        return any(name in language for language in self._languages)

    def __iter__(self) -> Any:
        return iter(dict.fromkeys(name for language in self._languages for name in language))

    def __len__(self) -> int:
        return len(list(iter(self)))


class _Known(_Filters):
    """The parameters there are."""

    def __contains__(self, name: object) -> bool:
        return name in _OPTIONS or super().__contains__(name)

    def __iter__(self) -> Any:
        return iter((*_OPTIONS, *super().__iter__()))


def _table(name: str) -> Table:
    if name not in _TABLES:
        raise invalid("of", name, f"is none of {', '.join(_TABLES)}")
    return _TABLES[name]


def _question(table: Table, members: Mapping[str, Any], where: Node, form: Format, zone: ZoneInfo) -> _Question:
    first, end = window_of(members, zone)
    source = table.source
    if source is CALLS and not members.get("open"):
        source = CLOSED_CALLS
    wanted = _texts("measures", members.get("measures", _DEFAULT_MEASURES), _MOST_MEASURES)
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
    return _Question(
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


def _dimension(name: str, question: _Question, look: Presentation) -> Column:
    """What rows are grouped by, called as it was asked for."""
    if name in _LOCAL:
        return Column(name, _local_sql(name, question))
    if question.table is _VISITS and name in _VISIT_DIMENSIONS:
        column = QUEUE_VISIT[name]
        if name == "queue_name" and look.named:
            return Column(name, named_sql(column.sql, QUEUE_VISIT["queue"].sql, masked=look.masked))
        return replace(column, name=name)
    field: Shown | None = question.table.fields.get(name)
    if field is None or field.kind not in ("text", "word", "number") or name == "tenant":
        there = [path for path, each in question.table.fields.items() if each.kind in ("text", "word", "number")]
        more = _VISIT_DIMENSIONS if question.table is _VISITS else ()
        raise invalid("by", name, f"is none of {', '.join([*there, *more, *_LOCAL])}")
    return Column(name, value_sql(field, look))


def _local_sql(name: str, question: _Question) -> str:
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


async def _answered(request: Request, caller: Caller, question: _Question, look: Presentation) -> Response:
    dimensions = [_dimension(name, question, look) for name in question.by]
    try:
        groups = await aggregate(
            reader_of(request),
            caller.view,
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
            total=question.total and question.form is JSON,
        )
    except BadExpression as error:
        raise RequestProblem(422, "too_costly", str(error)) from None
    rows = _shown(question, groups)
    if question.form is NDJSON:
        return answer(request, b"".join(orjson.dumps(row) + b"\n" for row in rows), form=NDJSON)
    if question.form is CSV:
        return answer(request, _csv(question, rows), form=CSV)
    total = None if groups.total is None else _told(groups.total, question.measures)
    body = {"data": rows, "total": total, "count": groups.count, "zone": question.zone}
    return answer(request, orjson.dumps(body))


def _shown(question: _Question, groups: Groups) -> list[dict[str, Any]]:
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
        found.append(about | {name: row[name] for name in question.by} | _told(row, question.measures))
    return found


def _told(row: Mapping[str, Any], measures: Sequence[Measure]) -> dict[str, Any]:
    return {
        each.name: rfc3339(int(row[each.name]))
        if each.kind == "instant" and row[each.name] is not None
        else row[each.name]
        for each in measures
    }


def _csv(question: _Question, rows: Sequence[Mapping[str, Any]]) -> bytes:
    head = [
        *(("bucket", "bucket_end", "partial") if question.bucket else ()),
        *question.by,
        *(m.name for m in question.measures),
    ]
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([name.replace(".", "_") for name in head])
    for row in rows:
        writer.writerow([_cell(row[name]) for name in head])
    return written.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return harmless(value) if isinstance(value, str) else value
