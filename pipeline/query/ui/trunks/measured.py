"""What is measured of trunks: as a whole, by hour of the day, over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.directory.model import Directory
from pipeline.instants import instant
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.measured import Asker, Span, step_of

MOST: Final = 40
_CARRIED: Final = {"trunk": {"exists": True}}
MEASURES: Final = (
    *("calls", "asr", "ner", "acd_ms", "pdd_avg_ms", "pdd_p95_ms"),
    *("mos_avg", "quality_calls", "peak_calls"),
)
# What the grid of trunks and hours can show: measure → its name, and how it is written.
GRID: Final = {
    "calls": (N_("Calls"), "number"),
    "asr": ("ASR", "percent"),
    "ner": ("NER", "percent"),
    "acd_ms": ("ACD", "duration"),
    "pdd_avg_ms": ("PDD", "seconds"),
    "mos_avg": ("MOS", "mos"),
}
_HEAT: Final = 6


@dataclass(frozen=True, slots=True)
class Over:
    """A stretch of time, [first, end) ms, and its measures."""

    first: int
    end: int
    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """A trunk by the hours of the day: (value, heat from 0 to 6), None where there was no call."""

    trunk: str
    cells: tuple[tuple[float, int] | None, ...]


async def trunks_of(asker: Asker, directory: Directory, span: Span) -> list[dict[str, Any]]:
    """The trunks that carried calls, with their carriers and channels, as `/v1/aggregate` has them."""
    rows = await asker.rows(span, MEASURES, ["trunk"], where=_CARRIED, order="-calls", limit=MOST)
    found = []
    for row in rows:
        known = directory.trunks.get(row["trunk"])
        about = {"carrier": known.carrier if known else "", "channels": known.channels if known else 0}
        found.append(row | about)
    return found


async def over_time(asker: Asker, span: Span) -> list[Over]:
    """The measures of all of them, or of the one that is chosen, in the stretches of the period."""
    rows = await asker.rows(span, MEASURES, bucket=step_of(span), where=_CARRIED)
    return [Over(max(instant(row["bucket"]), span[0]), min(instant(row["bucket_end"]), span[1]), row) for row in rows]


async def values_of(asker: Asker, span: Span, measure: str) -> dict[tuple[str, int], Any]:
    """One measure of each trunk in each hour of the day."""
    rows = await asker.rows(span, [measure], ["trunk", "hour_of_day"], where=_CARRIED)
    return {(row["trunk"], int(row["hour_of_day"])): row[measure] for row in rows}


def grid_of(values: Mapping[tuple[str, int], Any], trunks: Sequence[str]) -> list[Line]:
    """The values as lines of these trunks."""
    most = max((float(value) for value in values.values() if value is not None), default=0.0)
    found = []
    for trunk in trunks:
        cells = []
        for hour in range(24):
            value = values.get((trunk, hour))
            heat = 0 if not most or value is None else -(-float(value) * _HEAT // most)
            cells.append(None if value is None else (float(value), int(heat)))
        found.append(Line(trunk, tuple(cells)))
    return found
