"""Several attempts: numbers and phones that are tried one after another, and callers who give up on the way"""

from __future__ import annotations

from typing import Final

from tests.pbx.stories.parts import CARRIER, DID, INBOUND, MOBILE, OUTSIDE, inbound, queued
from tests.pbx.story import Story, Untold, step

_SECOND: Final = "07700900456"
_APPS: Final = "cel.conf lists no applications but Dial and Park"
_NO_QUEUE: Final = Untold("asterisk cel sample", _APPS, {"queue_visits": ..., "logs": ...})
_NO_TRANSFER: Final = Untold("asterisk cel sample", "cel.conf lists no transfers", {"reroutes": ...})

STORIES: Final = (
    Story(
        "two-numbers-one-after-another",
        "A speed dial rings one mobile phone, then another over the same carrier, who answers.",
        (
            step(0, "1001", "calls", "99"),
            step(0.1, "1001", "tries", MOBILE, over=CARRIER),
            step(2, MOBILE, "rings"),
            step(20, "1001", "gives_up"),
            step(20.1, "1001", "tries", _SECOND, over=CARRIER),
            step(25, _SECOND, "answers"),
            step(55, "1001", "hangs_up"),
        ),
        {
            "direction": "outbound",
            "requested": "99",
            "destination": _SECOND,
            "answered_by": _SECOND,
            "trunk": CARRIER,
            "talk_s": 30,
            "logs": [
                {"kind": "outside", "number": MOBILE, "outcome": "no_answer"},
                {"kind": "outside", "number": _SECOND, "outcome": "answered"},
            ],
        },
    ),
    Story(
        "failover-behind-a-prefix",
        "1001 dials 9 for a line; the first carrier is congested, the second one answers.",
        (
            step(0, "1001", "calls", "9" + MOBILE),
            step(0.1, "1001", "tries", MOBILE, over=CARRIER),
            step(0.6, MOBILE, "refuses", cause="congested"),
            step(0.7, "1001", "tries", MOBILE, over="carrier-b"),
            step(8, MOBILE, "answers"),
            step(68, "1001", "hangs_up"),
        ),
        {
            "direction": "outbound",
            "requested": "9" + MOBILE,
            "destination": MOBILE,
            "trunk": "carrier-b",
            "logs": [
                {"number": MOBILE, "trunk": CARRIER, "outcome": "failed"},
                {"number": MOBILE, "trunk": "carrier-b", "outcome": "answered"},
            ],
        },
    ),
    Story(
        "cancelled-in-the-second-attempt",
        "1002 rejects the call, 1003 and 1004 ring, and the caller from outside gives up.",
        (
            step(0, OUTSIDE, "calls", DID, over=CARRIER),
            step(0.1, OUTSIDE, "tries", "1002"),
            step(0.3, "1002", "rings"),
            step(4, "1002", "refuses", cause="rejected"),
            step(4.1, OUTSIDE, "tries", "1003", "1004"),
            step(4.3, "1003", "rings"),
            step(4.3, "1004", "rings"),
            step(14, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "cancelled",
            "hung_up_by": "caller",
            "end_reason": "cancelled",
            "missed_by": ["1003", "1004"],
            "logs": [
                {"number": "1002", "outcome": "rejected"},
                {"number": "1003", "outcome": "cancelled"},
                {"number": "1004", "outcome": "cancelled"},
            ],
        },
    ),
    Story(
        "cancelled-in-the-third-attempt",
        "1002 does not answer, 1003 is busy, 1004 rings, and the caller gives up.",
        (
            step(0, "1001", "calls", "1002"),
            step(0.1, "1001", "tries", "1002"),
            step(0.4, "1002", "rings"),
            step(15, "1001", "gives_up"),
            step(15.1, "1001", "tries", "1003"),
            step(15.3, "1003", "rings"),
            step(20, "1003", "refuses", cause="busy"),
            step(20.1, "1001", "tries", "1004"),
            step(20.3, "1004", "rings"),
            step(26, "1001", "hangs_up"),
        ),
        {
            "status": "cancelled",
            "missed_by": ["1002", "1003", "1004"],
            "hung_up_by": "caller",
            "logs": [
                {"number": "1002", "outcome": "no_answer"},
                {"number": "1003", "outcome": "busy"},
                {"number": "1004", "outcome": "cancelled"},
            ],
        },
    ),
    Story(
        "cancelled-in-a-queue-that-answers-nobody",
        "The queue lets the caller hear ringing; 1001 does not answer, 1002 rings, and the caller gives up.",
        (
            step(0, OUTSIDE, "calls", DID, over=CARRIER),
            step(0.5, OUTSIDE, "queue", "support", at="8000"),
            step(1, OUTSIDE, "offers", "1001"),
            step(1.2, "1001", "rings"),
            step(15, OUTSIDE, "withdraws"),
            step(16, OUTSIDE, "offers", "1002"),
            step(16.2, "1002", "rings"),
            step(20, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "abandoned",
            "hung_up_by": "caller",
            "answered": None,
            "talk_s": 0,
            "missed_by": [],
            "queue_visits": [{"queue": "support", "reason": "abandoned"}],
            "logs": [
                {"kind": "queue", "outcome": "cancelled"},
                {"number": "1001", "outcome": "no_answer"},
                {"number": "1002", "outcome": "cancelled"},
            ],
        },
        (_NO_QUEUE,),
        modes=("asterisk",),
    ),
    Story(
        "blind-to-a-group",
        "1001 sends the caller to the group 600; 1004 answers and hangs up.",
        (
            *inbound(),
            step(20, "1001", "transfers", "600"),
            step(20.1, OUTSIDE, "tries", "1003", "1004", at="600"),
            step(20.3, "1003", "rings"),
            step(20.3, "1004", "rings"),
            step(25, "1004", "answers"),
            step(50, "1004", "hangs_up"),
        ),
        {
            **INBOUND,
            "answered_by": "1001",
            "destination": "1004",
            "talk_s": 40,
            "hung_up_by": "callee",
            "reroutes": [{"kind": "blind_transfer", "from": "1001", "to": "600", "by": "1001", "result": "answered"}],
            "missed_by": [],
        },
        (_NO_TRANSFER,),
    ),
    Story(
        "blind-to-a-group-in-vain",
        "1001 sends the caller to the group 600, where nobody answers but its voicemail.",
        (
            *inbound(),
            step(20, "1001", "transfers", "600"),
            step(20.1, OUTSIDE, "tries", "1003", "1004", at="600"),
            step(20.3, "1003", "rings"),
            step(20.3, "1004", "rings"),
            step(40, OUTSIDE, "gives_up"),
            step(40.1, OUTSIDE, "voicemail", "600"),
            step(50, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "answered",
            "answered_by": "1001",
            "talk_s": 15,
            "hung_up_by": "caller",
            "missed_by": ["1003", "1004"],
            "reroutes": [
                {"kind": "blind_transfer", "from": "1001", "to": "600", "by": "1001", "result": "no_answer"},
                {"kind": "forward_no_answer", "from": "600", "to": "voicemail", "result": "answered"},
            ],
        },
        (_NO_TRANSFER,),
    ),
    Story(
        "blind-to-a-queue-in-vain",
        "1001 sends the caller to a queue, where he gives up.",
        (
            *inbound(),
            step(20, "1001", "transfers", "8000"),
            step(20.1, OUTSIDE, "queue", "support", at="8000"),
            step(21, OUTSIDE, "offers", "1005"),
            step(21.2, "1005", "rings"),
            step(33, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "answered",
            "answered_by": "1001",
            "talk_s": 15,
            "hung_up_by": "caller",
            "queue_visits": [{"queue": "support", "reason": "abandoned"}],
        },
        (_NO_QUEUE,),
    ),
    Story(
        "busy-then-announcement",
        "1002 is busy; the dial plan says so in words.",
        (
            step(0, "1001", "calls", "1002"),
            step(0.1, "1001", "tries", "1002"),
            step(1, "1002", "refuses", cause="busy"),
            step(1.1, "1001", "play", sound="announcement"),
            step(9, "1001", "hangs_up"),
        ),
        {"status": "busy", "talk_s": 0, "answered_by": None, "hung_up_by": "caller", "missed_by": ["1002"]},
    ),
    Story(
        "queue-time-out-then-announcement",
        "Nobody answers in the queue; an announcement, in which the caller hangs up.",
        (
            *queued(),
            step(1, OUTSIDE, "offers", "1001"),
            step(1.2, "1001", "rings"),
            step(20, OUTSIDE, "leaves_queue", how="timeout"),
            step(20.1, OUTSIDE, "play", sound="announcement"),
            step(25, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "no_answer",
            "hung_up_by": "caller",
            "talk_s": 0,
            "queue_visits": [{"reason": "overflow"}],
        },
        (Untold("asterisk cel sample", _APPS, {"queue_visits": ..., "status": ...}),),
    ),
)
