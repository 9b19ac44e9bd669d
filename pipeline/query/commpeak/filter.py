"""CommPeak's `filter` object: which calls.

`start_at` and `end_at` are required, UTC, both ends included; a date alone is the whole day. Lists are alternatives;
telephone numbers in them are compared by their digits. An empty value is refused. Durations take
conditions `value;operator`, several of them, all of which hold, behind `|`: `5;>|9999;<` is longer than 5 s and
shorter than 9999 s.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pipeline.query.commpeak import columns
from pipeline.query.http.bodies import shown
from pipeline.query.http.problems import invalid
from pipeline.query.same_number import all_spellings
from pipeline.rating.numbers import Numbering
from pipeline.warehouse.query.expressions import NOTHING, All, Any_, Column, Compare, In, Literal, Node, Not

OPERATORS: Final = {">": "gt", ">=": "ge", "<": "lt", "<=": "le", "=": "eq", "!=": "ne"}
_TIME: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d))?", re.ASCII)
_MOST_VALUES: Final = 10_000


def filter_of(given: Any, numbering: Numbering) -> tuple[int, int, Node]:
    """First instant and the one behind the last, ms, and which calls between them. `numbering`: how the tenant's
    numbers are written."""
    if not isinstance(given, dict):
        raise invalid("filter", None, 'is missing or no object; send {"start_at": …, "end_at": …}')
    if "strat_at" in given:
        raise invalid("filter.strat_at", None, "is no field; it is spelled start_at")
    for name in given:
        if name not in ("start_at", "end_at", *_READERS):
            raise invalid(
                f"filter.{name[:80]}", None, f"is no field; there are start_at, end_at, {', '.join(_READERS)}"
            )
    (first, _), (last, end) = _time(given, "start_at"), _time(given, "end_at")
    if last < first:
        raise invalid("filter.end_at", given["end_at"], f"is earlier than start_at {given['start_at']!r}; swap them")
    readers = _READERS | {name: _numbers(column, numbering) for name, column in _NUMBERS.items()}
    parts = [readers[name](name, given[name]) for name in _READERS if given.get(name) is not None]
    return first, end, All(tuple(parts))


def span_ms(field: str, text: object) -> tuple[int, int]:
    """The second that `YYYY-MM-DD HH:MM:SS` names, UTC, or the day of a date alone: [first, end) in ms."""
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    try:
        if match is None:
            raise ValueError
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
        at = dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC)
        if not 1900 < year < 2299:
            raise ValueError
    except ValueError:
        raise invalid(field, shown(text), "is no time; write it like 2024-08-20 00:00:00, in UTC") from None
    first = int(at.timestamp()) * 1000
    return first, first + (1000 if match[4] else 86_400_000)


def conditions(field: str, value: object, column: Column) -> Node:
    """`value;operator`, or several behind `|`, which all hold. Without operator, equality."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise invalid(field, shown(value), 'is no condition; write it like "5;>" or "5;>|60;<"')
    alternatives: set[int] | None = None
    refused: set[int] = set()
    bounds: dict[str, int] = {}
    for condition in str(value).split("|"):
        number, _, sign = (part.strip() for part in condition.partition(";"))
        if not re.fullmatch(r"\d{1,9}", number, re.ASCII) or (sign or "=") not in OPERATORS:
            raise invalid(field, shown(value), f"is no number of seconds, then ; and one of {' '.join(OPERATORS)}")
        seconds, operator = int(number), OPERATORS[sign or "="]
        if operator == "eq":
            alternatives = {seconds} if alternatives is None else alternatives & {seconds}
        elif operator == "ne":
            refused.add(seconds)
        else:
            bounds[operator] = (max if operator in ("gt", "ge") else min)(bounds.get(operator, seconds), seconds)
    parts: list[Node] = [Compare(name, column, Literal(str(each), quoted=False)) for name, each in bounds.items()]
    if alternatives is not None:
        parts.append(In(column, _literals(alternatives)) if alternatives else NOTHING)
    if refused:
        parts.append(Not(In(column, _literals(refused))))
    return All(tuple(parts))


def _literals(numbers: Iterable[int]) -> tuple[Literal, ...]:
    return tuple(Literal(str(number), quoted=False) for number in sorted(numbers))


def _time(given: Mapping[str, Any], name: str) -> tuple[int, int]:
    value = given.get(name)
    if value is None:
        raise invalid(f"filter.{name}", None, "is missing; write it like 2024-08-20 00:00:00, in UTC")
    return span_ms(f"filter.{name}", value)


def _values(name: str, value: Any) -> list[Any]:
    """A value or a list of values: texts and whole numbers."""
    values = value if isinstance(value, list) else [value]
    if not values or "" in values:
        raise invalid(f"filter.{name}", None, "is empty; name a value, or leave the field out")
    if len(values) > _MOST_VALUES:
        raise invalid(f"filter.{name}", None, f"has {len(values)} values; send at most {_MOST_VALUES}")
    for each in values:
        if isinstance(each, bool) or not isinstance(each, str | int):
            raise invalid(f"filter.{name}", shown(each), "is neither text nor whole number, nor a list of such")
        if isinstance(each, str) and ("\0" in each or re.search(r";\s*(?:[<>]=?|!?=)\s*$", each)):
            raise invalid(f"filter.{name}", each, "has an operator or NUL; it takes values only")
    return values


def _alternatives(column: Column) -> Callable[[str, Any], Node]:
    def read(name: str, value: Any) -> Node:
        return In(column, tuple(Literal(str(each)) for each in _values(name, value)))

    return read


def _numbers(column: Column, numbering: Numbering) -> Callable[[str, Any], Node]:
    """Telephone numbers, whichever way they are written."""

    def read(name: str, value: Any) -> Node:
        numbers = all_spellings((str(each) for each in _values(name, value)), numbering)
        return In(column, tuple(Literal(number) for number in numbers))

    return read


def _ids(column: Column) -> Callable[[str, Any], Node]:
    """Whole numbers; ones that nothing has match nothing."""

    def read(name: str, value: Any) -> Node:
        values = _values(name, value)
        for each in values:
            if not re.fullmatch(r"-?\d{1,18}", str(each), re.ASCII):
                raise invalid(f"filter.{name}", shown(each), "is no id; write whole numbers")
        return In(column, tuple(Literal(str(each), quoted=False) for each in values))

    return read


def _attributes(name: str, value: Any) -> Node:
    """Any of the attributes; ones that are not known match nothing."""
    known = {"conference": columns.CONFERENCES, "transfer": columns.TRANSFERS}
    values = _values(name, value)
    wanted = [known[word] for each in values if (word := str(each).strip().lower()) in known]
    return Any_(tuple(Compare("gt", column, Literal("0", quoted=False)) for column in wanted)) if wanted else NOTHING


def _seconds(column: Column) -> Callable[[str, Any], Node]:
    return lambda name, value: conditions(f"filter.{name}", value, column)


_NUMBERS: Final = {"destination": columns.DST, "caller_id": columns.CALLER_ID}
_READERS: Final[dict[str, Callable[[str, Any], Node]]] = {
    "destination": _alternatives(columns.DST),
    "caller_id": _alternatives(columns.CALLER_ID),
    "callAttributes": _attributes,
    "user": _ids(columns.USER),
    "original_trunk_id": _alternatives(columns.TRUNK),
    "callsType": _ids(columns.CALL_TYPE),
    "bill_duration": _seconds(columns.BILL_DURATION),
    "duration": _seconds(columns.DURATION),
}
