"""Consultations that reach more than one phone, or none: a second attempt, a group, a queue, a second carrier."""

from __future__ import annotations

from typing import Any, Final

from tests.pbx.stories.parts import INBOUND, MOBILE, OUTSIDE, inbound
from tests.pbx.story import Step, Story, Untold, step

_NO_ROWS: Final = Untold("asterisk cel sample", "cel.conf lists no transfers", {"reroutes": ...})
_TRANSFER: Final = {"kind": "attended_transfer", "from": "1001", "by": "1001", "result": "answered"}
_ASTERISK: Final = ("asterisk",)  # consultations on a second line: the other simulator has none


def _consults(number: str, *steps: Step, app: bool = True) -> tuple[Step, ...]:
    """1001 talks with the caller and calls a number on its second line."""
    return (*inbound(), step(15, "1001", "consults", number, how="refer", app=app), *steps)


def _joined(to: str) -> dict[str, Any]:
    return {
        **INBOUND,
        "answered_by": "1001",
        "destination": to,
        "talk_s": 55,
        "ended": 60,
        "reroutes": [{**_TRANSFER, "to": to}],
    }


STORIES: Final = (
    Story(
        "consulted-after-a-busy-phone",
        "1001 consults 1003, who is busy; the dial plan rings 1004, who gets the caller.",
        _consults(
            "1003",
            step(16, "1003", "refuses", cause="busy"),
            step(16.2, "1001/2", "tries", "1004"),
            step(20, "1004", "answers"),
            step(30, "1001", "joins"),
            step(60, OUTSIDE, "hangs_up"),
            app=False,
        ),
        _joined("1004"),
        (_NO_ROWS,),
        modes=_ASTERISK,
    ),
    Story(
        "consulted-a-group",
        "1001 consults a group of which 1004 answers, who gets the caller and hangs up.",
        _consults(
            "600",
            step(15.2, "1001/2", "tries", "1003", "1004"),
            step(20, "1004", "answers"),
            step(30, "1001", "joins"),
            step(60, "1004", "hangs_up"),
        ),
        {**_joined("1004"), "hung_up_by": "callee"},
        (_NO_ROWS,),
        modes=_ASTERISK,
    ),
    Story(
        "consulted-over-a-second-carrier",
        "1001 consults a mobile phone; the first carrier is congested, over the second it answers.",
        _consults(
            "600",
            step(15.2, "1001/2", "tries", MOBILE, over="carrier-b"),
            step(16, MOBILE, "refuses", cause="congested"),
            step(16.1, "1001/2", "tries", MOBILE, over="carrier-c"),
            step(20, MOBILE, "answers"),
            step(30, "1001", "joins"),
            step(60, OUTSIDE, "hangs_up"),
        ),
        {**_joined(MOBILE), "direction": "inbound_outbound"},
        (_NO_ROWS,),
        modes=_ASTERISK,
    ),
    Story(
        "consulted-a-busy-phone",
        "1003 is busy; 1001 goes back to the caller.",
        (
            *inbound(),
            step(15, "1001", "consults", "1003", how="key"),
            step(16, "1003", "refuses", cause="busy"),
            step(18, "1001", "returns"),
            step(60, OUTSIDE, "hangs_up"),
        ),
        {**INBOUND, "answered_by": "1001", "destination": "1001", "status": "answered", "ended": 60, "reroutes": []},
        modes=_ASTERISK,
    ),
)
