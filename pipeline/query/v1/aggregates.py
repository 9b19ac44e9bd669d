"""Aggregates under `/v1`: measures of calls, call logs or visits to queues, by dimensions, in calendar buckets."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import DOCUMENTED, Authenticated
from pipeline.query.http.documents import parameter
from pipeline.query.http.parameters import no_options, parse
from pipeline.query.http.problems import invalid
from pipeline.query.questions.aggregates import (
    DEFAULT_MEASURES,
    LOCAL,
    MOST_ROWS,
    OPTIONS,
    TABLES,
    VISIT_DIMENSIONS,
    VISIT_TABLE,
    Grouping,
    grouping_of,
    groups_of,
    measured,
    rows_of,
    table_of,
)
from pipeline.query.questions.endpoint import body_of, look_of, reader_of, refusals
from pipeline.query.questions.fields import Field as Shown
from pipeline.query.questions.fields import Presentation
from pipeline.query.questions.formats import CSV, JSON, NDJSON, PARQUET, answer, format_of, named_format
from pipeline.query.questions.lists.members import zone_asked
from pipeline.query.questions.lists.openapi import TIME, other_forms
from pipeline.query.questions.lists.tables import CALL_TABLE, LOG_TABLE
from pipeline.query.questions.parquet import parquet_of
from pipeline.spreadsheet import harmless
from pipeline.warehouse.analytics.calendar import STEPS
from pipeline.warehouse.analytics.measures import names
from pipeline.warehouse.query.reader import Reader

_FORMS: Final = (JSON, NDJSON, CSV, PARQUET)


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


router = APIRouter(prefix="/v1", tags=["Aggregates"], responses=refusals(), dependencies=[DOCUMENTED])

_PARAMETERS: Final = [
    parameter("of", {"type": "string", "enum": list(TABLES), "default": "calls"}, "Rows that are counted.", "calls"),
    parameter(
        "measures",
        {"type": "string", "default": DEFAULT_MEASURES},
        "Comma-separated. "
        + " ".join(
            f"Of {each.name}: {', '.join(names(each.source))}." for each in (CALL_TABLE, LOG_TABLE, VISIT_TABLE)
        ),
        "calls,asr,acd_ms,pdd_p95_ms",
    ),
    parameter(
        "by",
        {"type": "string"},
        f"Dimensions, comma-separated: fields, {', '.join(LOCAL)}; of queue-visits {', '.join(VISIT_DIMENSIONS)}.",
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
    parameter("limit", {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": 1000}, "Groups a page.", 100),
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
    responses=refusals(406) | {200: {"content": other_forms()}},
    openapi_extra={"parameters": _PARAMETERS},
)
async def get_aggregate(request: Request, caller: Authenticated) -> Response:
    """Any measures over any dimensions, in calendar buckets of a zone. Finished calls unless `open=true`."""
    look = await look_of(request, caller.view)
    options = parse(request.scope["query_string"], _Known(), repeatable=_Filters(), filled=OPTIONS)
    table = table_of(options.text("of") or "calls")
    members: dict[str, Any] = {name: options.text(name) for name in OPTIONS if options.has(name)}
    members["limit"] = options.whole("limit", 1000, 1, MOST_ROWS)
    members["offset"] = options.whole("offset", 0, 0, 10**9)
    members["total"], members["open"] = options.truth("total", True), options.truth("open", False)
    zone = await zone_asked(request, caller.view, members.get("zone"))
    language = table.language(look, zone)
    for name, _ in options.all():
        if name not in OPTIONS and name not in language:
            raise invalid(name[:80], None, f"is no parameter of {table.name}; there are {', '.join(language)}")
    form = format_of(request, options, _FORMS)
    question = grouping_of(table, members, language.of_parameters(options), form, zone)
    return await _answered(request, caller, question, look)


@router.post(
    "/aggregate",
    operation_id="post_aggregate",
    summary="Measures by dimensions, asked for in a body",
    response_model=Aggregate,
    responses=refusals(406, 413) | {200: {"content": other_forms()}},
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
    body = await body_of(request, OPTIONS)
    for name, kind, what in (
        *((each, str, "text") for each in ("of", "bucket", "zone", "from", "to", "format")),
        *((each, bool, "true or false") for each in ("total", "open")),
        *((each, int, "whole number") for each in ("limit", "offset")),
    ):
        if body.get(name) is not None and (type(body[name]) is not kind or body[name] == ""):
            raise invalid(name, None, f"is empty or no {what}; write one, or leave it out")
    table = table_of(body.get("of") or "calls")
    members = {"limit": 1000, "offset": 0, "total": True} | {
        name: each for name, each in body.items() if each is not None
    }
    if not 1 <= members["limit"] <= MOST_ROWS or not 0 <= members["offset"] <= 10**9:
        raise invalid("limit", None, f"is not from 1 to {MOST_ROWS}, or offset below 0")
    zone = await zone_asked(request, caller.view, body.get("zone"))
    where = table.language(look, zone).of_json({} if body.get("filter") is None else body["filter"])
    form = named_format(body.get("format"), request, _FORMS)
    return await _answered(request, caller, grouping_of(table, members, where, form, zone), look)


class _Filters:
    """The filters of any table; which one it is, is known later."""

    _languages = tuple(table.language(Presentation()) for table in TABLES.values())

    def __contains__(self, name: object) -> bool:
        return any(name in language for language in self._languages)

    def __iter__(self) -> Any:
        return iter(dict.fromkeys(name for language in self._languages for name in language))

    def __len__(self) -> int:
        return len(list(iter(self)))


class _Known(_Filters):
    """The parameters there are."""

    def __contains__(self, name: object) -> bool:
        return name in OPTIONS or super().__contains__(name)

    def __iter__(self) -> Any:
        return iter((*OPTIONS, *super().__iter__()))


async def _answered(request: Request, caller: Caller, question: Grouping, look: Presentation) -> Response:
    if question.form is not JSON:
        question = replace(question, total=False)
    groups = await groups_of(reader_of(request), caller.view, question, look)
    rows = rows_of(question, groups)
    if question.form is NDJSON:
        return answer(request, b"".join(orjson.dumps(row) + b"\n" for row in rows), form=NDJSON)
    if question.form is CSV:
        return answer(request, _csv(question, rows), form=CSV)
    if question.form is PARQUET:
        return answer(request, await _parquet(reader_of(request), question, rows), form=PARQUET)
    total = None if groups.total is None else measured(groups.total, question.measures)
    body = {"data": rows, "total": total, "count": groups.count, "zone": question.zone}
    return answer(request, orjson.dumps(body))


def _columns(question: Grouping) -> dict[str, str]:
    """The columns of a file of rows → their kinds, as `parquet_of` has them."""
    buckets = {"bucket": "instant", "bucket_end": "instant", "partial": "truth"} if question.bucket else {}
    fields = question.table.fields
    whole = {name: "whole" if name in LOCAL or _is_number(fields.get(name)) else "text" for name in question.by}
    return buckets | whole | {each.name: _KINDS.get(each.kind, "fraction") for each in question.measures}


def _is_number(field: Shown | None) -> bool:
    return field is not None and field.kind == "number"


# Of measures; what is not here is a fraction (ratios, means, erlangs). Money is a decimal as text.
_KINDS: Final = {"count": "whole", "sum": "whole", "ms": "whole", "money": "text", "text": "text", "instant": "instant"}


def _as_is(value: Any) -> Any:
    return value


def _ms(text: str | None) -> int | None:
    return None if text is None else int(dt.datetime.fromisoformat(text).timestamp() * 1000)


_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "instant": _ms,
    "whole": lambda value: None if value is None else int(value),
}


async def _parquet(reader: Reader, question: Grouping, rows: Sequence[Mapping[str, Any]]) -> bytes:
    columns = _columns(question)
    values = [
        {name.replace(".", "_"): _READ.get(kind, _as_is)(row[name]) for name, kind in columns.items()} for row in rows
    ]
    flat = {name.replace(".", "_"): kind for name, kind in columns.items()}
    return await parquet_of(reader, "aggregate_parquet", flat, values)


def _csv(question: Grouping, rows: Sequence[Mapping[str, Any]]) -> bytes:
    head = list(_columns(question))
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
