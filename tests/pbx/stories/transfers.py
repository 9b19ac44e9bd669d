"""Transfers: blind, attended, by REFER and by feature key, by the called and by the caller, and those that fail."""

from __future__ import annotations

from typing import Any, Final

from tests.pbx.stories.parts import CARRIER, INBOUND, MOBILE, OUTSIDE, inbound, internal, outbound
from tests.pbx.story import Step, Story, Untold, step

# configs/samples/cel.conf.sample lists neither BLINDTRANSFER nor ATTENDEDTRANSFER: a transfer to somebody who talks
# with nobody in the end cannot be told from a dial plan that went on.
_UNTOLD: Final = Untold("asterisk cel sample", "cel.conf lists no transfers", {"reroutes": []})
_APP: Final = Untold("asterisk cel sample", "cel.conf lists no applications but Dial and Park", {"destination": ...})
_WAIT: Final = Untold("asterisk cel sample", "cel.conf lists no applications but Dial and Park", {"wait_s": ...})
_KIND: Final = Untold("asterisk cel sample", "cel.conf lists no transfers", {"reroutes": ...})
_BLIND: Final[dict[str, Any]] = {"kind": "blind_transfer", "from": "1001", "by": "1001"}
_ATTENDED: Final[dict[str, Any]] = {"kind": "attended_transfer", "from": "1001", "to": "1003", "by": "1001"}


def _to_1002(how: str) -> tuple[Step, ...]:
    return (
        *inbound(),
        step(20, "1001", "transfers", "1002", how=how),
        step(20.1, OUTSIDE, "tries", "1002", at="1002"),
        step(20.5, "1002", "rings"),
    )


def _consultation(how: str) -> tuple[Step, ...]:
    """1001 talks with the caller, and consults 1003."""
    return (*inbound(), step(20, "1001", "consults", "1003", how=how), step(20.5, "1003", "rings"))


_BLIND_ANSWERED: Final[dict[str, Any]] = {
    **INBOUND,
    "status": "answered",
    "answered_by": "1001",
    "destination": "1002",
    "talk_s": 45,
    "ended": 55,
    "hung_up_by": "caller",
    "missed_by": [],
    "reroutes": [{**_BLIND, "to": "1002", "result": "answered"}],
    "logs": [
        {"number": "1001", "outcome": "answered", "talk_s": 15},
        {"number": "1002", "outcome": "answered", "talk_s": 30},
    ],
}
_ATTENDED_ANSWERED: Final[dict[str, Any]] = {
    **INBOUND,
    "status": "answered",
    "answered_by": "1001",
    "destination": "1003",
    "ended": 60,
    "hung_up_by": "caller",
    "reroutes": [{**_ATTENDED, "result": "answered"}],
    "logs": [
        {"kind": "extension", "number": "1001", "outcome": "answered"},
        {"kind": "consultation", "number": "1003", "outcome": "answered", "talk_s": 10},
        {"kind": "extension", "number": "1003", "outcome": "answered", "talk_s": 25},
    ],
}

STORIES: Final = (
    Story(
        "blind-by-refer",
        "1001's phone sends the caller on to 1002, who answers.",
        (*_to_1002("refer"), step(25, "1002", "answers"), step(55, OUTSIDE, "hangs_up")),
        _BLIND_ANSWERED,
        (_UNTOLD,),
    ),
    Story(
        "blind-by-key",
        "The same by the transfer key.",
        (*_to_1002("key"), step(25, "1002", "answers"), step(55, OUTSIDE, "hangs_up")),
        _BLIND_ANSWERED,
        (_UNTOLD,),
    ),
    Story(
        "blind-in-vain",
        "1002 does not answer, the dial plan hangs up.",
        (*_to_1002("refer"), step(40, OUTSIDE, "gives_up"), step(40.1, OUTSIDE, "hangup")),
        {
            **INBOUND,
            "status": "answered",
            "answered_by": "1001",
            "talk_s": 15,
            "ended": 40.1,
            "hung_up_by": "system",
            "missed_by": ["1002"],
            "reroutes": [{**_BLIND, "to": "1002"}],
            "logs": [{"number": "1001", "outcome": "answered"}, {"number": "1002", "outcome": "no_answer"}],
        },
        (_UNTOLD,),
    ),
    Story(
        "blind-then-caller-gives-up",
        "1002 rings, the caller hangs up.",
        (*_to_1002("refer"), step(30, OUTSIDE, "hangs_up")),
        {
            **INBOUND,
            "answered_by": "1001",
            "talk_s": 15,
            "hung_up_by": "caller",
            "missed_by": ["1002"],
            "logs": [{"number": "1001", "outcome": "answered"}, {"number": "1002", "outcome": "cancelled"}],
        },
    ),
    Story(
        "blind-to-busy",
        "1002 is busy, the dial plan hangs up.",
        (*_to_1002("refer")[:-1], step(21, "1002", "refuses", cause="busy"), step(21.1, OUTSIDE, "hangup")),
        {
            **INBOUND,
            "answered_by": "1001",
            "talk_s": 15,
            "hung_up_by": "system",
            "logs": [{"number": "1001", "outcome": "answered"}, {"number": "1002", "outcome": "busy"}],
        },
    ),
    Story(
        "blind-to-voicemail",
        "1001 sends the caller to 1002's voicemail; half a minute later he hangs up.",
        (
            *inbound(),
            step(20, "1001", "transfers", "*1002"),
            step(20.1, OUTSIDE, "voicemail", "1002"),
            step(50, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "answered",
            "answered_by": "1001",
            "destination": "voicemail:1002",
            "talk_s": 15,
            "ended": 50,
            "hung_up_by": "caller",
            "end_reason": "caller_disconnected",
        },
        (_APP,),
    ),
    Story(
        "blind-to-queue",
        "1001 sends the caller to a queue, where he gives up.",
        (
            *inbound(),
            step(20, "1001", "transfers", "8000"),
            step(20.1, OUTSIDE, "queue", "support", at="8000"),
            step(25, OUTSIDE, "offers", "1003"),
            step(40, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "answered_by": "1001",
            "talk_s": 15,
            "wait_s": 19.9,
            "ended": 40,
            "hung_up_by": "caller",
            "end_reason": "caller_disconnected",
        },
        (_WAIT,),
    ),
    Story(
        "blind-to-nowhere",
        "1001 sends the caller to an announcement, after which the dial plan hangs up.",
        (
            *inbound(),
            step(20, "1001", "transfers", "*61"),
            step(20.1, OUTSIDE, "play", sound="announcement"),
            step(30, OUTSIDE, "hangup"),
        ),
        {**INBOUND, "answered_by": "1001", "talk_s": 15, "ended": 30, "hung_up_by": "system", "billable_s": 25},
    ),
    Story(
        "blind-to-outside",
        "1001 sends the caller on to a mobile phone.",
        (
            *inbound(),
            step(20, "1001", "transfers", MOBILE),
            step(20.1, OUTSIDE, "tries", MOBILE, over=CARRIER, at=MOBILE),
            step(28, MOBILE, "answers"),
            step(58, MOBILE, "hangs_up"),
        ),
        {
            **INBOUND,
            "direction": "inbound_outbound",
            "answered_by": "1001",
            "destination": MOBILE,
            "talk_s": 45,
            "hung_up_by": "callee",
            "reroutes": [{**_BLIND, "to": MOBILE, "result": "answered"}],
        },
        (_UNTOLD,),
    ),
    Story(
        "blind-by-the-caller",
        "1001, who called 1002, sends 1002 on to 1003, and is gone: 1002 and 1003 talk.",
        (
            *internal(),
            step(20, "1001", "transfers", "1003"),
            step(20.1, "1002", "tries", "1003", at="1003"),
            step(22, "1003", "answers"),
            step(52, "1002", "hangs_up"),
        ),
        {
            "caller": "1001",
            "requested": "1002",
            "status": "answered",
            "answered_by": "1002",
            "destination": "1003",
            "ended": 52,
            "reroutes": [{"kind": "blind_transfer", "to": "1003", "by": "1001", "result": "answered"}],
        },
        (_UNTOLD,),
    ),
    Story(
        "outside-sent-on-by-the-caller",
        "1001, who called a mobile phone, sends it on to 1002: the two talk on.",
        (
            *outbound(),
            step(30, "1001", "transfers", "1002"),
            step(30.1, MOBILE, "tries", "1002", at="1002"),
            step(36, "1002", "answers"),
            step(96, MOBILE, "hangs_up"),
        ),
        {
            "caller": "1001",
            "direction": "outbound",
            "status": "answered",
            "answered": 8,
            "talk_s": 82,
            "ended": 96,
            "destination": "1002",
            "reroutes": [{"kind": "blind_transfer", "to": "1002", "by": "1001", "result": "answered"}],
        },
        (_UNTOLD,),
    ),
    Story(
        "blind-twice",
        "1001 sends the caller to 1002, who sends him to 1003.",
        (
            *_to_1002("refer"),
            step(25, "1002", "answers"),
            step(35, "1002", "transfers", "1003"),
            step(35.1, OUTSIDE, "tries", "1003", at="1003"),
            step(40, "1003", "answers"),
            step(60, "1003", "hangs_up"),
        ),
        {
            **INBOUND,
            "answered_by": "1001",
            "destination": "1003",
            "talk_s": 45,
            "hung_up_by": "callee",
            "reroutes": [
                {**_BLIND, "to": "1002", "result": "answered"},
                {"kind": "blind_transfer", "from": "1002", "to": "1003", "by": "1002", "result": "answered"},
            ],
        },
        (_UNTOLD,),
    ),
    Story(
        "attended-by-refer",
        "1001 consults 1003 on its second line and joins the two.",
        (
            *_consultation("refer"),
            step(25, "1003", "answers"),
            step(35, "1001", "joins"),
            step(60, OUTSIDE, "hangs_up"),
        ),
        {**_ATTENDED_ANSWERED, "talk_s": 55},
    ),
    Story(
        "attended-by-key",
        "1001 consults 1003 by the transfer key and hangs up.",
        (
            *_consultation("key"),
            step(25, "1003", "answers"),
            step(35, "1001", "joins"),
            step(60, OUTSIDE, "hangs_up"),
        ),
        _ATTENDED_ANSWERED,
    ),
    Story(
        "attended-by-the-caller-by-refer",
        "1001, who called 1002, consults 1003 on its second line and joins the two.",
        (
            *internal(),
            step(20, "1001", "consults", "1003"),
            step(25, "1003", "answers"),
            step(35, "1001", "joins"),
            step(60, "1002", "hangs_up"),
        ),
        {
            "caller": "1001",
            "requested": "1002",
            "status": "answered",
            "answered_by": "1002",
            "destination": "1003",
            "ended": 60,
            "reroutes": [{"kind": "attended_transfer", "to": "1003", "by": "1001", "result": "answered"}],
        },
    ),
    Story(
        "attended-by-the-caller-by-key",
        "1001, who called 1002, consults 1003 by the transfer key and leaves the two together.",
        (
            *internal(),
            step(20, "1001", "consults", "1003", how="key"),
            step(25, "1003", "answers"),
            step(35, "1001", "joins"),
            step(60, "1003", "hangs_up"),
        ),
        {
            "caller": "1001",
            "requested": "1002",
            "status": "answered",
            "answered_by": "1002",
            "destination": "1003",
            "ended": 60,
            "reroutes": [{"kind": "attended_transfer", "to": "1003", "by": "1001", "result": "answered"}],
        },
        (_KIND,),
    ),
    Story(
        "consulted-and-back-by-key",
        "1001 consults 1003 and goes back to the caller.",
        (
            *_consultation("key"),
            step(25, "1003", "answers"),
            step(30, "1001", "returns"),
            step(60, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "answered",
            "answered_by": "1001",
            "destination": "1001",
            "ended": 60,
            "hung_up_by": "caller",
            "reroutes": [],
        },
    ),
    Story(
        "consulted-and-back-by-second-line",
        "1001 consults 1003 on its second line and goes back to the caller: that is another call.",
        (
            *_consultation("refer"),
            step(25, "1003", "answers"),
            step(30, "1001", "returns"),
            step(60, OUTSIDE, "hangs_up"),
        ),
        {**INBOUND, "calls": 2, "answered_by": "1001", "talk_s": 55, "reroutes": []},
    ),
    Story(
        "consulted-in-vain",
        "1003 does not answer; 1001 goes back to the caller.",
        (*_consultation("key"), step(35, "1001", "returns"), step(60, OUTSIDE, "hangs_up")),
        {**INBOUND, "answered_by": "1001", "destination": "1001", "ended": 60, "reroutes": [], "hung_up_by": "caller"},
    ),
    Story(
        "semi-attended-by-refer",
        "1001 joins the two while 1003 still rings; 1003 answers.",
        (
            *_consultation("refer"),
            step(24, "1001", "joins"),
            step(28, "1003", "answers"),
            step(58, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "answered",
            "answered_by": "1001",
            "destination": "1003",
            "hung_up_by": "caller",
            "reroutes": [
                {"kind": "semi_attended_transfer", "from": "1001", "to": "1003", "by": "1001", "result": "answered"}
            ],
        },
        (_KIND,),
    ),
    Story(
        "semi-attended-by-key",
        "1001 hangs up while 1003 still rings; 1003 answers.",
        (
            *_consultation("key"),
            step(24, "1001", "joins"),
            step(28, "1003", "answers"),
            step(58, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "answered",
            "answered_by": "1001",
            "destination": "1003",
            "hung_up_by": "caller",
            "reroutes": [
                {"kind": "semi_attended_transfer", "from": "1001", "to": "1003", "by": "1001", "result": "answered"}
            ],
        },
    ),
    Story(
        "attended-to-voicemail-by-key",
        "1001 consults a voicemail box by the transfer key and leaves the caller there.",
        (
            *inbound(),
            step(20, "1001", "consults", "*1002", how="key", app=True),
            step(21, "*1002", "voicemail", "1002"),
            step(30, "1001", "joins"),
            step(60, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "answered",
            "answered_by": "1001",
            "destination": "voicemail:1002",
            "ended": 60,
            "hung_up_by": "caller",
            "end_reason": "caller_disconnected",
        },
    ),
    Story(
        "three-way",
        "1001 consults 1003 by the transfer key and makes it a call of three.",
        (
            *_consultation("key"),
            step(25, "1003", "answers"),
            step(40, "1001", "confers"),
            step(100, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "answered",
            "answered_by": "1001",
            "ended": 100,
            "hung_up_by": "caller",
        },
    ),
    Story(
        "joined-with-who-called",
        "1001 talks with the caller; 1003 calls 1001, who joins the two and leaves.",
        (
            *inbound(),
            step(20, "1003", "calls", "1001"),
            step(20.1, "1003", "tries", "1001/2"),
            step(22, "1001/2", "answers"),
            step(30, "1001", "joins"),
            step(70, OUTSIDE, "hangs_up"),
        ),
        {
            **INBOUND,
            "status": "answered",
            "answered_by": "1001",
            "destination": "1003",
            "talk_s": 65,
            "ended": 70,
            "reroutes": [{**_ATTENDED, "result": "answered"}],
        },
        (_KIND,),
    ),
)
