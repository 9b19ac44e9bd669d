"""Two accounts of one call, where a PBX gives both: the better one takes the other's place.

PortSIP's live events do not say which attempt they mean, and sum up the whole call in the end; Yeastar's records of a
call name no channels, its live events do. A decoder gives events of targets that have a better account the reason
`provisional`, and adds to the better account one event of type `data` with the reason `definite`. Between the two lies
an account leg by leg (`leg_record`): it takes the place of a provisional one, and yields to a definite one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from schemas.event import Event

PROVISIONAL: Final = "provisional"
DEFINITE: Final = "definite"
LEG_RECORD: Final = "leg_record"


def has_definite(events: Iterable[Event]) -> bool:
    """Whether a better account has come."""
    return any((event.reason == DEFINITE and event.type == "data") or event.reason == LEG_RECORD for event in events)


def definite(events: list[Event]) -> list[Event]:
    """The events without what is told better."""
    is_definite = any(event.reason == DEFINITE and event.type == "data" for event in events)
    worse = (PROVISIONAL, LEG_RECORD) if is_definite else (PROVISIONAL,)
    return [event for event in events if event.reason not in worse]
