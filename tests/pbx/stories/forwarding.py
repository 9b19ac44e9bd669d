"""Phones that send calls on, and dial plans that do."""

from __future__ import annotations

from typing import Final

from tests.pbx.stories.parts import CARRIER, DID, INBOUND, MOBILE, OUTSIDE
from tests.pbx.story import Story, Untold, step

# configs/samples/cel.conf.sample does not list FORWARD; the call goes where it goes all the same.
_NO_ROW: Final = Untold("asterisk cel sample", "cel.conf lists no FORWARD", {"reroutes": []})

STORIES: Final = (
    Story(
        "forwarded-by-the-phone",
        "1002's phone sends the call on to 1003 (302).",
        (
            step(0, "1001", "calls", "1002"),
            step(0.1, "1001", "tries", "1002"),
            step(0.5, "1002", "forwards", "1003"),
            step(0.9, "1003", "rings"),
            step(6, "1003", "answers"),
            step(36, "1001", "hangs_up"),
        ),
        {
            "requested": "1002",
            "destination": "1003",
            "answered_by": "1003",
            "status": "answered",
            "talk_s": 30,
            "reroutes": [{"kind": "forward_unconditional", "from": "1002", "to": "1003", "result": "answered"}],
            "missed_by": [],
        },
        (_NO_ROW,),
    ),
    Story(
        "forwarded-from-outside",
        "The phone on which a call from outside rings sends it on.",
        (
            step(0, OUTSIDE, "calls", DID, over=CARRIER),
            step(0.1, OUTSIDE, "tries", "1001"),
            step(0.5, "1001", "forwards", "1004"),
            step(6, "1004", "answers"),
            step(36, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "destination": "1004",
            "answered_by": "1004",
            "talk_s": 30,
            "reroutes": [{"kind": "forward_unconditional", "from": "1001", "to": "1004", "result": "answered"}],
        },
        (_NO_ROW,),
    ),
    Story(
        "forwarded-to-a-mobile",
        "1002's phone sends the call on to a mobile phone: the onward leg is 1002's.",
        (
            step(0, "1001", "calls", "1002"),
            step(0.1, "1001", "tries", "1002"),
            step(0.5, "1002", "forwards", MOBILE, over=CARRIER),
            step(8, MOBILE, "answers"),
            step(38, "1001", "hangs_up"),
        ),
        {
            "caller": "1001",
            "requested": "1002",
            "destination": MOBILE,
            "answered_by": MOBILE,
            "direction": "outbound",
            "trunk": CARRIER,
            "talk_s": 30,
            "reroutes": [{"kind": "forward_unconditional", "from": "1002", "to": MOBILE, "by": "1002"}],
        },
        (_NO_ROW,),
    ),
    Story(
        "forwarded-in-vain",
        "1003, to whom 1002's phone sends the call, does not answer.",
        (
            step(0, "1001", "calls", "1002"),
            step(0.1, "1001", "tries", "1002"),
            step(0.5, "1002", "forwards", "1003"),
            step(0.9, "1003", "rings"),
            step(20, "1001", "gives_up"),
            step(20.1, "1001", "hangup"),
        ),
        {
            "requested": "1002",
            "status": "no_answer",
            "answered_by": None,
            "missed_by": ["1003"],
            "reroutes": [{"kind": "forward_unconditional", "from": "1002", "to": "1003"}],
        },
        (_NO_ROW,),
    ),
    Story(
        "voicemail-after-no-answer",
        "1002 does not answer; its voicemail does.",
        (
            step(0, OUTSIDE, "calls", DID, over=CARRIER),
            step(0.1, OUTSIDE, "tries", "1002"),
            step(0.4, "1002", "rings"),
            step(20, OUTSIDE, "gives_up"),
            step(20.1, OUTSIDE, "voicemail", "1002"),
            step(50, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "voicemail",
            "destination": "voicemail:1002",
            "answered": 20.1,
            "talk_s": 0,
            "answered_by": None,
            "missed_by": ["1002"],
            "hung_up_by": "caller",
        },
    ),
    Story(
        "voicemail-after-busy",
        "1002 is busy; its voicemail answers.",
        (
            step(0, "1001", "calls", "1002"),
            step(0.1, "1001", "tries", "1002"),
            step(0.6, "1002", "refuses", cause="busy"),
            step(0.7, "1001", "voicemail", "1002"),
            step(30, "1001", "hangs_up"),
        ),
        {"status": "voicemail", "destination": "voicemail:1002", "talk_s": 0, "missed_by": ["1002"]},
    ),
    Story(
        "voicemail-at-once",
        "The dial plan leads straight to 1002's voicemail.",
        (
            step(0, "1001", "calls", "*1002"),
            step(0.1, "1001", "voicemail", "1002"),
            step(30, "1001", "hangs_up"),
        ),
        {
            "status": "voicemail",
            "destination": "voicemail:1002",
            "talk_s": 0,
            "answered_by": None,
            "hung_up_by": "caller",
        },
    ),
)
