"""The queue or ring group that a call is counted under."""

from __future__ import annotations

import random

import pytest

from pipeline.calls.fold import fold
from tests.calls.scenario_events import events_of, in_any_order

RINGING = """
    0.1   b1  started      callee=2001 peer_leg_id=a
    0.1   b2  started      callee=2002 peer_leg_id=a
    0.5   b1  rang
    0.6   b2  rang
"""
SERVED = """
    9     b2  answered
    9.1   a   answered
    9.2   b1  ended        cause=LOSE_RACE
    49.1  a   ended        hung_up_by=party
    49.2  b2  ended
"""
MISSED = """
    20    b1  ended        q850_cause=19
    20    b2  ended        q850_cause=19
    20.1  a   ended        q850_cause=19 hung_up_by=peer
"""
GROUP = "0     a   started      caller=+441632960101 callee=6000 direction=inbound"
DID = "0     a   started      caller=+441632960101 callee=+441632960200 direction=inbound"
WAY_IN = "\n 0.05  a   rerouted     reason=ring_group from=+441632960200 to=6000"
WAY_OUT = "\n 9  a   rerouted     reason=ring_group from=6000 to=2002"


@pytest.mark.parametrize("end", [SERVED, MISSED], ids=["served", "missed"])
@pytest.mark.parametrize("way", [GROUP, DID + WAY_IN, DID + WAY_IN + WAY_OUT, GROUP + WAY_OUT])
@pytest.mark.parametrize("kind", ["", " kind=ring_group_member"], ids=["guessed", "told"])
def test_a_ring_group(way: str, end: str, kind: str) -> None:
    ringing = RINGING.replace(" peer_leg_id=a", " peer_leg_id=a" + kind)
    events = events_of((way + ringing + end).replace("\n\n", "\n"))
    call = fold(events)
    assert call.service_number == "6000"
    in_any_order(events, call, False, random.Random(1))


def test_one_phone_is_no_group() -> None:
    start = "0 a started caller=1 callee=2001 direction=internal\n0.1 b started callee=2001 peer_leg_id=a"
    assert fold(events_of(start + "\n1 b rang\n9 b ended\n9 a ended")).service_number == ""
