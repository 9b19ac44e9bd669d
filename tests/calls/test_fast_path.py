"""The straight way of a plain call gives what the general way gives, field for field."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.calls import fold as general
from pipeline.calls.event_set import distinct
from pipeline.calls.fast_path import plain
from pipeline.calls.fold import fold
from schemas.call import Call
from schemas.event import Event, Party
from tests.calls.random_events import soups

T0 = 1_773_144_000_000
CALLER = Party(number="+441632960111", name="Grace", domain="example.net")
DESK = Party(number="2001", name="Desk", extension="2001")

parties = st.sampled_from((None, "", "2001", "+441632960111", CALLER, DESK))
steps = st.one_of(st.integers(0, 3), st.integers(0, 8_000), st.integers(-1_000, 60_000))
fields = st.fixed_dictionaries(
    {},
    optional={
        "direction": st.sampled_from((None, "inbound", "outbound", "internal", "inbound_outbound")),
        "trunk": st.sampled_from(("", "t-1", "t-2")),
        "did": st.sampled_from(("", "+441632960000")),
        "outbound_caller_id": st.sampled_from(("", "+441632960001")),
        "user_data": st.sampled_from(("", "order 7")),
        "node": st.sampled_from(("", "pbx-1", "pbx-2")),
    },
)
ends = st.fixed_dictionaries(
    {},
    optional={
        "q850_cause": st.sampled_from((0, 16, 17, 31, 702, 10**6)),
        "cause": st.sampled_from(("", "NORMAL_CLEARING", "USER_BUSY", "nonsense", "ORIGINATOR_CANCEL")),
        "cause_from": st.sampled_from(("", "reason_header")),
        "sip_status": st.sampled_from((0, 200, 486, 99_999)),
        "hung_up_by": st.sampled_from((None, "party", "peer", "caller", "callee", "system")),
    },
)
refusals = st.fixed_dictionaries(
    {"q850_cause": st.sampled_from((17, 18, 19, 20, 21, 24, 16, 26, 0))},
    optional={
        "cause": st.sampled_from(("NO_ANSWER", "USER_BUSY", "ORIGINATOR_CANCEL")),
        "cause_from": st.sampled_from(("", "reason_header")),
        "sip_status": st.sampled_from((0, 486)),
        "hung_up_by": st.sampled_from((None, "party", "peer", "caller", "callee", "system")),
    },
)


@st.composite
def nearly_plain(draw: st.DrawFn) -> list[Event]:
    """Calls of one or two legs that are plain, or just not."""
    common = draw(fields)
    at = T0
    events: list[Event] = []

    def tell(what: str, leg: str, **more: Any) -> None:
        events.append(
            Event(type=what, at=at, call_id="c-1", event_id=f"e-{len(events)}", leg_id=leg, node="pbx-1", **more)
        )

    own = {key: value for key, value in draw(fields).items() if key != "node"}
    tell("started", "a", caller=draw(parties), callee=draw(parties), **own)
    two = draw(st.booleans())
    if two:
        at += draw(steps)
        more = {key: value for key, value in common.items() if key != "node"}
        kind = draw(st.sampled_from((None, None, "extension", "outside", "ivr", "queue")))
        tell("started", "b", peer_leg_id="a", callee=draw(parties), caller=draw(parties), kind=kind, **more)
    for moment in ("progress", "rang"):
        for leg in ("a", "b") if two else ("a",):
            if draw(st.booleans()):
                at += draw(steps)
                tell(moment, leg)
    answered = draw(st.integers(0, 2))
    for leg in ("b", "a") if two else ("a",):
        if answered and draw(st.integers(0, 9)):
            at += draw(st.integers(-10, 700)) if leg == "a" and two else draw(steps)
            tell("answered", leg, **({"answered_by": "party"} if not draw(st.integers(0, 9)) else {}))
    for leg in draw(st.permutations(("a", "b"))) if two else ("a",):
        if draw(st.integers(0, 9)):
            at += draw(steps)
            tell("ended", leg, **draw(ends if answered else refusals))
    return events


def both(events: list[Event]) -> tuple[Call | None, Call]:
    """The straight and the general fold of the same events."""
    facts = distinct(events)
    straight = plain(list(facts), general.version_of(len(facts), False))
    with patch.object(general, "plain", lambda *_: None):
        return straight, fold(events)


@given(nearly_plain())
@settings(max_examples=1500)
def test_straight_and_general_way_agree(events: list[Event]) -> None:
    straight, whole = both(events)
    if straight is not None:
        assert straight == whole


@given(soups)
@settings(max_examples=500)
def test_they_agree_on_anything(events: list[Event]) -> None:
    straight, whole = both(events)
    if straight is not None:
        assert straight == whole


def test_refused_calls_take_the_straight_way() -> None:
    events = [
        Event(type="started", at=T0, call_id="c", event_id="1", leg_id="a", caller=CALLER, callee="2001"),
        Event(type="started", at=T0 + 50, call_id="c", event_id="2", leg_id="b", peer_leg_id="a", callee="2001"),
        Event(type="rang", at=T0 + 900, call_id="c", event_id="3", leg_id="b"),
        Event(type="ended", at=T0 + 20_900, call_id="c", event_id="4", leg_id="b", q850_cause=19, cause="NO_ANSWER"),
        Event(type="ended", at=T0 + 20_920, call_id="c", event_id="5", leg_id="a", q850_cause=19, cause="NO_ANSWER"),
    ]
    straight, whole = both(events)
    assert straight == whole
    assert (whole.status, whole.missed_by, whole.ring_ms) == ("no_answer", ["2001"], 20_020)


def test_ordinary_calls_take_the_straight_way() -> None:
    one = [
        Event(type="started", at=T0, call_id="c", event_id="1", caller=CALLER, callee="2001", direction="inbound"),
        Event(type="rang", at=T0 + 300, call_id="c", event_id="2"),
        Event(type="answered", at=T0 + 5_000, call_id="c", event_id="3"),
        Event(type="ended", at=T0 + 65_000, call_id="c", event_id="4", q850_cause=16, hung_up_by="caller"),
    ]
    straight, whole = both(one)
    assert straight == whole
    assert straight is not None
    assert straight.talk_ms == 60_000
    two = [
        Event(type="started", at=T0, call_id="c", event_id="1", leg_id="a", caller=CALLER, callee="2001", trunk="t"),
        Event(type="started", at=T0 + 50, call_id="c", event_id="2", leg_id="b", peer_leg_id="a", callee=DESK),
        Event(type="rang", at=T0 + 400, call_id="c", event_id="3", leg_id="b"),
        Event(type="answered", at=T0 + 6_400, call_id="c", event_id="4", leg_id="b"),
        Event(type="answered", at=T0 + 6_450, call_id="c", event_id="5", leg_id="a"),
        Event(type="ended", at=T0 + 66_500, call_id="c", event_id="6", leg_id="a", hung_up_by="party"),
        Event(type="ended", at=T0 + 66_520, call_id="c", event_id="7", leg_id="b", q850_cause=16),
    ]
    straight, whole = both(two)
    assert straight == whole
    assert straight is not None
    assert (straight.direction, straight.answered_by) == ("inbound", "2001")
