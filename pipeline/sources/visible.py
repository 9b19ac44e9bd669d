"""Numbers as they were meant: without characters that nobody sees or dials.

A number that was pasted from a contact may bear U+202C and the like (Unicode categories Cf and Zs); it goes out to the
carrier and matches no rate and no search. Names keep theirs.
"""

from __future__ import annotations

from typing import Final
from unicodedata import category

import msgspec

from schemas.event import Event, Party

_UNSEEN: Final = frozenset(("Cc", "Cf", "Zl", "Zp", "Zs"))
_NUMBERS: Final = ("did", "outbound_caller_id", "from_", "to", "by", "agent")


def visible(number: str) -> str:
    """The number without invisible characters; a plain space stays."""
    if number.isascii():
        return number
    return "".join(each for each in number if each == " " or category(each) not in _UNSEEN).strip()


def make_visible(event: Event) -> None:
    """Take invisible characters out of all numbers of an event."""
    event.caller, event.callee = _visible_party(event.caller), _visible_party(event.callee)
    for field in _NUMBERS:
        number: str = getattr(event, field)
        if not number.isascii():
            setattr(event, field, visible(number))


def _visible_party(party: str | Party | None) -> str | Party | None:
    if party is None:
        return None
    if isinstance(party, str):
        return visible(party)
    if party.number.isascii() and party.extension.isascii():
        return party
    return msgspec.structs.replace(party, number=visible(party.number), extension=visible(party.extension))
