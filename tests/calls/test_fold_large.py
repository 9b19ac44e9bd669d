"""Calls far larger than any real one fold in time that grows with their events, not with their square.

The bounds are on steps, not on seconds: a call twice as large may take a little more than twice the steps.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from pipeline.calls.fold import fold
from schemas.event import Event, Facts

T0 = 1_773_144_000_000


def tell(type_: str, at: int, leg: str, **fields: Any) -> Event:
    return Event(type=type_, at=T0 + at, call_id="c-1", event_id=f"{type_}-{at}-{leg}", leg_id=leg, **fields)


def beginning() -> list[Event]:
    return [tell("started", 0, "a", caller="+441632960123", callee="5000", direction="inbound")]


def legs_that_answer(size: int) -> list[Event]:
    found = beginning()
    for number in range(size):
        found += [
            tell("started", number, f"b{number}", callee=f"{number % 50}", peer_leg_id="a"),
            tell("answered", number + 1, f"b{number}"),
            tell("bridged", number + 1, "a", peer_leg_id=f"b{number}"),
            tell("ended", number + 3, f"b{number}"),
        ]
    return found


def legs_that_lose(size: int) -> list[Event]:
    found = [*beginning(), tell("answered", size, "a"), tell("answered", size, "b0")]
    return found + [tell("started", 0, f"b{number}", callee=f"{number}", peer_leg_id="a") for number in range(size)]


def transfers(size: int) -> list[Event]:
    found = beginning()
    for number in range(size):
        found.append(tell("transferred", number, "a", by=f"{number % 9}", to=f"{number % 7}", reason="blind"))
        found.append(tell("started", number, f"b{number}", callee=f"{number % 7}", peer_leg_id="a"))
    return found


def consultations(size: int) -> list[Event]:
    found = beginning()
    for number in range(size):
        found.append(tell("started", number, f"s{number}", caller=f"{number}", callee="1009"))
        found.append(tell("started", number, f"p{number}", callee="1009", peer_leg_id=f"s{number}"))
        found.append(tell("transferred", number, "a", second_leg_id=f"s{number}", by="1001"))
    return found


def queues(size: int) -> list[Event]:
    found = beginning()
    for number in range(size):
        found.append(tell("queue_joined", 3 * number, "a", queue=f"8{number % 9}"))
        found.append(tell("queue_agent_rang", 3 * number + 1, "a", queue=f"8{number % 9}", agent=f"{number % 30}"))
        found.append(tell("started", 3 * number + 1, f"g{number}", callee=f"7{number % 40}", peer_leg_id="a"))
        found.append(tell("queue_left", 3 * number + 2, "a", queue=f"8{number % 9}", reason="overflow"))
    return found


def rooms_and_holds(size: int) -> list[Event]:
    found = beginning()
    for number in range(size):
        found.append(tell("conference_joined", 4 * number, "a", conference=f"{number}"))
        found.append(tell("held", 4 * number + 1, "a"))
        found.append(tell("resumed", 4 * number + 2, "a"))
        found.append(tell("voicemail", 4 * number + 3, "a", to=f"{number % 5}"))
    return found


def restarts(size: int) -> list[Event]:
    found = legs_that_lose(size)
    return found + [tell("data", number, "a", reason="node_restart", node=f"n{number}") for number in range(size)]


def forwards(size: int) -> list[Event]:
    found = beginning()
    for number in range(size):
        found.append(tell("started", 3 * number, f"b{number}", callee=f"{number % 40}", peer_leg_id="a"))
        found.append(tell("rerouted", 3 * number + 1, "a", reason="forward", from_=f"{number % 40}", to=f"{number}"))
        found.append(tell("rerouted", 3 * number + 2, "a", reason="pickup", to=f"{number}"))
    return found


def one_bridge(size: int) -> list[Event]:
    found = beginning()
    for number in range(size):
        found.append(tell("started", number, f"b{number}", callee=f"{number % 40}", peer_leg_id="a"))
        found.append(tell("bridged", number + 1, f"b{number}", data=Facts("room")))
    return found


def renamed(size: int) -> list[Event]:
    return [
        tell("data", number, f"a{number + 1}", reason="renamed", peer_leg_id=f"a{number}") for number in range(size)
    ]


def steps(events: list[Event]) -> int:
    """Lines of the fold that run."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        fold(events)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "shape",
    [
        legs_that_answer,
        legs_that_lose,
        transfers,
        consultations,
        queues,
        rooms_and_holds,
        restarts,
        forwards,
        one_bridge,
        renamed,
    ],
)
def test_twice_the_events_take_twice_the_steps(shape: Callable[[int], list[Event]]) -> None:
    small, large = steps(shape(300)), steps(shape(600))
    assert large < 2.4 * small, (small, large)


def test_five_thousand_legs_and_twenty_thousand_events() -> None:
    call = fold(legs_that_answer(5_000))
    assert len(call.logs) == 5_000
    assert len({log.id for log in call.logs}) == 5_000


def test_twenty_thousand_reports_of_one_leg_are_one_leg() -> None:
    held = [tell("held", at, "a") for at in range(20_000)]
    call = fold([*beginning(), *held, tell("ended", 30_000, "a")])
    assert call.events == 20_002 and len(call.legs) == 1
