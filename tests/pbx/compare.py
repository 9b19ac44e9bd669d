"""A call against what a story expects of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

# Instants of the expected call, in seconds after the story's beginning, and the fields that hold them.
_INSTANTS: Final = {
    "started": "started_at",
    "rang": "rang_at",
    "answered": "answered_at",
    "talk": "talk_started_at",
    "ended": "ended_at",
    "at": "at",
    "joined": "joined_at",
    "left": "left_at",
}
_LISTS: Final = frozenset(("logs", "reroutes", "queue_visits"))
_TOLERANCE_S: Final = 0.06


def differences(
    document: Mapping[str, Any], expect: Mapping[str, Any], t0: float, tolerance_s: float = _TOLERANCE_S
) -> dict[str, tuple[Any, Any]]:
    """What of a call document is not as expected: field → (expected, found). `t0`: epoch seconds of the beginning."""

    def equal(item: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
        return all(_same(item[key], value, tolerance_s) for key, value in expected.items())

    found: dict[str, tuple[Any, Any]] = {}
    for field, expected in expect.items():
        value = _value(document, field, t0)
        if field in _LISTS:
            items = [
                {key: _value(item, key, t0) for key in expected[place]} for place, item in _paired(value, expected)
            ]
            same = len(value) == len(expected) and all(map(equal, items, expected))
            if not same:
                keys = {key for item in expected for key in item} or {"kind", "number", "from", "to"}
                found[field] = (expected, [{key: _value(item, key, t0) for key in sorted(keys)} for item in value])
        elif not _same(value, expected, tolerance_s):
            found[field] = (expected, value)
    return found


def _paired(items: list[Any], expected: list[Any]) -> list[tuple[int, Any]]:
    return list(enumerate(items[: len(expected)]))


def _same(value: Any, expected: Any, tolerance_s: float) -> bool:
    if isinstance(expected, (int, float)) and isinstance(value, (int, float)):
        return abs(value - expected) <= tolerance_s
    return bool(value == expected) or (not value and not expected and value != 0 and expected != 0)


def _value(item: Mapping[str, Any], field: str, t0: float) -> Any:
    if field == "caller":
        return item["caller"]["number"]
    if field in _INSTANTS:
        told = item.get(_INSTANTS[field])
        return None if told is None else round(dt.datetime.fromisoformat(told).timestamp() - t0, 3)
    if field.endswith("_s"):
        ms = item.get(field[:-2] + "_ms")
        return None if ms is None else ms / 1000
    return item.get(field)
