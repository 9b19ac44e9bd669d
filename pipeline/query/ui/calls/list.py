"""The list of calls: a page of it, how many there are, and what it can be narrowed to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby
from typing import Any, Final, get_args

import orjson
from fastapi import Request
from starlette.responses import Response

from pipeline.instants import instant
from pipeline.query.questions.endpoint import look_of, reader_of
from pipeline.query.questions.lists.answer import listing_of
from pipeline.query.questions.lists.cursor import cursor_of, place_of
from pipeline.query.questions.lists.tables import CALL_TABLE
from pipeline.query.ui.calls import columns
from pipeline.query.ui.calls.asked import LENGTHS, Asked, asked, in_ms
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.session import Visiting, Visitor
from pipeline.query.ui.frame.urls import Query
from pipeline.query.ui.frame.words import STATUS, cause, word
from pipeline.warehouse.query.clauses import Place
from pipeline.warehouse.query.pages.listing import Listing, count_of, page_of
from pipeline.warehouse.reference.saved_views import views_of
from schemas.call import rfc3339
from schemas.words import Direction

router = pages()

# Filters that have a field of their own in the form, by the name that they have in the URL.
_FIELDS: Final = (
    ("caller.number[contains]", N_("From (part of the number)")),
    ("callee.number[contains]", N_("To (part of the number)")),
    ("answered_by", N_("Answered by")),
    ("service_number", N_("Queue or group (number)")),
    ("trunk", N_("Trunk")),
    ("did[contains]", N_("Dialled number (part)")),
    ("talked[gte]", N_("Talked at least")),
    ("waited[gte]", N_("Waited at least")),
)
_OPERATORS: Final = {
    "eq": N_("is"), "ne": N_("is not"), "gt": ">", "gte": "≥", "lt": "<", "lte": "≤", "in": N_("is one of"),
    "not_in": N_("is none of"), "contains": N_("has"), "not_contains": N_("has not"), "startswith": N_("begins with"),
    "endswith": N_("ends with"), "exists": N_("is there:"), "between": N_("between"),
}  # fmt: skip


# Names of what is no column.
_TITLES: Final = {
    "any_number": N_("Any number"),
    "any_name": N_("Any name"),
    "talk_started_at": N_("Talk"),
    "answered_at": N_("Answered"),
    "missed_by": N_("Missed by"),
    "state": N_("State"),
    "currency": N_("Currency"),
    "rate_prefix": N_("Prefix of rate"),
    "caller.extension": N_("Calling extension"),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """A page: calls as `/v1` shows them, and the cursors of the pages before and after it."""

    calls: list[dict[str, Any]]
    after: str | None
    before: str | None


@router.get("/calls")
async def list_calls(request: Request, visitor: Visiting) -> Response:
    """Calls that match, newest first unless another order is asked for."""
    what = await asked(request, visitor)
    look = await look_of(request, visitor.caller.view)
    listing = listing_of(visitor.caller.view, CALL_TABLE, what.question, look)
    reader = reader_of(request)
    rows, count, views = await asyncio.gather(
        rows_of(request, what, listing),
        count_of(reader, listing),
        views_of(reader, visitor.caller.tenant, visitor.caller.name),
    )
    timed = what.sort.lstrip("-") == "started_at"
    return page(
        visitor,
        request,
        "calls/list.html",
        title=visitor.language.say(N_("Calls")),
        period=what.period,
        kept=what.query.without("range", "from", "to", "after", "before").pairs,
        what=what,
        days=_by_day(visitor, rows.calls) if timed else [("", rows.calls)],
        rows=rows,
        count=count,
        first_page=not (what.query.get("after") or what.query.get("before")),
        chips=list(chips(visitor, what)),
        all_columns=columns.ALL,
        fields=_FIELDS,
        statuses=STATUS,
        directions=get_args(Direction),
        links=Links(what),
        views=views,
    )


@dataclass(frozen=True, slots=True)
class Links:
    """Where the links of the list lead."""

    what: Asked

    def sorted_by(self, column: columns.Column) -> str:
        """The list in the order of a column; the other way round where it is in that order."""
        sort = f"-{column.sort}" if self.what.sort != f"-{column.sort}" else column.sort
        return f"?{self._fresh.with_('sort', '' if sort == '-started_at' else sort)}"

    def page(self, name: str, cursor: str) -> str:
        """A page further on: of the same time, although it goes on."""
        period = self.what.period
        pinned = (("from", str(rfc3339(period.first_ms))), ("to", str(rfc3339(period.end_ms))))
        query = Query((*pinned, *self._fresh.without("range", "from", "to").pairs))
        return f"?{query.with_(name, cursor)}"

    def without(self, name: str, value: str) -> str:
        """The list without one of its filters."""
        return f"?{self._fresh.less(name, value)}"

    def cleared(self) -> str:
        """The list without any filter."""
        names = {name for name, _ in self.what.filters}
        return f"?{self._fresh.without('q', *names)}"

    @property
    def here(self) -> str:
        """This list, from its beginning."""
        return f"?{self._fresh}"

    @property
    def _fresh(self) -> Query:
        return self.what.query.without("after", "before")


async def rows_of(request: Request, what: Asked, listing: Listing) -> Rows:
    """The page that the URL names: the first one, the one after a place or the one before a place."""
    after, before = what.query.get("after"), what.query.get("before")
    timed = not listing.by
    cursor = before or after
    place = place_of(cursor, what.mark, timed=timed) if cursor else None
    wanted = replace(listing, after=place, ascending=listing.ascending != bool(before))
    found = await page_of(reader_of(request), wanted, what.limit)
    calls = [orjson.loads(line) for line in found.rows]
    more = found.following is not None
    if before:
        calls.reverse()
    if not calls:
        return Rows([], None, None)
    ends = [cursor_of(_place(call, what.sort.lstrip("-")), what.mark) for call in (calls[0], calls[-1])]
    has_after, has_before = (True, more) if before else (more, bool(after))
    return Rows(calls, ends[1] if has_after else None, ends[0] if has_before else None)


def _place(call: Mapping[str, Any], sort: str) -> Place:
    """Where a call stands in the list: its key, as `questions.fields.CALL_SORTS` has it, and its id."""
    value = call[sort]
    if sort == "started_at":
        key = instant(value)
    elif sort == "ended_at":
        key = instant(value) if value else -(10**15)
    elif sort == "cost":
        key = int(Decimal(value) * 10**9) if value else -1
    else:
        key = -1 if value is None else int(value)
    return Place(key, int(call["id"]))


def _by_day(visitor: Visitor, calls: Sequence[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """The calls by the viewer's days, in their order."""
    found = groupby(calls, key=lambda call: visitor.figures.weekday(call["started_at"]))
    return [(day, list(of_day)) for day, of_day in found]


def chips(visitor: Visitor, what: Asked) -> Iterator[dict[str, str]]:
    """Each filter in words, with its name and value in the URL."""
    say = visitor.language.say
    titles = {column.name: column.title for column in columns.ALL}
    for name, value in what.filters:
        path, bracket, rest = name.partition("[")
        rest = rest.rstrip("]")
        operator = _OPERATORS.get(rest if bracket else "eq", rest)
        path = LENGTHS.get(path, path)
        title = say(_TITLES.get(path) or titles.get(path) or titles.get(path.partition(".")[0], "")) or path
        about = {"title": title, "operator": say(operator) if bracket else "", "name": name, "value": value}
        yield about | {"shown": _shown(visitor, path, rest, in_ms(name, value)[1])}


def _shown(visitor: Visitor, path: str, operator: str, value: str) -> str:
    """The value of a filter as people read it."""
    say = visitor.language.say
    if operator == "exists":
        return say(N_("yes") if value.lower() == "true" else N_("no"))
    if path.endswith("_ms"):
        spans = [visitor.figures.span(int(part)) if part.isdecimal() else part for part in value.split(",")]
        return ", ".join(spans)
    if path in ("status", "direction", "state", "hung_up_by", "end_reason"):
        return say(word(path, value))
    if path == "q850_cause" and value.isdecimal() and len(value) < 4 and (named := cause(int(value))):
        return f"{say(named)} ({value})"
    return value
