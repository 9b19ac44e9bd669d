"""The version of a row: what the call was folded from. Of two rows under one key the one of the higher version counts.

One 64-bit number, from the highest bit down: the generation of the fold's rules (20 bits), the number of distinct
events (31), whether the call was closed for want of a hang-up (1), how often it was priced again (12). It never
depends on when or how often the row was written.
"""

from __future__ import annotations

from typing import NamedTuple

_RERATED_BITS = 12
_EVENT_BITS = 31
_GENERATION_SHIFT = _EVENT_BITS + 1
MOST_RERATED = (1 << _RERATED_BITS) - 1


class Version(NamedTuple):
    """A version in its parts; in the order in which they count."""

    generation: int
    events: int
    expired: bool = False
    rerated: int = 0

    @classmethod
    def of(cls, number: int) -> Version:
        """The parts of a version as it is stored."""
        folded = number >> _RERATED_BITS
        return cls(
            folded >> _GENERATION_SHIFT,
            folded >> 1 & (1 << _EVENT_BITS) - 1,
            bool(folded & 1),
            number & MOST_RERATED,
        )

    @property
    def number(self) -> int:
        """The version as it is stored."""
        return (self.generation << _GENERATION_SHIFT | self.events << 1 | self.expired) << _RERATED_BITS | self.rerated


def fold_of(number: int) -> int:
    """A version without how often the call was priced again, which call logs do not tell. To be compared only."""
    return number >> _RERATED_BITS


def first_of(fold: int) -> int:
    """The lowest version of a fold (`fold_of`): that of a call which was not priced again."""
    return fold << _RERATED_BITS


# `fold_of` of the column `version`, in SQL.
FOLD_SQL = f"bitShiftRight(version, {_RERATED_BITS})"
