"""Calls that the PBX begins: click to call, call files, reminders, callbacks."""

from __future__ import annotations

from typing import Any, Final

from tests.pbx.stories.parts import CARRIER, DID, MOBILE
from tests.pbx.story import Story, step

_CLICKED: Final[dict[str, Any]] = {
    "caller": "1001",
    "requested": "1002",
    "destination": "1002",
    "answered_by": "1002",
    "direction": "internal",
    "status": "answered",
    "state": "closed",
    "answered": 8,
    "talk_s": 30,
    "ended": 38,
}

STORIES: Final = (
    Story(
        "click-to-call",
        "A program rings 1001, then 1002 for it.",
        (
            step(0, "", "originate", "1001"),
            step(0.3, "1001", "rings"),
            step(3, "1001", "answers"),
            step(3.1, "1001", "tries", "1002", at="1002"),
            step(3.5, "1002", "rings"),
            step(8, "1002", "answers"),
            step(38, "1001", "hangs_up"),
        ),
        {**_CLICKED, "hung_up_by": "caller"},
    ),
    Story(
        "click-to-call-through-the-dial-plan",
        "The same by a Local channel that optimizes away.",
        (
            step(0, "", "originate", "1001", through=True),
            step(0.3, "1001", "rings"),
            step(3, "1001", "answers"),
            step(3.1, "1001", "tries", "1002", at="1002"),
            step(8, "1002", "answers", **{"for": "1001"}, optimizes=True),
            step(38, "1001", "hangs_up"),
        ),
        {**_CLICKED, "hung_up_by": "caller"},
    ),
    Story(
        "click-to-call-that-stays",
        "The same by a Local channel that stays; 1002 hangs up.",
        (
            step(0, "", "originate", "1001", through=True),
            step(3, "1001", "answers"),
            step(3.1, "1001", "tries", "1002", at="1002"),
            step(8, "1002", "answers"),
            step(38, "1002", "hangs_up"),
        ),
        {**_CLICKED, "hung_up_by": "callee"},
    ),
    Story(
        "click-to-call-of-a-user",
        "The Local channel is called by an id of the user.",
        (
            step(0, "", "originate", "1001", through=True, named="u-7f3a"),
            step(3, "1001", "answers"),
            step(3.1, "1001", "tries", "1002", at="1002"),
            step(8, "1002", "answers"),
            step(38, "1001", "hangs_up"),
        ),
        _CLICKED,
    ),
    Story(
        "click-to-call-own-phone-in-vain",
        "1001 does not answer its own phone.",
        (
            step(0, "", "originate", "1001", through=True),
            step(0.3, "1001", "rings"),
            step(20, "1001'", "gives_up"),
            step(20.1, "1001'", "hangup"),
        ),
        {"caller": "1001", "status": "no_answer", "answered": None, "ended": 20, "state": "closed", "talk_s": 0},
    ),
    Story(
        "click-to-call-in-vain",
        "1001 answers, 1002 does not; 1001 hangs up.",
        (
            step(0, "", "originate", "1001", through=True),
            step(3, "1001", "answers"),
            step(3.1, "1001", "tries", "1002", at="1002"),
            step(3.5, "1002", "rings"),
            step(20, "1001", "hangs_up"),
        ),
        {"caller": "1001", "requested": "1002", "answered_by": None, "talk_s": 0, "ended": 20, "state": "closed"},
    ),
    Story(
        "click-to-call-outward",
        "A program rings 1001, then a mobile phone for it.",
        (
            step(0, "", "originate", "1001", through=True),
            step(3, "1001", "answers"),
            step(3.1, "1001", "tries", MOBILE, over=CARRIER, at=MOBILE),
            step(10, MOBILE, "answers"),
            step(40, "1001", "hangs_up"),
        ),
        {
            "caller": "1001",
            "direction": "outbound",
            "trunk": CARRIER,
            "requested": MOBILE,
            "answered_by": MOBILE,
            "status": "answered",
            "talk_s": 30,
            "state": "closed",
        },
    ),
    Story(
        "mailbox-calls",
        "A program rings 1001, who hears its messages.",
        (
            step(0, "", "originate", "1001", through=True, named="vm"),
            step(4, "1001", "answers"),
            step(4.1, "1001", "play", sound="mailbox"),
            step(34, "1001", "hangs_up"),
        ),
        {"caller": "1001", "status": "answered", "ended": 34, "state": "closed", "talk_s": 0, "answered_by": None},
    ),
    Story(
        "reminder",
        "A program rings a mobile phone and plays a reminder.",
        (
            step(0, "", "originate", MOBILE, over=CARRIER, shows=DID),
            step(9, MOBILE, "answers"),
            step(9.1, MOBILE, "play", sound="announcement"),
            step(30, MOBILE, "hangup"),
        ),
        {"direction": "outbound", "trunk": CARRIER, "status": "answered", "answered": 9, "ended": 30, "did": None},
    ),
    Story(
        "reminder-in-vain",
        "The mobile phone does not answer.",
        (
            step(0, "", "originate", MOBILE, over=CARRIER, shows=DID),
            step(3, MOBILE, "rings"),
            step(25, MOBILE, "refuses", cause="busy"),
        ),
        {"direction": "outbound", "trunk": CARRIER, "status": "busy", "answered": None, "did": None},
    ),
    Story(
        "callback",
        "A program rings a customer, then an agent for him.",
        (
            step(0, "", "originate", MOBILE, over=CARRIER, shows=DID),
            step(9, MOBILE, "answers"),
            step(9.1, MOBILE, "tries", "1001", at="1001"),
            step(9.5, "1001", "rings"),
            step(14, "1001", "answers"),
            step(44, MOBILE, "hangs_up"),
        ),
        {"direction": "outbound", "trunk": CARRIER, "status": "answered", "did": None, "ended": 44, "state": "closed"},
    ),
)
