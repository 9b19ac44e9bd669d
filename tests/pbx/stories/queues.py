"""Queues and their agents."""

from __future__ import annotations

from typing import Final

from tests.pbx.stories.parts import CARRIER, DID, INBOUND, OUTSIDE, queued
from tests.pbx.story import Story, Untold, step

_WHY: Final = "cel.conf lists no applications but Dial and Park: only the agents' legs tell of the queue"
_WAIT: Final = Untold("asterisk cel sample", _WHY, {"wait_s": ...})  # when the caller joined it is not known
_VISIT: Final = Untold("asterisk cel sample", _WHY, {"wait_s": ..., "queue_visits": ...})
_AFTER: Final = Untold(
    "asterisk cel sample", _WHY, {"wait_s": ..., "queue_visits": ..., "status": ..., "destination": ...}
)

STORIES: Final = (
    Story(
        "queue-answered",
        "The queue rings 1001, who answers after 8 s.",
        (
            *queued(),
            step(1, OUTSIDE, "offers", "1001"),
            step(1.3, "1001", "rings"),
            step(8.5, "1001", "answers"),
            step(68.5, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "answered",
            "answered": 0.1,
            "talk": 8.5,
            "talk_s": 60,
            "wait_s": 8,
            "answered_by": "1001",
            "destination": "1001",
            "hung_up_by": "caller",
            "queue_visits": [{"queue": "support", "reason": "answered", "answered_by": "1001", "wait_s": 8}],
            "missed_by": [],
        },
        (_VISIT,),
    ),
    Story(
        "queue-agent-hangs-up",
        "The agent ends the call.",
        (
            *queued(),
            step(1, OUTSIDE, "offers", "1001"),
            step(8.5, "1001", "answers"),
            step(68.5, "1001", "hangs_up"),
        ),
        {**INBOUND, "talk_s": 60, "hung_up_by": "callee", "end_reason": "callee_disconnected"},
    ),
    Story(
        "queue-second-agent",
        "1001 does not answer, 1002 does.",
        (
            *queued(),
            step(1, OUTSIDE, "offers", "1001"),
            step(1.3, "1001", "rings"),
            step(16, OUTSIDE, "withdraws"),
            step(21, OUTSIDE, "offers", "1002"),
            step(21.3, "1002", "rings"),
            step(26.5, "1002", "answers"),
            step(86.5, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "answered_by": "1002",
            "wait_s": 26,
            "talk_s": 60,
            "queue_visits": [{"reason": "answered", "answered_by": "1002"}],
            "logs": [
                {"kind": "queue", "outcome": "answered"},
                {"kind": "queue_agent", "number": "1001", "outcome": "no_answer"},
                {"kind": "queue_agent", "number": "1002", "outcome": "answered"},
            ],
        },
        (_WAIT,),
    ),
    Story(
        "queue-all-ring",
        "1001, 1002 and 1003 ring at once; 1003 answers.",
        (
            *queued(),
            step(1, OUTSIDE, "offers", "1001", "1002", "1003"),
            step(10.5, "1003", "answers"),
            step(70.5, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "answered_by": "1003",
            "talk_s": 60,
            "logs": [
                {"kind": "queue", "outcome": "answered"},
                {"number": "1001", "outcome": "answered_elsewhere"},
                {"number": "1002", "outcome": "answered_elsewhere"},
                {"number": "1003", "outcome": "answered"},
            ],
        },
    ),
    Story(
        "queue-abandoned",
        "The caller gives up after 20 s.",
        (*queued(), step(1, OUTSIDE, "offers", "1001"), step(20.5, OUTSIDE, "hangs_up")),
        {
            **INBOUND,
            "status": "abandoned",
            "talk_s": 0,
            "wait_s": 20,
            "hung_up_by": "caller",
            "answered_by": None,
            "queue_visits": [{"reason": "abandoned", "answered_by": None}],
        },
        (_WAIT,),
    ),
    Story(
        "queue-abandoned-between-agents",
        "1001 does not answer; the caller gives up before the next one rings.",
        (
            *queued(),
            step(1, OUTSIDE, "offers", "1001"),
            step(16, OUTSIDE, "withdraws"),
            step(18.5, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "abandoned",
            "wait_s": 18,
            "hung_up_by": "caller",
            "queue_visits": [{"reason": "abandoned"}],
            "logs": [{"kind": "queue"}, {"number": "1001", "outcome": "no_answer"}],
        },
        (_WAIT,),
    ),
    Story(
        "queue-time-out",
        "Nobody answers for 30 s; the dial plan hangs up.",
        (
            *queued(),
            step(1, OUTSIDE, "offers", "1001"),
            step(30.5, OUTSIDE, "leaves_queue", how="timeout"),
            step(30.55, OUTSIDE, "hangup"),
        ),
        {
            **INBOUND,
            "status": "no_answer",
            "hung_up_by": "system",
            "wait_s": 30,
            "talk_s": 0,
            "queue_visits": [{"reason": "overflow", "answered_by": None}],
        },
        (_WAIT,),
    ),
    Story(
        "queue-time-out-then-voicemail",
        "Nobody answers for 30 s; the caller leaves a message.",
        (
            *queued(),
            step(1, OUTSIDE, "offers", "1001"),
            step(30.5, OUTSIDE, "leaves_queue", how="timeout"),
            step(30.55, OUTSIDE, "voicemail", "8000"),
            step(60, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "voicemail",
            "destination": "voicemail:8000",
            "wait_s": 30,
            "talk_s": 0,
            "hung_up_by": "caller",
            "queue_visits": [{"reason": "overflow"}],
        },
        (_AFTER,),
    ),
    Story(
        "queue-time-out-then-phone",
        "Nobody answers for 30 s; the dial plan rings the reception, who answers.",
        (
            *queued(),
            step(1, OUTSIDE, "offers", "1001"),
            step(30.5, OUTSIDE, "leaves_queue", how="timeout"),
            step(30.55, OUTSIDE, "tries", "1009"),
            step(35, "1009", "answers"),
            step(95, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "answered",
            "answered_by": "1009",
            "destination": "1009",
            "wait_s": 30,
            "talk_s": 60,
            "queue_visits": [{"reason": "overflow", "answered_by": None}],
        },
        (_WAIT,),
    ),
    Story(
        "queue-then-queue",
        "Nobody answers in the first queue, an agent does in the second.",
        (
            *queued(),
            step(1, OUTSIDE, "offers", "1001"),
            step(20.5, OUTSIDE, "leaves_queue", how="timeout"),
            step(20.51, OUTSIDE, "play", sound="greeting"),
            step(20.6, OUTSIDE, "queue", "second", at="8001"),
            step(21, OUTSIDE, "offers", "1002"),
            step(30.6, "1002", "answers"),
            step(90.6, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "answered_by": "1002",
            "wait_s": 30,
            "talk_s": 60,
            "queue_visits": [
                {"queue": "support", "reason": "overflow"},
                {"queue": "second", "reason": "answered", "answered_by": "1002"},
            ],
        },
        (_VISIT,),
    ),
    Story(
        "queue-agent-through-the-dial-plan",
        "The agent is a member by way of the dial plan.",
        (
            *queued(),
            step(1, OUTSIDE, "offers", "1004", through=True),
            step(1.3, "1004", "rings"),
            step(8.5, "1004", "answers"),
            step(68.5, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "answered",
            "answered_by": "1004",
            "destination": "1004",
            "wait_s": 8,
            "talk_s": 60,
            "queue_visits": [{"reason": "answered", "answered_by": "1004"}],
            "logs": [{"kind": "queue"}, {"kind": "queue_agent", "number": "1004", "outcome": "answered"}],
        },
        (_WAIT,),
    ),
    Story(
        "queue-agent-through-the-dial-plan-in-vain",
        "An agent by way of the dial plan does not answer; the caller gives up.",
        (
            *queued(),
            step(1, OUTSIDE, "offers", "1004", through=True),
            step(1.3, "1004", "rings"),
            step(20.5, OUTSIDE, "hangs_up"),
        ),
        {**INBOUND, "status": "abandoned", "wait_s": 20, "hung_up_by": "caller", "talk_s": 0},
        (_AFTER,),
    ),
    Story(
        "queue-then-blind-transfer",
        "The agent sends the caller on to 1005.",
        (
            *queued(),
            step(1, OUTSIDE, "offers", "1001"),
            step(8.5, "1001", "answers"),
            step(28.5, "1001", "transfers", "1005"),
            step(28.6, OUTSIDE, "tries", "1005"),
            step(32, "1005", "answers"),
            step(62, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "answered_by": "1001",
            "destination": "1005",
            "talk_s": 50,
            "wait_s": 8,
            "hung_up_by": "caller",
            "queue_visits": [{"reason": "answered", "answered_by": "1001"}],
        },
        (_WAIT,),
    ),
    Story(
        "queue-from-inside",
        "A phone of the house calls the queue and gives up.",
        (
            step(0, "1002", "calls", "8000"),
            step(0.1, "1002", "answer"),
            step(0.5, "1002", "queue", "support"),
            step(1, "1002", "offers", "1003"),
            step(7.5, "1002", "hangs_up"),
        ),
        {
            "caller": "1002",
            "direction": "internal",
            "status": "abandoned",
            "wait_s": 7,
            "talk_s": 0,
            "hung_up_by": "caller",
        },
        (_WAIT,),
    ),
    Story(
        "queue-without-answer-before",
        "The queue itself answers nobody: the caller hears ringing until an agent answers.",
        (
            step(0, OUTSIDE, "calls", DID, over=CARRIER),
            step(0.5, OUTSIDE, "queue", "support", at="8000"),
            step(1, OUTSIDE, "offers", "1001"),
            step(8.5, "1001", "answers"),
            step(68.5, OUTSIDE, "hangs_up"),
        ),
        {**INBOUND, "status": "answered", "answered": 8.5, "talk_s": 60, "billable_s": 60, "answered_by": "1001"},
    ),
)
