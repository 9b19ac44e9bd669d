"""Clocks of capture nodes that disagree: the messages of a call brought onto the clock of the node nearest the caller.

A request is seen by the node behind a proxy after the one before it, a response the other way round: the two bound the
offset between their clocks from both sides (as NTP does, RFC 5905 section 8). An order that cannot be betrays a skew,
in either direction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from pipeline.calls.sip.branches import at, sip
from schemas.event import Event

# Reason of a `data` event that says by how many ms (in `to`) the clock of its node was ahead of the caller's, before
# its times were put right.
CLOCK_SKEW: Final = "clock_skew"

_SMALLEST_MS: Final = 500  # smaller differences are the network's
_SLOWEST_MS: Final = 32_000  # no request takes longer from hop to hop (RFC 3261, timers B and F)
_NEVER: Final = 1 << 62


def on_one_clock(messages: Sequence[Event]) -> tuple[list[Event], dict[str, int]]:
    """The messages, and by how many ms the clock of each node that was put right was ahead."""
    nodes = {event.node for event in messages}
    if len(nodes) < 2:
        return list(messages), {}
    offsets = _offsets(messages, _reference(messages))
    wrong = {node: offset for node, offset in offsets.items() if abs(offset) >= _SMALLEST_MS}
    if not wrong:
        return list(messages), {}
    return [
        msgspec.structs.replace(event, at=at(event) - wrong[event.node]) if event.node in wrong else event
        for event in messages
    ], wrong


def _reference(messages: Iterable[Event]) -> str:
    """The node that saw the INVITE nearest the caller."""
    return min(messages, key=_nearness).node


def _nearness(event: Event) -> tuple[bool, bool, int, int, str]:
    """Sorts the INVITE that began the call first, as seen nearest the caller; a re-INVITE may be the callee's."""
    message = sip(event)
    begins = message.method == "INVITE" and not message.status and not message.to_tag
    return not begins, message.method != "INVITE" or bool(message.status), message.via, event.at, event.node


def _offsets(messages: Sequence[Event], reference: str) -> dict[str, int]:
    """How far each node's clock is ahead of the reference's, as far as messages that both saw tell."""
    delays = _delays(messages)
    offsets = {reference: 0}
    waiting = [reference]
    while waiting:
        node = waiting.pop()
        for other in sorted({two for one, two in delays if one == node} | {one for one, two in delays if two == node}):
            if other not in offsets:
                there, back = delays.get((node, other), _NEVER), delays.get((other, node), _NEVER)
                offsets[other] = offsets[node] + _ahead(there, back)
                waiting.append(other)
    return offsets


def _ahead(there: int, back: int) -> int:
    """By how much the other node's clock is ahead. `there`, `back`: the least time that a message seems to take to it,
    and from it; what cannot be, less than none or more than a transaction lasts, is the clock's."""
    if there != _NEVER and back != _NEVER:
        return 0 if there >= -_SMALLEST_MS and back >= -_SMALLEST_MS else (there - back) // 2
    if there != _NEVER:
        return there if there < -_SMALLEST_MS or there > _SLOWEST_MS else 0
    return -back if back < -_SMALLEST_MS or back > _SLOWEST_MS else 0


def _delays(messages: Sequence[Event]) -> dict[tuple[str, str], int]:
    """(from, to) → the least time that any message took from one node to the other, by their own clocks."""
    on_hop: dict[tuple[str, str, int, str], Event] = {}
    for event in messages:
        message = sip(event)
        if message.branch:
            known = on_hop.setdefault((message.branch, message.method, message.status, message.call_id), event)
            if at(event) < at(known):
                on_hop[message.branch, message.method, message.status, message.call_id] = event
    found: dict[tuple[str, str], int] = {}
    for inner in on_hop.values():
        message = sip(inner)
        outer = on_hop.get((message.before, message.method, message.status, message.call_id))
        if outer is None or outer.node == inner.node or not message.before:
            continue
        first, second = (inner, outer) if message.status else (outer, inner)
        pair, took = (first.node, second.node), at(second) - at(first)
        found[pair] = min(took, found.get(pair, took))
    return found
