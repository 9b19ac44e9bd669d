"""Words that stand where a caller withholds the number: they are no number (RFC 3323, section 4.1.1.3, and the words
that phones, carriers and PBXs put there)."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.event import Party

_WORDS: Final = frozenset(
    (
        "anonymous",
        "anon",
        "blocked",
        "hidden",
        "invalid",
        "nocallerid",
        "notavailable",
        "outofarea",
        "presentationrestricted",
        "private",
        "privatenumber",
        "restricted",
        "unavailable",
        "unidentified",
        "unknown",
        "unknowncaller",
        "withheld",
        "withheldnumber",
    )
)
_DIGITS: Final = frozenset("+0123456789*#")
_LEFT_OUT: Final = str.maketrans("", "", " -_.<>()\"'")


def is_withheld(number: str) -> bool:
    """Whether a caller's number is a word for a withheld one, in any spelling."""
    if not number or number[0] in _DIGITS or len(number) > 40:
        return False
    return number.translate(_LEFT_OUT).lower() in _WORDS


def shown(caller: Party) -> Party:
    """The caller without a number that is only a word; his name stays, or the word for it."""
    if not is_withheld(caller.number):
        return caller
    extension = "" if caller.extension == caller.number else caller.extension
    return msgspec.structs.replace(caller, number="", extension=extension, name=caller.name or caller.number)
