"""One finding of `cdr doctor`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

OK: Final = "ok"
WARN: Final = "warn"  # works, but somebody should look
FAIL: Final = "fail"  # does not work, or loses what it should not


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, what was found, and what to do about it."""

    state: str
    what: str
    found: str
    hint: str = ""

    def row(self) -> dict[str, str]:
        """The check as a row."""
        return asdict(self)
