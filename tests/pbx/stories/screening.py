"""Screening and forwarding in odd company: who answers, hears who calls, and does not take the call"""

from __future__ import annotations

from typing import Final

from tests.pbx.stories.parts import CARRIER, DID, INBOUND, MOBILE, OUTSIDE, inbound
from tests.pbx.story import Story, Untold, step

_NO_FORWARD: Final = Untold("asterisk cel sample", "cel.conf lists no FORWARD", {"reroutes": ...})
_NO_MISS: Final = Untold("asterisk cel sample", "cel.conf lists no FORWARD", {"reroutes": ..., "missed_by": ...})
_CALLED: Final = (step(0, OUTSIDE, "calls", DID, over=CARRIER),)

STORIES: Final = (
    Story(
        "screened-beside-a-mobile-phone",
        "1002 and a mobile phone ring; who answers the mobile phone hears who calls and presses 1.",
        (
            *_CALLED,
            step(0.1, OUTSIDE, "tries", "1002", MOBILE, outside={MOBILE: "carrier-b"}, screened=True),
            step(0.4, "1002", "rings"),
            step(6, MOBILE, "answers"),
            step(10, MOBILE, "accepts"),
            step(40, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "direction": "inbound_outbound",
            "answered_by": MOBILE,
            "answered": 10,
            "talk_s": 30,
            "missed_by": [],
        },
    ),
    Story(
        "screened-then-voicemail",
        "1002 hears who calls and hangs up; its voicemail answers.",
        (
            *_CALLED,
            step(0.1, OUTSIDE, "tries", "1002", screened=True),
            step(0.4, "1002", "rings"),
            step(6, "1002", "answers"),
            step(10, "1002", "hangs_up"),
            step(10.2, OUTSIDE, "voicemail", "1002"),
            step(30, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "voicemail",
            "answered_by": None,
            "talk_s": 0,
            "answered": 10.2,
            "hung_up_by": "caller",
        },
    ),
    Story(
        "screened-and-cancelled",
        "1002 hears who calls; the caller gives up meanwhile.",
        (
            *_CALLED,
            step(0.1, OUTSIDE, "tries", "1002", screened=True),
            step(0.4, "1002", "rings"),
            step(6, "1002", "answers"),
            step(8, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "cancelled",
            "answered_by": None,
            "talk_s": 0,
            "answered": None,
            "billable_s": 0,
            "hung_up_by": "caller",
        },
    ),
    Story(
        "forwarded-over-another-carrier",
        "1002's phone rings, then sends the call on to a mobile phone, which answers and hangs up.",
        (
            *_CALLED,
            step(0.1, OUTSIDE, "tries", "1002"),
            step(0.3, "1002", "rings"),
            step(3, "1002", "forwards", MOBILE, over="carrier-b"),
            step(10, MOBILE, "answers"),
            step(40, MOBILE, "hangs_up"),
        ),
        {
            **INBOUND,
            "direction": "inbound_outbound",
            "destination": MOBILE,
            "answered_by": MOBILE,
            "hung_up_by": "callee",
            "talk_s": 30,
            "reroutes": [{"from": "1002", "to": MOBILE, "by": "1002"}],
        },
        (_NO_FORWARD,),
    ),
    Story(
        "forwarded-to-a-busy-phone",
        "1002's phone sends the call on at once to 1003, who is busy.",
        (
            step(0, "1001", "calls", "1002"),
            step(0.1, "1001", "tries", "1002"),
            step(0.3, "1002", "forwards", "1003"),
            step(1, "1003", "refuses", cause="busy"),
            step(1.1, "1001", "hangup"),
        ),
        {
            "status": "busy",
            "missed_by": ["1003"],
            "reroutes": [
                {"kind": "forward_unconditional", "from": "1002", "to": "1003", "by": "1002", "result": "busy"}
            ],
        },
        (_NO_MISS,),
    ),
    Story(
        "forwarded-and-cancelled",
        "1002's phone sends the call on to 1003; the caller gives up while it rings.",
        (
            step(0, "1001", "calls", "1002"),
            step(0.1, "1001", "tries", "1002"),
            step(0.3, "1002", "forwards", "1003"),
            step(0.6, "1003", "rings"),
            step(9, "1001", "hangs_up"),
        ),
        {"status": "cancelled", "missed_by": ["1003"], "hung_up_by": "caller"},
        (_NO_MISS,),
    ),
    Story(
        "blind-to-a-busy-phone-and-back",
        "1001 sends the caller to 1003, who is busy; the dial plan rings 1001 again, who answers.",
        (
            *inbound(),
            step(20, "1001", "transfers", "1003"),
            step(20.1, OUTSIDE, "tries", "1003", at="1003"),
            step(21, "1003", "refuses", cause="busy"),
            step(21.1, OUTSIDE, "tries", "1001"),
            step(21.3, "1001", "rings"),
            step(26, "1001", "answers"),
            step(50, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "answered_by": "1001",
            "talk_s": 39,
            "hung_up_by": "caller",
            "missed_by": ["1003"],
            "reroutes": [{"kind": "blind_transfer", "from": "1001", "to": "1003", "result": "busy"}],
        },
        (Untold("asterisk cel sample", "cel.conf lists no transfers", {"reroutes": ...}),),
    ),
    Story(
        "held-to-the-end",
        "1001 puts the caller on hold, who hangs up meanwhile.",
        (*inbound(), step(20, "1001", "holds"), step(35, OUTSIDE, "hangs_up")),
        {**INBOUND, "talk_s": 30, "hold_s": 15, "hung_up_by": "caller"},
        (Untold("asterisk cel", "CEL has no rows of hold", {"hold_s": 0}),),
    ),
)
