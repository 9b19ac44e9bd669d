"""Stories made at random: FreeSWITCH tells the same call by event socket and by mod_json_cdr."""

from __future__ import annotations

from typing import Any

import pytest

from tests.calls.laws import broken
from tests.pbx import random_stories
from tests.pbx.folded import documents
from tests.pbx.freeswitch.modes import MODES, can_play
from tests.pbx.tellers import tell

# What no interface may change; the times of a queue are whole seconds in a record.
_SAME = ("status", "direction", "requested", "destination", "answered_by", "talk_ms", "billable_ms", "missed_by")


@pytest.mark.parametrize("seed", range(40))
def test_both_interfaces_of_freeswitch_tell_the_same_call(seed: int) -> None:
    story = random_stories.story(seed)
    if not can_play(story):
        pytest.skip("needs what this switch cannot do")
    found: dict[str, dict[str, Any]] = {}
    for mode in MODES:
        (call,) = documents(*tell(story, mode))
        assert broken(call) == [], story.steps
        found[mode] = {field: call[field] for field in _SAME}
        found[mode]["logs"] = sorted((log["number"], log["outcome"], log["talk_ms"]) for log in call["logs"])
    first = next(iter(found.values()))
    assert all(each == first for each in found.values()), (story.steps, found)


_EVERYWHERE = ("status", "direction", "requested", "destination", "answered_by", "hung_up_by", "trunk")
_LATE_MS = 150  # what one PBX tells later than another


@pytest.mark.parametrize("seed", [*range(1000, 1030), 1100, 1210, 1265, 1296])
def test_all_pbxs_tell_the_same_call(seed: int) -> None:
    story = random_stories.story(seed)
    told: dict[str, dict[str, Any]] = {}
    for mode in ("asterisk both", "asterisk cel", "asterisk manager", "freeswitch esl"):
        if mode.startswith("asterisk") or can_play(story):
            (told[mode],) = documents(*tell(story, mode))
    first = told["asterisk both"]
    for mode, call in told.items():
        assert {key: call[key] for key in _EVERYWHERE} == {key: first[key] for key in _EVERYWHERE}, (mode, story.steps)
        assert sorted(call["missed_by"]) == sorted(first["missed_by"]), (mode, story.steps)
        assert _outcomes(call) == _outcomes(first), (mode, story.steps)
        for length in ("talk_ms", "billable_ms"):
            assert abs(call[length] - first[length]) <= _LATE_MS, (mode, length, story.steps)


def _outcomes(call: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((log["number"], log["outcome"]) for log in call["logs"] if log["kind"] not in ("ivr", "queue"))
