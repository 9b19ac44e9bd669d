"""Two phones of one PBX."""

from __future__ import annotations

from typing import Final

from tests.pbx.stories.parts import internal
from tests.pbx.story import Story, Untold, step

_NOBODY_HELD: Final = Untold("asterisk cel", "CEL has no rows of hold", {"hold_s": 0})

STORIES: Final = (
    Story(
        "answered",
        "1001 calls 1002, who answers after 4 s; 1001 hangs up.",
        (*internal(), step(64, "1001", "hangs_up")),
        {
            "caller": "1001",
            "requested": "1002",
            "destination": "1002",
            "answered_by": "1002",
            "direction": "internal",
            "status": "answered",
            "answered": 4,
            "ended": 64,
            "talk_s": 60,
            "billable_s": 60,
            "end_reason": "caller_disconnected",
            "hung_up_by": "caller",
            "trunk": None,
            "logs": [{"kind": "extension", "number": "1002", "outcome": "answered", "talk_s": 60}],
            "reroutes": [],
            "missed_by": [],
        },
    ),
    Story(
        "callee-hangs-up",
        "1001 calls 1002, who hangs up after a minute.",
        (*internal(), step(64, "1002", "hangs_up")),
        {
            "status": "answered",
            "talk_s": 60,
            "end_reason": "callee_disconnected",
            "hung_up_by": "callee",
            "answered_by": "1002",
        },
    ),
    Story(
        "held",
        "1002 puts 1001 on hold for 10 s.",
        (*internal(), step(20, "1002", "holds"), step(30, "1002", "resumes"), step(64, "1001", "hangs_up")),
        {"status": "answered", "talk_s": 60, "hold_s": 10, "logs": [{"number": "1002", "outcome": "answered"}]},
        (_NOBODY_HELD,),
    ),
    Story(
        "answered-for-an-instant",
        "1002 answers and hangs up in the same second.",
        (*internal(), step(4.2, "1002", "hangs_up")),
        {"status": "answered", "answered": 4, "talk_s": 0.2, "hung_up_by": "callee"},
    ),
    Story(
        "cancelled",
        "1001 gives up while 1002 rings.",
        (*internal()[:3], step(9, "1001", "hangs_up")),
        {
            "status": "cancelled",
            "end_reason": "cancelled",
            "hung_up_by": "caller",
            "answered": None,
            "ended": 9,
            "talk_s": 0,
            "billable_s": 0,
            "missed_by": ["1002"],
            "logs": [{"number": "1002", "outcome": "cancelled"}],
        },
    ),
    Story(
        "cancelled-before-any-dial",
        "1001 hangs up before the dial plan has dialled anybody.",
        (step(0, "1001", "calls", "1002"), step(1, "1001", "hangs_up")),
        {"status": "cancelled", "end_reason": "cancelled", "hung_up_by": "caller", "ended": 1, "answered": None},
    ),
    Story(
        "cancelled-in-the-second-dial",
        "1002 does not answer, the dial plan tries 1003, and 1001 gives up.",
        (
            *internal()[:3],
            step(15, "1001", "gives_up"),
            step(15.1, "1001", "tries", "1003"),
            step(15.4, "1003", "rings"),
            step(22, "1001", "hangs_up"),
        ),
        {
            "status": "cancelled",
            "end_reason": "cancelled",
            "hung_up_by": "caller",
            "ended": 22,
            "missed_by": ["1002", "1003"],
            "logs": [{"number": "1002", "outcome": "no_answer"}, {"number": "1003", "outcome": "cancelled"}],
        },
    ),
    Story(
        "cancelled-after-a-refusal",
        "1002 is busy, the dial plan tries 1003, and 1001 gives up.",
        (
            *internal()[:2],
            step(1, "1002", "refuses", cause="busy"),
            step(1.1, "1001", "tries", "1003"),
            step(1.4, "1003", "rings"),
            step(12, "1001", "hangs_up"),
        ),
        {
            "status": "cancelled",
            "end_reason": "cancelled",
            "hung_up_by": "caller",
            "logs": [{"number": "1002", "outcome": "busy"}, {"number": "1003", "outcome": "cancelled"}],
        },
    ),
    Story(
        "no-answer",
        "1002 does not answer for 20 s; the dial plan hangs up.",
        (*internal()[:3], step(20, "1001", "gives_up"), step(20.1, "1001", "hangup")),
        {
            "status": "no_answer",
            "hung_up_by": "system",
            "end_reason": None,
            "answered": None,
            "ended": 20.1,
            "missed_by": ["1002"],
            "logs": [{"number": "1002", "outcome": "no_answer"}],
        },
    ),
    Story(
        "busy",
        "1002 is busy.",
        (*internal()[:2], step(1, "1002", "refuses", cause="busy"), step(1.1, "1001", "hangup")),
        {"status": "busy", "answered": None, "missed_by": ["1002"], "logs": [{"number": "1002", "outcome": "busy"}]},
    ),
    Story(
        "rejected",
        "1002 presses the reject key.",
        (*internal()[:3], step(3, "1002", "refuses", cause="rejected"), step(3.1, "1001", "hangup")),
        {"status": "failed", "answered": None, "logs": [{"number": "1002", "outcome": "rejected"}]},
    ),
    Story(
        "unregistered",
        "1002's phone is not registered.",
        (*internal()[:2], step(0.2, "1002", "refuses", cause="unavailable"), step(0.3, "1001", "hangup")),
        {
            "status": "no_answer",
            "answered": None,
            "logs": [{"number": "1002", "outcome": "unreachable"}],
            "missed_by": [],
        },
    ),
    Story(
        "phone-with-a-name",
        "The endpoint of 1002 is called workshop and has no caller id of its own.",
        (*internal(), step(34, "1001", "hangs_up")),
        {
            "requested": "1002",
            "destination": "1002",
            "answered_by": "1002",
            "direction": "internal",
            "talk_s": 30,
            "trunk": None,
            "logs": [{"kind": "extension", "number": "1002", "outcome": "answered"}],
        },
        devices={"1002": "workshop"},
    ),
    Story(
        "caller-without-number",
        "A phone called workshop without any caller id calls 1002.",
        (
            step(0, "1009", "calls", "1002", nameless=True),
            step(0.1, "1009", "tries", "1002"),
            step(4, "1002", "answers"),
            step(14, "1009", "hangs_up"),
        ),
        {"caller": "workshop", "requested": "1002", "direction": "internal", "status": "answered", "trunk": None},
        devices={"1009": "workshop"},
    ),
    Story(
        "account",
        "The endpoint of 1001 has an account code.",
        (step(0, "1001", "calls", "1002", account="sales"), *internal()[1:], step(14, "1001", "hangs_up")),
        {"user_data": "sales", "status": "answered", "talk_s": 10},
    ),
)
