"""Rows that were computed here as a Parquet file. ClickHouse writes it, as it writes the files of lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.reader import Reader

# Kind of a column → what its values are in JSON, and what becomes of them.
_READ_AS: Final[Mapping[str, str]] = {
    "text": "Nullable(String)",
    "whole": "Nullable(Int64)",
    "fraction": "Nullable(Float64)",
    "truth": "Nullable(Bool)",
    "instant": "Nullable(Int64)",  # ms since the epoch
}


async def parquet_of(reader: Reader, name: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A file of the rows, in their order. `columns`: name → kind (text, whole, fraction, truth, instant); names are of
    the program. Raises what `Reader.rows` raises."""
    bindings = Bindings()
    lines = bindings.bind_list([orjson.dumps([row[each] for each in columns]).decode() for row in rows], "String")
    shape = ", ".join(_READ_AS[kind] for kind in columns.values())
    shown = []
    for place, (column, kind) in enumerate(columns.items(), start=1):
        value = f"tupleElement(row, {place})"
        shown.append(f"{f'fromUnixTimestamp64Milli({value}, {_UTC})' if kind == 'instant' else value} AS `{column}`")
    return await reader.body(
        name,
        f"SELECT {', '.join(shown)} FROM (SELECT JSONExtract(arrayJoin({lines}), 'Tuple({shape})') AS row)",
        bindings.values,
        "Parquet",
        {"max_threads": 1},  # in order
    )


_UTC: Final = "'UTC'"
