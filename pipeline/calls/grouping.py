"""Events → calls: which events belong together.

Events of one tenant belong together that share a call id, or an id that one of them names in `linked_ids`, over any
number of steps (union-find), as long as they lie near each other in time: ids come back on another day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from pipeline.calls.id_reuse import NEAR_MS, uses
from schemas.event import Event

_Id = tuple[str, str]  # tenant, and an id that events of a call share


class _Use(msgspec.Struct, gc=False):
    """One use of one call id."""

    events: list[Event]
    place: int  # of its first event among all
    first: int  # ms
    last: int  # ms
    parent: int  # index of the use that it is one with; its own when it stands for itself


def group(events: Iterable[Event]) -> list[list[Event]]:
    """The events of each call, calls in the order of their first event."""
    by_id: dict[_Id, list[Event]] = {}
    places: dict[_Id, int] = {}
    for place, event in enumerate(events):
        key = (event.tenant, event.call_id)
        known = by_id.get(key)
        if known is None:
            by_id[key] = [event]
            places[key] = place
        else:
            known.append(event)
    found: list[_Use] = []
    named: dict[_Id, list[int]] = {}  # id → the uses that bear or name it
    for key, of_id in by_id.items():
        for use in uses(of_id):
            _add(found, named, key, use, places[key])
    for indices in named.values():
        if len(indices) > 1:
            _join(found, indices)
    calls: dict[int, list[Event]] = {}
    order: dict[int, int] = {}
    for index, each in enumerate(found):
        root = _root(found, index)
        calls.setdefault(root, []).extend(each.events)
        order[root] = min(order.get(root, each.place), each.place)
    return [calls[root] for root in sorted(calls, key=lambda root: (order[root], found[root].first))]


def over(calls: Sequence[Sequence[Event]]) -> list[bool]:
    """Of each call whether an id of it began another call later: it is over then, even if its hang-up never came."""
    begun: list[int] = [min(event.at for event in call) for call in calls]
    latest: dict[_Id, int] = {}
    ids = [{(event.tenant, event.call_id) for event in call} for call in calls]
    for began, of_call in zip(begun, ids, strict=True):
        for key in of_call:
            latest[key] = max(latest.get(key, 0), began)
    return [any(latest[key] > began for key in of_call) for began, of_call in zip(begun, ids, strict=True)]


def _add(found: list[_Use], named: dict[_Id, list[int]], key: _Id, use: list[Event], place: int) -> None:
    index = len(found)
    tenant, call_id = key
    instants = [event.at for event in use]
    found.append(_Use(use, place, min(instants), max(instants), index))
    ids = {call_id}
    for event in use:
        if event.linked_ids:
            ids.update(event.linked_ids)
    ids.discard("")
    for id_ in ids:
        named.setdefault((tenant, id_), []).append(index)


def _join(found: list[_Use], indices: list[int]) -> None:
    """Make one of the uses of an id that lie near each other."""
    indices.sort(key=lambda index: (found[index].first, found[index].last, index))
    reached, last = indices[0], found[indices[0]].last
    for index in indices[1:]:
        if found[index].first - last < NEAR_MS:
            found[_root(found, index)].parent = _root(found, reached)
        if found[index].last >= last:
            reached, last = index, found[index].last


def _root(found: list[_Use], index: int) -> int:
    """The use that stands for all that are one with this one; shortens the way for the next."""
    while (parent := found[index].parent) != index:
        found[index].parent = found[parent].parent
        index = found[index].parent
    return index
