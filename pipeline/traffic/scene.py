"""One simulated call while it is being written: its events, in the order in which they happen."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from pipeline.traffic.company import DOMAIN, MAIN_NUMBER, NODE, TRUNKS, Outside, direct_number, extension
from schemas.event import Event, Party

NORMAL, BUSY, NO_ANSWER, REJECTED, NO_ROUTE = 16, 17, 19, 21, 3  # Q.850
SIP_BUSY, SIP_NO_ANSWER, SIP_CANCELLED, SIP_DECLINED, SIP_NO_ROUTE = 486, 480, 487, 603, 404


@dataclass
class Scene:
    """The call being written. Times are ms since the epoch; `pace` shortens every duration."""

    call_id: str
    start: int
    rng: random.Random
    outside: Outside
    tenant: str = "default"
    pace: float = 1.0
    events: list[Event] = field(default_factory=list)

    def seconds(self, low: float, high: float) -> int:
        """A duration of the story, in ms: most are short, a few are long."""
        return max(200, int(1000 * self.pace * self.rng.triangular(low, high, low + (high - low) / 4)))

    def at(self, when: int, leg: str, what: str, **fields: Any) -> None:
        """Something happens to a leg."""
        number = len(self.events) + 1
        self.events.append(
            Event(
                type=what,
                at=when,
                call_id=self.call_id,
                event_id=f"{self.call_id}-{number}",
                leg_id=f"{self.call_id}-{leg}",
                tenant=self.tenant,
                node=NODE,
                seq=number,
                **fields,
            )
        )

    def leg_id(self, leg: str) -> str:
        """The full id of a leg."""
        return f"{self.call_id}-{leg}"

    def from_outside(self, callee: str, did: str = "", **fields: Any) -> None:
        """A customer calls in over a trunk; the caller's leg is `a`."""
        caller = Party(number=self.outside.caller(self.rng))
        did = did or (direct_number(callee) if callee.startswith("1") else MAIN_NUMBER)
        trunk = self.rng.choice(TRUNKS)
        asked = extension(callee) if callee.startswith("1") else Party(number=callee, domain=DOMAIN)
        self.at(
            self.start,
            "a",
            "started",
            direction="inbound",
            role="caller",
            caller=caller,
            callee=asked,
            did=did,
            trunk=trunk,
            **fields,
        )

    def from_extension(self, caller: str, callee: Party, *, outside: bool = False) -> None:
        """An extension calls; the caller's leg is `a`."""
        shown: dict[str, Any] = {"outbound_caller_id": MAIN_NUMBER} if outside else {}
        self.at(
            self.start,
            "a",
            "started",
            direction="outbound" if outside else "internal",
            role="caller",
            caller=extension(caller),
            callee=callee,
            **shown,
        )

    def try_phone(self, when: int, leg: str, number: str, *, peer: str = "a", kind: str = "extension") -> int:
        """A phone is called and rings; gives when it rings."""
        self.at(when, leg, "started", role="target", kind=kind, callee=extension(number), peer_leg_id=self.leg_id(peer))
        rings = when + self.rng.randrange(60, 400)
        self.at(rings, leg, "rang")
        return rings

    def answer(self, when: int, leg: str) -> None:
        """A phone answers and is connected with the caller, who may have been answered before."""
        self.at(when, leg, "answered", answered_by="party")
        if not any(event.type == "answered" and event.leg_id == self.leg_id("a") for event in self.events):
            self.at(when + 20, "a", "answered", answered_by="party")
        self.at(when + 40, "a", "bridged", peer_leg_id=self.leg_id(leg))

    def unanswered(self, when: int, leg: str, cause: int, status: int) -> None:
        """A leg ends that was never answered."""
        self.at(when, leg, "ended", q850_cause=cause, sip_status=status, hung_up_by="system")

    def hang_up(self, when: int, leg: str, *, by_caller: bool | None = None) -> None:
        """Two connected parties part."""
        caller = self.rng.random() < 0.55 if by_caller is None else by_caller
        first, second = ("a", leg) if caller else (leg, "a")
        self.at(when, first, "ended", q850_cause=NORMAL, hung_up_by="party")
        self.at(when + 20, second, "ended", q850_cause=NORMAL, hung_up_by="peer")
