"""Plots as SVG that the style sheet colours; they need no script, and their figures stand in their titles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

_WIDTH: Final = 960
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 4, 10, 22
_LABELS: Final = 12


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its label below, its parts from below upwards as (tone, value), what it says, where it leads to."""

    label: str
    parts: tuple[tuple[str, float], ...]
    said: str = ""
    link: str = ""

    @property
    def height(self) -> float:
        return sum(value for _, value in self.parts)


def columns(
    title: str,
    shown: Sequence[Column],
    *,
    height: int = 200,
    width: int = _WIDTH,
    bound: float = 0,
    bound_name: str = "",
) -> Markup:
    """Stacked columns over time. Not every column has room for its label. `bound`: where a line says that there is an
    end, called `bound_name`; 0 for none."""
    top = nice(max([bound, *(each.height for each in shown)]))
    inner = height - _TOP - _BOTTOM
    wide = (width - _LEFT - _RIGHT) / max(1, len(shown))
    gap = min(2.0, wide / 5)
    every = -(-len(shown) * _WIDTH // (_LABELS * width)) if shown else 1
    parts = []
    for step in range(3):
        value = top * step / 2
        y = round(_TOP + inner * (1 - step / 2), 1)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>')
    for place, each in enumerate(shown):
        x, y = round(_LEFT + place * wide + gap / 2, 1), float(_TOP + inner)
        bars = []
        for tone, value in each.parts:
            tall = inner * value / top
            y -= tall
            if value:
                bars.append(
                    f'<rect class="fill-{tone}" x="{x}" y="{y:.1f}" width="{wide - gap:.1f}" height="{tall:.1f}"/>'
                )
        said = escape(f"{each.label}: {each.said or format(each.height, 'g')}")
        body = f"<g><title>{said}</title>{''.join(bars)}</g>"
        parts.append(f'<a href="{escape(each.link)}">{body}</a>' if each.link else body)
        if place % every == 0:
            middle = round(x + (wide - gap) / 2, 1)
            parts.append(f'<text x="{middle}" y="{height - 6}" text-anchor="middle">{escape(each.label)}</text>')
    if bound:
        y, right = round(_TOP + inner * (1 - bound / top), 1), width - _RIGHT
        parts.append(f'<line class="bound" x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}"/>')
        name = f'<text class="bound-of" x="{right}" y="{y + 12:.1f}" text-anchor="end">{escape(bound_name)}</text>'
        parts.append(name)
    role = "group" if any(each.link for each in shown) else "img"
    return Markup(
        f'<svg class="plot" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="{role}"'
        f' aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def nice(value: float) -> float:
    """A round number that is no less: 1, 2, 4, 5 or 10 times a power of ten, 2 at least."""
    power = 1.0
    while True:
        for step in (1, 2, 4, 5):
            if step * power >= max(value, 2):
                return step * power
        power *= 10
