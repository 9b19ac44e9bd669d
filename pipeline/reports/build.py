"""What a report is built from, and the questions that families share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.directory.model import Directory
from pipeline.reports.ranges import Span
from pipeline.reports.table import label
from pipeline.warehouse.clauses import between
from pipeline.warehouse.conditions import Bindings
from pipeline.warehouse.reader import Reader, Row

PAGE_ROWS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: whose calls, of which time, which of them."""

    reader: Reader
    directory: Directory
    type: str
    span: Span
    filter: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tenant(self) -> str:
        """Whose calls."""
        return self.directory.tenant.id

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


async def in_order(
    question: Question, what: str, select: Sql, keys: Sequence[str], page: int = PAGE_ROWS
) -> AsyncIterator[Row]:
    """The rows of `select`, ordered by `keys` (whole numbers, the first a time in ms), a page at a time: so memory
    holds a page, however many there are. The keys must tell rows apart."""
    after: tuple[int, ...] | None = None
    while True:
        bindings = Bindings()
        sql = f"SELECT * FROM ({select(bindings)})"
        if after is not None:
            past = ", ".join(bindings.bind(value, "Int64") for value in after)
            named = ", ".join(f"toInt64({key})" for key in keys)
            sql += f" WHERE {keys[0]} >= {bindings.bind(after[0], 'Int64')} AND ({named}) > ({past})"
        sql += f" ORDER BY {', '.join(keys)} LIMIT {page}"
        rows = await question.rows(what, sql, bindings)
        for row in rows:
            yield row
        if len(rows) < page:
            return
        after = tuple(int(rows[-1][key]) for key in keys)
