"""Calls that people reported of their PBX, and that came out wrong there"""

from __future__ import annotations

from typing import Final

from tests.pbx.stories.parts import CARRIER, DID, INBOUND, MOBILE, OUTSIDE, inbound, queued
from tests.pbx.story import Story, Untold, step

_NO_QUEUE: Final = Untold("asterisk cel sample", "cel.conf lists no Queue", {"queue_visits": ...})
_OUT: Final = {**INBOUND, "direction": "inbound_outbound"}

STORIES: Final = (
    Story(
        "queue-queue-attended",  # mikopbx/Core 741
        "An agent sends the caller to a second queue, whose agent consults 1005 and leaves the two together.",
        (
            *queued(),
            step(1, OUTSIDE, "offers", "1001"),
            step(6, "1001", "answers"),
            step(20, "1001", "transfers", "8100"),
            step(20.2, OUTSIDE, "queue", "second", at="8100"),
            step(21, OUTSIDE, "offers", "1002", "1003"),
            step(28, "1003", "answers"),
            step(40, "1003", "consults", "1005", how="key"),
            step(44, "1005", "answers"),
            step(50, "1003", "joins"),
            step(80, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "answered_by": "1001",
            "destination": "1005",
            "talk_s": 56,
            "hung_up_by": "caller",
            "missed_by": [],
            "queue_visits": [
                {"queue": "support", "answered_by": "1001"},
                {"queue": "second", "answered_by": "1003"},
            ],
        },
        (_NO_QUEUE,),
        modes=("asterisk",),
    ),
    Story(
        "clicked-then-mobile",  # mikopbx/Core 317
        "A program rings 1001, then 1005 and a mobile phone for it; the mobile phone answers.",
        (
            step(0, "", "originate", "1001"),
            step(5, "1001", "answers"),
            step(5.2, "1001", "tries", "1005", MOBILE, outside={MOBILE: CARRIER}, at="1005"),
            step(5.5, "1005", "rings"),
            step(12, MOBILE, "answers"),
            step(40, "1001", "hangs_up"),
        ),
        {
            "caller": "1001",
            "requested": "1005",
            "answered_by": MOBILE,
            "trunk": CARRIER,
            "direction": "outbound",
            "talk_s": 28,
            "missed_by": [],
        },
        modes=("asterisk",),
    ),
    Story(
        "group-answered-on-a-mobile-phone",  # blak3r/yaai 2
        "A group rings 1001 and a mobile phone by way of the dial plan; the mobile phone answers and hangs up.",
        (
            step(0, OUTSIDE, "calls", DID, over=CARRIER),
            step(0.1, OUTSIDE, "tries", "1001", MOBILE, through=(MOBILE,), outside={MOBILE: "carrier-b"}, kept=True),
            step(0.4, "1001", "rings"),
            step(7, MOBILE, "answers"),
            step(50, MOBILE, "hangs_up"),
        ),
        {**_OUT, "answered_by": MOBILE, "talk_s": 43, "ended": 50, "hung_up_by": "callee", "missed_by": []},
    ),
    Story(
        "queue-then-attended-by-refer",  # asterisk/asterisk 759
        "The agent consults 1005 on a second line and joins the two; 1005 hangs up.",
        (
            *queued(),
            step(1, OUTSIDE, "offers", "1001"),
            step(6, "1001", "answers"),
            step(20, "1001", "consults", "1005"),
            step(24, "1005", "answers"),
            step(30, "1001", "joins"),
            step(60, "1005", "hangs_up"),
        ),
        {
            **INBOUND,
            "answered_by": "1001",
            "destination": "1005",
            "hung_up_by": "callee",
            "talk_s": 54,
            "queue_visits": [{"queue": "support", "answered_by": "1001"}],
        },
        (_NO_QUEUE,),
        modes=("asterisk",),
    ),
    Story(
        "picked-up-then-sent-on",
        "1001 rings, 1003 takes the call and sends it on to 1005.",
        (
            step(0, OUTSIDE, "calls", DID, over=CARRIER),
            step(0.1, OUTSIDE, "tries", "1001"),
            step(0.4, "1001", "rings"),
            step(6, "1003", "picks_up", "1001"),
            step(20, "1003", "transfers", "1005"),
            step(20.2, OUTSIDE, "tries", "1005", at="1005"),
            step(25, "1005", "answers"),
            step(45, "1005", "hangs_up"),
        ),
        {
            **INBOUND,
            "answered_by": "1003",
            "destination": "1005",
            "talk_s": 34,
            "hung_up_by": "callee",
            "missed_by": [],
        },
        modes=("asterisk",),
    ),
    Story(
        "parked-then-queue",
        "Nobody takes the caller back; the dial plan puts him into a queue.",
        (
            *inbound(),
            step(20, "1001", "parks", "701"),
            step(65, OUTSIDE, "park_times_out"),
            step(65.2, OUTSIDE, "queue", "support", at="8000"),
            step(66, OUTSIDE, "offers", "1005"),
            step(72, "1005", "answers"),
            step(100, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "answered_by": "1001",
            "destination": "1005",
            "talk_s": 43,
            "hung_up_by": "caller",
            "queue_visits": [{"queue": "support", "reason": "answered", "answered_by": "1005"}],
        },
        (_NO_QUEUE,),
        modes=("asterisk",),
    ),
    Story(
        "queue-then-outside",
        "The caller leaves the queue by a key and is led to a mobile phone, which hangs up.",
        (
            *queued(),
            step(1, OUTSIDE, "offers", "1001"),
            step(1.3, "1001", "rings"),
            step(10, OUTSIDE, "leaves_queue", how="key"),
            step(10.2, OUTSIDE, "tries", MOBILE, over="carrier-b", at="9"),
            step(18, MOBILE, "answers"),
            step(50, MOBILE, "hangs_up"),
        ),
        {**_OUT, "answered_by": MOBILE, "talk_s": 32, "hung_up_by": "callee", "status": "answered"},
    ),
    Story(
        "parked-and-rung-as-a-group",
        "Nobody takes the caller back; 1001 and 1003 ring, 1003 answers.",
        (
            *inbound(),
            step(20, "1001", "parks", "701"),
            step(65, OUTSIDE, "park_times_out"),
            step(65.1, OUTSIDE, "tries", "1001", "1003"),
            step(65.4, "1001", "rings"),
            step(65.4, "1003", "rings"),
            step(70, "1003", "answers"),
            step(90, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "answered_by": "1001",
            "destination": "1003",
            "talk_s": 35,
            "hung_up_by": "caller",
            "ended": 90,
            "missed_by": [],
        },
        modes=("asterisk",),
    ),
    Story(
        "queue-attended-to-queue",  # mikopbx/Core 316 and 395
        "An agent consults a second queue on its second line, and leaves the caller with who answered there.",
        (
            *queued(),
            step(1, OUTSIDE, "offers", "1001"),
            step(6, "1001", "answers"),
            step(20, "1001", "consults", "8100", how="refer", app=True),
            step(20.2, "1001/2", "answer"),
            step(20.3, "1001/2", "queue", "second"),
            step(21, "1001/2", "offers", "1002", "1003"),
            step(28, "1003", "answers"),
            step(40, "1001", "joins"),
            step(80, "1003", "hangs_up"),
        ),
        {
            **INBOUND,
            "answered_by": "1001",
            "destination": "1003",
            "talk_s": 74,
            "hung_up_by": "callee",
            "missed_by": [],
        },
        modes=("asterisk",),
    ),
    Story(
        "unregistered-then-mobile",  # mikopbx/Core 480
        "1002's phone is off: the dial plan rings the mobile phone of its user at once.",
        (
            step(0, "1001", "calls", "1002"),
            step(0.2, "1001", "tries", MOBILE, over=CARRIER),
            step(8, MOBILE, "answers"),
            step(38, "1001", "hangs_up"),
        ),
        {"requested": "1002", "answered_by": MOBILE, "direction": "outbound", "trunk": CARRIER, "talk_s": 30},
    ),
    Story(
        "unregistered-alone",  # mikopbx/Core 480
        "1002's phone is off, and the dial plan says so without dialling it: the call shows whom it was for.",
        (step(0, "1001", "calls", "1002"), step(0.2, "1001", "hangup", cause="unavailable")),
        {"requested": "1002", "direction": "internal", "talk_s": 0, "answered_by": None, "hung_up_by": "system"},
    ),
    Story(
        "customer-called-for-a-queue",  # FreePBX: call files that lead into queues
        "The PBX calls a customer and puts him into a queue, where 1001 answers.",
        (
            step(0, "", "originate", MOBILE, over=CARRIER, shows=DID),
            step(8, MOBILE, "answers"),
            step(8.1, MOBILE, "queue", "support"),
            step(9, MOBILE, "offers", "1001"),
            step(15, "1001", "answers"),
            step(45, MOBILE, "hangs_up"),
        ),
        {"direction": "outbound", "trunk": CARRIER, "answered": 8, "talk": 15, "talk_s": 30},
    ),
    Story(
        "sent-on-and-back",  # NethServer/dev 8056: who is shown after transfers
        "1001 sends the caller to 1002, who does not answer; the dial plan brings him back to 1001.",
        (
            *inbound(),
            step(15, "1001", "transfers", "1002", how="refer"),
            step(15.1, OUTSIDE, "tries", "1002"),
            step(15.4, "1002", "rings"),
            step(30, OUTSIDE, "gives_up"),
            step(30.1, OUTSIDE, "tries", "1001"),
            step(35, "1001", "answers"),
            step(50, OUTSIDE, "hangs_up"),
        ),
        {**INBOUND, "answered_by": "1001", "destination": "1001", "talk_s": 25, "missed_by": ["1002"]},
    ),
)
