"""Which events belong together."""

from __future__ import annotations

import itertools

from pipeline.calls.grouping import group, over
from pipeline.calls.id_reuse import uses
from schemas.event import Event

DAY = 86_400_000
T = 1_773_136_800_000


def event(type_: str, at: int, call_id: str, leg: str = "a", *linked: str) -> Event:
    return Event(type_, T + at, call_id, f"{call_id}-{leg}-{type_}-{at}", leg, linked_ids=list(linked) or None)


def call(at: int, call_id: str, leg: str = "a", *linked: str) -> list[Event]:
    return [event("started", at, call_id, leg, *linked), event("ended", at + 30_000, call_id, leg)]


def ids(calls: list[list[Event]]) -> list[set[str]]:
    return [{each.event_id for each in found} for found in calls]


def test_an_id_that_comes_back_the_next_day_is_another_call() -> None:
    today, tomorrow = call(0, "k"), call(DAY, "k")
    expected = ids([today, tomorrow])
    for order in itertools.permutations([*today, *tomorrow]):
        found = ids(group(order))
        assert sorted(found, key=sorted) == sorted(expected, key=sorted)


def test_a_late_hangup_is_no_new_call() -> None:
    assert len(group([event("started", 0, "k"), event("answered", 9_000, "k"), event("ended", 3 * DAY, "k")])) == 1


def test_a_leg_that_is_added_to_a_call_of_a_day_is_no_new_call() -> None:
    events = [event("started", 0, "k"), event("answered", 1_000, "k"), event("started", DAY // 2, "k", "b")]
    assert len(uses(events)) == 1


def test_an_id_whose_hangup_was_lost_comes_back_days_later() -> None:
    assert len(uses([event("started", 0, "k"), event("answered", 1_000, "k"), *call(2 * DAY, "k")])) == 2


def test_ids_join_calls_that_are_near_each_other_only() -> None:
    reused = [*call(0, "one", "a", "sip-1"), *call(DAY, "two", "b", "sip-1")]
    assert ids(group(reused)) == ids([reused[:2], reused[2:]])
    shared = [*call(0, "one", "a", "sip-1"), *call(60_000, "two", "b", "sip-1"), *call(120_000, "three", "c", "two")]
    for order in ([0, 1, 2, 3, 4, 5], [5, 3, 1, 4, 2, 0], [2, 3, 0, 4, 5, 1]):
        assert ids(group(shared[place] for place in order)) == ids([shared])


def test_a_start_need_not_be_the_first_event_after_the_silence() -> None:
    early = event("rang", DAY - 50, "k", "b")
    today, tomorrow = call(0, "k"), [early, *call(DAY, "k")]
    assert ids(group([*tomorrow, *today])) == ids([today, tomorrow])


def test_a_call_is_over_when_its_id_begins_another() -> None:
    lost = [event("started", 0, "k"), event("answered", 9_000, "k")]
    other = call(5_000, "x")
    calls = group([*lost, *other, *call(2 * DAY, "k")])
    assert over(calls) == [True, False, False]
