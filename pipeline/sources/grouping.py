"""Events → calls: which events belong together."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.event import Event

_Id = tuple[str, str]  # tenant, and an id that events of a call share


def group(events: Iterable[Event]) -> list[list[Event]]:
    """The events of each call, calls in the order of their first event.

    Events of one tenant belong together that share a call id, or an id that one of them names in
    `linked_ids`, over any number of steps (union-find).
    """
    parents: dict[_Id, _Id] = {}
    kept: list[tuple[_Id, Event]] = []
    for event in events:
        own = (event.tenant, event.call_id)
        root = _root(parents, own)
        for other in event.linked_ids or ():
            if other:
                parents[_root(parents, (event.tenant, other))] = root
        kept.append((own, event))
    calls: dict[_Id, list[Event]] = {}
    for own, event in kept:
        calls.setdefault(_root(parents, own), []).append(event)
    return list(calls.values())


def _root(parents: dict[_Id, _Id], id_: _Id) -> _Id:
    """The id that stands for all that are joined with this one; shortens the way for the next."""
    while (parent := parents.setdefault(id_, id_)) != id_:
        parents[id_] = parents[parent]
        id_ = parents[id_]
    return id_
