"""The ways in which FreeSWITCH tells a story, and what each of them cannot tell."""

from __future__ import annotations

from typing import Any, Final

from tests.pbx.freeswitch.play import play
from tests.pbx.freeswitch.switch import Switch
from tests.pbx.story import Story

MODES: Final = ("freeswitch esl", "freeswitch json_cdr", "freeswitch both")

# mod_callcenter answers every caller that it takes (callcenter_function: switch_channel_answer), and calls its agents
# without channels between; a dial plan that goes on behind the callee is an option of Asterisk's Dial.
_NOT_THIS_PBX: Final = frozenset(
    ("queue-without-answer-before", "queue-through-the-dial-plan", "another-phone-behind-the-callee")
)
# Field that comes out otherwise, or cannot be known (`...`), by the story; and why.
_UNTOLD: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "freeswitch json_cdr": {
        # `variable_transfer_…` of the caller's own leg tell of a transfer, no record of who heard whom until when.
        "outside-sent-on-by-the-caller": {"talk_s": ...},
        "outside-sent-on-in-vain": {"talk_s": ...},
        # The variables cc_queue_… of a leg are of its last queue.
        "queue-then-queue": {"queue_visits": ..., "wait_s": ...},
    },
}


def can_play(story: Story) -> bool:
    """Whether this switch can do what the story needs."""
    if story.name in _NOT_THIS_PBX:
        return False
    try:
        play(story)
    except KeyError:
        return False
    return True


def values(story: Story, mode: str) -> list[bytes]:
    """What is told of a story, in order."""
    switch: Switch = play(story)
    told = {MODES[0]: switch.events, MODES[1]: switch.documents}
    return told.get(mode, [*switch.events, *switch.documents])


def expected(story: Story, mode: str) -> dict[str, Any]:
    """The call that must come out. FreeSWITCH names a queue with its domain; the variables `cc_queue_…_epoch` of a leg
    are whole seconds, so a wait by them alone is as well."""
    expect = story.expected(mode)
    if "queue_visits" in expect:
        left_out = ("queue", "wait_s") if mode == MODES[1] else ("queue",)
        visits = expect["queue_visits"]
        expect["queue_visits"] = [{k: v for k, v in visit.items() if k not in left_out} for visit in visits]
    if mode == MODES[1]:
        expect.pop("wait_s", None)
    expect.update(_UNTOLD.get(mode, {}).get(story.name, {}))
    return {field: value for field, value in expect.items() if value is not ...}
