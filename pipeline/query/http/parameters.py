"""Query strings, read strictly: each name once (unless it may repeat), UTF-8, no NUL, known names only.

A misspelt filter that was ignored would show every call, so unknown names are refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from fastapi import Request

from pipeline.instants import instant
from pipeline.query.http.problems import invalid

LONGEST_VALUE: Final = 8192
_MOST_PARAMETERS: Final = 100


def parse(
    query: bytes,
    known: Collection[str],
    *,
    repeatable: Collection[str] = (),
    dollar: bool = False,
    ignore_others: bool = False,
    filled: Collection[str] = (),
    longest: int = LONGEST_VALUE,
) -> Parameters:
    """The parameters of a raw query string. Raises RequestProblem.

    Parameters:
        query: as it came, percent-encoded
        known: names that there are; others are refused
        repeatable: names that may stand more than once
        dollar: `$top` is another spelling of `top`
        ignore_others: unknown names are left out instead of refused
        filled: names that may be left out but not be empty: an empty filter that was taken for none would show more
            than was meant
        longest: most characters of a value
    """
    found: dict[str, list[str]] = {}
    parts = [part for part in query.split(b"&") if part]
    if len(parts) > _MOST_PARAMETERS:
        raise invalid("query string", None, f"has {len(parts)} parameters; send at most {_MOST_PARAMETERS}")
    for part in parts:
        raw_name, _, raw_value = part.partition(b"=")
        name = _text(raw_name, "query string")
        name = name[1:] if dollar and name.startswith("$") else name
        if name not in known and ignore_others:
            continue
        if name not in known:
            there_are = f"there are {', '.join(known)}" if known else "this path takes none"
            raise invalid(name[:80] or "query string", None, f"is no parameter here; {there_are}")
        values = found.setdefault(name, [])
        values.append(_text(raw_value, name, longest))
        if not values[-1] and name in filled:
            raise invalid(name, None, "is empty; write a value, or leave the parameter out")
        if len(values) > 1 and name not in repeatable:
            raise invalid(name, None, "is given more than once; give it once")
    return Parameters(found)


def no_options(request: Request) -> None:
    """400 for a query string where none is understood."""
    parse(request.scope["query_string"], ())


def _text(raw: bytes, name: str, longest: int = LONGEST_VALUE) -> str:
    if len(raw) > longest * 3:
        raise invalid(name, None, f"is {len(raw)} bytes long; write at most {longest} characters")
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError as error:
        raise invalid(name, None, f"is not UTF-8 ({error.reason} at byte {error.start}); encode it as UTF-8") from None
    if "\0" in text:
        raise invalid(name, None, "has a NUL character; remove it")
    if len(text) > longest:
        raise invalid(name, None, f"is {len(text)} characters long; write at most {longest}")
    return text


class Parameters:
    """The parameters of one request, by name."""

    def __init__(self, found: Mapping[str, list[str]]) -> None:
        self._found = found

    def text(self, name: str) -> str | None:
        """The value, None when the parameter is absent or empty."""
        values = self._found.get(name)
        return values[0] or None if values else None

    def has(self, name: str) -> bool:
        """Whether the parameter is there at all."""
        return name in self._found

    def all(self) -> Iterable[tuple[str, list[str]]]:
        """Every parameter with its values."""
        return self._found.items()

    def texts(self, name: str) -> list[str]:
        """The values of a repeatable parameter."""
        return [value for value in self._found.get(name, []) if value]

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number from `least` to `most`."""
        values = self._found.get(name)
        if not values:
            return default
        text = values[0]
        if not re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII) or not least <= int(text) <= most:
            raise invalid(name, text, f"is no whole number from {least} to {most}; leave it out for {default}")
        return int(text)

    def truth(self, name: str, default: bool) -> bool:
        """true or false."""
        values = self._found.get(name)
        if not values:
            return default
        if values[0].lower() not in ("true", "false"):
            raise invalid(name, values[0], "is neither true nor false")
        return values[0].lower() == "true"

    def word(self, name: str, words: Collection[str]) -> list[str]:
        """The values of a repeatable parameter, each one of `words`."""
        for value in self.texts(name):
            if value not in words:
                raise invalid(name, value, f"is none of {', '.join(words)}")
        return self.texts(name)

    def at(self, name: str) -> int | None:
        """An RFC 3339 time as ms since the epoch."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return instant(text)
        except ValueError as error:
            raise invalid(name, text, str(error)) from None

    def fingerprint(self, leave_out: Collection[str]) -> str:
        """The same for the same parameters, whatever their order."""
        return repr(sorted((name, sorted(values)) for name, values in self._found.items() if name not in leave_out))
