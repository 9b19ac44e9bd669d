"""The PBX answers itself: menus, announcements, mailboxes, conferences."""

from __future__ import annotations

from typing import Final

from tests.pbx.stories.parts import CARRIER, DID, INBOUND, OUTSIDE
from tests.pbx.story import Step, Story, Untold, step

# apps=dial,park of configs/samples/cel.conf.sample: no row tells what else a channel runs once it is answered.
_WHY: Final = "cel.conf lists no applications but Dial and Park"
_NO_MENU: Final = Untold("asterisk cel sample", _WHY, {"logs": ...})
_NO_BOX: Final = Untold("asterisk cel sample", _WHY, {"status": "answered", "destination": ...})
_MENU: Final[tuple[Step, ...]] = (
    step(0, OUTSIDE, "calls", DID, over=CARRIER),
    step(0.5, OUTSIDE, "menu"),
)


def _alone(name: str, says: str, sound: str) -> Story:
    """A caller with an application of the PBX, and nobody else."""
    return Story(
        name,
        says,
        (
            step(0, "1001", "calls", "*60"),
            step(0.5, "1001", "play", sound=sound),
            step(20.5, "1001", "hangs_up"),
        ),
        {
            "caller": "1001",
            "requested": "*60",
            "direction": "internal",
            "status": "answered",
            "answered": 0.5,
            "talk": None,
            "talk_s": 0,
            "billable_s": 20,
            "answered_by": None,
            "hung_up_by": "caller",
            "end_reason": "caller_disconnected",
            "missed_by": [],
        },
    )


STORIES: Final = (
    _alone("mailbox", "1001 listens to its messages.", "mailbox"),
    _alone("echo", "1001 tries the echo test.", "echo"),
    _alone("announcement", "1001 hears an announcement.", "announcement"),
    _alone("time", "1001 hears what time it is.", "time"),
    _alone("music", "1001 listens to music.", "music"),
    Story(
        "echo-after-answer",
        "The dial plan answers first, then plays the echo test.",
        (
            step(0, "1001", "calls", "600"),
            step(0.2, "1001", "answer"),
            step(0.5, "1001", "play", sound="echo"),
            step(5.2, "1001", "hangs_up"),
        ),
        {"status": "answered", "answered": 0.2, "talk_s": 0, "answered_by": None, "billable_s": 5},
    ),
    Story(
        "closed",
        "Out of hours the caller from outside hears an announcement, and the dial plan hangs up.",
        (
            step(0, OUTSIDE, "calls", DID, over=CARRIER),
            step(0.3, OUTSIDE, "play", sound="announcement"),
            step(12.3, OUTSIDE, "hangup"),
        ),
        {**INBOUND, "status": "answered", "talk_s": 0, "answered_by": None, "billable_s": 12, "hung_up_by": "system"},
    ),
    Story(
        "menu-then-phone",
        "The caller chooses 1002 in the menu.",
        (
            *_MENU,
            step(8, OUTSIDE, "tries", "1002"),
            step(8.4, "1002", "rings"),
            step(12, "1002", "answers"),
            step(72, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "answered",
            "answered": 0.5,
            "talk": 12,
            "talk_s": 60,
            "answered_by": "1002",
            "destination": "1002",
            "billable_s": 71.5,
            "logs": [
                {"kind": "ivr", "outcome": "answered"},
                {"kind": "extension", "number": "1002", "outcome": "answered"},
            ],
        },
        (_NO_MENU,),
    ),
    Story(
        "menu-alone",
        "The caller hangs up in the menu.",
        (*_MENU, step(12.5, OUTSIDE, "hangs_up")),
        {
            **INBOUND,
            "status": "answered",
            "talk": None,
            "talk_s": 0,
            "answered_by": None,
            "billable_s": 12,
            "end_reason": "caller_disconnected",
        },
    ),
    Story(
        "menu-then-voicemail",
        "The caller chooses a voicemail box in the menu.",
        (*_MENU, step(8, OUTSIDE, "voicemail", "1002"), step(30, OUTSIDE, "hangs_up")),
        {**INBOUND, "status": "voicemail", "destination": "voicemail:1002", "talk_s": 0, "hung_up_by": "caller"},
        (_NO_BOX,),
    ),
    Story(
        "menu-then-nobody",
        "The caller chooses 1002, who does not answer; the dial plan hangs up.",
        (
            *_MENU,
            step(8, OUTSIDE, "tries", "1002"),
            step(8.4, "1002", "rings"),
            step(28, OUTSIDE, "gives_up"),
            step(28.1, OUTSIDE, "hangup"),
        ),
        {**INBOUND, "status": "no_answer", "talk_s": 0, "hung_up_by": "system", "missed_by": ["1002"]},
    ),
    Story(
        "greeting-then-caller-gives-up",
        "A greeting, then 1001 rings, and the caller hangs up.",
        (
            step(0, OUTSIDE, "calls", DID, over=CARRIER),
            step(0.1, OUTSIDE, "answer"),
            step(0.2, OUTSIDE, "play", sound="greeting"),
            step(6, OUTSIDE, "tries", "1001"),
            step(6.4, "1001", "rings"),
            step(16, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "cancelled",
            "answered": 0.1,
            "talk_s": 0,
            "billable_s": 15.9,
            "hung_up_by": "caller",
            "missed_by": ["1001"],
            "logs": [{"number": "1001", "outcome": "cancelled"}],
        },
    ),
    Story(
        "greeting-then-nobody",
        "A greeting, then 1001 rings for 20 s, and the dial plan hangs up.",
        (
            step(0, OUTSIDE, "calls", DID, over=CARRIER),
            step(0.1, OUTSIDE, "answer"),
            step(0.2, OUTSIDE, "play", sound="greeting"),
            step(6, OUTSIDE, "tries", "1001"),
            step(6.4, "1001", "rings"),
            step(26, OUTSIDE, "gives_up"),
            step(26.1, OUTSIDE, "hangup"),
        ),
        {
            **INBOUND,
            "status": "no_answer",
            "answered": 0.1,
            "talk_s": 0,
            "billable_s": 26,
            "hung_up_by": "system",
            "missed_by": ["1001"],
            "logs": [{"number": "1001", "outcome": "no_answer"}],
        },
    ),
    Story(
        "greeting-then-answer",
        "A greeting, then 1001 answers.",
        (
            step(0, OUTSIDE, "calls", DID, over=CARRIER),
            step(0.1, OUTSIDE, "answer"),
            step(0.2, OUTSIDE, "play", sound="greeting"),
            step(6, OUTSIDE, "tries", "1001"),
            step(6.4, "1001", "rings"),
            step(11, "1001", "answers"),
            step(71, "1001", "hangs_up"),
        ),
        {**INBOUND, "status": "answered", "answered": 0.1, "talk": 11, "talk_s": 60, "hung_up_by": "callee"},
    ),
    Story(
        "conference",
        "1001 dials into a conference room, alone.",
        (
            step(0, "1001", "calls", "3000"),
            step(0.2, "1001", "conference", "3000"),
            step(60.2, "1001", "hangs_up"),
        ),
        {"requested": "3000", "status": "answered", "answered": 0.2, "hung_up_by": "caller", "billable_s": 60},
    ),
)
