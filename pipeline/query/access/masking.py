"""Phone numbers as a vendor dialect shows them to callers who may not see them whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fastapi import Request

from pipeline.query.access.authenticator import Caller
from pipeline.query.v1.endpoint import is_masked
from pipeline.query.v1.fields import masked

Hide = Callable[[str], str]
_LONGEST_EXTENSION: Final = 6


def in_full(number: str) -> str:
    """The number as it is."""
    return number


def but_the_last_three(number: str) -> str:
    """CommPeak's mask: stars, and the last three digits. Extensions stay."""
    return number if len(number) <= _LONGEST_EXTENSION else "*" * (len(number) - 3) + number[-3:]


def hiding(request: Request, caller: Caller, mask: Hide = masked) -> Hide:
    """How numbers are shown to this caller."""
    return mask if is_masked(request, caller) else in_full
