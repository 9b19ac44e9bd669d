"""What a number shows by the way it is written: where a PBX does not say who is outside, its numbers may."""

from __future__ import annotations

import re
from typing import Final

_OUTSIDE: Final = re.compile(r"\+\d{2,}\Z|00\d{8,}\Z")


def outside(number: str) -> bool:
    """Whether a number is written in full, as from anywhere in the world: it is nobody's extension."""
    return number[:1] in ("+", "0") and _OUTSIDE.match(number) is not None
