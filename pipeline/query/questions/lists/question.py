"""What is asked of a list, by query string or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import Request

from pipeline.query.access.caller import Caller
from pipeline.query.http.parameters import no_options, parse
from pipeline.query.http.problems import invalid
from pipeline.query.questions.endpoint import body_of, directory_of, look_of
from pipeline.query.questions.fields import Field, Presentation
from pipeline.query.questions.filters import Language
from pipeline.query.questions.formats import (
    JSON,
    Format,
    format_of,
    named_format,
)
from pipeline.query.questions.lists.members import chosen_fields, named_parts, window_of, zone_asked
from pipeline.query.questions.lists.table import Table
from pipeline.query.questions.search import LONGEST, WHAT, meaning
from pipeline.warehouse.query.expressions import All, Node
from pipeline.warehouse.query.pages.listing import MOST_SORTED
from pipeline.warehouse.query.view import View

MEMBERS: Final = (
    *("q", "filter", "from", "to", "zone", "fields", "include", "sort"),
    *("limit", "cursor", "format", "count"),
)

# An empty cursor is the first page's.
_FILLED: Final = tuple(name for name in MEMBERS if name != "cursor")

DEFAULT_LIMIT: Final = 100

MOST_A_PAGE: Final = 1000

MOST_ROWS: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class ListQuestion:
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


async def asked(request: Request, caller: Caller, table: Table) -> ListQuestion:
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
        limit = options.whole("limit", DEFAULT_LIMIT, 1, _most(form))
    counted = options.truth("count", False)
    where = await sought(request, caller.view, table, members["q"], language.of_parameters(options))
    return _question(table, members, where, form, limit, counted, zone)


async def asked_in_body(request: Request, caller: Caller, table: Table) -> ListQuestion:
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


def question_of(
    table: Table, body: Mapping[str, Any], look: Presentation, form: Format, zone: ZoneInfo
) -> ListQuestion:
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
        limit = DEFAULT_LIMIT
    if not isinstance(body.get("count", False), bool):
        raise invalid("count", None, "is neither true nor false")
    where = table.language(look, zone).of_json({} if body.get("filter") is None else body["filter"])
    return _question(table, body, where, form, limit, body.get("count", False), zone)


def _most(form: Format) -> int:
    return MOST_A_PAGE if form is JSON else MOST_ROWS


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
) -> ListQuestion:
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
    parts = named_parts(table, members.get("include"))
    if parts and all(field.path != "id" for field in fields):
        fields = (table.fields["id"], *fields)  # what the parts are found by
    ascending = not sort.startswith("-")
    return ListQuestion(
        where, begin, end, fields, ascending, limit, members.get("cursor") or None, form, counted, by, parts
    )
