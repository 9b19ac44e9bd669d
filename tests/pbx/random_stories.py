"""Stories made at random: what phones, carriers and dial plans may do in any order, in neutral words."""

from __future__ import annotations

import random
from typing import Final

from tests.pbx.stories.parts import CARRIER, DID, MOBILE, OUTSIDE
from tests.pbx.story import Step, Story, step

_PHONES: Final = ("1001", "1002", "1003", "1004")
_CAUSES: Final = ("busy", "rejected", "congested")


class Teller:
    """Makes one story, step by step."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(f"story {seed}")
        self.now = 0.0
        self.steps: list[Step] = []
        self.caller = self.chance.choice((OUTSIDE, "1009"))
        self.free = list(_PHONES)
        self.outside = False  # it dialled over a trunk
        self.chance.shuffle(self.free)

    def says(self, who: str, does: str, /, *to: str, **given: object) -> None:
        """A step, some tenths of a second after the one before."""
        self.steps.append(step(round(self.now, 1), who, does, *to, **given))  # type: ignore[arg-type]
        self.now += self.chance.choice((0.4, 1.7, 6.0))

    def story(self, seed: int) -> Story:
        """A call: the PBX may answer first; phones, or somebody outside, are tried until one answers."""
        if self.caller == OUTSIDE:
            self.says(OUTSIDE, "calls", DID, over=CARRIER)
        else:
            self.says(self.caller, "calls", self.chance.choice(("1001", MOBILE)))
        front = self.chance.choice(("", "", "answer", "menu", "greeting"))
        if front == "greeting":
            self.says(self.caller, "play", sound="greeting")
        elif front:
            self.says(self.caller, front)
        attempts = self.chance.randint(1, 3)
        for left in range(attempts - 1, -1, -1):
            if self.tries():
                self.goes_on()
                break
            if not left:
                self.says(self.caller, *self.chance.choice((("hangup",), ("hangs_up",))))
        return Story(f"random-{seed}", "", tuple(self.steps), {})

    def tries(self) -> bool:
        """One attempt; whether somebody answered."""
        if self.chance.random() < 0.2:
            self.outside = True
            self.says(self.caller, "tries", MOBILE, over=CARRIER)
            rung = [MOBILE]
        else:
            rung = [self.free.pop() for _ in range(min(len(self.free), self.chance.choice((1, 1, 2))))]
            if not rung:
                return False
            self.says(self.caller, "tries", *rung)
        for number in list(rung):
            if self.chance.random() < 0.8:
                self.says(number, "rings")
            if self.chance.random() < 0.25:
                self.says(number, "refuses", cause=self.chance.choice(_CAUSES))
                rung.remove(number)
        if rung and self.chance.random() < 0.6:
            self.talker = self.chance.choice(rung)
            self.says(self.talker, "answers")
            return True
        if rung:
            self.says(self.caller, "gives_up")
        return False

    def goes_on(self) -> None:
        """They talk, perhaps on hold for a while; one of them hangs up."""
        self.now += self.chance.choice((0.2, 20.0, 600.0))
        if self.chance.random() < 0.3:
            self.says(self.talker, "holds")
            self.says(self.talker, "resumes")
        self.says(self.chance.choice((self.caller, self.talker)), "hangs_up")


def made(seed: int) -> tuple[Story, bool]:
    """A story, and whether it dials over a trunk."""
    teller = Teller(seed)
    return teller.story(seed), teller.outside
