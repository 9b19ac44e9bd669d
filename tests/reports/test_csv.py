"""Reports as CSV: what comes from outside runs nothing in a spreadsheet, and figures stay figures."""

from __future__ import annotations

import csv
import io

from pipeline.reports.ranges import Span
from pipeline.reports.rendering.render import render
from pipeline.reports.rendering.table import Column, Line, Report, Table

FORMULAS = ["=1+1", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", " =1", "\n=1", "+5*6", "-1-2"]
PLAIN = ["+441632960123", "+4416****0123", "+44 1****-123", "01632960123", "O'Neil", "1+1", "", "-"]


async def test_names_are_no_formulas() -> None:
    columns = (Column("Name"), Column("Margin", "money"), Column("Change", "percent"))
    lines = [Line((text, "-0.25", -0.5)) for text in FORMULAS + PLAIN]
    report = Report("t", "T", "T", Span(0, 1, "UTC"), (Table(columns, lines),))
    body = b"".join([piece async for piece in render(report, "csv", made_ms=0)]).decode()
    rows = list(csv.DictReader(io.StringIO(body, newline="")))
    assert [row["Name"] for row in rows] == [*(f"'{text}" for text in FORMULAS), *PLAIN]
    assert {row["Margin"][:1] + row["Change"][:1] for row in rows} == {"--"}
