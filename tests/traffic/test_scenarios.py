"""What is simulated is a call as a PBX reports it: valid, the same by seed, and folded to what its name says."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.calls.fold import fold
from pipeline.errors import Problem
from pipeline.instants import DAY_MS
from pipeline.traffic import day
from pipeline.traffic.scenarios import SCENARIOS, WEIGHTS
from schemas.contract import explain

START = 1_790_000_000_000
EXPECTED = {
    "busy": "busy",
    "no_answer": "no_answer",
    "cancelled": "cancelled",
    "rejected": "failed",
    "failed": "failed",
    "voicemail": "voicemail",
    "queue_abandoned": "abandoned",
}
REROUTES = {
    "forward": "forward_no_answer",
    "ring_group": "ring_group",
    "queue": "queue",
    "transfer": "blind_transfer",
    "attended_transfer": "attended_transfer",
}


def test_every_scenario_has_its_share_of_the_day() -> None:
    assert set(WEIGHTS) == set(SCENARIOS)


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_scenario(scenario: str) -> None:
    for number in range(30):
        events = day.call(1, number, START + number, scenario)
        for event in events:
            assert explain(msgspec.json.encode(event)) == []
        assert len({event.event_id for event in events}) == len(events)
        call = fold(events)
        assert call.status == EXPECTED.get(scenario, "answered")
        assert call.state == "closed"
        assert set(call.flags) <= {"early_media"}
        if scenario in REROUTES:
            assert REROUTES[scenario] in [reroute["kind"] for reroute in call.reroutes]
        if scenario == "hold":
            assert call.hold_ms > 0


def test_same_seed_same_events() -> None:
    assert day.day(3, 0, 50) == day.day(3, 0, 50)
    assert day.day(3, 0, 50) != day.day(4, 0, 50)


def test_a_weekend_has_fewer_calls_unless_told_how_many() -> None:
    friday, saturday = 15 * DAY_MS, 16 * DAY_MS  # 1970-01-16 was a Friday
    assert len(day.day(1, saturday)) < len(day.day(1, friday)) / 5
    assert len(day.day(1, saturday, 20)) == 20


def test_office_hours_and_lunch() -> None:
    tuesday = 20_000 * DAY_MS // 7 * 7
    calls = day.day(1, tuesday - tuesday % DAY_MS, 3000)
    by_hour = [0] * 24
    for events in calls:
        by_hour[int(events[0].at) // 3_600_000 % 24] += 1
    assert min(by_hour[9], by_hour[10]) > by_hour[12] > by_hour[3]
    assert max(by_hour[:6]) < by_hour[9] / 10


def test_callers_repeat() -> None:
    callers = [event.caller for events in day.day(1, DAY_MS, 500) for event in events if event.caller is not None]
    numbers = [caller.number for caller in callers if not isinstance(caller, str) and caller.number.startswith("+")]
    assert len(set(numbers)) < len(numbers) / 2


def test_rate_keeps_open_calls_bounded() -> None:
    calls = []
    for events in day.series(1, START, 5.0, calls=300):
        calls.append((int(events[0].at), int(events[-1].at)))
    middle = calls[200][0]
    assert sum(begin <= middle < end for begin, end in calls) <= 4 * day.OPEN_AT_ONCE


def test_shut_down_ends_every_leg() -> None:
    events = day.call(1, 1, START, "hold")
    legs = {event.leg_id: event for event in events if event.type != "ended"}
    begun = [event for event in events if event.type != "ended"]
    call = fold([*begun, *day.shut_down(legs.values(), START + 400_000)])
    assert (call.state, call.ended_at, call.hung_up_by) == ("closed", START + 400_000, "system")


def test_unknown_scenario_names_the_known_ones() -> None:
    with pytest.raises(Problem, match="queue_abandoned"):
        day.call(1, 1, START, "party")
