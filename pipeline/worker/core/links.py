"""What workers say to one another in the events topic, under the id of the call that it is about: that it is one with
another call, and where its rows are about to be written."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipeline.warehouse.storage.archive import Row
from pipeline.worker.core.open_calls import OpenCall
from schemas.event import Event

REASON = "joined"
ROWS_REASON = "rows"


def is_link(event: Event) -> bool:
    """Whether this is the worker's own word that two ids are one call, not an event of the call."""
    return event.type == "data" and event.reason == REASON and event.event_id.startswith("joined:")


def is_row_note(event: Event) -> bool:
    """Whether this is a worker's word on where it was about to write rows of a call."""
    return event.type == "data" and event.reason == ROWS_REASON and event.event_id.startswith("rows:")


def row_note(call: OpenCall, rows: Sequence[Row]) -> bytes:
    """The event that says under which keys a worker is about to write rows: of a call that is one with others, whose
    owners fold it at the same time, each from what it finds. Should the write come late, after the partition has gone
    to somebody else, that somebody has read this, or will."""
    body = msgspec.json.encode([(row.key, row.call_id, row.logs, row.version, row.merged) for row in rows])
    return msgspec.json.encode(
        Event(
            type="data",
            at=call.last_at,
            call_id=call.call_id,
            event_id=f"rows:{max(row.version for row in rows)}",
            tenant=call.tenant,
            linked_ids=[call.call_id],
            reason=ROWS_REASON,
            user_data=body.decode(),
        )
    )


_decode_rows = msgspec.json.Decoder(list[tuple[tuple[int, int], str, list[tuple[int, int]], int, list[str]]]).decode


def noted_rows(event: Event) -> list[Row]:
    """The rows of a note; none of one that no worker wrote."""
    try:
        noted = _decode_rows(event.user_data)
    except msgspec.DecodeError:
        return []
    return [Row(key, call_id, logs, version, merged=merged) for key, call_id, logs, version, merged in noted]


def announcement(event: Event, to: str) -> bytes:
    """The event that tells the call `to` that it is one with the call of `event`."""
    return msgspec.json.encode(
        Event(
            type="data",
            at=event.at,
            call_id=to,
            event_id=f"joined:{event.call_id}",
            tenant=event.tenant,
            node=event.node,
            linked_ids=[event.call_id],
            reason=REASON,
        )
    )


def note(announce: dict[tuple[str, str, str], bytes], call: OpenCall, event: Event) -> None:
    """Remember the ids that an event links its call with, and have them told: `announce` maps
    (tenant, to, from) to the event that says so: two tenants may have the same ids."""
    for other in event.linked_ids or ():
        if not 0 < len(other) <= 256 or other == call.call_id or "\0" in other:
            continue
        if call.links is None:
            call.links = set()
        call.links.add(other)
        if not is_link(event):
            announce.setdefault((call.tenant, other, call.call_id), announcement(event, other))
