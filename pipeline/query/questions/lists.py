"""Lists under /v1: what is asked, by query string or JSON, and the answer in the form that is wanted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import orjson
from fastapi import Request
from starlette.responses import Response

from pipeline.instants import end_instant, first_instant
from pipeline.query.access.authenticator import Caller
from pipeline.query.http.documents import parameter
from pipeline.query.http.limits import StreamSlots
from pipeline.query.http.parameters import no_options, parse
from pipeline.query.http.problems import RequestProblem, invalid
from pipeline.query.questions.cursor import cursor_of, place_of
from pipeline.query.questions.endpoint import body_of, directory_of, look_of, reader_of
from pipeline.query.questions.fields import Field, Presentation, document_select, flat_select
from pipeline.query.questions.filters import OPERATORS, UTC, Language
from pipeline.query.questions.formats import (
    CSV,
    FORMATS,
    JSON,
    NDJSON,
    Format,
    answer,
    format_of,
    named_format,
    streamed,
)
from pipeline.query.questions.included import with_parts
from pipeline.query.questions.part_columns import TARGETS, parts_select, target_select, unwrapped
from pipeline.query.questions.search import LONGEST, WHAT, meaning
from pipeline.warehouse.analytics.calendar import zone_of
from pipeline.warehouse.query.clauses import Source
from pipeline.warehouse.query.directory_names import named_sql
from pipeline.warehouse.query.expressions import All, BadExpression, Column, Node
from pipeline.warehouse.query.listing import MOST_SORTED, Listing, count_of, page_of, stream_of
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.query.view import View

MEMBERS: Final = (
    *("q", "filter", "from", "to", "zone", "fields", "include", "sort"),
    *("limit", "cursor", "format", "count"),
)
# An empty cursor is the first page's.
_FILLED: Final = tuple(name for name in MEMBERS if name != "cursor")
_DEFAULT_LIMIT: Final = 100
_MOST_A_PAGE: Final = 1000
_MOST_ROWS: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class Table:
    """What can be listed."""

    name: str
    source: Source
    fields: Mapping[str, Field]
    groups: Mapping[str, tuple[str, ...]]
    sorts: Mapping[str, str]  # beside started_at: name -> SQL, see Listing.by
    parts: tuple[str, ...] = ()  # of the call document, that `include` may name
    is_searched: bool = False  # whether `q` looks for numbers, names and ids

    def language(self, look: Presentation, zone: ZoneInfo = UTC) -> Language:
        """The filters of this table. Names are compared as they are shown; dates alone are days of `zone`."""
        fields = {path: field for path, field in self.fields.items() if path != "tenant"}
        return Language(fields, self.groups, lambda field: _compared(field, look), zone)

    @property
    def orders(self) -> list[str]:
        """The values of `sort`."""
        return [f"{way}{name}" for name in ("started_at", *self.sorts) for way in ("-", "")]

    @property
    def shown(self) -> list[Field]:
        return [field for field in self.fields.values() if field.shown]


def _compared(field: Field, look: Presentation) -> Column:
    if field.named_by and look.named:
        return replace(field.column, sql=named_sql(field.column.sql, field.named_by, masked=look.masked))
    return field.column


@dataclass(frozen=True, slots=True)
class Question:
    """A list that is asked for. `limit` is None for all rows; `kept` says what a cursor belongs to."""

    where: Node
    first_ms: int | None
    end_ms: int | None
    fields: tuple[Field, ...]
    ascending: bool
    limit: int | None
    cursor: str | None
    form: Format
    counted: bool
    by: str = ""
    parts: tuple[str, ...] = ()

    @property
    def kept(self) -> str:
        return repr((self.where, self.first_ms, self.end_ms, self.ascending, *([self.by] if self.by else [])))


async def asked(request: Request, caller: Caller, table: Table) -> Question:
    """What the query string asks."""
    look = await look_of(request, caller.view)
    language = table.language(look)
    options = parse(request.scope["query_string"], Known(language), repeatable=language, filled=_FILLED)
    zone = await zone_asked(request, caller.view, options.text("zone"))
    language = table.language(look, zone)
    members = {name: options.text(name) for name in MEMBERS if name not in ("filter", "limit", "count")}
    if options.has("fields"):
        members["fields"] = options.text("fields") or ""
    form = format_of(request, options)
    limit = None
    if options.has("limit") or form is JSON:
        limit = options.whole("limit", _DEFAULT_LIMIT, 1, _most(form))
    counted = options.truth("count", False)
    where = await sought(request, caller.view, table, members["q"], language.of_parameters(options))
    return _question(table, members, where, form, limit, counted, zone)


async def asked_in_body(request: Request, caller: Caller, table: Table) -> Question:
    """What the JSON body asks."""
    no_options(request)
    body = await body_of(request, MEMBERS)
    if body.get("format") is not None and not isinstance(body["format"], str):
        raise invalid("format", None, "is no text")
    form = named_format(body.get("format"), request)
    zone = await zone_asked(request, caller.view, body.get("zone"))
    found = question_of(table, body, await look_of(request, caller.view), form, zone)
    return replace(found, where=await sought(request, caller.view, table, body.get("q"), found.where))


async def sought(request: Request, view: View, table: Table, q: Any, where: Node) -> Node:
    """`where`, narrowed to what somebody who types `q` looks for. RequestProblem for a `q` that is none."""
    if q is None:
        return where
    if not table.is_searched:
        raise invalid("q", None, "is understood by lists of calls; leave it out")
    text = q.strip() if isinstance(q, str) else ""
    if not text or len(text) > LONGEST:
        raise invalid("q", text, f"is empty or longer than {LONGEST} characters; {WHAT}")
    return All((where, meaning(text, await directory_of(request, view))))


async def zone_asked(request: Request, view: View, text: Any) -> ZoneInfo:
    """Whose days dates alone are: the zone of this name, else the tenant's."""
    if text is None:
        text = (await directory_of(request, view)).tenant.zone
    if not isinstance(text, str):
        raise invalid("zone", None, "is no text")
    try:
        return zone_of(text)
    except BadExpression as error:
        raise RequestProblem(400, "invalid", str(error), field="zone") from None


def question_of(table: Table, body: Mapping[str, Any], look: Presentation, form: Format, zone: ZoneInfo) -> Question:
    """What the members of a JSON object ask."""
    for name in ("q", "from", "to", "sort", "cursor"):
        value = body.get(name)
        if value is not None and (not isinstance(value, str) or (not value and name != "cursor")):
            raise invalid(name, None, "is empty or no text; write a value, or leave it out")
    limit = body.get("limit")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= _most(form)):
        value = str(limit)[:40] if isinstance(limit, int) else None
        raise invalid("limit", value, f"is no whole number from 1 to {_most(form)}")
    if limit is None and form is JSON:
        limit = _DEFAULT_LIMIT
    if not isinstance(body.get("count", False), bool):
        raise invalid("count", None, "is neither true nor false")
    where = table.language(look, zone).of_json({} if body.get("filter") is None else body["filter"])
    return _question(table, body, where, form, limit, body.get("count", False), zone)


def _most(form: Format) -> int:
    return _MOST_A_PAGE if form is JSON else _MOST_ROWS


class Known:
    """The parameters there are: options and filters."""

    def __init__(self, language: Language, members: Sequence[str] = MEMBERS) -> None:
        self._language, self._members = language, members

    def __contains__(self, name: object) -> bool:
        return name in self._members or name in self._language

    def __iter__(self) -> Any:
        return iter([*self._members, *self._language])

    def __len__(self) -> int:
        return len(self._members) + len(self._language)


def _question(
    table: Table,
    members: Mapping[str, Any],
    where: Node,
    form: Format,
    limit: int | None,
    counted: bool,
    zone: ZoneInfo,
) -> Question:
    begin, end = window_of(members, zone)
    sort = members.get("sort") or "-started_at"
    if sort not in table.orders:
        raise invalid("sort", sort, f"is none of {', '.join(table.orders)}")
    by = table.sorts.get(sort.removeprefix("-"), "")
    if by and form is not JSON and (limit is None or limit > MOST_SORTED):
        raise invalid(
            "sort", sort, f"orders pages, and files with a limit of at most {MOST_SORTED}; all others are by started_at"
        )
    fields = chosen_fields(table, members.get("fields"))
    parts = _parts(table, members.get("include"))
    if parts and all(field.path != "id" for field in fields):
        fields = (table.fields["id"], *fields)  # what the parts are found by
    ascending = not sort.startswith("-")
    return Question(
        where, begin, end, fields, ascending, limit, members.get("cursor") or None, form, counted, by, parts
    )


def window_of(members: Mapping[str, Any], zone: ZoneInfo) -> tuple[int | None, int | None]:
    """`from` and `to` as ms since the epoch, the end excluded: RFC 3339, or dates alone, which are whole days of the
    zone: `to` a date means the end of that day. None where there is none."""
    found: list[int | None] = []
    for name, read in (("from", first_instant), ("to", end_instant)):
        text = members.get(name)
        try:
            found.append(None if text is None else read(text, zone))
        except ValueError as error:
            raise invalid(name, text, str(error)) from None
    first, end = found
    if first is not None and end is not None and (first > end or (first == end and members["from"] > members["to"])):
        raise invalid("from", members["from"], f"is later than to {members['to']!r}; swap them")
    return first, end


def _parts(table: Table, wanted: Any) -> tuple[str, ...]:
    """The parts that `include` names: a comma-separated text or a list."""
    if wanted is None:
        return ()
    names = wanted.split(",") if isinstance(wanted, str) else wanted
    if not isinstance(names, list) or not names:
        raise invalid("include", None, "is no list of parts")
    found = []
    for name in names:
        if not isinstance(name, str) or name.strip() not in table.parts:
            there = f"there are {', '.join(table.parts)}" if table.parts else "this list has none"
            raise invalid("include", str(name), f"is no part here; {there}")
        found.append(name.strip())
    return tuple(dict.fromkeys(found))


def chosen_fields(table: Table, wanted: Any) -> tuple[Field, ...]:
    """The fields of these paths, a comma-separated text or a list; a group stands for all that is in it."""
    if wanted is None:
        return tuple(table.shown)
    paths = wanted.split(",") if isinstance(wanted, str) else wanted
    if not isinstance(paths, list) or len(paths) > 200 or not all(isinstance(path, str) for path in paths):
        raise invalid("fields", None, "is no list of fields")
    if not paths:
        raise invalid("fields", "[]", "names no field; name some, or leave it out for those that are usual")
    found: dict[str, Field] = {}
    for path in paths:
        path = path.strip()
        inner = {path: table.fields[path]} if path in table.fields else {}
        inner = inner or {name: field for name, field in table.fields.items() if name.startswith(f"{path}.")}
        if not inner:
            raise invalid("fields", path, f"is no field here; there are {', '.join(table.fields)}")
        found |= inner
    return tuple(found.values())


def listing_of(view: View, table: Table, question: Question, look: Presentation) -> Listing:
    """The rows that are asked for, as the view and the form show them."""
    fields, parts = question.fields, question.parts
    if question.form in (JSON, NDJSON):
        fields = tuple(field for field in fields if field.path not in parts)  # a part says the same, and more
        select = document_select(fields, look)
    else:
        parts = tuple(part for part in parts if part not in {field.path for field in fields})
        select = flat_select(fields, look, safe=question.form is CSV)
    is_file = question.form is not JSON
    return Listing(
        view,
        table.source,
        select + (parts_select(parts, look) if is_file else ""),
        question.where,
        question.first_ms,
        question.end_ms,
        place_of(question.cursor, question.kept, timed=not question.by) if question.cursor else None,
        question.ascending,
        by=question.by,
        targets=target_select(look) if is_file and TARGETS in parts else "",
    )


def rows_of(reader: Reader, listing: Listing, question: Question) -> AsyncIterator[bytes]:
    """All rows of a file, piece by piece."""
    pieces = stream_of(reader, listing, question.form.written, question.limit)
    return unwrapped(pieces, question.parts) if question.parts and question.form is NDJSON else pieces


async def listed(request: Request, caller: Caller, table: Table, question: Question) -> Response:
    """The answer: a page in JSON, or a file of rows as they come."""
    reader, look = reader_of(request), await look_of(request, caller.view)
    listing = listing_of(caller.view, table, question, look)
    if question.form is not JSON:
        turns: StreamSlots = request.app.state.turns
        pieces = rows_of(reader, listing, question)
        return await streamed(turns.during(caller.tenant, pieces), question.form, table.name)
    assert question.limit is not None
    page = await page_of(reader, listing, question.limit)
    rows = await with_parts(request, caller, page.rows, question.parts) if question.parts else page.rows
    headers, following = {}, None
    if page.following is not None:
        following = cursor_of(page.following, question.kept)
        if request.method == "GET":
            headers["Link"] = f'<{_next_url(request, following)}>; rel="next"'
    count = b""
    if question.counted:
        count = b',"count":%d' % await count_of(reader, replace(listing, after=None))
    body = b'{"data":[%s],"next_cursor":%s%s}' % (b",".join(rows), orjson.dumps(following), count)
    return answer(request, body, headers)


def _next_url(request: Request, cursor: str) -> str:
    kept = [part for part in request.scope["query_string"].decode("latin-1").split("&") if part]
    kept = [quote(part, safe="=%&+*:@-._~!$'(),/?[]") for part in kept if part.partition("=")[0] != "cursor"]
    return f"{request.url.path}?{'&'.join([*kept, 'cursor=' + cursor])}"


SEARCHED: Final = parameter(
    "q", {"type": "string", "maxLength": LONGEST}, "Of these, those that have every word of it, as /v1/search.", "01632"
)
TIME: Final = {"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]}


def documented(table: Table) -> list[dict[str, Any]]:
    """The parameters of a list, for the OpenAPI document."""
    examples: dict[str, Any] = {"id": "1407374883553280", "time": "2026-03-10T12:00:00Z", "number": 1000}
    fields = []
    for path, field in table.language(Presentation()).fields.items():
        words = {"enum": list(field.words)} if field.words else {}
        example = [field.words[0]] if field.words else [str(examples.get(field.kind, "…"))]
        fields.append(
            parameter(
                path,
                {"type": "array", "items": {"type": "string", **words}},
                f"{path} is this; repeated: any of them. {path}[OPERATOR] compares: see the filter language.",
                example,
            )
        )
    groups = [
        parameter(name, {"type": "string"}, f"Any of {', '.join(paths)}; a final * stands for any rest.", "101")
        for name, paths in table.groups.items()
    ]
    return [
        parameter("from", TIME, "Started at or after this time, or on this day or later.", "2026-03-10T00:00:00Z"),
        parameter("to", TIME, "Started before this time, or on this day or earlier.", "2026-03-11T00:00:00Z"),
        parameter(
            "zone", {"type": "string"}, "Whose days dates alone are; the tenant's when left out.", "Europe/London"
        ),
        parameter(
            "limit",
            {"type": "integer", "minimum": 1, "maximum": _MOST_ROWS, "default": _DEFAULT_LIMIT},
            f"Rows a page, at most {_MOST_A_PAGE} in JSON; other forms have all rows unless it is given.",
            100,
        ),
        parameter("cursor", {"type": "string"}, "`next_cursor` of the page before, with the same filters.", ""),
        parameter(
            "sort",
            {"type": "string", "enum": table.orders},
            f"Newest or oldest first, or by another field; files then need a limit of at most {MOST_SORTED}.",
            "-started_at",
        ),
        parameter(
            "fields",
            {"type": "string"},
            "Only these, comma-separated; a group for all in it. Shown only when named: "
            f"{', '.join(path for path, field in table.fields.items() if not field.shown)}.",
            "id,started_at",
        ),
        *_included(table),
        *([SEARCHED] if table.is_searched else []),
        parameter("format", {"type": "string", "enum": list(FORMATS)}, "Form of the answer, before Accept.", "json"),
        parameter("count", {"type": "boolean", "default": False}, "Add `count`: how many match, on all pages.", False),
        parameter(
            "filter",
            {"type": "string", "contentMediaType": "application/json"},
            f"A filter as JSON, with and, or, not. Operators: {', '.join(OPERATORS)}.",
            '{"or":[{"status":"busy"},{"talk_ms":{"gte":60000}}]}',
        ),
        *groups,
        *fields,
    ]


def _included(table: Table) -> list[dict[str, Any]]:
    if not table.parts:
        return []
    about = f"Parts of the call beside the fields; in CSV and Parquet as JSON: {', '.join(table.parts)}."
    return [parameter("include", {"type": "string"}, about, "logs,queue_visits")]


def documented_body(table: Table, example: dict[str, Any]) -> dict[str, Any]:
    """The JSON body of the same question, for the OpenAPI document."""
    return {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "filter": {"type": "object", "description": "Conditions by field, and, or, not."},
                        "from": TIME,
                        "to": TIME,
                        "zone": {"type": "string"},
                        **({"q": {"type": "string", "maxLength": LONGEST}} if table.is_searched else {}),
                        "fields": {"type": "array", "items": {"type": "string", "enum": list(table.fields)}},
                        **(
                            {"include": {"type": "array", "items": {"type": "string", "enum": list(table.parts)}}}
                            if table.parts
                            else {}
                        ),
                        "sort": {"type": "string", "enum": table.orders},
                        "limit": {"type": "integer", "minimum": 1, "maximum": _MOST_ROWS},
                        "cursor": {"type": "string"},
                        "format": {"type": "string", "enum": list(FORMATS)},
                        "count": {"type": "boolean"},
                    },
                },
                "example": example,
            }
        },
    }


def other_forms() -> dict[str, Any]:
    """The other forms of an answer, for the OpenAPI document."""
    return {
        form.media_type.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
        for form in FORMATS.values()
        if form is not JSON
    }
