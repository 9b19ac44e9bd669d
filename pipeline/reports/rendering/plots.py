"""Plots as data; `pipeline.reports.rendering.svg` draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Series:
    """Values of a trend, one a bucket. `tone` names its colour."""

    name: str
    values: Sequence[float]
    tone: str = "a"


@dataclass(frozen=True, slots=True)
class Trend:
    """Stacked columns over time."""

    title: str
    about: str
    labels: Sequence[str]
    series: Sequence[Series]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Weekday by hour: `values[weekday][hour]`, Monday first."""

    title: str
    about: str
    values: Sequence[Sequence[float]]
    unit: str = "calls"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, of parts side by side: (tone, value)."""

    name: str
    parts: Sequence[tuple[str, float]]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars across, longest first as a rule. `key`: (tone, meaning) of the parts when there are several. `whole`: what a
    bar of the full width is, for shares of it; 0 for the longest bar."""

    title: str
    about: str
    bars: Sequence[Bar]
    key: Sequence[tuple[str, str]] = ()
    whole: float = 0


Plot = Trend | HeatMap | Bars
