"""Decks as CSV, to be changed and read again: what `deck_file` reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Final

from pipeline.rating.deck import Line
from pipeline.rating.deck_file import COLUMNS
from pipeline.rating.formula import text

_TERMS: Final = COLUMNS[2:11]


def csv_of(lines: Iterable[Line]) -> str:
    """The lines with their header; `parse_csv` makes the same lines of it."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        terms = (getattr(line.terms, name) for name in _TERMS)
        texts = [str(term) if isinstance(term, int) else text(term) for term in terms]
        writer.writerow([line.prefix or "*", line.destination, *texts, line.first, line.last, line.currency, line.band])
    return written.getvalue()
