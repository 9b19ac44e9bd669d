"""Plain call events, written leg by leg: what the dialogs of a SIP call say in the words of the fold."""

from __future__ import annotations

from typing import Any

from pipeline.calls.sip.branches import Session, at, sip
from pipeline.calls.sip.outcome import End
from schemas.event import Event

_HOLD = frozenset({"sendonly", "inactive"})


class Writer:
    """Collects the events of one call. Their ids follow from the order of writing, which is itself a function of the
    set of messages."""

    def __init__(self, source: Event) -> None:
        self.events: list[Event] = []
        self.tenant = source.tenant
        self.call_id = source.call_id

    def write(self, type_: str, when: int, leg: str, node: str = "", **fields: Any) -> None:
        """One event of a leg."""
        number = len(self.events)
        self.events.append(
            Event(
                type=type_,
                at=when,
                call_id=self.call_id,
                event_id=f"dialog:{self.call_id}:{number}",
                leg_id=leg,
                tenant=self.tenant,
                node=node,
                seq=number,
                **fields,
            )
        )

    def end(self, end: End, leg: str, node: str = "") -> None:
        """The end of a leg."""
        self.write(
            "ended",
            end.at,
            leg,
            node,
            sip_status=end.sip_status,
            q850_cause=end.cause,
            cause_from=end.cause_from,
            hung_up_by=end.by,
        )

    def holds(self, session: Session, caller_leg: str, callee_leg: str) -> None:
        """Holds of both parties: whoever offers audio that is only sent, or none, holds the other (RFC 3264, 8.4)."""
        offers: dict[tuple[bool, bool, int], Event] = {}
        for offer in session.offers:
            offers.setdefault((session.offered_by_caller(offer), bool(sip(offer).status), sip(offer).cseq), offer)
        holding = {True: False, False: False}
        ordered = sorted(offers.items(), key=lambda item: item[0])
        if any(late for _, late, _ in offers):
            ordered.sort(key=lambda item: (item[0][0], at(item[1])))
        # Else a party's CSeq tells the order of its own offers, whatever the clocks say.
        for (by_caller, _, _), offer in ordered:
            held = sip(offer).media in _HOLD
            if held != holding[by_caller] and (held or sip(offer).media == "sendrecv"):
                holding[by_caller] = held
                leg = caller_leg if by_caller else callee_leg
                self.write("held" if held else "resumed", at(offer), leg, by="caller" if by_caller else "callee")
