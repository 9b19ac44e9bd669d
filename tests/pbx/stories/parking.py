"""Parking and picking up."""

from __future__ import annotations

from typing import Final

from tests.pbx.stories.parts import INBOUND, OUTSIDE, inbound
from tests.pbx.story import Step, Story, Untold, step

_NO_PARK: Final = Untold("asterisk cel sample", "cel.conf lists no PARK_START", {"reroutes": []})
_NO_PICKUP: Final = Untold("asterisk cel sample", "cel.conf lists no PICKUP", {"reroutes": []})
_PARKED: Final[tuple[Step, ...]] = (*inbound(), step(20, "1001", "parks", "701"))

STORIES: Final = (
    Story(
        "parked-and-taken-back",
        "1001 parks the caller, 1003 takes him back.",
        (*_PARKED, step(40, "1003", "takes_back", "701"), step(70, OUTSIDE, "hangs_up")),
        {
            **INBOUND,
            "status": "answered",
            "answered_by": "1001",
            "destination": "1003",
            "talk_s": 45,
            "ended": 70,
            "hung_up_by": "caller",
            "reroutes": [{"kind": "park", "from": "1001", "to": "701", "by": "1001"}],
        },
        (_NO_PARK,),
    ),
    Story(
        "parked-by-transfer",
        "1001 transfers the caller to 700, where he is parked; 1003 takes him back.",
        (
            *inbound(),
            step(20, "1001", "parks", "701", how="refer"),
            step(40, "1003", "takes_back", "701"),
            step(70, "1003", "hangs_up"),
        ),
        {
            **INBOUND,
            "answered_by": "1001",
            "destination": "1003",
            "talk_s": 45,
            "hung_up_by": "callee",
            "reroutes": [{"kind": "park", "from": "1001", "to": "701", "by": "1001"}],
        },
        (_NO_PARK,),
    ),
    Story(
        "parked-and-gone",
        "1001 parks the caller, who hangs up.",
        (*_PARKED, step(50, OUTSIDE, "hangs_up")),
        {**INBOUND, "status": "answered", "answered_by": "1001", "talk_s": 15, "ended": 50, "hung_up_by": "caller"},
    ),
    Story(
        "parked-too-long",
        "Nobody takes the caller back; the PBX rings 1001 again, who answers.",
        (
            *_PARKED,
            step(65, OUTSIDE, "park_times_out"),
            step(65.1, OUTSIDE, "tries", "1001"),
            step(65.4, "1001", "rings"),
            step(70, "1001", "answers"),
            step(100, OUTSIDE, "hangs_up"),
        ),
        {**INBOUND, "status": "answered", "answered_by": "1001", "destination": "1001", "talk_s": 45, "ended": 100},
    ),
    Story(
        "picked-up",
        "1001 rings, 1003 dials *8 and takes the call.",
        (*inbound()[:3], step(6, "1003", "picks_up", "1001"), step(66, "1003", "hangs_up")),
        {
            **INBOUND,
            "status": "answered",
            "answered": 6,
            "answered_by": "1003",
            "destination": "1003",
            "talk_s": 60,
            "hung_up_by": "callee",
            "missed_by": [],
            "reroutes": [{"kind": "pickup", "from": "1001", "to": "1003", "by": "1003"}],
            "logs": [{"number": "1001", "outcome": "answered_elsewhere"}, {"number": "1003", "outcome": "answered"}],
        },
        (_NO_PICKUP,),
    ),
    Story(
        "picked-up-inside",
        "1001 calls 1002, 1003 takes the call; 1001 hangs up.",
        (
            step(0, "1001", "calls", "1002"),
            step(0.1, "1001", "tries", "1002"),
            step(0.4, "1002", "rings"),
            step(6, "1003", "picks_up", "1002"),
            step(36, "1001", "hangs_up"),
        ),
        {
            "caller": "1001",
            "requested": "1002",
            "answered_by": "1003",
            "talk_s": 30,
            "hung_up_by": "caller",
            "direction": "internal",
            "reroutes": [{"kind": "pickup", "from": "1002", "to": "1003", "by": "1003"}],
        },
        (_NO_PICKUP,),
    ),
)
