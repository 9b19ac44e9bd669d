"""Every story gives its call, whichever mode of whichever PBX tells it: in order, in any order, and told twice."""

from __future__ import annotations

import random

import pytest

from tests.pbx.compare import differences
from tests.pbx.folded import T0_MS, documents
from tests.pbx.stories import ALL
from tests.pbx.story import Story
from tests.pbx.tellers import MODES, can_tell, expected, tell

TOLD = [(story, mode) for story in ALL for mode in MODES if can_tell(story, mode)]


@pytest.mark.parametrize(("story", "mode"), TOLD, ids=[f"{mode}: {story.name}" for story, mode in TOLD])
def test_a_story_gives_its_call(story: Story, mode: str) -> None:
    dialect, values = tell(story, mode)
    found = documents(dialect, values)
    expect = expected(story, mode)
    assert len(found) == expect.pop("calls", 1), [(call["caller"]["number"], call["requested"]) for call in found]
    assert differences(found[0], expect, T0_MS / 1000) == {}
    chance = random.Random(story.name)
    again = values + chance.choices(values, k=len(values))
    chance.shuffle(again)
    assert documents(dialect, again) == found
