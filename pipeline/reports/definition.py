"""Report definitions, and the check of what people write.

Shapes of PortSIP's schema "call_reports". Six of its filters look alike, and one belongs to no type: the type
alone says what a filter may hold, never its shape.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.errors import BadField
from pipeline.reports.ranges import CUSTOM, RANGES, custom_end, moment
from pipeline.reports.schedule import check_cron

FORMATS: Final = ("CSV", "HTML")
RUNNING, SCHEDULED, ABORTED = "RUNNING", "SCHEDULED", "ABORTED"
LONGEST_EMAIL: Final = 128
_LONGEST_NAME: Final = 256
_FIELDS: Final = ("name", "type", "email", "format", "range", "started_at", "ended_at", "cron_expr", "filter")
_REQUIRED: Final = ("name", "type", "email", "format", "range", "filter")
_READ_ONLY: Final = ("id", "status", "reason", "next_run_at")  # what a client sends back when it changes what it got
_TIMES: Final = ("started_at", "ended_at")
_ADDRESS: Final = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[^\s@<>,;:\"()\[\]\\]{1,120}")
_NUMBER: Final = re.compile(r"[0-9]{3,64}", re.ASCII)
_RANGE_OF: Final = re.compile(r"\s*([0-9]{1,64})\s*(?:-\s*([0-9]{1,64})\s*)?", re.ASCII)
_MOST_SECONDS: Final = 2**31 - 1

Filter = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Definition:
    """A report that somebody wants, once or on a schedule. Times in ms."""

    tenant: str
    id: int
    name: str
    type: str
    email: str = ""
    format: str = "HTML"
    range: str = "YESTERDAY"
    started_at: int | None = None
    ended_at: int | None = None
    cron_expr: str = ""
    filter: Filter = field(default_factory=dict)
    requested_at: int = 0
    numbers: str = ""  # how its numbers are shown, as whoever saved it sees them; see `identity.access.Numbers`

    @property
    def custom(self) -> tuple[int, int] | None:
        """What CUSTOM means, end excluded."""
        if self.range != CUSTOM or self.started_at is None or self.ended_at is None:
            return None
        return self.started_at, custom_end(self.ended_at)


def parse(
    body: Any, types: Mapping[str, FilterShape], known: Definition | None = None, *, zone: str = "UTC"
) -> dict[str, Any]:
    """The fields of a definition in a request's body; of a change, those that are in it over those of `known`. Dates
    alone are whole days of `zone`, the tenant's.

    Raises BadField.
    """
    if not isinstance(body, dict):
        raise BadField("body", None, "is no JSON object; send the report as one")
    for name in body:
        if name not in (*_FIELDS, *(_READ_ONLY if known else ())):
            raise BadField(name[:80] or "body", None, f"is no field of a report; there are {', '.join(_FIELDS)}")
    if known is None:
        for name in _REQUIRED:
            if name not in body:
                raise BadField(name, None, "is missing; a report needs " + ", ".join(_REQUIRED))
    found: dict[str, Any] = {}
    for name in _FIELDS:
        if name in body:
            check = _CHECKS.get(name) or (_time(name, zone) if name in _TIMES else _as_it_is)
            found[name] = check(body[name])
        elif known is not None:
            found[name] = getattr(known, name)
    found.setdefault("started_at", None)
    found.setdefault("ended_at", None)
    found.setdefault("cron_expr", "")
    if found["type"] not in types:
        raise BadField("type", found["type"], f"is no report; there are {', '.join(types)}")
    if known is not None and found["type"] != known.type:
        raise BadField("type", found["type"], f"cannot be changed from {known.type}; create another report")
    found["filter"] = types[found["type"]](found["filter"])
    if found["range"] == CUSTOM:
        _check_custom(found)
    return found


def _check_custom(found: Mapping[str, Any]) -> None:
    for name in ("started_at", "ended_at"):
        if found[name] is None:
            raise BadField(name, None, "is missing; the range CUSTOM needs started_at and ended_at")
    if found["ended_at"] <= found["started_at"]:
        raise BadField("ended_at", None, "is not after started_at; give a later time")


def _text(name: str, most: int, *, least: int = 0) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise BadField(name, None, "is no text")
        if len(value) > most:
            raise BadField(name, value, f"is {len(value)} characters long; write at most {most}")
        if len(value.strip()) < least:
            raise BadField(name, None, "is empty; write one")
        if any(ord(character) < 32 or ord(character) == 127 for character in value):
            raise BadField(name, None, "has control characters; remove them")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise BadField(name, None, "has half a surrogate pair; remove it") from None
        return value

    return check


def _word(name: str, words: tuple[str, ...]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise BadField(name, _shown(value), f"is none of {', '.join(words)}")
        return value

    return check


def _email(value: Any) -> str:
    """Nobody, one address, or several with commas between them."""
    text = _text("email", LONGEST_EMAIL)(value).strip()
    for address in filter(None, re.split(r"[,;]\s*", text)):
        if not _ADDRESS.fullmatch(address):
            raise BadField("email", address, "is no e-mail address; write name@example.com, or leave it empty for none")
    return text


def addresses(email: str) -> list[str]:
    """The addresses in an `email`."""
    return [address.strip() for address in re.split(r"[,;]", email) if address.strip()]


def _as_it_is(value: Any) -> Any:
    return value


def _time(name: str, zone: str) -> Callable[[Any], int | None]:
    def check(value: Any) -> int | None:
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise BadField(name, _shown(value), "is no RFC 3339 time in a text, such as 2024-08-20T00:00:00Z")
        return moment(name, value, zone, is_end=name == "ended_at")

    return check


def _cron(value: Any) -> str:
    text = _text("cron_expr", 128)("" if value is None else value).strip()
    if text:
        try:
            check_cron(text)
        except ValueError as error:
            raise BadField("cron_expr", text, str(error)) from None
    return text


_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "name": _text("name", _LONGEST_NAME, least=1),
    "type": _text("type", 80),
    "email": _email,
    "format": _word("format", FORMATS),
    "range": _word("range", RANGES),
    "cron_expr": _cron,
}


class FilterShape:
    """What the filter of a type may hold: field → its check. Calling it gives the filter, checked."""

    def __init__(
        self, fields: Mapping[str, Callable[[str, Any], Any]], *needs: tuple[str, str, tuple[str, ...]]
    ) -> None:
        """`needs`: (field, other, words): with one of these words in `field`, `other` must be there."""
        self.fields = fields
        self.needs = needs

    def __call__(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise BadField("filter", None, f"is no JSON object; it may hold {self._known()}")
        for name in value:
            if name not in self.fields:
                raise BadField(
                    f"filter.{str(name)[:80]}", None, f"does not belong to this type; it may hold {self._known()}"
                )
        found = {name: self.fields[name](f"filter.{name}", given) for name, given in value.items()}
        for name, other, words in self.needs:
            if found.get(name) in words and not found.get(other):
                raise BadField(f"filter.{other}", None, f"is missing; filter.{name} {found[name]} needs it")
            if found.get(name) in words and "RANGE" in str(found[name]):
                extension_ranges(f"filter.{other}", found[other])
        low, high = found.get("duration_from"), found.get("duration_to")
        if found.get("duration", "ANY") != "ANY" and low is not None and high is not None and high < low:
            raise BadField("filter.duration_to", str(high), "is less than filter.duration_from; give a greater one")
        return found

    def _known(self) -> str:
        return ", ".join(self.fields)


@dataclass(frozen=True, slots=True)
class Word:
    """A field with one of these words."""

    words: tuple[str, ...]

    def __call__(self, name: str, value: Any) -> str:
        return _word(name, self.words)(value)


def word(*words: str) -> Word:
    """A field with one of these words."""
    return Word(words)


def text(name: str, value: Any) -> str:
    """A field with a short text."""
    return _text(name, 256)(value)


def truth(name: str, value: Any) -> bool:
    """A field that is true or false."""
    if not isinstance(value, bool):
        raise BadField(name, _shown(value), "is neither true nor false")
    return value


def whole(name: str, value: Any) -> int:
    """A field with a whole number from 0."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_SECONDS:
        raise BadField(name, _shown(value), f"is no whole number from 0 to {_MOST_SECONDS}")
    return value


def texts(name: str, value: Any) -> list[str]:
    """A field with a list of names, 1 to 64 characters each. An empty one is refused: left out, it is all of them."""
    if value == []:
        raise BadField(name, None, "is empty; name one, or leave it out for all")
    if not isinstance(value, list) or len(value) > 1000:
        raise BadField(name, None, "is no list of at most 1000 texts")
    return [_text(name, 64, least=1)(item) for item in value]


def numbers(name: str, value: Any) -> list[str]:
    """A field with a list of extension numbers, 3 to 64 digits each."""
    for item in texts(name, value):
        if not _NUMBER.fullmatch(item):
            raise BadField(name, item, "is no number of 3 to 64 digits")
    return list(value)


def from_text(check: Callable[[str, Any], Any], given: str) -> Any:
    """A filter field as a query string has it, in the form that its check takes. What has no such form stays."""
    if check in (texts, numbers):
        return given.split(",")
    if check is whole:
        return int(given) if given.isdecimal() and len(given) < 19 else given
    if check is truth:
        return {"true": True, "false": False}.get(given.lower(), given)
    return given


def extension_ranges(name: str, value: str) -> list[tuple[str, str]]:
    """`101`, `101-110` or several with commas, as (first, last) pairs."""
    pairs: list[tuple[str, str]] = []
    for part in value.split(","):
        match = _RANGE_OF.fullmatch(part)
        if match is None or (match[2] and (len(match[2]) != len(match[1]) or match[2] < match[1])):
            raise BadField(name, value, "is neither an extension nor a range; write 101, 101-110 or 101,105-110")
        pairs.append((match[1], match[2] or match[1]))
    return pairs


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)[:80]
