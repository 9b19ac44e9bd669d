"""Calls that turn out to be one: an attended transfer joins two call_ids, often on two partitions.

An event that names other ids of its call (`linked_ids`) makes the worker tell those ids' partition
by a small event of its own. From then on each of the owners folds the events of all ids together
and writes the same row; the row that an absorbed id had is retired.

Each owner archives its own events first and reads the others' afterwards. Of two owners at work at
the same moment at least one therefore sees everything, and the row folded from more events stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import orjson
import structlog

from pipeline.sources import canonical
from pipeline.sources.grouping import one_with
from pipeline.warehouse import rows
from pipeline.warehouse.archive import CallKey, Stored
from pipeline.worker.batch import Batch
from pipeline.worker.folding import call_of, put
from pipeline.worker.links import is_link
from pipeline.worker.open_calls import OpenCall
from schemas.call import Call
from schemas.event import Event

log = structlog.get_logger()

# An id that joins more than this is no id of a call but a defect of a producer; it joins nothing.
MOST_IDS = 64


def missing(batch: Batch, known: Mapping[CallKey, Stored]) -> set[CallKey]:
    """The ids of the batch's joined calls, directly or by way of others, not yet in `known`."""
    wanted: set[CallKey] = set()
    for _state, call, _before in batch.joined:
        wanted.add((call.tenant, call.call_id))
        wanted |= closure((call.tenant, call.call_id), call.links or (), known)
    return wanted - set(known)


def closure(call: CallKey, links: Iterable[str], known: Mapping[CallKey, Stored]) -> set[CallKey]:
    """All ids that are one with a call, its own left out: its own links, and those of what is `known`."""
    tenant, call_id = call
    found: set[CallKey] = set()
    ahead = [(tenant, other) for other in links]
    while ahead and len(found) <= MOST_IDS:
        key = ahead.pop()
        if key in found or key[1] == call_id:
            continue
        found.add(key)
        stored = known.get(key)
        if stored is not None:
            ahead += [(tenant, other) for event in stored.events for other in event.linked_ids or ()]
    return found


def read(stored: Stored) -> None:
    """Decode what the archive has of a call, once."""
    stored.events = canonical.decode(stored.raw).events
    stored.raw = []


def fold_joined(batch: Batch, known: Mapping[CallKey, Stored], now_ms: int) -> None:
    """Fold each joined call of the batch with the events of all its ids."""
    for state, call, silent_before in batch.joined:
        keys = closure((call.tenant, call.call_id), call.links or (), known)
        if not call.count:
            continue  # nobody has told anything under this id: the owners of the others write the call
        events: list[Event] = list(call.events)
        if len(keys) > MOST_IDS:
            log.warning("ids not joined: too many", call_id=call.call_id, ids=len(keys), limit=MOST_IDS)
            call.links = None
        else:
            others = [event for key in keys if key in known for event in known[key].events if not is_link(event)]
            events = one_with(events, others)  # an id that comes back on another day is another call
            ids = {event.call_id for event in events}
            keys = {key for key in keys if key[1] in ids}
        newest: int = max(event.at for event in events)  # type: ignore[assignment]
        joint = call_of(events, expired=silent_before is not None and newest < silent_before)
        row = known.get((call.tenant, joint.call_id))  # priced perhaps by the owner of another id
        joint.rating = row.rating if row is not None else ""
        again = call.told == 0  # a worker may have retired rows before, and died before it told the feed
        had_row = call.key is not None
        if not put(batch, state, call, joint, now_ms):
            continue
        own = known.get((call.tenant, call.call_id))
        gone = {call.call_id} if had_row or (again and own is not None and own.had_row) else set()
        for key in keys & known.keys():
            if _retire(batch, key, known[key], joint) or (again and known[key].had_row):
                gone.add(key[1])
        for call_id in sorted(gone - {joint.call_id}):
            batch.feed.append((state.partition, call_id.encode(), absorbed(call_id, joint)))


def _retire(batch: Batch, key: CallKey, stored: Stored, joint: Call) -> bool:
    """Retire the rows that another of the ids had before it was known to be this call: its owner may hear of
    it never again. True when it had a row."""
    tenant, call_id = key
    of_joint = call_id == joint.call_id
    if stored.key is not None and (not of_joint or stored.key != rows.call_key(joint)):
        batch.calls.append(rows.retired_call(tenant, stored.key, call_id, joint.version))
    live = set(rows.log_keys(joint)) if of_joint else set()
    for log_key in stored.logs:
        if log_key not in live:
            batch.logs.append(rows.retired_log(tenant, log_key, joint.id, call_id, joint.version))
    return stored.key is not None


def absorbed(call_id: str, into: Call) -> bytes:
    """What the change feed says of a call that went into another."""
    return orjson.dumps(
        {
            "call_id": call_id,
            "tenant": into.tenant,
            "version": into.version,
            "retired": True,
            "merged_into": {"id": str(into.id), "call_id": into.call_id},
        }
    )


def linked(calls: Iterable[OpenCall]) -> list[OpenCall]:
    """Those of the calls that are one with others."""
    return [call for call in calls if call.links]
