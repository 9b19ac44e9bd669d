"""What a report is built from, and the questions that families share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pipeline.directory.model import Directory
from pipeline.reports.ranges import Span
from pipeline.reports.rendering.render import Letterhead
from pipeline.reports.rendering.table import Report, label
from pipeline.warehouse.analytics.visits import windows
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.clauses import CLOSED_CALLS, between, matching
from pipeline.warehouse.query.expressions import EVERYTHING
from pipeline.warehouse.query.reader import Reader, Row
from pipeline.warehouse.query.view import View

WINDOW_CALLS: Final = 150_000


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: whose calls, of which time, which of them."""

    reader: Reader
    directory: Directory
    type: str
    span: Span
    filter: Mapping[str, Any] = field(default_factory=dict)
    window: tuple[int, int] | None = None  # only calls that began in it, ms; see `in_order`
    masked: bool = False  # phone numbers, of rows and of the directory

    @property
    def tenant(self) -> str:
        """Whose calls."""
        return self.directory.tenant.id

    @property
    def view(self) -> View:
        """What the report sees: all calls of the tenant."""
        return View(self.tenant, masked=self.masked)

    async def rows(self, what: str, sql: str, bindings: Bindings) -> list[Row]:
        """The rows of a query; `what` names it in the metrics."""
        return await self.reader.rows(f"report_{what}", sql, bindings.values)

    def within(self, bindings: Bindings) -> str:
        """The condition that a row began in the time."""
        return between(self.span.first_ms, self.span.end_ms, bindings)

    def party(self, number: str, name: str = "") -> str:
        """A party as reports name it; the directory knows best."""
        return label(self.directory.name_of(number) or name, number)


Sql = Callable[[Bindings], str]


def letterhead(directory: Directory) -> Letterhead:
    """Whose report it is: the tenant's name and logo."""
    tenant = directory.tenant
    return Letterhead(tenant.name or tenant.id, tenant.logo)


async def with_currency(question: Question, report: Report) -> Report:
    """The report with its currency among the facts, where money stands in it without one."""
    columns = [column for table in report.tables for column in table.columns]
    if not any(column.kind == "money" for column in columns) or any(column.name == "Currency" for column in columns):
        return report
    bindings = Bindings()
    rows = await question.rows(
        "currencies",
        f"SELECT DISTINCT currency {matching(question.view, CLOSED_CALLS, EVERYTHING, bindings)}"
        f" AND {question.within(bindings)} AND currency != '' ORDER BY currency",
        bindings,
    )
    found = ", ".join(str(row["currency"]) for row in rows)
    return replace(report, facts=(*report.facts, ("Currency", found))) if found else report


async def in_order(
    question: Question,
    what: str,
    select: Callable[[Question, Bindings], str],
    keys: Sequence[str],
    most: int = WINDOW_CALLS,
) -> AsyncIterator[Row]:
    """The rows of `select`, in the order of `keys` within windows of time that follow each other: memory holds a
    window, however many rows there are. `select` is given the question with its window; `most`: calls of one."""
    span = question.span
    for window in await windows(question.reader, question.view, span.first_ms, span.end_ms, most):
        bindings = Bindings()
        sql = select(replace(question, window=window), bindings)
        for row in await question.rows(what, f"SELECT * FROM ({sql}) ORDER BY {', '.join(keys)}", bindings):
            yield row
