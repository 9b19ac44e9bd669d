"""The course of a period: calls by stretches of time and outcome, and by hour and weekday."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from markupsafe import Markup

from pipeline.instants import DAY_MS, instant
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.measured import Asker, Span, step_of
from pipeline.query.ui.frame.plots import Column, columns
from pipeline.query.ui.frame.session import Visitor
from schemas.call import rfc3339

# Tone → what it stands for, and the statuses in it. A call in progress has none.
OUTCOMES: Final = {
    "good": (N_("Answered"), ("answered",)),
    "calm": (N_("Voicemail"), ("voicemail",)),
    "warn": (N_("Not answered"), ("no_answer", "busy", "cancelled")),
    "bad": (N_("Failed or lost"), ("failed", "abandoned")),
    "live": (N_("In progress"), (None, "")),
}
_TONES: Final = {status: tone for tone, (_, statuses) in OUTCOMES.items() for status in statuses}
_HEAT: Final = 6


@dataclass(frozen=True, slots=True)
class Stretch:
    """Calls of a stretch of time by tone. `link`: the query of its calls."""

    label: str
    counts: Mapping[str, int]
    link: str

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Cell:
    """An hour of a weekday: its calls, how hot it is (0 to 6), the query of its calls where it is one stretch."""

    calls: int
    heat: int
    link: str


def link_of(first: int, end: int, more: Sequence[tuple[str, str]] = ()) -> str:
    """The query of the calls that began in [first, end) ms."""
    return urlencode([("from", str(rfc3339(first))), ("to", str(rfc3339(end))), *more])


async def course_of(asker: Asker, span: Span, more: Sequence[tuple[str, str]]) -> list[Stretch]:
    """The stretches of the period, empty ones too."""
    step = step_of(span)
    found: dict[tuple[int, int], dict[str, int]] = {}
    for row in await asker.rows(span, ["calls"], ["status"], bucket=step):
        first, end = instant(row["bucket"]), instant(row["bucket_end"])
        counts = found.setdefault((max(first, span[0]), min(end, span[1])), dict.fromkeys(OUTCOMES, 0))
        counts[_TONES.get(row["status"], "warn")] += row["calls"]
    figures = asker.visitor.figures
    label = figures.minute if "minute" in step or step == "hour" else figures.short_day
    several = span[1] - span[0] > DAY_MS + DAY_MS // 12 and step == "hour"
    return [
        Stretch(
            f"{figures.short_day(first)} {label(first)}" if several else label(first), counts, link_of(first, end, more)
        )
        for (first, end), counts in sorted(found.items())
    ]


def drawn(visitor: Visitor, stretches: Sequence[Stretch]) -> Markup:
    """The stretches as stacked columns that lead to their calls."""
    say, figures = visitor.language.say, visitor.figures
    shown = []
    for each in stretches:
        said = ", ".join(
            f"{say(name)} {figures.number(each.counts[tone])}"
            for tone, (name, _) in OUTCOMES.items()
            if each.counts[tone]
        )
        parts = tuple((tone, float(count)) for tone, count in each.counts.items())
        shown.append(Column(each.label, parts, said or "0", f"/ui/calls?{each.link}" if each.total else ""))
    return columns(say(N_("Calls over time, by outcome")), shown, height=220)


def outcome_filter(tone: str) -> list[tuple[str, str]]:
    """The filter of the calls of a tone."""
    statuses = [status for status in OUTCOMES[tone][1] if status]
    return [("status", status) for status in statuses] or [("state", "open")]


async def heat_of(asker: Asker, span: Span, more: Sequence[tuple[str, str]]) -> list[list[Cell]]:
    """Calls by weekday (Monday first) and hour; nothing for less than two days, of which the course says it all. Of a
    week at most each cell is one hour, and leads to its calls."""
    length = span[1] - span[0]
    if length < 2 * DAY_MS - DAY_MS // 12:
        return []
    counts = [[0] * 24 for _ in range(7)]
    stretches: dict[tuple[int, int], Span] = {}
    if length <= 7 * DAY_MS + DAY_MS // 24:
        for row in await asker.rows(span, ["calls"], bucket="hour"):
            first, end = instant(row["bucket"]), instant(row["bucket_end"])
            local = asker.visitor.figures.local(first)
            assert local is not None
            day, hour = local.weekday(), local.hour
            counts[day][hour] += row["calls"]
            begun, ended = stretches.get((day, hour), (first, end))
            stretches[day, hour] = (min(begun, first), max(ended, end))
    else:
        for row in await asker.rows(span, ["calls"], ["day_of_week", "hour_of_day"]):
            counts[int(row["day_of_week"]) - 1][int(row["hour_of_day"])] += row["calls"]
    most = max(map(max, counts))
    if not most:
        return []
    found = []
    for day, hours in enumerate(counts):
        cells = []
        for hour, calls in enumerate(hours):
            at = stretches.get((day, hour))
            single = at is not None and at[1] - at[0] <= DAY_MS // 12
            link = link_of(max(at[0], span[0]), min(at[1], span[1]), more) if at and single and calls else ""
            cells.append(Cell(calls, -(-calls * _HEAT // most), link))
        found.append(cells)
    return found


def kept(filter_: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A filter of equalities as it stands in a URL."""
    return [(name, str(value)) for name, values in filter_.items() for value in values]
