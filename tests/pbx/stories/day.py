"""An operator's day: carriers that fail in turn, menus that lead on, agents who send calls on, faxes, machines."""

from __future__ import annotations

from typing import Any, Final

from tests.pbx.stories.parts import CARRIER, DID, INBOUND, MOBILE, OUTSIDE, inbound, queued
from tests.pbx.story import Step, Story, Untold, step

_NO_QUEUE: Final = Untold(
    "asterisk cel sample", "cel.conf lists no Queue", {"wait_s": ..., "queue_visits": ..., "reroutes": ...}
)
_NO_BOX: Final = Untold(
    "asterisk cel sample", "cel.conf lists no applications but Dial and Park", {"status": ..., "destination": ...}
)
_NO_TRANSFERS: Final = Untold("asterisk cel sample", "cel.conf lists no transfers", {"reroutes": ...})


def _tried(*trunks: str) -> tuple[Step, ...]:
    """1001 calls a mobile phone; these carriers are congested, one after another, every 0.7 s."""
    steps = [step(0, "1001", "calls", MOBILE)]
    for place, trunk in enumerate(trunks):
        steps.append(step(0.1 + 0.7 * place, "1001", "tries", MOBILE, over=trunk))
        steps.append(step(0.7 + 0.7 * place, MOBILE, "refuses", cause="congested"))
    return tuple(steps)


def _in(*steps: Step) -> tuple[Step, ...]:
    return (step(0, OUTSIDE, "calls", DID, over=CARRIER), *steps)


_MENU: Final = _in(step(0.1, OUTSIDE, "menu"))
_AGENT: Final = (*queued(), step(1, OUTSIDE, "offers", "1001"), step(5, "1001", "answers"))
_NOBODY: Final[dict[str, Any]] = {"talk_s": 0, "answered_by": None}
_BLIND: Final = {"kind": "blind_transfer", "from": "1001", "by": "1001"}
_SERVED: Final = {"queue": "support", "reason": "answered", "answered_by": "1001"}
_QUEUED: Final = {"kind": "queue", "to": "1001"}

STORIES: Final = (
    Story(
        "three-carriers",
        "Two carriers are congested, the third one answers.",
        (
            *_tried("carrier-a", "carrier-b"),
            step(1.5, "1001", "tries", MOBILE, over="carrier-c"),
            step(4, MOBILE, "rings"),
            step(9, MOBILE, "answers"),
            step(39, "1001", "hangs_up"),
        ),
        {
            "direction": "outbound",
            "requested": MOBILE,
            "answered_by": MOBILE,
            "trunk": "carrier-c",
            "talk_s": 30,
            "reroutes": [
                {"kind": "carrier_failover", "from": "carrier-a", "to": "carrier-b", "result": "failed"},
                {"kind": "carrier_failover", "from": "carrier-b", "to": "carrier-c", "result": "answered"},
            ],
        },
    ),
    Story(
        "second-carrier-cancelled",
        "The first carrier is congested; 1001 gives up while the mobile phone rings over the second.",
        (
            *_tried("carrier-a"),
            step(0.8, "1001", "tries", MOBILE, over="carrier-b"),
            step(3, MOBILE, "rings"),
            step(12, "1001", "hangs_up"),
        ),
        {
            "status": "cancelled",
            "hung_up_by": "caller",
            "trunk": "carrier-b",
            "missed_by": [],
            "logs": [{"trunk": "carrier-a", "outcome": "failed"}, {"trunk": "carrier-b", "outcome": "cancelled"}],
        },
    ),
    Story(
        "second-carrier-busy",
        "The first carrier is congested; over the second the mobile phone is busy.",
        (
            *_tried("carrier-a"),
            step(0.8, "1001", "tries", MOBILE, over="carrier-b"),
            step(3, MOBILE, "refuses", cause="busy"),
            step(3.2, "1001", "hangup"),
        ),
        {"status": "busy", "trunk": "carrier-b", "q850_cause": 17, "hung_up_by": "callee", "talk_s": 0},
    ),
    Story(
        "all-circuits-busy",
        "No carrier takes the call; the dial plan says so in words and hangs up.",
        (
            *_tried("carrier-a", "carrier-b"),
            step(1.5, "1001", "play", sound="announcement"),
            step(7, "1001", "hangup"),
        ),
        {**_NOBODY, "status": "failed", "direction": "outbound", "answered": 1.5, "hung_up_by": "system"},
    ),
    Story(
        "refused-by-the-dial-plan",
        "A number on the list of the blocked ones: the dial plan refuses the call.",
        _in(step(0.2, OUTSIDE, "hangup", cause="rejected")),
        {**INBOUND, **_NOBODY, "status": "failed", "answered": None, "q850_cause": 21, "hung_up_by": "system"},
    ),
    Story(
        "do-not-disturb",
        "1002 wants no calls; the dial plan answers busy in its place.",
        (step(0, "1001", "calls", "1002"), step(0.2, "1001", "hangup", cause="busy")),
        {**_NOBODY, "requested": "1002", "status": "busy", "q850_cause": 17, "hung_up_by": "system"},
    ),
    Story(
        "company-number-from-inside",
        "1001 dials the company's own number, which rings 1002: nothing leaves the house.",
        (
            step(0, "1001", "calls", DID),
            step(0.1, "1001", "tries", "1002"),
            step(3, "1002", "answers"),
            step(13, "1001", "hangs_up"),
        ),
        {"direction": "internal", "requested": DID, "destination": "1002", "answered_by": "1002", "talk_s": 10},
    ),
    Story(
        "fax",
        "A fax comes in, which the PBX takes.",
        _in(step(0.2, OUTSIDE, "play", sound="fax"), step(60, OUTSIDE, "hangs_up")),
        {**INBOUND, **_NOBODY, "status": "answered", "billable_s": 59.8, "hung_up_by": "caller"},
    ),
    Story(
        "blocked",
        "A number on the list of the blocked ones hears three tones, and the dial plan hangs up.",
        _in(step(0.2, OUTSIDE, "play", sound="blocked"), step(3, OUTSIDE, "hangup")),
        {**INBOUND, **_NOBODY, "status": "answered", "hung_up_by": "system"},
    ),
    Story(
        "machine-then-agent",
        "The PBX calls a customer, listens for a machine, and then rings 1001.",
        (
            step(0, "", "originate", MOBILE, over=CARRIER, shows=DID),
            step(2, MOBILE, "rings"),
            step(8, MOBILE, "answers"),
            step(8.1, MOBILE, "play", sound="machine"),
            step(10, MOBILE, "tries", "1001"),
            step(10.3, "1001", "rings"),
            step(13, "1001", "answers"),
            step(43, MOBILE, "hangs_up"),
        ),
        {"direction": "outbound", "trunk": CARRIER, "status": "answered", "answered": 8, "talk": 13, "talk_s": 30},
    ),
    Story(
        "line-from-outside",
        "Somebody from outside gets a line by a code (DISA) and calls a mobile phone over another carrier.",
        _in(
            step(0.2, OUTSIDE, "play", sound="disa"),
            step(12, OUTSIDE, "tries", MOBILE, over="carrier-b", at=MOBILE),
            step(20, MOBILE, "answers"),
            step(80, OUTSIDE, "hangs_up"),
        ),
        {
            "direction": "inbound_outbound",
            "did": DID,
            "trunk": CARRIER,
            "answered": 0.2,
            "talk": 20,
            "talk_s": 60,
            "answered_by": MOBILE,
        },
    ),
    Story(
        "called-back-from-the-mailbox",
        "1001 listens to a message and has the PBX call back who left it.",
        (
            step(0, "1001", "calls", "*97"),
            step(0.3, "1001", "play", sound="mailbox"),
            step(20, "1001", "tries", MOBILE, over=CARRIER),
            step(28, MOBILE, "answers"),
            step(58, "1001", "hangs_up"),
        ),
        {"requested": "*97", "direction": "outbound", "trunk": CARRIER, "answered_by": MOBILE, "talk_s": 30},
    ),
    Story(
        "group-then-voicemail",
        "Nobody of the group answers; its voicemail does.",
        _in(
            step(0.1, OUTSIDE, "tries", "1001", "1002", at="600"),
            step(0.4, "1001", "rings"),
            step(0.4, "1002", "rings"),
            step(20, OUTSIDE, "gives_up"),
            step(20.2, OUTSIDE, "voicemail", "600"),
            step(40, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            **_NOBODY,
            "status": "voicemail",
            "answered": 20.2,
            "destination": "voicemail:600",
            "hung_up_by": "caller",
        },
    ),
    Story(
        "menu-then-group-then-voicemail",
        "The caller chooses the group in the menu; its voicemail answers.",
        (
            *_MENU,
            step(6, OUTSIDE, "tries", "1001", "1002", at="600"),
            step(26, OUTSIDE, "gives_up"),
            step(26.2, OUTSIDE, "voicemail", "600"),
            step(40, OUTSIDE, "hangs_up"),
        ),
        {**INBOUND, **_NOBODY, "status": "voicemail", "answered": 0.1, "destination": "voicemail:600"},
        (_NO_BOX,),
    ),
    Story(
        "menu-times-out",
        "The caller chooses nothing; the menu hangs up.",
        (*_MENU, step(20, OUTSIDE, "hangup")),
        {**INBOUND, **_NOBODY, "status": "answered", "hung_up_by": "system"},
    ),
    Story(
        "menu-then-queue",
        "The caller chooses the queue, where 1001 answers and hangs up.",
        (
            *_MENU,
            step(6, OUTSIDE, "queue", "support", at="8000"),
            step(7, OUTSIDE, "offers", "1001"),
            step(12, "1001", "answers"),
            step(52, "1001", "hangs_up"),
        ),
        {
            **INBOUND,
            "answered": 0.1,
            "answered_by": "1001",
            "talk_s": 40,
            "wait_s": 6,
            "hung_up_by": "callee",
            "queue_visits": [_SERVED],
        },
        (_NO_QUEUE,),
    ),
    Story(
        "menu-then-queue-abandoned",
        "The caller chooses the queue and gives up.",
        (
            *_MENU,
            step(6, OUTSIDE, "queue", "support", at="8000"),
            step(7, OUTSIDE, "offers", "1001"),
            step(22, OUTSIDE, "withdraws"),
            step(27, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            **_NOBODY,
            "status": "abandoned",
            "hung_up_by": "caller",
            "wait_s": 21,
            "queue_visits": [{"queue": "support", "reason": "abandoned"}],
        },
        (_NO_QUEUE,),
    ),
    Story(
        "queue-then-blind-to-queue",
        "The agent sends the caller on to another queue, where 1002 answers.",
        (
            *_AGENT,
            step(25, "1001", "transfers", "8001", how="refer"),
            step(25.1, OUTSIDE, "queue", "sales", at="8001"),
            step(26, OUTSIDE, "offers", "1002"),
            step(30, "1002", "answers"),
            step(50, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "answered_by": "1001",
            "destination": "1002",
            "talk_s": 40,
            "queue_visits": [_SERVED, {"queue": "sales", "reason": "answered", "answered_by": "1002"}],
            "reroutes": [_QUEUED, {**_BLIND, "to": "8001", "result": "answered"}, {"kind": "queue", "to": "1002"}],
        },
        (_NO_TRANSFERS,),
        modes=("asterisk", "freeswitch esl", "freeswitch both"),
    ),
    Story(
        "queue-then-blind-to-voicemail",
        "The agent sends the caller on to 1002, who does not answer; the voicemail does.",
        (
            *_AGENT,
            step(25, "1001", "transfers", "1002", how="key"),
            step(25.1, OUTSIDE, "tries", "1002"),
            step(25.4, "1002", "rings"),
            step(40, OUTSIDE, "gives_up"),
            step(40.1, OUTSIDE, "voicemail", "1002"),
            step(60, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "answered",
            "answered_by": "1001",
            "destination": "voicemail:1002",
            "talk_s": 20,
            "missed_by": ["1002"],
        },
        (_NO_BOX,),
    ),
    Story(
        "queue-then-blind-to-outside",
        "The agent sends the caller on to a mobile phone, who hangs up.",
        (
            *_AGENT,
            step(25, "1001", "transfers", MOBILE, how="refer"),
            step(25.1, OUTSIDE, "tries", MOBILE, over="carrier-b"),
            step(33, MOBILE, "answers"),
            step(63, MOBILE, "hangs_up"),
        ),
        {
            "direction": "inbound_outbound",
            "answered_by": "1001",
            "destination": MOBILE,
            "talk_s": 50,
            "hung_up_by": "callee",
        },
    ),
    Story(
        "queue-agent-refuses",
        "1001 rejects the call, 1004 is not registered, 1002 answers.",
        (
            *queued(),
            step(1, OUTSIDE, "offers", "1001"),
            step(3, "1001", "refuses", cause="rejected"),
            step(5, OUTSIDE, "offers", "1004"),
            step(5.1, "1004", "refuses", cause="unavailable"),
            step(7, OUTSIDE, "offers", "1002"),
            step(9, "1002", "answers"),
            step(49, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "answered_by": "1002",
            "talk_s": 40,
            "wait_s": 8.5,
            "missed_by": [],
            "queue_visits": [{"answered_by": "1002"}],
        },
        (_NO_QUEUE,),
    ),
    Story(
        "picked-up-out-of-a-group-from-outside",
        "1001 and 1002 ring; 1005, who is none of them, takes the call and hangs up.",
        _in(
            step(0.1, OUTSIDE, "tries", "1001", "1002"),
            step(0.4, "1001", "rings"),
            step(0.4, "1002", "rings"),
            step(8, "1005", "picks_up", "1001"),
            step(48, "1005", "hangs_up"),
        ),
        {
            **INBOUND,
            "answered_by": "1005",
            "destination": "1005",
            "talk_s": 40,
            "hung_up_by": "callee",
            "missed_by": [],
        },
    ),
    Story(
        "parked-too-long-then-nobody",
        "Nobody takes the parked call, and who parked it does not answer either; the dial plan hangs up.",
        (
            *inbound(),
            step(20, "1001", "parks", "701"),
            step(65, OUTSIDE, "park_times_out"),
            step(65.1, OUTSIDE, "tries", "1001"),
            step(65.4, "1001", "rings"),
            step(85, OUTSIDE, "gives_up"),
            step(85.1, OUTSIDE, "hangup"),
        ),
        {**INBOUND, "status": "answered", "answered_by": "1001", "talk_s": 15, "ended": 85.1, "hung_up_by": "system"},
    ),
)
