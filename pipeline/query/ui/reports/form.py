"""The form of a report: what it shows for a type, and the definition that it says.

Values travel as texts by name, as forms have them: from a definition, from what was typed, or the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.directory.model import Directory
from pipeline.errors import BadField
from pipeline.query.http.parameters import Parameters
from pipeline.query.ui.reports.labels import FIELDS, HINTS, WORDS
from pipeline.query.ui.reports.schedules import HOW, Choice, choice_of
from pipeline.reports.catalogue import ALL, Kind
from pipeline.reports.definition import Definition, Word, from_text, numbers, texts, truth, whole
from pipeline.reports.ranges import local_time

Given = Mapping[str, Sequence[str]]

_OWN: Final = ("name", "range", "started_at", "ended_at", "format", "email")
_SCHEDULE: Final = ("how", "time", "weekday", "day", "cron")
_FILTER: Final = "f_"
# A list of the directory that is offered for a field, while it is no longer than people read.
_OFFERED: Final = {"call_queues": "queues", "ring_groups": "ring_groups", "groups": "groups", "trunks": "trunks"}
_MOST_OFFERED: Final = 40
_ONLY_WITH: Final = {
    "from_value": "from", "to_value": "to", "extension_value": "extension", "duration_from": "duration",
    "duration_to": "duration", "exclude_calls_dropped_before_seconds": "early",
}  # fmt: skip
_SEVERAL: Final = ("weekday", *(f"{_FILTER}{name}" for name in _OFFERED))


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a filter. `kind`: word, text, whole, truth, list (of texts, with commas) or choice (of `options`)."""

    name: str
    label: str
    kind: str
    options: tuple[tuple[str, str], ...] = ()  # value, what it is called; of words a message, of choices a name
    hint: str = ""
    only_with: str = ""  # what must be chosen before this one says anything


def names() -> tuple[str, ...]:
    """Every name that a form may send."""
    filters = {f"{_FILTER}{name}" for kind in ALL.values() for name in kind.filter.fields}
    return (*_OWN, *_SCHEDULE, *sorted(filters), "type", "do", "read_at")


def repeated() -> tuple[str, ...]:
    """Those that it may send more than once."""
    return _SEVERAL


def fields_of(kind: Kind, directory: Directory) -> list[Field]:
    """The fields of the filter of a type."""
    return [_field(name, check, directory) for name, check in kind.filter.fields.items()]


def _field(name: str, check: Any, directory: Directory) -> Field:
    whose = Field(
        f"{_FILTER}{name}", FIELDS[name], "text", hint=HINTS.get(name, ""), only_with=_ONLY_WITH.get(name, "")
    )
    if isinstance(check, Word):
        return Field(whose.name, whose.label, "word", tuple((word, WORDS[word]) for word in check.words))
    if check is whole:
        return Field(whose.name, whose.label, "whole", only_with=whose.only_with)
    if check is truth:
        return Field(whose.name, whose.label, "truth")
    if check in (texts, numbers):
        listed: Mapping[str, Any] = getattr(directory, _OFFERED[name]) if name in _OFFERED else {}
        if 0 < len(listed) <= _MOST_OFFERED:
            return Field(whose.name, whose.label, "choice", tuple((key, _named(key, listed[key])) for key in listed))
        return Field(whose.name, whose.label, "list")
    return whose


def _named(key: str, entry: Any) -> str:
    name = getattr(entry, "name", "")
    return f"{name} ({key})" if name and name != key else key


def defaults(type_: str) -> Given:
    """What the form of a new report has."""
    return {
        "type": [type_], "range": ["LAST_WEEK"], "format": ["HTML"], "how": ["weekly"], "time": ["07:00"],
        "weekday": ["1"], "day": ["1"],
    }  # fmt: skip


def given_of(definition: Definition, zone: str) -> Given:
    """What the form of a report has that there is; times in the zone of the company."""
    choice = choice_of(definition.cron_expr)
    values: dict[str, Sequence[str]] = {
        "type": [definition.type],
        "name": [definition.name],
        "range": [definition.range],
        "started_at": [_time(definition.started_at, zone)],
        "ended_at": [_time(definition.ended_at, zone)],
        "format": [definition.format],
        "email": [definition.email],
        "how": [choice.how],
        "time": [choice.time],
        "weekday": [str(day) for day in choice.days],
        "day": [str(choice.day)],
        "cron": [definition.cron_expr],
        "read_at": [str(definition.requested_at)],
    }
    for name, value in definition.filter.items():
        if isinstance(value, list):
            values[f"{_FILTER}{name}"] = [str(item) for item in value]
        elif value is not False:
            values[f"{_FILTER}{name}"] = ["1" if value is True else str(value)]
    return values


def given_by(form: Parameters) -> Given:
    """What somebody typed."""
    return {name: [value.strip() for value in values if value.strip()] for name, values in form.all()}


def _time(ms: int | None, zone: str) -> str:
    return local_time(ms, zone) if ms is not None else ""


def body_of(given: Given, kind: Kind) -> dict[str, Any]:
    """The body of the definition, as the API takes it. Raises BadField where the form is not even that."""
    body: dict[str, Any] = {name: _first(given, name) for name in _OWN}
    body |= {"type": kind.type, "cron_expr": schedule_of(given).expression, "filter": filter_of(given, kind)}
    if body["range"] != "CUSTOM":
        body |= {"started_at": None, "ended_at": None}
    return body


def filter_of(given: Given, kind: Kind) -> dict[str, Any]:
    """The filter: only what was said."""
    found: dict[str, Any] = {}
    for name, check in kind.filter.fields.items():
        values = given.get(f"{_FILTER}{name}", ())
        if check in (texts, numbers):
            listed = [part.strip() for value in values for part in value.split(",") if part.strip()]
            if listed:
                found[name] = listed
        elif check is truth:
            if values:
                found[name] = True
        elif values and values[0]:
            found[name] = from_text(check, values[0])
    return found


def schedule_of(given: Given) -> Choice:
    """What was chosen of the schedule. Raises BadField."""
    how, day = _first(given, "how") or "once", _first(given, "day") or "1"
    if how not in HOW:
        raise BadField("how", how, f"is none of {', '.join(HOW)}")
    days = [int(each) for each in given.get("weekday", ()) if each in "0123456" and len(each) == 1]
    return Choice(
        how,
        _first(given, "time") or "07:00",
        tuple(sorted(set(days))),
        int(day) if day.isdecimal() and len(day) < 4 else 0,
        _first(given, "cron"),
    )


def _first(given: Given, name: str) -> str:
    values = given.get(name) or [""]
    return values[0]


def said(fields: Sequence[Field], filter_: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """What a filter says, as (label, values); words and names in place of what they stand for."""
    found = []
    for field in fields:
        value = filter_.get(field.name.removeprefix(_FILTER))
        if value in (None, "", False, "ANY", "any"):
            continue
        called = dict(field.options)
        values = [] if value is True else value if isinstance(value, list) else [value]
        found.append((field.label, [called.get(str(each), str(each)) for each in values]))
    return found
