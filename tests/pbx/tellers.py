"""All simulators: mode → whether it can tell a story, the values that it tells, and the call that must come out."""

from __future__ import annotations

from typing import Any, Final

from tests.pbx.asterisk import modes as asterisk_modes
from tests.pbx.asterisk import play as asterisk_play
from tests.pbx.freeswitch import modes as freeswitch_modes
from tests.pbx.story import Story

MODES: Final[tuple[str, ...]] = (*asterisk_modes.MODES, *freeswitch_modes.MODES)


def can_tell(story: Story, mode: str) -> bool:
    """Whether a PBX can do what the story needs, and tell it in this mode."""
    if not story.is_told(mode):
        return False
    return mode not in freeswitch_modes.MODES or freeswitch_modes.can_play(story)


def tell(story: Story, mode: str) -> tuple[str, list[bytes]]:
    """The dialect and the values, in order."""
    if mode in freeswitch_modes.MODES:
        return "freeswitch", freeswitch_modes.values(story, mode)
    assert mode in asterisk_modes.MODES
    return "asterisk", asterisk_modes.values(asterisk_play.play(story), mode)


def expected(story: Story, mode: str) -> dict[str, Any]:
    """The call that must come out."""
    return freeswitch_modes.expected(story, mode) if mode in freeswitch_modes.MODES else story.expected(mode)
