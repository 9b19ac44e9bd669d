"""One batch: chunks of records in, what has to be written out. One decode pass, one fold pass."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from pipeline.rating.tariffs import Tariffs
from pipeline.sources import canonical, cloud_events
from pipeline.warehouse.storage import rows
from pipeline.warehouse.storage.archive import CallKey, Row
from pipeline.warehouse.storage.orphans import Moments
from pipeline.worker.core import links
from pipeline.worker.core.chunk import Chunk, Record
from pipeline.worker.core.open_calls import OpenCall, PartitionCalls
from schemas.event import Event
from schemas.words import EVENT_TYPES

NEWLINE = b"\n"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A value that is no event: its bytes, where it came from, and why, for a person to act on."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    reason: str
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(slots=True)
class Batch:
    """What one batch does to the world, in the order in which it is written."""

    epoch: int = 0  # of the process, see `Chunk`
    generation: int = 0  # of the group
    chunks: list[Chunk] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)  # partition → the offset as of which its calls are written
    archive: list[bytes] = field(default_factory=list)
    archived: asyncio.Task[None] | None = None  # the archiving, once it has begun
    silent: bool = False  # closes calls for want of a hang-up: no event will come again for them
    touched: dict[int, list[OpenCall]] = field(default_factory=dict)  # partition → calls with news
    joined: list[tuple[PartitionCalls, OpenCall, int | None]] = field(default_factory=list)  # see joining
    # (partition, key, event): where joined calls are about to be written
    notes: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    look_at: dict[CallKey, Moments] = field(default_factory=dict)  # calls whose rows others write, too
    # (partition, tenant, row) that somebody may write late
    look_for: list[tuple[int, str, Row]] = field(default_factory=list)
    announce: dict[tuple[str, str, str], bytes] = field(default_factory=dict)  # (tenant, to, from) → event
    forward: list[tuple[bytes, bytes]] = field(default_factory=list)  # (key, value) that had the wrong key
    forwarded: list[tuple[Chunk, Record]] = field(default_factory=list)  # where each of these came from
    dead: list[DeadLetter] = field(default_factory=list)
    events: int = 0
    duplicates: int = 0
    unknown_types: int = 0
    newest_at: int = 0
    tariffs: Tariffs | None = None  # what closed calls are priced by
    calls: list[list[Any]] = field(default_factory=list)
    logs: list[list[Any]] = field(default_factory=list)
    feed: list[tuple[int, bytes, bytes]] = field(default_factory=list)  # (partition, key, document)


# Records decoded at a time: few enough that their events are still in the processor's cache when
# they are matched to calls. A slice with a value that is no event costs more; its neighbours do not.
_AT_ONCE = 500


def read(batch: Batch, chunk: Chunk, state: PartitionCalls, *, now_ms: int, max_events: int) -> list[OpenCall]:
    """Decode a chunk into the batch and its calls. Returns the calls that were not in memory, or not as a whole."""
    records = chunk.records
    fresh: list[OpenCall] = []
    touched: dict[int, OpenCall] = {}
    newest = 0
    for start in range(0, len(records), _AT_ONCE):
        some = records[start : start + _AT_ONCE]
        newest = max(newest, _read(batch, chunk, some, state, fresh, touched, now_ms, max_events))
    batch.chunks.append(chunk)
    batch.events += len(records)
    batch.touched.setdefault(chunk.partition, []).extend(touched.values())
    state.touch(touched)
    batch.newest_at = max(batch.newest_at, newest)
    if newest:
        state.advance(newest, now_ms)
    state.next_offset = records[-1].offset + 1
    return fresh


def _read(
    batch: Batch,
    chunk: Chunk,
    records: Sequence[Record],
    state: PartitionCalls,
    fresh: list[OpenCall],
    touched: dict[int, OpenCall],
    now_ms: int,
    max_events: int,
) -> int:
    """Read some records of a chunk; returns the time of their newest event."""
    values = [
        cloud_events.canonical(record.value or b"", record.headers, record.key)
        if record.headers
        else record.value or b""
        for record in records
    ]
    decoded = canonical.decode(values, now_ms=now_ms)
    for rejected in decoded.rejected:
        record = records[rejected.index]
        batch.dead.append(dead_letter(chunk, record, rejected.reason))
    plain = b"\\" not in (joined := b"".join(values)) and b"\t" not in joined and NEWLINE not in joined
    plain = plain and b"\r" not in joined and b"\0" not in joined
    where = f"{rows.escape(chunk.topic)}\t{chunk.partition}\t"
    lines = batch.archive
    by_tenant = state.calls
    newest = 0
    if len(decoded.events) != len(records):
        records = [records[index] for index in decoded.origin]
        values = [values[index] for index in decoded.origin]
    for event, record, value in zip(decoded.events, records, values, strict=True):
        call_id = event.call_id
        if event.linked_ids and links.is_row_note(event):
            batch.look_for += [(chunk.partition, event.tenant, row) for row in links.noted_rows(event)]
            continue
        if record.key != (key := call_id.encode()) and value:
            # It may lie on the wrong partition: it is sent to where its call_id says, once.
            batch.forward.append((key, value))
            batch.forwarded.append((chunk, record))
            continue
        of_tenant = by_tenant.get(event.tenant)
        call = None if of_tenant is None else of_tenant.get(call_id)
        if call is None:
            call = state.open(event.tenant, call_id)
            fresh.append(call)
        elif event.at <= call.reload_floor:
            call.reload_floor = -1
            fresh.append(call)
        elif call.count >= max_events and call.is_new(event):
            batch.dead.append(dead_letter(chunk, record, _too_many(call_id, max_events)))
            continue
        if event.type not in EVENT_TYPES:
            batch.unknown_types += 1
        lines.append(_line(event, where, record.offset, value, plain))
        if event.linked_ids:
            links.note(batch.announce, call, event)
            if links.is_link(event):
                touched[id(call)] = call
                continue
        if call.add(event):
            touched[id(call)] = call
        else:
            batch.duplicates += 1
            if not call.published_version:  # archived by a worker that may have died before it wrote the call
                touched[id(call)] = call
        if event.at > newest:
            newest = event.at
    return newest


def _line(event: Event, where: str, offset: int, value: bytes, plain: bool) -> bytes:
    """An event as a line of the archive; `plain` when nothing in the chunk needs escaping."""
    if plain:
        return (
            f"{event.tenant}\t{event.call_id}\t{event.event_id}\t{event.at}\t{event.type}\t{event.node}\t{where}{offset}\t"
        ).encode() + value
    escape = rows.escape
    return (
        f"{escape(event.tenant)}\t{escape(event.call_id)}\t{escape(event.event_id)}\t{event.at}\t"
        f"{escape(event.type)}\t{escape(event.node)}\t{where}{offset}\t"
    ).encode(errors="replace") + rows.escape_bytes(value)


def dead_letter(chunk: Chunk, record: Record, reason: str) -> DeadLetter:
    """A record of the chunk as a dead letter."""
    value = record.value or b""
    return DeadLetter(chunk.topic, chunk.partition, record.offset, record.key, value, reason, record.headers)


def not_taken(chunk: Chunk, record: Record, value: bytes, topic: str) -> DeadLetter:
    """A record of which the events topic does not take what should be sent on to it."""
    reason = (
        f"its event of {len(value)} bytes is larger than the topic {topic} takes; make it smaller (long lists and"
        " texts in user_data), or raise the topic's max.message.bytes and replay this letter"
    )
    return dead_letter(chunk, record, reason)


def _too_many(call_id: str, limit: int) -> str:
    return (
        f"call_id: {call_id[:80]!r} has more than {limit} events; "
        "give every call an id of its own, or raise CDR_MAX_EVENTS_PER_CALL"
    )


def archive_body(batch: Batch) -> tuple[bytes, str]:
    """The archive lines as one body, and its name: a repetition of the same bytes from the same
    offsets bears the same name and ClickHouse drops it. Offsets alone would not do: a broker that
    begins anew gives them again to other events."""
    body = rows.tab_separated(batch.archive)
    ranges = ",".join(
        f"{chunk.topic}:{chunk.partition}:{chunk.records[0].offset}-{chunk.records[-1].offset}"
        for chunk in batch.chunks
    )
    return body, f"{ranges}:{len(body)}:{crc32(body):08x}"
