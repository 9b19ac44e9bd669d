"""What is wrong with a value, in its parts: where, what, and what to do."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_POINTER: Final = re.compile(r"(/[^\s:]*): ", re.ASCII)


class Wrong(NamedTuple):
    """`pointer`: a JSON pointer (RFC 6901), "" for all of the value."""

    pointer: str
    detail: str
    hint: str


def wrong(problem: str) -> Wrong:
    """The parts of a decoder's reason, `pointer: what is wrong; what to do`."""
    found = _POINTER.match(problem)
    pointer, rest = (found[1], problem[found.end() :]) if found else ("", problem)
    detail, semicolon, hint = rest.rpartition("; ")
    return Wrong(pointer, detail, hint) if semicolon else Wrong(pointer, rest, "")
