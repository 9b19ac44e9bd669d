"""The number that a leg over a trunk calls, as whoever dialled it said.

A trunk has no number of its own, and what a PBX shows on the leg may be the extension by which the dial plan came there
(a line prefix, a speed dial): `data` with the reason `dials` tells what was dialled, `to` over `trunk`; without one, by
any line of a group. One attempt may dial several numbers over one trunk; its channels begin in their order (Asterisk,
app_dial.c).
"""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.event import Event, Party

DIALS = "dials"
_SLACK_MS = 1_000  # a leg may begin just before who calls it says so
_LONGEST_PREFIX = 4
_NOWHERE = frozenset(("", "s"))  # where a dial plan is that dials for others (FreePBX's macros)
_AT_ONCE_MS = 1_000  # from an answer to the rows of who is answered by it


class _Attempt(msgspec.Struct, gc=False):
    """What was dialled over one trunk at one instant."""

    at: int
    numbers: list[str]


class _Leg(msgspec.Struct, gc=False):
    """A leg over a trunk of which something was said."""

    id: str
    trunk: str
    began: int
    shown: str  # the number on the leg
    outside: bool = False  # surely over a trunk
    answered: int | None = None
    number: str = ""


def numbered(events: list[Event]) -> list[Event]:
    """The events with the dialled number on each leg over a trunk."""
    said = _attempts(events)
    legs = _legs(events)
    for trunk, attempts in said.items():  # no trunk: any line of a group
        over = [
            leg for leg in legs.values() if (leg.trunk == trunk if trunk else leg.outside and leg.trunk not in said)
        ]
        _give(attempts, over)
    numbers = {number for attempts in said.values() for each in attempts for number in each.numbers}
    for leg in legs.values():
        if not leg.number:  # another trunk, of which nothing is said: perhaps the same number by another way
            leg.number = next((number for number in sorted(numbers) if _is_same(number, leg.shown)), "")
        if not leg.number and len(numbers) == 1 and leg.shown in _NOWHERE and leg.outside:
            leg.number = next(iter(numbers))
    rest = [event for event in events if event.reason != DIALS] or events
    return [_on_leg(event, legs.get(event.leg_id)) for event in rest]


def _attempts(events: list[Event]) -> dict[str, list[_Attempt]]:
    """By trunk what was dialled, in order; what is said again while it lasts is said once."""
    found: dict[str, list[_Attempt]] = {}
    for event in events:
        if event.reason != DIALS:
            continue
        attempts = found.setdefault(event.trunk, [])
        if attempts and attempts[-1].at == event.at:
            if event.to not in attempts[-1].numbers:
                attempts[-1].numbers.append(event.to)
        else:
            attempts.append(_Attempt(event.at, [event.to]))
    return {trunk: _without_repeats(attempts) for trunk, attempts in found.items()}


def _without_repeats(attempts: list[_Attempt]) -> list[_Attempt]:
    kept = attempts[:1]
    for attempt in attempts[1:]:
        if attempt.numbers != kept[-1].numbers:
            kept.append(attempt)
    return kept


def _legs(events: list[Event]) -> dict[str, _Leg]:
    """The legs that were called over a trunk, in the order of their beginning."""
    found: dict[str, _Leg] = {}
    for event in events:
        if event.type == "answered" and event.leg_id in found:
            leg = found[event.leg_id]
            leg.answered = event.at if leg.answered is None else leg.answered
        trunk = event.trunk or (event.data.device if event.data is not None else None)
        if event.type == "started" and isinstance(trunk, str) and event.role != "caller" and event.leg_id not in found:
            found[event.leg_id] = _Leg(event.leg_id, trunk, event.at, "", event.kind == "outside")
        if event.leg_id in found and event.callee is not None:
            number = event.callee.number if isinstance(event.callee, Party) else event.callee
            found[event.leg_id].shown = found[event.leg_id].shown or number
    return dict(sorted(found.items(), key=lambda item: (item[1].began, len(item[0]), item[0])))


def _give(attempts: list[_Attempt], legs: list[_Leg]) -> None:
    """Give each leg over a trunk the number that was dialled for it."""
    places: dict[int, int] = {}
    for leg in legs:
        attempt = _of(attempts, leg)
        place = places.get(attempt.at, 0)
        places[attempt.at] = place + 1
        leg.number = attempt.numbers[place % len(attempt.numbers)]


def _of(attempts: list[_Attempt], leg: _Leg) -> _Attempt:
    """The attempt that called a leg: the last one when it began, unless another is told of as it answers; else the
    first after it."""
    before = [each for each in attempts if each.at <= leg.began + _SLACK_MS]
    if leg.answered is not None:
        then = [each for each in attempts if 0 <= each.at - leg.answered <= _AT_ONCE_MS]
        if then:
            return then[0]
    return before[-1] if before else attempts[0]


def _is_same(number: str, shown: str) -> bool:
    """Whether what a leg shows is the number with the digits that were dialled before it for a line."""
    return 0 <= len(shown) - len(number) <= _LONGEST_PREFIX and shown.endswith(number)


def _on_leg(event: Event, leg: _Leg | None) -> Event:
    if leg is None or not leg.number or event.role == "caller" or event.reason == DIALS:
        return event
    changes: dict[str, Any] = {}
    if event.callee is not None or event.type == "started":
        changes["callee"] = Party(number=leg.number)
    if event.type == "started":
        changes |= {"trunk": leg.trunk, "kind": "outside"}
    return msgspec.structs.replace(event, **changes) if changes else event
