"""What a channel executes, as far as it says who talks with whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pipeline.sources.asterisk.fields import LONGEST_TEXT, dialled
from pipeline.sources.asterisk.parties import is_menu
from schemas.event import Event

_MOST: Final = 64  # destinations of one Dial that are looked at


def application(event: Event, word: str) -> Event:
    """Say on an event that the PBX itself deals with the channel."""
    event.reason, event.to = "application", word
    if is_menu(word):
        event.kind = "ivr"
    return event


def dial_strings(data: str, event: Callable[[str], Event]) -> list[Event]:
    """One event for each number that Dial calls over a trunk; `event` makes one with a mark of its own."""
    found: list[Event] = []
    if "@" not in data and data.count("/") < 2:
        return found  # a phone: nearly every call
    for place, string in enumerate(data[:LONGEST_TEXT].partition(",")[0].split("&")[:_MOST]):
        number, trunk = dialled(string)
        if number:
            dial_event = event(f"-dials{place}-{number}")
            dial_event.reason, dial_event.to, dial_event.trunk = "dials", number, trunk
            found.append(dial_event)
    return found
