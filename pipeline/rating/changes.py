"""The difference between two versions of a deck. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.rating.deck import Line
from pipeline.rating.formula import Terms, text

_Key = tuple[str, str, str]  # prefix, beginning, band


def difference(before: Iterable[Line], after: Iterable[Line]) -> list[dict[str, Any]]:
    """Lines that are new, removed or changed, by prefix; `fields` tells what, `percent` how far the minute went."""
    old = {_key(line): line for line in before}
    new = {_key(line): line for line in after}
    rows = []
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        if was is None or now is None or _said(was) != _said(now):
            line = now or was
            assert line is not None
            rows.append(
                {
                    "change": "new" if was is None else "removed" if now is None else "changed",
                    "prefix": line.prefix or "*",
                    "destination": line.destination,
                    "effective_from": line.first,
                    "time_band": line.band,
                    "fields": _fields(was, now),
                    "percent": _percent(was, now),
                }
            )
    return rows


def _key(line: Line) -> _Key:
    return line.prefix, line.first, line.band


def _said(line: Line) -> tuple[object, ...]:
    return line.destination, line.terms, line.currency, line.last


def _named(line: Line | None) -> dict[str, str]:
    if line is None:
        return {}
    terms = {name: str(getattr(line.terms, name)) for name in Terms.__dataclass_fields__}
    return {"destination": line.destination, "currency": line.currency, "effective_to": line.last} | terms


def _fields(was: Line | None, now: Line | None) -> str:
    line = now or was
    assert line is not None
    if was is None or now is None:
        return f"price_1: {text(line.terms.price_1)}; price_n: {text(line.terms.price_n)}"
    old, new = _named(was), _named(now)
    return "; ".join(
        f"{name}: {old[name] or '-'} -> {new[name] or '-'}"
        for name in old
        if getattr(was.terms, name, old[name]) != getattr(now.terms, name, new[name])
    )


def _percent(was: Line | None, now: Line | None) -> str | None:
    if was is None or now is None or was.terms.price_n == now.terms.price_n or not was.terms.price_n:
        return None
    return f"{(now.terms.price_n / was.terms.price_n - 1) * 100:+.1f} %"
