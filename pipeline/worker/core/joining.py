"""Calls that turn out to be one: an attended transfer joins two call_ids, often on two partitions.

An event that names other ids of its call (`linked_ids`) makes the worker tell those ids' partition
by a small event of its own. From then on each of the owners folds the events of all ids together
and writes the same row; the row that an absorbed id had is retired.

Each owner archives its own events first and reads the others' afterwards. Of two owners at work at
the same moment at least one therefore sees everything, and the row folded from more events stays.
Each looks at the rows of all once it has written: the last of them to write sees what the others
left under other keys, and retires what is older. And before it writes under a new key it says so in
its partition's log (`links.row_note`): should that write arrive late, the partition's owner then
has read of it, or will, and retires it.

Each owner tells the change feed that its own id was absorbed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import structlog

from pipeline.calls.grouping import group
from pipeline.sources import canonical
from pipeline.warehouse.storage import rows
from pipeline.warehouse.storage.archive import CallKey, Row, Stored
from pipeline.warehouse.storage.orphans import Absorbed, Moments
from pipeline.worker.core.batch import Batch
from pipeline.worker.core.folding import Folded, calls_of, is_of, put_all, raise_version
from pipeline.worker.core.links import is_link, row_note
from pipeline.worker.core.open_calls import OpenCall, PartitionCalls
from pipeline.worker.core.publisher import absorbed_document
from schemas.call import Call

log = structlog.get_logger()

# An id that joins more than this is no id of a call but a defect of a producer; it joins nothing.
MOST_IDS = 64


def missing(batch: Batch, known: Mapping[CallKey, Stored]) -> set[CallKey]:
    """The ids of the batch's joined calls, directly or by way of others, not yet in `known`."""
    wanted: set[CallKey] = set()
    for _state, call, _before in batch.joined:
        key = (call.tenant, call.call_id)
        wanted.add(key)
        _take_in(call, known.get(key))
        wanted |= closure(key, call.links or (), known)
    return wanted - set(known)


def _take_in(call: OpenCall, stored: Stored | None) -> None:
    """Know of the events under a call's own id that another owner has archived: where partitions were added to the
    topic, some lie on another one."""
    for event in stored.events if stored is not None else ():
        if event.linked_ids and (others := set(event.linked_ids) - {call.call_id}):
            call.links = (call.links or set()) | others
        if not is_link(event):
            call.add(event)


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
        if len(keys) > MOST_IDS:
            log.warning("ids not joined: too many", call_id=call.call_id, ids=len(keys), limit=MOST_IDS)
            call.links = None
            keys = set()
        others = [event for key in keys if key in known for event in known[key].events if not is_link(event)]
        newest: int = max(call.last_at, max((event.at for event in others), default=0))
        expired = silent_before is not None and newest < silent_before
        # An id that comes back on another day is another call.
        found = calls_of(group([*call.events, *others]), expired=expired)
        if sum(len(each.call_ids) for each in found) > 1 + len(keys):
            _number_alike(found)
        found = [each for each in found if call.call_id in each.call_ids]
        stored_keys = _keys(known.values())
        again = call.published_version == 0  # a worker may have retired rows before, and died before it told the feed
        _look_up(call, known.get((call.tenant, call.call_id)))
        for each in found:
            row = _row(known.get((call.tenant, each.call.call_id)), each.call)
            each.call.rating = row.rating if row is not None else ""  # priced perhaps by the owner of another id
        batch.look_at |= _moments(call, keys, known)
        newest = max((row.version for stored in map(known.get, keys) if stored for row in stored.rows), default=0)
        for each, replaced in put_all(batch, state, call, found, now_ms, newest):
            new = Row(rows.call_key(each.call), each.call.call_id, rows.log_keys(each.call), each.call.version)
            new.merged = each.call.merged_call_ids
            if {(new.key, new.call_id), *((log, new.call_id) for log in new.logs)} - stored_keys:
                batch.notes.append((state.partition, call.call_id.encode(), row_note(call, [new])))
            gone = {row.call_id for row in replaced}
            for call_id in each.call_ids:
                if (stored := known.get((call.tenant, call_id))) is None:
                    continue
                if call_id != call.call_id and _retire(batch, stored, call_id, each):
                    gone.add(call_id)
                if again and any(is_of(key, each) for key in stored.gone):
                    gone.add(call_id)
            for call_id in sorted(gone - {each.call.call_id}):
                batch.feed.append((state.partition, call_id.encode(), absorbed(call_id, each.call)))
                call.absorbed_told |= call_id == call.call_id
        _tell_absorbed(batch, state, call, known.get((call.tenant, call.call_id)), found)


def _tell_absorbed(
    batch: Batch, state: PartitionCalls, call: OpenCall, stored: Stored | None, found: Sequence[Folded]
) -> None:
    """Say once that a call's own id was absorbed, if it was ever shown by itself: the owner of another id may have
    retired its row, and died before it said so, or before what this owner said of it came to the feed."""
    if call.absorbed_told or stored is None:
        return
    for each in found:
        keys = [*stored.gone, *(row.key for row in stored.rows)]
        if each.call.call_id != call.call_id and any(is_of(key, each) for key in keys):
            batch.feed.append((state.partition, call.call_id.encode(), absorbed(call.call_id, each.call)))
            call.absorbed_told = True


def _keys(stored: Iterable[Stored]) -> set[tuple[rows.Key, str]]:
    """Where calls and logs lie already."""
    of_rows = [row for each in stored for row in each.rows]
    return {(key, row.call_id) for row in of_rows for key in (row.key, *row.logs)}


def _moments(call: OpenCall, keys: Iterable[CallKey], known: Mapping[CallKey, Stored]) -> dict[CallKey, Moments]:
    """About when the calls under all ids of a joined call began and were last heard of, ms."""
    found = {}
    for key in {(call.tenant, call.call_id), *keys}:
        stored = known.get(key) or Stored()
        instants = [event.at for event in stored.events] + [row.key[0] for row in stored.rows]
        if key[1] == call.call_id:
            instants += [call.first_at, call.last_at]
        if instants:
            found[key] = (min(instants), max(instants))
    return found


def _look_up(call: OpenCall, stored: Stored | None) -> None:
    """Know of the rows under a call's own id that the owner of another may have written."""
    if stored is None or not stored.rows:
        return
    own = {row.key: row for row in call.stored_rows() if row.call_id == call.call_id}
    for row in stored.rows:
        if (before := own.get(row.key)) is not None and before.version == row.version:
            row.published_version = before.published_version
    call.orphan_version = max(call.orphan_version, stored.orphan_version)
    max(stored.rows, key=lambda row: row.key).logs += stored.orphan_logs
    call.set_rows([*stored.rows, *(row for row in call.stored_rows() if row.call_id != call.call_id)], reused=True)


def _number_alike(found: Iterable[Folded]) -> None:
    """Where an id is of several calls, each of the owners may have thought them to be one, from fewer events: what
    the last of them writes has the number of all events for its version, and so replaces what any of them wrote."""
    total = sum(each.call.events for each in found)
    for each in found:
        raise_version(each.call, total)


def _row(stored: Stored | None, joint: Call) -> Row | None:
    """The row that a call has, if it has one."""
    return next((row for row in stored.rows if row.key == rows.call_key(joint)), None) if stored is not None else None


def _retire(batch: Batch, stored: Stored, call_id: str, folded: Folded) -> bool:
    """Retire the rows that another of the ids had before it was known to be this call: its owner may hear of
    it never again. True when it had a row."""
    joint = folded.call
    of_joint = call_id == joint.call_id
    live = set(rows.log_keys(joint)) if of_joint else set()
    found = False
    for row in stored.rows:
        if not is_of(row.key, folded):
            continue
        found = True
        if not of_joint or row.key != rows.call_key(joint):
            batch.calls.append(rows.retired_call(joint.tenant, row.key, call_id, joint.version))
        for log_key in row.logs:
            if log_key not in live:
                batch.logs.append(rows.retired_log(joint.tenant, log_key, joint.id, call_id, joint.version))
    for log_key in stored.orphan_logs:
        if log_key not in live:
            batch.logs.append(rows.retired_log(joint.tenant, log_key, joint.id, call_id, joint.version))
    return found


def absorbed(call_id: str, into: Call) -> bytes:
    """What the change feed says of a call that went into another."""
    return absorbed_document(Absorbed(into.tenant, call_id, into.id, into.call_id, into.version))


def linked(calls: Iterable[OpenCall]) -> list[OpenCall]:
    """Those of the calls that are one with others."""
    return [call for call in calls if call.links]
