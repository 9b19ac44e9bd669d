"""What a value of the directory must look like. Each check returns the value as it is stored, or
raises ValueError saying what to write instead. Pure.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

Check = Callable[[object], Any]

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NUMBER: Final = re.compile(r"[0-9A-Za-z+*#._@-]{1,64}")
_DIGITS: Final = re.compile(r"[0-9*#]{1,16}")
_MAIL: Final = re.compile(r"[^\s@]{1,64}@[^\s@.][^\s@]*")
_MOST: Final = 10_000  # items of a list


def _plain(value: object) -> str:
    """A scalar as text: JSON and YAML know numbers, the directory knows texts."""
    if value is None:
        return ""
    if isinstance(value, bool | float) or not isinstance(value, str | int):
        raise ValueError("is no text; put it in quotes")
    return str(value).strip()


def text(most: int = 128) -> Check:
    """Any text of at most `most` characters."""

    def check(value: object) -> str:
        plain = _plain(value)
        if len(plain) > most:
            raise ValueError(f"has {len(plain)} characters; write at most {most}")
        if _CONTROL.search(plain):
            raise ValueError("has control characters; write it in one plain line")
        return plain

    return check


def _shaped(shape: re.Pattern[str], fix: str) -> Check:
    def check(value: object) -> str:
        plain = _plain(value)
        if plain and not shape.fullmatch(plain):
            raise ValueError(fix)
        return plain

    return check


_LARGEST_PICTURE: Final = 100_000  # characters: it travels in every report and mail
_PICTURE: Final = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/]+={0,2}")


def picture(value: object) -> str:
    """A picture as a data: URI."""
    plain = _plain(value)
    if plain and not _PICTURE.fullmatch(plain):
        raise ValueError("is no picture; write data:image/png;base64,… (or jpeg, gif, webp, svg+xml)")
    if len(plain) > _LARGEST_PICTURE:
        raise ValueError(f"has {len(plain)} characters; use a picture of at most {_LARGEST_PICTURE // 4 * 3} bytes")
    return plain


number: Final = _shaped(_NUMBER, "is no number; write it as it is dialled, without spaces: 101, *72, +442079460123")
digits: Final = _shaped(_DIGITS, "is not dialled digits; write 0 to 9, * and # only")
mail: Final = _shaped(_MAIL, "is no mail address; write name@host")


def prefix(value: object) -> str:
    """Digits that E.164 numbers begin with; +, spaces and dashes are taken off."""
    plain = re.sub(r"[\s+().-]", "", _plain(value))
    if plain and not plain.isdecimal():
        raise ValueError("is no beginning of a number; write country code and area code in digits: 4420")
    return plain


def zone(value: object) -> str:
    """An IANA time zone."""
    plain = _plain(value)
    if not plain:
        return "UTC"
    if plain not in _zones():
        near = get_close_matches(plain, _zones(), 1, 0.6)
        raise ValueError(f"is no IANA time zone; write {near[0] if near else 'one such as Europe/London'}")
    return plain


def country(value: object) -> str:
    """An ISO 3166 country that has telephone numbers."""
    import phonenumbers

    plain = _plain(value).upper()
    if plain and plain not in phonenumbers.SUPPORTED_REGIONS:
        hint = " GB," if plain == "UK" else ""
        raise ValueError(f"is no ISO 3166 country code; write{hint} two letters such as DE or US")
    return plain


def choice(*words: str) -> Check:
    """One of these words; the first when left out."""

    def check(value: object) -> str:
        plain = _plain(value)
        for word in words:
            if plain.lower() == word.lower():
                return word
        if plain:
            raise ValueError(f"is none of {', '.join(words)}")
        return words[0]

    return check


def whole(least: int, most: int, unit: str) -> Check:
    """A whole number."""

    def check(value: object) -> int:
        plain = _plain(value)
        if not re.fullmatch(r"\d{1,9}", plain) or not least <= int(plain) <= most:
            raise ValueError(f"is no whole number of {unit} from {least} to {most}")
        return int(plain)

    return check


def many(check: Check) -> Check:
    """A list; in one text its items stand between semicolons."""

    def each(value: object) -> tuple[Any, ...]:
        if value is None or value == "":
            return ()
        items = [item for item in value.split(";") if item.strip()] if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            raise ValueError("is no list; write [a, b]")
        if len(items) > _MOST:
            raise ValueError(f"has {len(items)} items; write at most {_MOST}")
        found = []
        for item in items:
            try:
                one = check(item)
            except ValueError as error:
                raise ValueError(f"holds {shown(item)}, which {error}") from None
            if one and one not in found:
                found.append(one)
        return tuple(found)

    return each


def shown(value: object) -> str:
    """A value as a message quotes it."""
    quoted = repr(dict(value) if isinstance(value, Mapping) else value)
    return quoted if len(quoted) <= 60 else quoted[:57] + "…"


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())
