"""Stories of calls in neutral words, told by every simulator of a PBX.

A story is a list of steps: what phones, carriers, callers and the PBX's own dial plan do, and when. It names no
channel, no event and no PBX. Parties are named by their number (`1001`, `+441632960123`). `1001/2` is the second line
of a phone that has a call, `1001'` the dial plan by way of which a phone is rung (`through`). A simulator plays the
steps and writes what its PBX would write; the call that comes of it must be the one that the story expects, whichever
PBX, and whichever of its interfaces, told it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

Verb = Literal[
    # what phones and carriers do
    "calls",  # who dials `to`; over=trunk for a call from outside, withheld=True without a number
    "rings",
    "progresses",  # early media
    "answers",
    "refuses",  # cause: busy, rejected, congested, unknown_number, unavailable
    "forwards",  # 302 to `to`
    "hangs_up",  # CANCEL while nobody has answered it, BYE after
    "holds",
    "resumes",
    "transfers",  # blind; how=refer or key
    "consults",  # begins a second call to `to`; how=refer (its line two) or key (on its own leg); app=True: no phone
    "joins",  # completes the transfer to who was consulted, answered or not
    "returns",  # ends the consultation and goes back to the caller
    "confers",  # makes it a call of three and stays
    "parks",  # puts the other party on place `to`; how=key or refer
    "park_times_out",  # nobody took `who` back
    "takes_back",  # dials parking place `to`
    "picks_up",  # takes the call that rings at `to`
    # what the dial plan does for `who`
    "answer",
    "play",  # an application that needs nobody else; sound=greeting, echo, announcement, mailbox, music, time
    "menu",
    # dials the numbers `to`, all at once; over=trunk; through=(numbers dialled by way of the dial plan), kept=True when
    # the channels between stay; outside={number: trunk}; at=the extension that the dial plan is at by now; shows=the
    # caller id it sets; screened=True: who answers must accept; goes_on=True: the dial plan goes on behind the callee
    "tries",
    "gives_up",  # the attempt is over without an answer: nobody picked up in time
    "queue",  # joins queue `to`
    "offers",  # the queue rings the agents to=(numbers)
    "withdraws",  # the queue stops ringing them
    "leaves_queue",  # by time-out or key: how=timeout or key
    "voicemail",  # of box `to`
    "conference",  # room `to`
    "accepts",  # the called party agrees to take the call (screening)
    "hangup",  # the dial plan ends the call
    "originate",  # the PBX rings `to` first, by itself; over=trunk, shows=caller id; through=True
]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens, `at` seconds after the story begins."""

    at: float
    does: Verb
    who: str = ""
    to: tuple[str, ...] = ()
    given: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Untold:
    """What a mode cannot tell, why, and what comes out instead: fields of the expected call that differ, or are not
    known at all (`...`)."""

    mode: str
    why: str
    instead: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Story:
    """`expect`: fields of the call document, instants in seconds after the story's beginning, `…_s` in seconds.

    `modes` are prefixes of the modes that can tell the story at all (() for every one).
    """

    name: str
    says: str
    steps: tuple[Step, ...]
    expect: Mapping[str, Any]
    untold: tuple[Untold, ...] = ()
    modes: tuple[str, ...] = ()
    devices: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # of phones not called by number

    def expected(self, mode: str) -> dict[str, Any]:
        """The call that must come out where `mode` tells the story."""
        expect = dict(self.expect)
        for each in self.untold:
            if mode.startswith(each.mode):
                expect.update(each.instead)
        return {field: value for field, value in expect.items() if value is not ...}

    def is_told(self, mode: str) -> bool:
        """Whether `mode` can tell the story."""
        return not self.modes or mode.startswith(self.modes)


VERBS: Final = frozenset(get_args(Verb))


def step(at: float, who: str, does: Verb, /, *to: str, **given: Any) -> Step:
    """A step, in the order in which one would say it: at 3 s, 1001 answers."""
    assert does in VERBS, does
    return Step(at, does, who, to, MappingProxyType(given))
