"""Which extension made a call: the one that the PBX names, else the number of a caller inside.

Producers of plain events send the caller's number alone. Of a call within the PBX, or out of it, that number is the
extension; of a call from outside it never is, whatever it looks like.
"""

from __future__ import annotations

from typing import Final

_INSIDE: Final = ("internal", "outbound")
_LONGEST: Final = 9  # digits of an extension; longer numbers are a line's own
_FROM_INSIDE: Final = f"caller_extension = '' AND direction IN {_INSIDE}"

# The extension that made the call as a text, "" where none did or it is not known.
MADE_BY: Final = (
    f"if({_FROM_INSIDE} AND length(caller_number) <= {_LONGEST} AND NOT startsWith(caller_number, '+'),"
    " caller_number, toString(caller_extension))"
)


def had_part(extension: str) -> str:
    """SQL: whether an extension (a bound parameter) made the call or is the one that was called."""
    return (
        f"(caller_extension = {extension} OR callee_extension = {extension}"
        f" OR ({_FROM_INSIDE} AND caller_number = {extension}))"
    )


def parties(direction: str, caller: str, caller_extension: str, callee_extension: str) -> tuple[str, str]:
    """The extensions that a call has on its two sides, "" for none; `caller` is the caller's number."""
    return caller_extension or (caller if direction in _INSIDE else ""), callee_extension
