"""Folds the calls that a batch touched and works out what must be written for them."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from pipeline import kafka
from pipeline.calls.fold import fold, version_of
from pipeline.rating.calls import price
from pipeline.warehouse import rows
from pipeline.worker.batch import Batch
from pipeline.worker.open_calls import OpenCall, PartitionCalls
from schemas.call import Call, call_snowflake, document
from schemas.event import Event

# Leaves room for key and framing.
LARGEST_DOCUMENT = kafka.LARGEST_MESSAGE - (64 << 10)


def call_of(events: Iterable[Event], *, expired: bool = False) -> Call:
    """The call as it is written. The one way from events to rows: the worker, `cdr verify` and `cdr rebuild`
    go through here, so what completes a call after its fold (its price) belongs here, and nowhere else."""
    return fold(events, expired=expired)


def fold_calls(batch: Batch, state: PartitionCalls, calls: Iterable[OpenCall], now_ms: int, *, expired: bool) -> int:
    """Fold these calls of one partition into the batch; returns how many were closed by it."""
    closed = 0
    for open_call in calls:
        was_closed = open_call.closed
        put(batch, state, open_call, call_of(open_call.events, expired=expired), now_ms)
        closed += open_call.closed and not was_closed
    return closed


def put(batch: Batch, state: PartitionCalls, open_call: OpenCall, call: Call, now_ms: int) -> bool:
    """Have a call written with the batch, unless the same or a newer version was; True when it is.

    A version that is stored but was not published by this process is done again: the worker before
    may have died between the two.
    """
    open_call.ended = False
    if call.version < open_call.version or call.version == open_call.told:
        if not open_call.closed and call.version < open_call.version:
            # Reloaded, and nothing was new: it was closed before, for want of a hang-up.
            open_call.closed = True
            state.note_closed(open_call, now_ms)
        return False
    if batch.tariffs is not None and call.state == "closed":
        call.rating = call.rating or open_call.rating
        price(call, batch.tariffs)
        open_call.rating = call.rating
    _supersede(batch, open_call, call)
    batch.calls.append(rows.call_row(call))
    batch.logs += rows.log_rows(call)
    batch.feed.append((state.partition, call.call_id.encode(), published(call)))
    if call.state == "closed":
        if not open_call.closed:
            open_call.closed = True
            state.note_closed(open_call, now_ms)
    else:
        open_call.closed = False
    return True


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
    under = open_call.under or open_call.call_id
    if open_call.key is not None and (open_call.key != key or under != call.call_id):
        batch.calls.append(rows.retired_call(call.tenant, open_call.key, under, call.version))
    logs = rows.log_keys(call)
    if open_call.logs is not None and (open_call.logs != logs or under != call.call_id):
        live = set(logs) if under == call.call_id else set()
        for log in open_call.logs:
            if log not in live:
                batch.logs.append(rows.retired_log(call.tenant, log, call.id, under, call.version))
    open_call.key, open_call.logs = key, logs
    open_call.under = "" if call.call_id == open_call.call_id else call.call_id
    open_call.version = open_call.told = call.version


def postpone(batch: Batch, state: PartitionCalls, calls: Iterable[OpenCall], *, backlog: bool) -> list[OpenCall]:
    """Put off the calls that go on: each would be folded and written again and again on its way to its
    end. Returns those that cannot wait: something of them ended, they were closed, or no row shows
    them yet. They must be shown, so that a worker which takes over knows that they are open; in
    a backlog a bare row does.
    """
    now: list[OpenCall] = []
    for open_call in calls:
        if open_call.ended or open_call.closed or (open_call.key is None and not backlog):
            state.postponed.pop(id(open_call), None)
            now.append(open_call)
            continue
        state.postponed[id(open_call)] = open_call
        if open_call.key is None:
            started_at: int = min(event.at for event in open_call.events)  # type: ignore[assignment]
            key = (started_at, call_snowflake(open_call.tenant, open_call.call_id, started_at))
            version = version_of(open_call.count, False) - 1
            batch.calls.append(rows.opened_call(open_call.tenant, key, open_call.call_id, version))
            open_call.key, open_call.logs, open_call.version = key, [], version
    return now
