"""Calls from outside, and to it."""

from __future__ import annotations

from typing import Final

from tests.pbx.stories.parts import CARRIER, DID, INBOUND, MOBILE, OUTSIDE, inbound, outbound
from tests.pbx.story import Story, step

_OUT: Final = {
    "caller": "1001",
    "direction": "outbound",
    "requested": MOBILE,
    "trunk": CARRIER,
}

STORIES: Final = (
    Story(
        "outbound",
        "1001 calls a mobile phone over the carrier.",
        (*outbound(), step(68, "1001", "hangs_up")),
        {
            **_OUT,
            "destination": MOBILE,
            "answered_by": MOBILE,
            "status": "answered",
            "answered": 8,
            "talk_s": 60,
            "hung_up_by": "caller",
            "logs": [{"kind": "outside", "number": MOBILE, "outcome": "answered", "trunk": CARRIER}],
            "reroutes": [],
            "missed_by": [],
        },
    ),
    Story(
        "outbound-cancelled",
        "1001 gives up while the mobile phone rings.",
        (*outbound()[:3], step(15, "1001", "hangs_up")),
        {
            **_OUT,
            "status": "cancelled",
            "logs": [{"kind": "outside", "number": MOBILE, "outcome": "cancelled"}],
            "missed_by": [],
        },
    ),
    Story(
        "outbound-no-answer",
        "The mobile phone does not answer, the dial plan hangs up.",
        (*outbound()[:3], step(30, "1001", "gives_up"), step(30.1, "1001", "hangup")),
        {**_OUT, "status": "no_answer", "hung_up_by": "system", "logs": [{"number": MOBILE, "outcome": "no_answer"}]},
    ),
    Story(
        "outbound-busy",
        "The mobile phone is busy.",
        (*outbound()[:2], step(3, MOBILE, "refuses", cause="busy"), step(3.1, "1001", "hangup")),
        {**_OUT, "status": "busy", "logs": [{"number": MOBILE, "outcome": "busy"}], "missed_by": []},
    ),
    Story(
        "outbound-unknown-number",
        "The carrier knows no such number, after an announcement as early media.",
        (
            *outbound()[:2],
            step(1, MOBILE, "progresses"),
            step(6, MOBILE, "refuses", cause="unknown_number"),
            step(6.1, "1001", "hangup"),
        ),
        {
            **_OUT,
            "status": "failed",
            "answered": None,
            "q850_cause": 1,
            "logs": [{"number": MOBILE, "outcome": "failed"}],
        },
    ),
    Story(
        "carrier-failover",
        "The first carrier is congested, the second one answers.",
        (
            step(0, "1001", "calls", MOBILE),
            step(0.1, "1001", "tries", MOBILE, over=CARRIER),
            step(0.6, MOBILE, "refuses", cause="congested"),
            step(0.7, "1001", "tries", MOBILE, over="carrier-b"),
            step(8, MOBILE, "answers"),
            step(68, "1001", "hangs_up"),
        ),
        {
            **_OUT,
            "trunk": "carrier-b",
            "destination": MOBILE,
            "answered_by": MOBILE,
            "status": "answered",
            "talk_s": 60,
            "reroutes": [{"kind": "carrier_failover", "from": CARRIER, "to": "carrier-b", "result": "answered"}],
            "logs": [
                {"number": MOBILE, "outcome": "failed", "trunk": CARRIER},
                {"number": MOBILE, "outcome": "answered", "trunk": "carrier-b"},
            ],
        },
    ),
    Story(
        "both-carriers-fail",
        "The first carrier is congested, the second one too.",
        (
            step(0, "1001", "calls", MOBILE),
            step(0.1, "1001", "tries", MOBILE, over=CARRIER),
            step(0.6, MOBILE, "refuses", cause="congested"),
            step(0.7, "1001", "tries", MOBILE, over="carrier-b"),
            step(1.5, MOBILE, "refuses", cause="congested"),
            step(1.6, "1001", "hangup"),
        ),
        {
            **_OUT,
            "trunk": "carrier-b",
            "status": "failed",
            "reroutes": [{"kind": "carrier_failover", "from": CARRIER, "to": "carrier-b"}],
            "logs": [{"number": MOBILE, "trunk": CARRIER}, {"number": MOBILE, "trunk": "carrier-b"}],
        },
    ),
    Story(
        "emergency",
        "1001 calls 999.",
        (*outbound(to="999"), step(68, "1001", "hangs_up")),
        {
            **_OUT,
            "requested": "999",
            "destination": "999",
            "answered_by": "999",
            "status": "answered",
            "logs": [{"kind": "outside", "number": "999", "outcome": "answered"}],
        },
    ),
    Story(
        "six-digits",
        "1001 calls a local number of six digits.",
        (*outbound(to="496001"), step(68, "1001", "hangs_up")),
        {**_OUT, "requested": "496001", "destination": "496001", "answered_by": "496001", "status": "answered"},
    ),
    Story(
        "company-number-shown",
        "The dial plan shows the company's number.",
        (
            step(0, "1001", "calls", MOBILE),
            step(0.1, "1001", "tries", MOBILE, over=CARRIER, shows=DID),
            step(8, MOBILE, "answers"),
            step(68, "1001", "hangs_up"),
        ),
        {**_OUT, "destination": MOBILE, "did": None, "status": "answered", "talk_s": 60},
    ),
    Story(
        "line-prefix",
        "1001 dials 9 for a line; the carrier is given the number without it.",
        (
            step(0, "1001", "calls", "9" + MOBILE),
            step(0.1, "1001", "tries", MOBILE, over=CARRIER),
            step(8, MOBILE, "answers"),
            step(68, "1001", "hangs_up"),
        ),
        {**_OUT, "requested": "9" + MOBILE, "destination": MOBILE, "answered_by": MOBILE, "status": "answered"},
    ),
    Story(
        "inbound",
        "Somebody from outside calls the company's number; 1001 answers.",
        (*inbound(), step(65, OUTSIDE, "hangs_up")),
        {
            **INBOUND,
            "destination": "1001",
            "answered_by": "1001",
            "status": "answered",
            "talk_s": 60,
            "hung_up_by": "caller",
            "logs": [{"kind": "extension", "number": "1001", "outcome": "answered"}],
        },
    ),
    Story(
        "inbound-no-answer",
        "Nobody answers; the dial plan hangs up.",
        (*inbound()[:3], step(20, OUTSIDE, "gives_up"), step(20.1, OUTSIDE, "hangup")),
        {**INBOUND, "status": "no_answer", "missed_by": ["1001"], "hung_up_by": "system"},
    ),
    Story(
        "inbound-cancelled",
        "The caller from outside gives up.",
        (*inbound()[:3], step(12, OUTSIDE, "hangs_up")),
        {**INBOUND, "status": "cancelled", "missed_by": ["1001"], "hung_up_by": "caller"},
    ),
    Story(
        "withheld",
        "A call without a number over the carrier.",
        (
            step(0, "anonymous", "calls", DID, over=CARRIER, withheld=True),
            step(0.1, "anonymous", "tries", "1001"),
            step(5, "1001", "answers"),
            step(65, "anonymous", "hangs_up"),
        ),
        {**INBOUND, "caller": None, "destination": "1001", "answered_by": "1001", "status": "answered", "talk_s": 60},
    ),
    Story(
        "withheld-no-answer",
        "A call without a number that nobody answers.",
        (
            step(0, "anonymous", "calls", DID, over=CARRIER, withheld=True),
            step(0.1, "anonymous", "tries", "1001"),
            step(0.4, "1001", "rings"),
            step(9, "anonymous", "gives_up"),
            step(9.1, "anonymous", "hangup"),
        ),
        {**INBOUND, "caller": None, "status": "no_answer", "missed_by": ["1001"]},
    ),
    Story(
        "inbound-short-number",
        "The carrier shows a caller's number of three digits.",
        (
            step(0, "101", "calls", DID, over=CARRIER),
            step(0.1, "101", "tries", "1001"),
            step(5, "1001", "answers"),
            step(65, "1001", "hangs_up"),
        ),
        {**INBOUND, "caller": "101", "answered_by": "1001", "hung_up_by": "callee"},
    ),
    Story(
        "in-and-out-again",
        "A call from outside is sent on to a mobile phone by the dial plan.",
        (
            step(0, OUTSIDE, "calls", DID, over=CARRIER),
            step(0.1, OUTSIDE, "tries", MOBILE, over=CARRIER),
            step(9, MOBILE, "answers"),
            step(69, OUTSIDE, "hangs_up"),
        ),
        {**INBOUND, "direction": "inbound_outbound", "destination": MOBILE, "answered_by": MOBILE, "talk_s": 60},
    ),
)
