"""A report made at once, for whoever waits for it: the command line and `/v1/reports`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from pipeline import clock
from pipeline.directory.model import Directory
from pipeline.errors import DEPENDENCY, FAILED, USAGE, BadField, Problem
from pipeline.reports.catalogue import ALL
from pipeline.reports.jobs import report_reader
from pipeline.reports.ranges import CUSTOM, RANGES, Span, custom_end, moment, span_of
from pipeline.reports.rendering.render import render
from pipeline.reports.store import ReportStore
from pipeline.reports.types.build import Question, letterhead, with_currency
from pipeline.settings import Settings
from pipeline.warehouse.query.pages.paging import Asked
from pipeline.warehouse.query.reader import QueryFailed, Reader, TooCostly, Unavailable
from pipeline.warehouse.query.view import View
from pipeline.warehouse.reference.directories import Directories
from pipeline.warehouse.storage.client import connect


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for, as texts. `form`: html, csv or json."""

    tenant: str
    type: str
    range: str
    start: str = ""
    end: str = ""
    filter: str = "{}"
    more: Mapping[str, Any] = field(default_factory=dict)  # fields of the filter
    name: str = ""
    form: str = "json"
    masked: bool = False  # phone numbers


def span_asked(range_: str, start: str, end: str, zone: str) -> Span:
    """The time that is asked for; dates alone are whole days of the zone. Raises BadField naming the field."""
    if range_ not in RANGES:
        raise BadField("range", range_, f"is none of {', '.join(RANGES)}")
    custom = None
    if range_ == CUSTOM:
        for name, text in (("from", start), ("to", end)):
            if not text:
                raise BadField(name, None, "is missing; the range CUSTOM needs from and to")
        first, last = moment("from", start, zone, is_end=False), moment("to", end, zone, is_end=True)
        if last <= first:
            raise BadField("to", end, "is not after from; give a later time")
        custom = (first, custom_end(last))
    return span_of(range_, clock.now_ms(), zone, custom)


async def pieces(reader: Reader, directory: Directory, wish: Wish, span: Span) -> AsyncIterator[bytes]:
    """The report in its form; `directory` is masked where the wish is. Raises BadField for a filter that is none of
    the type's."""
    try:
        given = orjson.loads(wish.filter or "{}")
    except ValueError as error:
        raise BadField("filter", wish.filter, f"is no JSON ({error}); write an object") from None
    kind = ALL[wish.type]
    if isinstance(given, dict):
        given |= wish.more
    question = Question(reader, directory, wish.type, span, kind.filter(given), masked=wish.masked)
    report = await with_currency(question, await kind.build(question))
    async for piece in render(report, wish.form, name=wish.name, made_ms=clock.now_ms(), head=letterhead(directory)):
        yield piece


async def make(settings: Settings, wish: Wish, write: Callable[[bytes], Any]) -> None:
    """Make a report and write it. Raises Problem."""
    connect(settings.clickhouse).close()  # says who does not answer, and what to do
    reader = report_reader(settings)
    try:
        directory = await Directories(reader).seen(View(wish.tenant, masked=wish.masked))
        span = span_asked(wish.range, wish.start, wish.end, directory.tenant.zone)
        async for piece in pieces(reader, directory, wish, span):
            write(piece)
    except BadField as error:
        raise Problem(f"{str(error)[:1].upper()}{str(error)[1:]}.", code=USAGE) from None
    except (Unavailable, QueryFailed) as error:
        raise Problem(f"ClickHouse cannot answer: {error}.", hint="Is it up, and migrated?", code=DEPENDENCY) from None
    except TooCostly as error:
        raise Problem(f"The report takes too long: {error}.", hint="Ask for less time.", code=FAILED) from None
    finally:
        reader.close()


async def listed(settings: Settings, tenant: str, *, completed: bool) -> list[dict[str, Any]]:
    """Definitions, or completed runs, of a tenant: the newest thousand."""
    connect(settings.clickhouse).close()
    reader = report_reader(settings)
    try:
        store = ReportStore(reader)
        found = await (store.completed if completed else store.definitions)(tenant, list(ALL), Asked(top=1000))
        hidden = {"secret", "version", "destroyed", "deleted", "tenant"}
        return [
            {
                name: str(value) if name in ("id", "report_id") else value
                for name, value in row.items()
                if name not in hidden
            }
            for row in found.rows
        ]
    finally:
        reader.close()
