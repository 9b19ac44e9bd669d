"""Stories by chance: a beginning, what happens to the call, and how it ends."""

from __future__ import annotations

from random import Random

from tests.pbx.stories.parts import CARRIER, DID, MOBILE, OUTSIDE
from tests.pbx.story import Step, Story, step

_REFUSALS = ("busy", "rejected", "unavailable")


class _Teller:
    """Makes up a story as it goes: `guest` is who the dial plan serves, `host` who talks with him."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.now = 0.0
        self.steps: list[Step] = []
        self.guest = self.host = ""
        self.outward = False
        self.phones = [f"10{number:02}" for number in range(2, 12)]
        chance.shuffle(self.phones)

    def tell(self, who: str, does: str, *to: str, after: float = 0.0, **given: object) -> None:
        self.now += after
        self.steps.append(step(round(self.now, 3), who, does, *to, **given))  # type: ignore[arg-type]

    def wait(self, shortest: float = 1, longest: float = 15) -> float:
        return self.chance.uniform(shortest, longest)

    # Beginnings

    def begin(self) -> bool:
        """Whether somebody talks in the end."""
        if self.chance.random() < 0.5:
            self.guest = OUTSIDE
            self.tell(OUTSIDE, "calls", DID, over=CARRIER)
        else:
            self.guest, self.outward = "1001", self.chance.random() < 0.3
            self.tell("1001", "calls", MOBILE if self.outward else self.phones[0])
        self.now += 0.1
        before = self.chance.random()
        if before < 0.2:
            self.tell(self.guest, "menu", after=0.2)
            self.now += self.wait()
        elif before < 0.35:
            self.tell(self.guest, "answer")
            self.tell(self.guest, "play", sound="greeting", after=0.1)
            self.now += self.wait()
        if before < 0.35 and self.chance.random() < 0.15:
            return self.quit()
        if self.chance.random() < 0.3 and not self.outward:
            return self.queued()
        return self.dialled()

    def dialled(self) -> bool:
        """One or more attempts by Dial."""
        for _ in range(1 if self.outward else self.chance.randint(1, 3)):
            outcome = self.chance.random()
            group = [self.phones.pop() for _ in range(self.chance.choice((1, 1, 1, 2)))]
            through = tuple(group) if self.chance.random() < 0.3 else ()
            if self.outward:
                group, through = [MOBILE], ()
                self.tell(self.guest, "tries", MOBILE, over=CARRIER)
            else:
                self.tell(self.guest, "tries", *group, through=through, kept=self.chance.random() < 0.5)
            for phone in group:
                self.tell(phone, "rings", after=0.2)
            self.now += self.wait()
            if outcome < 0.55:
                self.host = self.chance.choice(group)
                self.tell(self.host, "answers")
                return True
            if outcome < 0.7 and len(group) == 1 and not through:
                self.tell(group[0], "refuses", cause=self.chance.choice(_REFUSALS))
            elif outcome < 0.85:
                self.tell(self.guest, "gives_up")
            else:
                return self.quit()
            self.now += 0.1
        if self.chance.random() < 0.4:
            self.tell(self.guest, "voicemail", "1002")
            self.now += self.wait()
            return self.quit()
        self.tell(self.guest, "hangup")
        return False

    def queued(self) -> bool:
        self.tell(self.guest, "answer")
        self.tell(self.guest, "queue", "support", after=0.1)
        for _ in range(self.chance.randint(1, 3)):
            agent = self.phones.pop()
            self.tell(self.guest, "offers", agent, after=0.5, through=self.chance.random() < 0.3)
            self.tell(agent, "rings", after=0.2)
            self.now += self.wait()
            outcome = self.chance.random()
            if outcome < 0.6:
                self.host = agent
                self.tell(agent, "answers")
                return True
            if outcome < 0.75:
                return self.quit()
            self.tell(self.guest, "withdraws")
        self.tell(self.guest, "leaves_queue", after=1, how="timeout")
        self.tell(self.guest, "hangup", after=0.05)
        return False

    def quit(self) -> bool:
        self.tell(self.guest, "hangs_up")
        return False

    # While they talk

    def talk(self) -> None:
        self.now += self.wait(4, 40)
        for _ in range(self.chance.choice((0, 0, 1, 1, 2))):
            what = self.chance.random()
            if what < 0.4:
                if not self.transferred():
                    return
            elif what < 0.7:
                self.consulted()
            elif what < 0.85:
                self.tell(self.host, "holds")
                self.tell(self.host, "resumes", after=self.wait(2, 9))
            else:
                place, taker = "701", self.phones.pop()
                self.tell(self.host, "parks", place)
                self.tell(taker, "takes_back", place, after=self.wait(2, 20))
                self.host = taker
            self.now += self.wait(4, 40)
        self.tell(self.chance.choice((self.guest, self.host)), "hangs_up")

    def transferred(self) -> bool:
        """A blind transfer; False when nobody takes the call."""
        phone = self.phones.pop()
        self.tell(self.host, "transfers", phone, how=self.chance.choice(("refer", "key")))
        self.tell(self.guest, "tries", phone, after=0.1, at=phone)
        self.tell(phone, "rings", after=0.3)
        self.now += self.wait()
        outcome = self.chance.random()
        if outcome < 0.7:
            self.host = phone
            self.tell(phone, "answers")
            return True
        if outcome < 0.85:
            self.tell(self.guest, "gives_up")
            self.tell(self.guest, "hangup", after=0.1)
            return False
        self.quit()
        return False

    def consulted(self) -> None:
        phone, how = self.phones.pop(), self.chance.choice(("refer", "key"))
        self.tell(self.host, "consults", phone, how=how)
        self.tell(phone, "rings", after=0.3)
        self.tell(phone, "answers", after=self.wait(1, 9))
        self.now += self.wait(2, 15)
        if self.chance.random() < 0.6:
            self.tell(self.host, "joins")
            self.host = phone
        else:
            self.tell(self.host, "returns")


def story(seed: int) -> Story:
    """A story that is always the same for one seed."""
    teller = _Teller(Random(seed))
    if teller.begin():
        teller.talk()
    return Story(f"random-{seed}", "", tuple(teller.steps), {})


def numbers(told: Story) -> set[str]:
    """Every number that somebody dialled, showed or owns in a story."""
    found = {number for each in told.steps for number in (each.who.partition("/")[0], *each.to)}
    return found | {each.partition("/")[0] for each in found} | {"701", "700", "*8", "default"}
