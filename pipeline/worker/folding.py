"""Folds the calls that a batch touched and works out what must be written for them."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from pipeline.calls.fold import fold
from pipeline.warehouse import rows
from pipeline.worker.batch import Batch
from pipeline.worker.open_calls import OpenCall, PartitionCalls
from schemas.call import Call, document


def fold_calls(batch: Batch, state: PartitionCalls, calls: Iterable[OpenCall], now_ms: int, *, expired: bool) -> int:
    """Fold these calls of one partition into the batch; returns how many were closed by it."""
    closed = 0
    for open_call in calls:
        call = fold(open_call.events, expired=expired)
        if call.version <= open_call.version:
            continue
        _supersede(batch, open_call, call)
        batch.calls.append(rows.call_row(call))
        batch.logs += rows.log_rows(call)
        batch.feed.append((state.partition, open_call.call_id.encode(), orjson.dumps(document(call))))
        if call.state == "closed":
            if not open_call.closed:
                open_call.closed = True
                closed += 1
                state.note_closed(open_call, now_ms)
        else:
            open_call.closed = False
    return closed


def _supersede(batch: Batch, open_call: OpenCall, call: Call) -> None:
    """Retire the rows that lie under keys which the call no longer has, in the same write."""
    key = rows.call_key(call)
    if open_call.key is not None and open_call.key != key:
        batch.calls.append(rows.retired_call(call.tenant, open_call.key, open_call.call_id, call.version))
    logs = rows.log_keys(call)
    if open_call.logs is not None and open_call.logs != logs:
        live = set(logs)
        for log in open_call.logs:
            if log not in live:
                batch.logs.append(rows.retired_log(call.tenant, log, call.id, open_call.call_id, call.version))
    open_call.key, open_call.logs, open_call.version = key, logs, call.version
