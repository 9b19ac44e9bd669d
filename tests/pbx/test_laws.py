"""What holds of every call, whatever happened: laws over random stories in every mode."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.pbx import random_stories
from tests.pbx.folded import documents
from tests.pbx.story import Story
from tests.pbx.tellers import MODES, can_tell, tell

Document = dict[str, Any]
NEAR_MS = 6_000
SLACK_MS = 60
# The simulators that play every step of which the random stories are made.
TOLD_BY = [mode for mode in MODES if mode.startswith("asterisk")]


def ms(told: str | None) -> int | None:
    return None if told is None else round(dt.datetime.fromisoformat(told).timestamp() * 1000)


def told_in(mode: str, seed: int) -> tuple[Story, list[Document]]:
    story = random_stories.story(seed)
    assume(can_tell(story, mode))
    dialect, values = tell(story, mode)
    return story, documents(dialect, values)


@pytest.mark.parametrize("mode", TOLD_BY)
@given(seed=st.integers(0, 1 << 40))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_laws(mode: str, seed: int) -> None:
    story, calls = told_in(mode, seed)
    known = random_stories.numbers(story)
    assert calls
    for call in calls:
        in_order(call)
        ends_after_its_talks(call)
        elsewhere_only_if_answered(call)
        who_hung_up_was_there(call)
        talks_no_longer_than_bridged(call)
        knows_its_numbers(call, known)
        left_the_house_only_over_a_trunk(call, story)


def in_order(call: Document) -> None:
    """Of each log started ≤ rang ≤ answered ≤ ended, and it rang no longer than the call lasted."""
    for log in call["logs"]:
        at = [ms(log[f"{moment}_at"]) for moment in ("started", "rang", "answered", "ended")]
        reached = [each for each in at if each is not None]
        assert reached == sorted(reached), log
        assert log["ring_ms"] is None or call["duration_ms"] is None or log["ring_ms"] <= call["duration_ms"] + SLACK_MS


def ends_after_its_talks(call: Document) -> None:
    """A story's call is over, and not before anybody in it stopped talking."""
    assert call["state"] == "closed", call
    ended = ms(call["ended_at"])
    for log in call["logs"]:
        if log["talk_ms"] and log["kind"] != "consultation":
            began = ms(log["answered_at"])
            assert began is not None
            assert ended is not None
            assert began + log["talk_ms"] <= ended + SLACK_MS or log["talk_ms"] <= call["talk_ms"] + SLACK_MS, log
    assert call["talk_ms"] <= call["duration_ms"] + SLACK_MS


def elsewhere_only_if_answered(call: Document) -> None:
    if any(log["outcome"] == "answered_elsewhere" for log in call["logs"]):
        assert any(log["answered_at"] is not None for log in call["logs"]) or call["answered_at"] is not None, call


def who_hung_up_was_there(call: Document) -> None:
    """A party hung up only if its leg ended near the call's end."""
    ended = ms(call["ended_at"])
    assert ended is not None
    ends = {leg["leg_id"]: ms(leg["ended_at"]) for leg in call["legs"]}
    if call["hung_up_by"] == "callee" and call["status"] == "answered":
        near = [at for leg, at in ends.items() if leg != call["legs"][0]["leg_id"] and at is not None]
        assert any(abs(at - ended) <= NEAR_MS for at in near), call


def talks_no_longer_than_bridged(call: Document) -> None:
    """Talk lasts no longer than the leg was up."""
    legs = {leg["leg_id"]: leg for leg in call["legs"]}
    for log in call["logs"]:
        leg = legs.get(log["leg_id"])
        if leg is None or not log["talk_ms"] or log["kind"] == "consultation":
            continue
        answered, ended = ms(leg["answered_at"]), ms(leg["ended_at"])
        assert answered is not None, log
        assert ended is None or log["talk_ms"] <= ended - answered + SLACK_MS, log


def knows_its_numbers(call: Document, known: set[str]) -> None:
    """Each number in the document is a number that somebody dialled, showed or owns: a trunk's name is none."""
    shown = [call["caller"]["number"], call["requested"], call["destination"], call["answered_by"], *call["missed_by"]]
    shown += [log["number"] for log in call["logs"]]
    for move in call["reroutes"]:
        shown += [move["from"], move["to"], move["by"]] if move["kind"] != "carrier_failover" else []
    for number in shown:
        bare = (number or "").removeprefix("voicemail:")
        assert not bare or bare in known or bare in ("voicemail", "support", "1001"), (number, known)


def left_the_house_only_over_a_trunk(call: Document, story: Story) -> None:
    """What is outside, and would be billed, went over a trunk."""
    trunks = {each.given["over"] for each in story.steps if each.given.get("over")}
    assert call["trunk"] is None or call["trunk"] in trunks
    if "over" not in {key for each in story.steps if each.does == "tries" for key, on in each.given.items() if on}:
        assert call["direction"] in ("inbound", "internal"), call


@given(seed=st.integers(0, 1 << 40))
@settings(max_examples=80, deadline=None)
def test_modes_of_asterisk_agree(seed: int) -> None:
    """CEL alone, the manager alone, and both give the same calls, but for what CEL cannot know (ringing, hold)."""
    found = {}
    for mode in ("asterisk cel", "asterisk manager", "asterisk both"):
        _, calls = told_in(mode, seed)
        found[mode] = [essence(call) for call in calls]
    first = found["asterisk both"]
    assert found["asterisk cel"] == first
    assert found["asterisk manager"] == first


def essence(call: Document) -> Document:
    return {
        "status": call["status"],
        "direction": call["direction"],
        "caller": call["caller"]["number"],
        "requested": call["requested"],
        "destination": call["destination"] if call["destination"] not in ("default", "701") else "park",
        "answered_by": call["answered_by"],
        "answered_logs": [(log["kind"], log["number"]) for log in call["logs"] if log["talk_ms"] > SLACK_MS],
        "reroutes": [(move["kind"], move["by"]) for move in call["reroutes"] if move["kind"] != "queue"],
    }
