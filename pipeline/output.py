"""Rows on standard output: as a table for people, as JSON, NDJSON or CSV for programs."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from rich.progress import Progress


class Output(StrEnum):
    """The forms in which commands print rows."""

    table = "table"
    json = "json"
    ndjson = "ndjson"
    csv = "csv"


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], form: Output) -> None:
    """Print `rows` with these columns. JSON and NDJSON keep every key of a row, not only `columns`."""
    if form is Output.ndjson:
        for row in rows:
            print_json(row)
    elif form is Output.json:
        sys.stdout.write(orjson.dumps(list(rows), option=orjson.OPT_INDENT_2, default=str).decode() + "\n")
    elif form is Output.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(["" if row.get(column) is None else row[column] for column in columns] for row in rows)
    else:
        _print_table(rows, columns)


def print_json(value: Any) -> None:
    """One JSON value on one line."""
    sys.stdout.write(orjson.dumps(value, default=str).decode() + "\n")


def _print_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*("" if row.get(column) is None else str(row[column]) for column in columns))
    Console().print(table)


def progress_bar(show: bool = True) -> Progress:
    """A progress bar on stderr, drawn where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Remaining

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        Remaining(),
        console=Console(stderr=True),
        disable=not (show and sys.stderr.isatty()),
    )
