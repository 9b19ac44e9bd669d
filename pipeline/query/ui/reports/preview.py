"""A report made at once and shown on the page: its figures, and the first rows of its tables, as its file has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request

from pipeline import clock
from pipeline.query.questions.endpoint import directory_of, reader_of
from pipeline.query.ui.frame.session import Visitor
from pipeline.reports.catalogue import ALL
from pipeline.reports.ranges import Span, span_of
from pipeline.reports.rendering.render import lines_of
from pipeline.reports.rendering.table import Column, Table, read
from pipeline.reports.types.build import Question, with_currency

MOST_ROWS: Final = 50
_FIGURES: Final = frozenset({"count", "seconds", "duration", "percent", "money", "decimal", "quantity"})


@dataclass(frozen=True, slots=True)
class Part:
    """A table: cells as the file shows them; `more`: there are more rows than these."""

    title: str
    columns: tuple[Column, ...]
    rows: list[tuple[str, list[str]]]  # style, cells
    more: bool

    def look(self, place: int) -> str:
        """The class of the cells of a column."""
        kind = self.columns[place].kind
        return "n" if kind in _FIGURES else "t" if kind in ("time", "day") else ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What is shown of a report."""

    title: str
    span: Span
    facts: tuple[tuple[str, str], ...]
    tiles: list[tuple[str, str, str]]  # name, figure, what it means
    parts: list[Part]
    notes: tuple[str, ...]


async def preview(request: Request, visitor: Visitor, fields: dict[str, Any]) -> Preview:
    """The report that checked fields of a definition describe, as it would be now. Raises TooCostly, Unavailable."""
    view = visitor.caller.view
    directory = await directory_of(request, view)
    custom = (fields["started_at"], fields["ended_at"]) if fields["range"] == "CUSTOM" else None
    span = span_of(fields["range"], clock.now_ms(), directory.tenant.zone, custom)
    kind = ALL[fields["type"]]
    question = Question(reader_of(request), directory, kind.type, span, fields["filter"], masked=visitor.caller.masked)
    report = await with_currency(question, await kind.build(question))
    tiles = [(tile.name, read(tile.value, tile.kind, span.zone) or "–", tile.about) for tile in report.tiles]
    parts = [await _part(table, span.zone) for table in report.tables]
    return Preview(report.title, span, report.facts, tiles, parts, report.notes)


async def _part(table: Table, zone: str) -> Part:
    rows: list[tuple[str, list[str]]] = []
    async for line in lines_of(table):
        if len(rows) == MOST_ROWS:
            return Part(table.title, table.columns, rows, more=True)
        cells = [read(cell, column.kind, zone) for cell, column in zip(line.cells, table.columns, strict=True)]
        rows.append((line.style, cells))
    return Part(table.title, table.columns, rows, more=False)
