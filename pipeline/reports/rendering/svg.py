"""Plots as SVG inside a page: no script, colours from the page's style sheet, a title for every mark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from itertools import count

from pipeline.reports.rendering.plots import WEEKDAYS, Bars, HeatMap, Plot, Trend

_WIDTH = 720  # of a heat map
_TREND_WIDTH, _TREND_HEIGHT = 1080, 250
_BARS_WIDTH, _BAR_HEIGHT = 500, 32
_LEFT, _RIGHT, _TOP = 52, 8, 12


def draw(plot: Plot, number: int) -> str:
    """One plot. `number` makes its ids unique in the page."""
    match plot:
        case Trend():
            look, width, height, parts = "trend", _TREND_WIDTH, _TREND_HEIGHT, list(_trend(plot))
        case HeatMap():
            look, width, height, parts = "map", _WIDTH, 7 * 24 + 48, list(_heat_map(plot))
        case Bars():
            look, width, parts = "bars", _BARS_WIDTH, list(_bars(plot))
            height = _BAR_HEIGHT * max(1, len(plot.bars)) + 4
    return (
        f'<svg class="{look}" viewBox="0 0 {width} {height}" role="img" aria-labelledby="t{number} d{number}">'
        f'<title id="t{number}">{escape(plot.title)}</title><desc id="d{number}">{escape(plot.about)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def key_of(plot: Plot) -> list[tuple[str, str]]:
    """(tone, meaning) of the colours in a plot, when it needs a key."""
    match plot:
        case Trend():
            return [(series.tone, series.name) for series in plot.series] if len(plot.series) > 1 else []
        case Bars():
            return list(plot.key)
        case HeatMap():
            return []


def rows_of(plot: Plot) -> tuple[list[str], list[list[str]]]:
    """The plot's figures as a table: headings and rows."""
    match plot:
        case Trend():
            head = ["", *(series.name for series in plot.series)]
            return head, [
                [label, *(figure(series.values[place]) for series in plot.series)]
                for place, label in enumerate(plot.labels)
            ]
        case HeatMap():
            head = ["", *(f"{hour:02d}" for hour in range(24))]
            return head, [
                [WEEKDAYS[day], *(figure(value) for value in values)] for day, values in enumerate(plot.values)
            ]
        case Bars():
            names = [meaning for _, meaning in plot.key] or [""]
            return ["", *names], [[bar.name, *(figure(value) for _, value in bar.parts)] for bar in plot.bars]


def figure(value: float) -> str:
    """A figure with thin spaces between thousands."""
    text = f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
    return text.replace(",", "\u202f")


def _trend(plot: Trend) -> Iterator[str]:
    base = _TREND_HEIGHT - 30
    totals = [sum(values) for values in zip(*(series.values for series in plot.series), strict=True)]
    top, ticks = _scale(max(totals, default=0))
    scale = (base - _TOP) / top
    for tick in ticks:
        y = base - tick * scale
        yield f'<line class="grid" x1="{_LEFT}" x2="{_TREND_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="axis" x="{_LEFT - 6}" y="{y + 5:.1f}" text-anchor="end">{figure(tick)}</text>'
    step = (_TREND_WIDTH - _LEFT - _RIGHT) / max(1, len(plot.labels))
    width = min(44.0, max(1.0, step * 0.74))
    for place, label in enumerate(plot.labels):
        x = _LEFT + step * place + (step - width) / 2
        said = ", ".join(f"{series.name} {figure(series.values[place])}" for series in plot.series)
        yield f"<g><title>{escape(label)}: {figure(totals[place])} ({escape(said)})</title>"
        yield f'<rect class="hit" x="{_LEFT + step * place:.1f}" y="{_TOP}" width="{step:.2f}" height="{base - _TOP}"/>'
        y = float(base)
        for series in plot.series:
            if series.values[place]:
                tall = series.values[place] * scale
                y -= tall
                yield f'<rect class="{series.tone}" x="{x:.1f}" y="{y:.2f}" width="{width:.2f}" height="{tall:.2f}"/>'
        yield "</g>"
    for place in _some(len(plot.labels), 12) if plot.labels else ():
        x = _LEFT + step * (place + 0.5)
        label = escape(_short(plot.labels[place]))
        yield f'<text class="axis" x="{x:.1f}" y="{base + 21}" text-anchor="middle">{label}</text>'


def _heat_map(plot: HeatMap) -> Iterator[str]:
    cell_w, cell_h = (_WIDTH - _LEFT - _RIGHT) / 24, 24
    most = max((value for row in plot.values for value in row), default=0) or 1
    for hour in range(0, 24, 2):
        yield (
            f'<text class="axis" x="{_LEFT + cell_w * (hour + 0.5):.1f}" y="{7 * cell_h + 18}"'
            f' text-anchor="middle">{hour:02d}</text>'
        )
    for day, row in enumerate(plot.values):
        yield f'<text class="axis" x="{_LEFT - 8}" y="{day * cell_h + 16}" text-anchor="end">{WEEKDAYS[day]}</text>'
        for hour, value in enumerate(row):
            shade = 0.06 + 0.94 * math.sqrt(value / most) if value else 0
            look = f'class="heat" fill-opacity="{shade:.2f}"' if value else 'class="none"'
            yield (
                f'<rect {look} x="{_LEFT + cell_w * hour + 1:.1f}" y="{day * cell_h + 1}" width="{cell_w - 2:.1f}"'
                f' height="{cell_h - 2}" rx="3"><title>{WEEKDAYS[day]} {hour:02d}:00–{hour:02d}:59:'
                f" {figure(value)} {escape(plot.unit)}</title></rect>"
            )
    x = float(_LEFT)
    y = 7 * cell_h + 30
    yield f'<text class="axis" x="{x}" y="{y + 10}">0</text>'
    for place in range(9):
        x = _LEFT + 14 + place * 16
        shade = 0.06 + 0.94 * math.sqrt(place / 8)
        yield f'<rect class="heat" fill-opacity="{shade:.2f}" x="{x}" y="{y}" width="16" height="11"/>'
    yield f'<text class="axis" x="{x + 22}" y="{y + 10}">{figure(most)} {escape(plot.unit)}</text>'


def _bars(plot: Bars) -> Iterator[str]:
    longest = max((len(_cut(bar.name, 20)) for bar in plot.bars), default=0)
    said = max((len(bar.text or figure(sum(value for _, value in bar.parts))) for bar in plot.bars), default=0)
    name_w, text_w = 18 + longest * 8, 16 + said * 7
    most = plot.whole or max((sum(value for _, value in bar.parts) for bar in plot.bars), default=0) or 1
    room = _BARS_WIDTH - name_w - text_w
    for place, bar in enumerate(plot.bars):
        y = place * _BAR_HEIGHT + 4
        text = bar.text or figure(sum(value for _, value in bar.parts))
        yield f"<g><title>{escape(bar.name)}: {escape(text)}</title>"
        yield f'<text x="{name_w - 10}" y="{y + 15}" text-anchor="end">{escape(_cut(bar.name, 20))}</text>'
        yield f'<rect class="track" x="{name_w}" y="{y}" width="{room}" height="20" rx="4"/>'
        x = float(name_w)
        for tone, value in bar.parts:
            wide = value / most * room
            if wide > 0:
                yield f'<rect class="{tone}" x="{x:.1f}" y="{y}" width="{max(wide, 1.5):.1f}" height="20" rx="4"/>'
            x += wide
        yield f'<text x="{name_w + room + 10}" y="{y + 15}">{escape(text)}</text></g>'


def _scale(most: float) -> tuple[float, Sequence[float]]:
    """The top of an axis and its ticks: 1, 2 or 5 times a power of ten."""
    if most <= 0:
        return 1, (0, 1)
    step = 10 ** math.floor(math.log10(most / 4)) if most >= 4 else 1
    step = next(step * factor for factor in (1, 2, 5, 10) if most / (step * factor) <= 5)
    ticks = []
    for place in count():
        ticks.append(place * step)
        if ticks[-1] >= most:
            return ticks[-1], ticks
    raise AssertionError


def _some(number: int, most: int) -> range:
    return range(0, number, max(1, math.ceil(number / most)))


def _short(label: str) -> str:
    """A date without its year; an hour of a day without both, unless it begins the day."""
    if len(label) == 16:
        return label[11:] if label[11:] != "00:00" else label[5:10]
    return label[5:] if len(label) == 10 and label[4] == "-" else _cut(label, 12)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
