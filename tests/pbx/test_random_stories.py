"""Stories made at random obey the laws in every mode of every simulator, and each PBX tells the same call in each."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.calls.laws import broken, numbers_of
from tests.pbx.folded import documents
from tests.pbx.random_stories import made
from tests.pbx.tellers import MODES, tell

_SEEDS = 40
# What no reading of a story can change.
_SAME = ("status", "direction", "requested", "destination", "answered_by", "talk_ms", "billable_ms", "missed_by")


@pytest.mark.parametrize("mode", MODES)
def test_random_stories_obey_the_laws(mode: str) -> None:
    for seed in range(_SEEDS):
        story, outside = made(seed)
        dialect, values = tell(story, mode)
        chance = random.Random(seed)
        (call,) = documents(dialect, values)
        assert broken(call) == [], story.steps
        named = {each.who for each in story.steps} | {number for each in story.steps for number in each.to}
        assert numbers_of(call) <= named, story.steps
        if not outside:  # nothing left the house: nothing is billed
            assert call["direction"] in ("inbound", "internal"), story.steps
        chance.shuffle(values)
        assert documents(dialect, values) == [call]


@pytest.mark.parametrize("seed", range(_SEEDS))
def test_both_interfaces_of_freeswitch_tell_the_same_call(seed: int) -> None:
    story, _ = made(seed)
    found: dict[str, dict[str, Any]] = {}
    for mode in MODES:
        if mode.startswith("freeswitch"):
            (call,) = documents(*tell(story, mode))
            found[mode] = {field: call[field] for field in _SAME}
            found[mode]["logs"] = [(log["number"], log["outcome"], log["talk_ms"]) for log in call["logs"]]
    first = next(iter(found.values()))
    assert all(each == first for each in found.values()), (story.steps, found)
