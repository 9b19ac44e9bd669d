"""A deck written as CSV is read as the same deck."""

from __future__ import annotations

import msgspec

from pipeline.rating.deck import Line
from pipeline.rating.deck_file import COLUMNS, parse_csv
from pipeline.rating.deck_text import csv_of

TEXT = (
    ",".join(COLUMNS)
    + '''
44,"United Kingdom, ""all""",0.01,60,0.06,6,0.03,5,3,10,0.02,2025-01-01,2025-12-31,GBP,peak
44,United Kingdom,,,0.00000001,,,,,,,2025-07-01T00:00:00Z,,GBP,
"49, 43",=Germany,,,0.04,,,,,,,,,EUR,
*,Elsewhere,,,999999999999.5,,,,,,,,,EUR,
'''
)


def plain(lines: list[Line]) -> list[Line]:
    """Without the lines' places in their file."""
    return [msgspec.structs.replace(line, number=0) for line in lines]


def test_it_is_read_as_the_same_deck() -> None:
    lines = parse_csv(TEXT, "retail")
    assert len(lines) == 5
    assert plain(parse_csv(csv_of(lines), "again")) == plain(lines)
