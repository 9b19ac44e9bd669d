"""What numbers show by the way they are written: where a PBX does not say who is outside, its numbers may.

A number written in full (`+44…`, `0044…`) is outside beside one that is not; so is one of seven digits or more beside
an extension or a name. What the PBX says to be its extension is in the house, however long.
"""

from __future__ import annotations

import re
from typing import Final

from schemas.event import Party

_OUTSIDE: Final = re.compile(r"\+\d{2,}\Z|00\d{8,}\Z")
_LONG: Final = re.compile(r"\d{7,}\Z")
_LONG_FROM: Final = 7


def outside(number: str) -> bool:
    """Whether a number is written in full, as from anywhere in the world: it is nobody's extension."""
    return number[:1] in ("+", "0") and _OUTSIDE.match(number) is not None


def leads_out(caller: Party, called: Party) -> bool:
    """Whether a call, as far as only its numbers tell, left the house."""
    if called.extension:
        return False
    if outside(called.number):
        return bool(caller.extension) or not outside(caller.number)
    if not _is_long(called.number):
        return False
    return bool(caller.extension) or (bool(caller.number) and not is_full(caller.number))


def comes_in(caller: Party, called: Party) -> bool:
    """Whether a call, as far as only its numbers tell, came from outside."""
    if caller.extension:
        return False
    if outside(caller.number):
        return bool(called.extension) or not outside(called.number)
    if not _is_long(caller.number):
        return False
    return bool(called.extension) or (bool(called.number) and not is_full(called.number))


def _is_long(number: str) -> bool:
    # Most numbers are of extensions: their length alone tells.
    return len(number) >= _LONG_FROM and _LONG.match(number) is not None


def is_full(number: str) -> bool:
    """Whether a number is as long as numbers outside are."""
    return outside(number) or _is_long(number)
