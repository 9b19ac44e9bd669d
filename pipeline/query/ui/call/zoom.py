"""The part of a call that its timeline shows: `zoom=12000-45000`, ms since the call began."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pipeline.query.http.problems import invalid
from pipeline.query.ui.frame.language import N_

_ZOOM: Final = re.compile(r"(\d{1,10})-(\d{1,10})", re.ASCII)
LEAST_MS: Final = 500


@dataclass(frozen=True, slots=True)
class Zoom:
    """[first, end) of a call of `whole` ms, ms since it began."""

    first: int
    end: int
    whole: int

    @property
    def is_whole(self) -> bool:
        return self.first == 0 and self.end == self.whole

    @property
    def query(self) -> str:
        """It as `zoom` has it; "" for the whole call."""
        return "" if self.is_whole else f"{self.first}-{self.end}"

    def steps(self) -> list[tuple[str, str, str | None]]:
        """Where one can go from here: sign, what it means, the `zoom` of it (None where there is no further)."""
        width = self.end - self.first
        nearer = self._around(width // 2) if width > LEAST_MS * 2 else None
        farther = None if self.is_whole else self._around(width * 2)
        earlier = self._moved(-width // 2) if self.first else None
        later = self._moved(width // 2) if self.end < self.whole else None
        return [
            ("+", N_("Closer"), _query(nearer)),
            ("−", N_("Farther"), _query(farther)),
            ("←", N_("Earlier"), _query(earlier)),
            ("→", N_("Later"), _query(later)),
        ]

    def _around(self, width: int) -> Zoom:
        """So many ms around the middle, within the call."""
        width = min(width, self.whole)
        first = max(0, min((self.first + self.end - width) // 2, self.whole - width))
        return Zoom(first, first + width, self.whole)

    def _moved(self, by: int) -> Zoom:
        width = self.end - self.first
        first = max(0, min(self.first + by, self.whole - width))
        return Zoom(first, first + width, self.whole)


def zoom_of(text: str, whole: int) -> Zoom:
    """The zoom that the URL names, within the call. RequestProblem when it names none."""
    if not text:
        return Zoom(0, whole, whole)
    match = _ZOOM.fullmatch(text)
    if match is None or int(match[1]) >= int(match[2]):
        raise invalid("zoom", text, "is no part of the call; write it like 12000-45000, in ms since it began")
    first, end = int(match[1]), min(int(match[2]), whole)
    first = max(0, min(first, end - LEAST_MS))
    return Zoom(first, min(whole, max(end, first + LEAST_MS)), whole)


def _query(zoom: Zoom | None) -> str | None:
    return None if zoom is None else zoom.query
