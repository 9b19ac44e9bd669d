"""Folds the calls that a batch touched and works out what must be written for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from pipeline import kafka
from pipeline.calls.fold import fold, version_beside, version_of
from pipeline.calls.grouping import over
from pipeline.calls.id_reuse import NEAR_MS, uses
from pipeline.rating.calls import price
from pipeline.rating.directions import direct
from pipeline.sources import canonical
from pipeline.warehouse.storage import rows
from pipeline.warehouse.storage.archive import Row, Stored
from pipeline.worker.core.batch import Batch
from pipeline.worker.core.links import is_link
from pipeline.worker.core.open_calls import OpenCall, PartitionCalls
from schemas.call import Call, call_snowflake, document
from schemas.event import Event
from schemas.version import Version

# Leaves room for key and framing.
LARGEST_DOCUMENT = kafka.LARGEST_MESSAGE - (64 << 10)


def call_of(events: Iterable[Event], *, expired: bool = False) -> Call:
    """The call as it is written. The one way from events to rows: the worker, `cdr verify` and `cdr rebuild`
    go through here, so what completes a call of its events alone belongs here, and nowhere else. Its direction by the
    tenant's directory and its price come when it is written."""
    return fold(events, expired=expired)


@dataclass(slots=True)
class Folded:
    """One of the calls of an id."""

    call: Call
    first_at: int  # ms; of its events. The call may be said to have started later
    call_ids: set[str]


def calls_of(parts: Iterable[Sequence[Event]], *, expired: bool = False) -> list[Folded]:
    """The calls that these events are, the newest last. Those whose id began another call later are over, whether
    their hang-up came or not."""
    ordered = sorted(parts, key=_first_at)
    return [
        Folded(call_of(part, expired=expired or ended), _first_at(part), {event.call_id for event in part})
        for part, ended in zip(ordered, over(ordered), strict=True)
    ]


def _first_at(events: Sequence[Event]) -> int:
    return min(event.at for event in events)


def fold_calls(batch: Batch, state: PartitionCalls, calls: Iterable[OpenCall], now_ms: int, *, expired: bool) -> int:
    """Fold these calls of one partition into the batch; returns how many were closed by it."""
    closed = 0
    for open_call in calls:
        was_closed = open_call.closed
        if open_call.id_was_reused:
            found = calls_of(uses(open_call.events), expired=expired)
            put_all(batch, state, open_call, found, now_ms)
        else:
            put(batch, state, open_call, call_of(open_call.events, expired=expired), now_ms)
        if open_call.possible is not None:
            _retire_possible(batch, open_call)
        closed += open_call.closed and not was_closed
    return closed


def rows_as_of(stored: Stored, partition: int, claim: int) -> list[Row]:
    """The rows of a call as they are written by somebody who has read this partition up to its offset `claim`, and
    nothing of what was archived of it later."""
    places = zip(stored.raw, stored.places, strict=True)
    raw = [line for line, (number, offset) in places if number != partition or offset < claim]
    events = [event for event in canonical.decode(raw).events if not is_link(event)]
    found = calls_of(uses(events)) if events else []
    return [
        Row(rows.call_key(each.call), each.call.call_id, rows.log_keys(each.call), each.call.version) for each in found
    ]


def _retire_possible(batch: Batch, open_call: OpenCall) -> None:
    """Retire the rows that a former owner may still write under keys which the call does not have, under a version
    that is higher than theirs: the call has more events."""
    current = open_call.stored_rows()
    version = max((row.version for row in current), default=0)
    keys = {(row.key, row.call_id) for row in current}
    logs = {(log, row.call_id) for row in current for log in row.logs}
    for row in open_call.possible or ():
        above = max(version, row.version)
        if (row.key, row.call_id) not in keys:
            batch.calls.append(rows.retired_call(open_call.tenant, row.key, row.call_id, above))
        for log in row.logs:
            if (log, row.call_id) not in logs:
                batch.logs.append(rows.retired_log(open_call.tenant, log, row.key[1], row.call_id, above))
    open_call.possible = None


def put(batch: Batch, state: PartitionCalls, open_call: OpenCall, call: Call, now_ms: int) -> bool:
    """Have a call written with the batch, unless the same or a newer version was; True when it is.

    A version that is stored but was not published by this process is done again: the worker before
    may have died between the two.
    """
    open_call.has_new_end = False
    _number_beside(call, max(open_call.version, open_call.orphan_version))
    if call.version < open_call.version or call.version == open_call.published_version:
        if not open_call.closed and call.version < open_call.version:
            # Reloaded, and nothing was new: it was closed before, for want of a hang-up.
            open_call.closed = True
            state.note_closed(open_call, now_ms)
        return False
    open_call.rating = _write(batch, state, call, open_call.rating)
    _supersede(batch, open_call, call)
    _note(state, open_call, call.state == "closed", now_ms)
    return True


def _write(batch: Batch, state: PartitionCalls, call: Call, rating: str) -> str:
    """Have a call written and published; returns how it is priced. `rating` is how it was before."""
    if batch.tariffs is not None:
        direct(call, batch.tariffs)
        if call.state == "closed":
            call.rating = call.rating or rating
            price(call, batch.tariffs)
            rating = call.rating
    batch.calls.append(rows.call_row(call))
    batch.logs += rows.log_rows(call)
    batch.feed.append((state.partition, call.call_id.encode(), published(call)))
    return rating


def _note(state: PartitionCalls, open_call: OpenCall, closed: bool, now_ms: int) -> None:
    if closed and not open_call.closed:
        state.note_closed(open_call, now_ms)
    open_call.closed = closed


def put_all(
    batch: Batch, state: PartitionCalls, open_call: OpenCall, found: Sequence[Folded], now_ms: int, under: int = 0
) -> list[tuple[Folded, list[Row]]]:
    """Have those of the calls written that are news: all calls under the ids of `open_call`, the newest last.
    Returns these, each with the rows that it replaces.

    A row that lies where none of the calls has its key is retired, if one of them is what it tells of; rows whose
    events the archive no longer has stay. What events were once thought to be one call and are several now: those
    have fewer events than the row before, and take the number of all for their version. `under` is the highest version
    of rows that other ids of the call have.
    """
    open_call.has_new_end = False
    calls = [each.call for each in found]
    newest = max([open_call.orphan_version, under, *(row.version for row in open_call.stored_rows())])
    for call in calls:
        _number_beside(call, newest)
    total = max(sum(call.events for call in calls), *(_events(call.version) for call in calls), 0)
    known = {(row.key, row.call_id): row for row in open_call.stored_rows()}
    pairs = [(call, known.pop((rows.call_key(call), call.call_id), None)) for call in calls]
    gone: list[list[Row]] = [[row for row in known.values() if is_of(row.key, each)] for each in found]
    before = max(
        [open_call.orphan_version, *(_reached(row) for some in gone for row in some)]
        + [_reached(row) for call, row in pairs if row is not None and _counts_all(row, call)]
    )
    live = {(log, call.call_id) for call in calls for log in rows.log_keys(call)}
    stray = (open_call.logs or []) if open_call.key is None else []
    written: list[tuple[Folded, list[Row]]] = []
    lies: dict[int, Row] = {id(row): row for row in known.values()}
    for each_found, (call, row), replaced in zip(found, pairs, gone, strict=True):
        if (row is not None and _counts_all(row, call) and _events(_reached(row)) <= total) or (
            row is None and call.version <= before and _events(before) <= total
        ):
            raise_version(call, total)
        for each in replaced:
            lies.pop(id(each), None)
        if (
            row is not None and (call.version < row.version or call.version == row.published_version) and not replaced
        ) or any(_events(each.version) > total for each in replaced):
            lies |= {id(each): each for each in ([row] if row is not None else replaced)}
            continue
        old = row or Row(rows.call_key(call), call.call_id)
        rating = _write(batch, state, call, old.rating)
        for each in replaced:
            batch.calls.append(rows.retired_call(call.tenant, each.key, each.call_id, max(call.version, each.version)))
            _retire_logs(batch, call, each, live)
        _retire_logs(batch, call, old, live)
        _retire_logs(batch, call, Row(old.key, open_call.call_id, stray), live)
        new = Row(old.key, call.call_id, rows.log_keys(call), call.version, rating, call.version)
        new.events, new.last_at = call.events, call.last_event_at
        lies[id(new)] = new
        written.append((each_found, replaced))
    last, row = pairs[-1]
    closed = last.state == "closed" or (row is not None and last.version < row.version)
    open_call.set_rows(list(lies.values()), reused=True)
    _note(state, open_call, closed, now_ms)
    return written


def is_of(key: rows.Key, folded: Folded) -> bool:
    """Whether the row under a key tells of the time of a call."""
    return folded.first_at - NEAR_MS < key[0] < folded.call.last_event_at + NEAR_MS


def _counts_all(row: Row, call: Call) -> bool:
    """Whether a row has the number of the events of several calls for its version, or must be given it."""
    told, found = _events(_reached(row)), _events(call.version)
    other = told == found and row.last_at not in (0, call.last_event_at)  # as many, but not the same
    return told > found or other or 0 < row.events < told


def _reached(row: Row) -> int:
    """The highest version that was written of a call and its logs."""
    return max(row.version, row.logs_version)


def _events(version: int) -> int:
    """How many events a version was folded from; a bare row, see `postpone`, is just below what it stands for."""
    return Version.of(version + 1).events


def raise_version(call: Call, events: int) -> None:
    """Give a call the version of one of so many events."""
    call.version = Version.of(call.version)._replace(events=events).number
    for log in call.logs:
        log.version = call.version


def _number_beside(call: Call, version: int) -> None:
    """Give a call the version that it has beside a row of that version."""
    if version > call.version:
        own = Version.of(call.version)
        call.version = version_beside(version, own.events, own.expired)
        for log in call.logs:
            log.version = call.version


def _retire_logs(batch: Batch, call: Call, row: Row, live: set[tuple[rows.Key, str]]) -> None:
    for log in row.logs:
        if (log, row.call_id) not in live:
            version = max(call.version, row.version)
            batch.logs.append(rows.retired_log(call.tenant, log, call.id, row.call_id, version))


def published(call: Call) -> bytes:
    """The call as the change feed tells it. Of a call of thousands of legs, which no Kafka message
    holds, the lists are left out and the flag `lists_left_out` says so; the tables have them whole."""
    shown = document(call)
    body = orjson.dumps(shown)
    if len(body) > LARGEST_DOCUMENT:
        for name, value in shown.items():
            if isinstance(value, list) and name != "flags":
                shown[name] = []
        shown |= {"flags": [*call.flags, "lists_left_out"], "quality": None}
        body = orjson.dumps(shown)
    return body


def _supersede(batch: Batch, open_call: OpenCall, call: Call) -> None:
    """Retire the rows that lie under keys which the call no longer has, in the same write."""
    key = rows.call_key(call)
    under = open_call.stored_call_id or open_call.call_id
    if open_call.key is not None and (open_call.key != key or under != call.call_id):
        batch.calls.append(rows.retired_call(call.tenant, open_call.key, under, call.version))
    logs = rows.log_keys(call)
    if open_call.logs is not None and (open_call.logs != logs or under != call.call_id):
        live = set(logs) if under == call.call_id else set()
        for log in open_call.logs:
            if log not in live:
                batch.logs.append(rows.retired_log(call.tenant, log, call.id, under, call.version))
    open_call.key, open_call.logs = key, logs
    open_call.stored_call_id = "" if call.call_id == open_call.call_id else call.call_id
    open_call.version = open_call.published_version = call.version


def postpone(batch: Batch, state: PartitionCalls, calls: Iterable[OpenCall], *, backlog: bool) -> list[OpenCall]:
    """Put off the calls that go on: each would be folded and written again and again on its way to its
    end. Returns those that cannot wait: something of them ended, they were closed, no row shows
    them yet, or a worker before wrote the row they would get and may have died before it told the feed.
    They must be shown, so that a worker which takes over knows that they are open; in
    a backlog a bare row does.
    """
    now: list[OpenCall] = []
    for open_call in calls:
        shown = open_call.key is not None or (backlog and not open_call.id_was_reused)
        untold = not open_call.published_version and open_call.version >= version_beside(
            open_call.version, open_call.count, False
        )
        if open_call.has_new_end or open_call.closed or not shown or untold:
            state.postponed.pop(id(open_call), None)
            now.append(open_call)
            continue
        state.postponed[id(open_call)] = open_call
        if open_call.key is None:
            started_at = min(event.at for event in open_call.events)
            key = (started_at, call_snowflake(open_call.tenant, open_call.call_id, started_at))
            version = version_of(open_call.count, False) - 1
            batch.calls.append(rows.opened_call(open_call.tenant, key, open_call.call_id, version))
            open_call.key, open_call.logs, open_call.version = key, [], version
    return now
