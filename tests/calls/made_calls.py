"""Realistic calls of several legs, made at random: the events that a PBX would send of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from schemas.event import Event, Party

T0 = 1_773_144_000_000
CALLER = Party(number="+441632960123", name="Ada")


class Pbx:
    """Writes the events of one call as they happen."""

    def __init__(self, start: int) -> None:
        self.now = start
        self.events: list[Event] = []

    def wait(self, ms: int) -> None:
        self.now += ms

    def tell(self, type_: str, leg: str, **fields: Any) -> None:
        number = len(self.events)
        self.events.append(
            Event(type=type_, at=self.now, call_id="c-1", event_id=f"e-{number}", leg_id=leg, node="pbx-1", **fields)
        )


@st.composite
def calls(draw: st.DrawFn) -> list[Event]:
    """A call that some phones are tried for, one after the other or at once, that may pass an IVR or a queue, be
    held, handed on, and ends."""
    ms = st.integers(0, 30_000)
    pbx = Pbx(T0 + draw(ms))
    pbx.tell("started", "a", caller=CALLER, callee="5000", direction="inbound", trunk="carrier-1")
    pbx.wait(draw(ms))
    front = draw(st.sampled_from(("", "ivr", "queue")))
    if front:
        pbx.tell("answered", "a", answered_by="pbx", kind=front)
        pbx.wait(draw(ms))
    if front == "queue":
        pbx.tell("queue_joined", "a", queue="8000")
    answered = False
    for attempt in range(draw(st.integers(0, 3))):
        phones = [f"b{attempt}{phone}" for phone in range(draw(st.integers(1, 3)))]
        _ring(pbx, draw, phones, ms)
        if draw(st.booleans()):
            _answer(pbx, draw, phones, answered or bool(front), ms)
            answered = True
            if draw(st.booleans()):
                break
            pbx.tell("transferred", phones[0], reason="blind", to="1009", transferee_leg_id="a")
            pbx.tell("ended", phones[0], q850_cause=16)
        else:
            for phone in phones:
                pbx.tell("ended", phone, q850_cause=draw(st.sampled_from((17, 19, 21, 27))))
        pbx.wait(draw(ms))
    _end(pbx, draw)
    return pbx.events


def _ring(pbx: Pbx, draw: st.DrawFn, phones: list[str], ms: st.SearchStrategy[int]) -> None:
    for phone in phones:
        pbx.tell("started", phone, callee=f"10{phone[1:]}", peer_leg_id="a")
    pbx.wait(draw(ms))
    for phone in phones:
        pbx.tell("rang", phone)
    pbx.wait(draw(ms))


def _answer(pbx: Pbx, draw: st.DrawFn, phones: list[str], before: bool, ms: st.SearchStrategy[int]) -> None:
    pbx.tell("answered", phones[0])
    if not before:
        pbx.wait(draw(st.integers(0, 80)))
        pbx.tell("answered", "a")
    pbx.tell("bridged", "a", peer_leg_id=phones[0])
    for loser in phones[1:]:
        pbx.tell("ended", loser, q850_cause=26)
    pbx.wait(draw(ms))
    if draw(st.booleans()):
        pbx.tell("held", "a")
        pbx.wait(draw(ms))
        pbx.tell("resumed", "a")
    pbx.tell("unbridged", "a", peer_leg_id=phones[0])


def _end(pbx: Pbx, draw: st.DrawFn) -> None:
    pbx.tell("ended", "a", q850_cause=16, hung_up_by=draw(st.sampled_from((None, "party", "peer"))))
    pbx.wait(draw(st.integers(0, 300)))
    ended = {event.leg_id for event in pbx.events if event.type == "ended"}
    for leg in dict.fromkeys(event.leg_id for event in pbx.events if event.leg_id not in ended):
        pbx.tell("ended", leg, q850_cause=16)
