"""All simulators: mode → the values that are told of a story, and the dialect that reads them."""

from __future__ import annotations

from typing import Final

from tests.pbx.asterisk import modes as asterisk_modes
from tests.pbx.asterisk import play as asterisk_play
from tests.pbx.story import Story

MODES: Final[tuple[str, ...]] = tuple(asterisk_modes.MODES)


def tell(story: Story, mode: str) -> tuple[str, list[bytes]]:
    """The dialect and the values, in order."""
    assert mode in asterisk_modes.MODES
    return "asterisk", asterisk_modes.values(asterisk_play.play(story), mode)
