"""ipcortex' `scope`: which time, whose calls, and how they are shown.

Days are the tenant's own. `month` and `year` are the whole month; with `day`, it is that day, or `days`
of them: from it onwards, or up to it, as the service is set.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipeline.query.http.bodies import shown
from pipeline.query.http.problems import invalid
from pipeline.query.local_time import midnight_ms

_MOST_DAYS: Final = 366
_MOST_ITEMS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Scope:
    """What a report is asked for. `companies` None: the report's own default; lists empty: all."""

    first_ms: int
    end_ms: int
    companies: tuple[str, ...] | None = None
    extensions: tuple[str, ...] = ()
    deviceids: tuple[str, ...] = ()
    merge: bool = False
    recalc: bool = False
    detail: bool = False


def scope_of(body: Mapping[str, Any], zone: ZoneInfo, *, back: bool, monthly: bool = False) -> Scope:
    """The scope of a request's body. `back`: several days end with `day`; `monthly`: days are not asked for."""
    if body.get("type") not in (None, "cdr"):
        raise invalid("type", shown(body["type"]), "is not cdr")
    scope = body.get("scope")
    if not isinstance(scope, Mapping):
        raise invalid("scope", None, 'is missing or no object; send {"type": "cdr", "scope": {"year": …, "month": …}}')
    first, end = _days(scope, back=back, monthly=monthly)
    return Scope(
        first_ms=midnight_ms(first, zone),
        end_ms=midnight_ms(end, zone),
        companies=_list(scope, "company"),
        extensions=_list(scope, "extensions") or (),
        deviceids=_list(scope, "deviceids") or (),
        merge=_truth(scope, "keeviomerge"),
        recalc=_truth(scope, "recalc"),
        detail=_truth(scope, "detail"),
    )


def _days(scope: Mapping[str, Any], *, back: bool, monthly: bool) -> tuple[dt.date, dt.date]:
    """The first day, and the one behind the last."""
    year, month = _whole(scope, "year", 1970, 2200), _whole(scope, "month", 1, 12)
    if year is None or month is None:
        raise invalid("scope.year" if year is None else "scope.month", None, "is missing; month and year are needed")
    first = dt.date(year, month, 1)
    following = (first + dt.timedelta(days=31)).replace(day=1)
    day = None if monthly else _whole(scope, "day", 1, 31)
    if day is None:
        return first, following
    if day > (following - first).days:
        raise invalid("scope.day", str(day), f"is no day of {first:%Y-%m}")
    days = _whole(scope, "days", 1, _MOST_DAYS) or 1
    at = first.replace(day=day)
    one = dt.timedelta(days=1)
    return (at - (days - 1) * one, at + one) if back else (at, at + days * one)


def _whole(scope: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    value = scope.get(name)
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,9}\s*", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise invalid(f"scope.{name}", shown(value), f"is no whole number from {least} to {most}")
    return value


def _list(scope: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    """A text, a number or a list of them; None when there is none."""
    value = scope.get(name)
    if value is None:
        return None
    items = value if isinstance(value, list) else [value]
    if not items or "" in items:
        raise invalid(f"scope.{name}", None, "is empty; name one, or leave it out")
    if len(items) > _MOST_ITEMS:
        raise invalid(f"scope.{name}", None, f"has {len(items)} items; send at most {_MOST_ITEMS}")
    for each in items:
        if isinstance(each, bool) or not isinstance(each, str | int) or "\0" in str(each):
            raise invalid(f"scope.{name}", shown(each), "is no text; send a text or a list of texts")
    return tuple(str(each) for each in items)


def _truth(scope: Mapping[str, Any], name: str) -> bool:
    value = scope.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    word = str(value).lower()
    if word not in ("0", "1", "true", "false", ""):
        raise invalid(f"scope.{name}", shown(value), "is neither true nor false")
    return word in ("1", "true")
