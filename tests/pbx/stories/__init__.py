"""The stories, by subject."""

from __future__ import annotations

from tests.pbx.stories import (
    attempts,
    basic,
    consultations,
    day,
    forwarding,
    groups,
    menus,
    mixed,
    originate,
    parking,
    queues,
    reported,
    screening,
    transfers,
    trunks,
)
from tests.pbx.story import Story

SUBJECTS = (
    basic,
    trunks,
    attempts,
    groups,
    forwarding,
    menus,
    queues,
    transfers,
    parking,
    originate,
    screening,
    reported,
    mixed,
    consultations,
    day,
)
ALL: tuple[Story, ...] = tuple(story for subject in SUBJECTS for story in subject.STORIES)
