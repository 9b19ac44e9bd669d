"""A small company: twenty extensions, two trunks, a support queue, a sales ring group.

Numbers are of the ranges that regulators keep free for fiction.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

from schemas.event import Party

DOMAIN: Final = "pbx.example.com"
MAIN_NUMBER: Final = "+442079460100"
TRUNKS: Final = ("trunk-a", "trunk-b")
NODE: Final = "sim-1"
QUEUE: Final = "800"
QUEUE_NAME: Final = "support"
RING_GROUP: Final = "600"
MENU: Final = "700"
CONFERENCE: Final = "900"

_NAMES: Final = (
    *("Ada Byron", "Ben Okoro", "Carla Ruiz", "Dev Patel", "Eva Lind"),
    *("Finn Moore", "Gita Rao", "Hugo Weiss", "Ines Costa", "Jon Berg"),
    *("Kira Novak", "Liam Walsh", "Mona Haddad", "Nils Dahl", "Olga Petrova"),
    *("Paul Mercier", "Quinn Adams", "Rosa Bianchi", "Sami Aalto", "Tara Singh"),
)

EXTENSIONS: Final = tuple(str(101 + position) for position in range(len(_NAMES)))
SALES: Final = EXTENSIONS[:4]
SUPPORT: Final = EXTENSIONS[10:15]


def extension(number: str) -> Party:
    """The party behind an extension."""
    return Party(number=number, name=_NAMES[int(number) - 101], domain=DOMAIN, extension=number)


def direct_number(number: str) -> str:
    """The DID of an extension."""
    return f"+442079460{number}"


@dataclass
class Outside:
    """The world outside: customers who call again and again, and strangers."""

    regulars: tuple[str, ...]
    recent: list[str] = field(default_factory=list)  # called lately, and likely to call again soon

    @classmethod
    def of(cls, rng: random.Random) -> Outside:
        """Sixty regular customers."""
        return cls(tuple(f"+441632960{number:03d}" for number in rng.sample(range(1000), 60)))

    def caller(self, rng: random.Random) -> str:
        """Somebody who calls: one in eight called a short while ago and was not helped."""
        if self.recent and rng.random() < 0.125:
            return rng.choice(self.recent)
        if rng.random() < 0.7:
            # A few regulars make most of the calls.
            number = self.regulars[min(int(rng.expovariate(0.08)), len(self.regulars) - 1)]
        else:
            number = f"+1{rng.choice((212, 303, 415, 617))}5550{rng.randrange(100, 200)}"
        self.recent = [*self.recent[-9:], number]
        return number
