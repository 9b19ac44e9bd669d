"""Reports as files: CSV for programs, HTML for people, JSON for both.

Rows of long reports are written as they come; only HTML, which nobody reads for long, ends after so many.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import resources
from typing import Any, Final

import orjson
from jinja2 import Environment
from markupsafe import Markup

from pipeline.reports.ranges import clock_time, local_time
from pipeline.reports.rendering import svg
from pipeline.reports.rendering.table import Column, Line, Report, Table, Tile, read, shown
from pipeline.spreadsheet import harmless

MOST_HTML_ROWS: Final = 60_000
_CHUNK_ROWS: Final = 1_000
_ONE_PIECE: Final = 32  # characters of a name that is not broken
_UPRIGHT: Final = 8  # columns that fit on upright paper
_FIGURES: Final = frozenset({"count", "seconds", "duration", "percent", "money", "decimal", "quantity"})
MEDIA_TYPES: Final = {"csv": "text/csv; charset=utf-8", "html": "text/html; charset=utf-8", "json": "application/json"}


async def lines_of(table: Table) -> AsyncIterator[Line]:
    """The rows of a table, however they come."""
    if isinstance(table.lines, AsyncIterator):
        async for line in table.lines:
            yield line
    else:
        for line in table.lines:
            yield line


@dataclass(frozen=True, slots=True)
class Letterhead:
    """Whose report it is, on top of a page. `logo`: a data: URI."""

    company: str = ""
    logo: str = ""


async def render(
    report: Report, form: str, *, name: str = "", made_ms: int, head: Letterhead = Letterhead()
) -> AsyncIterator[bytes]:
    """The report as a file, in pieces. `form`: csv, html or json; `head` is for pages."""
    if form == "html":
        pieces = _html(report, name, made_ms, head)
    else:
        pieces = {"csv": _csv, "json": _json}[form](report, name, made_ms)
    async for piece in pieces:
        yield piece


async def _csv(report: Report, name: str, made_ms: int) -> AsyncIterator[bytes]:
    """RFC 4180 with one line of headings: the first table, which is the one that counts."""
    table = report.tables[0]
    kinds = [column.kind for column in table.columns]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([column.full_name for column in table.columns])
    number = 0
    async for line in lines_of(table):
        texts = [shown(cell, kind, report.span.zone) for cell, kind in zip(line.cells, kinds, strict=True)]
        writer.writerow([text if kind in _FIGURES else harmless(text) for text, kind in zip(texts, kinds, strict=True)])
        number += 1
        if number % _CHUNK_ROWS == 0:
            yield _taken(out)
    yield _taken(out)


def _taken(out: io.StringIO) -> bytes:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text.encode("utf-8", "replace")


async def _json(report: Report, name: str, made_ms: int) -> AsyncIterator[bytes]:
    """Values, not texts: durations in seconds, shares from 0 to 1, times RFC 3339 in the zone."""
    head = {
        "type": report.type,
        "name": name or report.title,
        "title": report.title,
        "range": {"from": report.span.first, "to": report.span.last, "zone": report.span.zone},
        "facts": dict(report.facts),
        "made_at": local_time(made_ms, report.span.zone),
        "notes": list(report.notes),
        "figures": [
            {"name": tile.name, "value": tile.value, "kind": tile.kind, "about": tile.about, "change": tile.change}
            for tile in report.tiles
        ],
    }
    yield orjson.dumps(head)[:-1] + b',"tables":['
    for place, table in enumerate(report.tables):
        described = {
            "title": table.title,
            "columns": [
                {"name": column.full_name, "kind": column.kind, "about": column.about} for column in table.columns
            ],
        }
        yield (b"," if place else b"") + orjson.dumps(described)[:-1] + b',"rows":['
        first = True
        kinds = [column.kind for column in table.columns]
        async for line in lines_of(table):
            cells = [
                local_time(cell, report.span.zone) if kind in ("time", "day") and cell is not None else cell
                for cell, kind in zip(line.cells, kinds, strict=True)
            ]
            row = {"cells": cells} | ({"total": True} if line.style == "total" else {})
            yield (b"" if first else b",") + orjson.dumps(row)
            first = False
        yield b"]}"
    yield b"]}"


async def _html(report: Report, name: str, made_ms: int, head: Letterhead) -> AsyncIterator[bytes]:
    zone = report.span.zone
    tables = []
    notes = list(report.notes)
    for table in report.tables:
        body, number = await _body(table, zone)
        if number > MOST_HTML_ROWS:
            notes.append(f"Only the first {MOST_HTML_ROWS} of {number} rows are shown here; the CSV file has all.")
        tables.append(
            {
                "title": table.title,
                "about": table.about,
                "head": Markup(_head(table.columns)),
                "body": Markup(body),
                "empty": not number,
                "wide": len(table.columns) > _UPRIGHT,
            }
        )
    page = _template().render(
        css=Markup(_read("page.css")),
        head=head,
        wide=any(table["wide"] for table in tables),
        name=name,
        title=report.title,
        long_name=report.long_name,
        span=report.span,
        facts=report.facts,
        tiles=[_tile(tile, zone) for tile in report.tiles],
        plots=[
            {
                "title": plot.title,
                "about": plot.about,
                "svg": Markup(svg.draw(plot, number)),
                "key": svg.key_of(plot),
                "head": svg.rows_of(plot)[0],
                "rows": svg.rows_of(plot)[1],
            }
            for number, plot in enumerate(report.plots)
        ],
        tables=tables,
        notes=notes,
        terms=_terms(report),
        made=clock_time(made_ms, zone),
    )
    yield page.encode("utf-8", "replace")


async def _body(table: Table, zone: str) -> tuple[str, int]:
    """The rows as HTML, and how many there are."""
    out: list[str] = []
    kinds = [column.kind for column in table.columns]
    looks = ["n" if kind in _FIGURES else "t" if kind in ("time", "day") else "x" for kind in kinds]
    first = kinds.index("time") if "time" in kinds else None
    opened = [f'<td class="{look}">' for look in looks]
    number = 0
    async for line in lines_of(table):
        number += 1
        if number > MOST_HTML_ROWS:
            continue
        begin = "" if first is None or line.cells[first] is None else clock_time(line.cells[first], zone)[:10]
        cells = "".join(
            f"{td}{_cell(read(cell, kind, zone, '' if place == first else begin))}</td>"
            for place, (td, cell, kind) in enumerate(zip(opened, line.cells, kinds, strict=True))
        )
        out.append(f'<tr class="{line.style}">{cells}</tr>\n' if line.style else f"<tr>{cells}</tr>\n")
    return "".join(out), number


def _cell(text: str) -> str:
    """A text that may break between words, and after a _; a name such as carrier-a in one piece."""
    shown = escape(text, quote=False)
    if "_" in shown:
        return shown.replace("_", "_<wbr>")
    return f"<span>{shown}</span>" if "-" in shown and " " not in shown and len(shown) <= _ONE_PIECE else shown


def _head(columns: Iterable[Column]) -> str:
    listed = list(columns)
    if not any(column.group for column in listed):
        return f"<tr>{''.join(_heading(column) for column in listed)}</tr>"
    upper, lower = [], []
    place = 0
    while place < len(listed):
        group = listed[place].group
        if not group:
            upper.append(_heading(listed[place], rows=2))
            place += 1
            continue
        begin = place
        while place < len(listed) and listed[place].group == group:
            lower.append(_heading(listed[place]))
            place += 1
        upper.append(f'<th class="group" scope="colgroup" colspan="{place - begin}">{escape(group)}</th>')
    return f"<tr>{''.join(upper)}</tr><tr>{''.join(lower)}</tr>"


def _heading(column: Column, rows: int = 1) -> str:
    look = ' class="n"' if column.kind in _FIGURES else ""
    span = f' rowspan="{rows}"' if rows > 1 else ""
    about = f' title="{escape(column.about)}"' if column.about else ""
    return f'<th scope="col"{look}{span}{about}>{escape(column.name)}</th>'


def _tile(tile: Tile, zone: str) -> dict[str, Any]:
    text = (
        svg.figure(tile.value)
        if tile.kind == "count" and tile.value is not None
        else shown(tile.value, tile.kind, zone)
    )
    shift, way = "", ""
    if tile.change is not None:
        shift = f"{tile.change:+.1%}" if abs(tile.change) >= 0.0005 else "±0 %"
        way = (
            ""
            if not tile.good or abs(tile.change) < 0.0005
            else "up"
            if (tile.change > 0) == (tile.good > 0)
            else "down"
        )
    return {"name": tile.name, "text": text or "–", "about": tile.about, "change": shift, "way": way}


def _terms(report: Report) -> list[tuple[str, str]]:
    """Every figure's definition, once."""
    found: dict[tuple[str, str], None] = {}
    for tile in report.tiles:
        found[tile.name, tile.about] = None
    for table in report.tables:
        for column in table.columns:
            if column.about:
                found[column.full_name, column.about] = None
    return list(found)


@cache
def _template() -> Any:
    return Environment(autoescape=True, trim_blocks=False).from_string(_read("page.html"))


def _read(name: str) -> str:
    return resources.files("pipeline.reports").joinpath(name).read_text(encoding="utf-8")
