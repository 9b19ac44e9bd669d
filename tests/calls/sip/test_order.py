"""The order in which messages are looked at does not depend on the order in which they came."""

from __future__ import annotations

from itertools import permutations

from pipeline.calls.sip.branches import _in_order, _precedence
from schemas.event import Event, SipMessage

T0 = 1_750_000_000_000


def message(event_id: str, at: int, user: str = "", node: str = "") -> Event:
    return Event("data", T0 + at, "c", event_id, node=node, sip=SipMessage("INVITE", cseq=1, via=1, ruri=user))


def test_ids_decide_where_times_do_not() -> None:
    made = [message("b", 0), message("a", 0), message("c", -5)]
    for each in permutations(made):
        assert _in_order(each) == sorted(made, key=_precedence)


def test_messages_of_one_id_are_told_apart_by_what_they_say() -> None:
    made = [message("a", 0, "300"), message("a", 0, "200"), message("a", 0, "200", "n2"), message("b", 0)]
    for each in permutations(made):
        assert _in_order(each) == sorted(made, key=_precedence)
