"""What late events changed: the call as it stood after each arrival at the archive, folded again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import orjson

from pipeline.calls.fold import fold
from pipeline.sources.registry import source
from schemas.call import document

_MOST_EVENTS: Final = 1_000
_MOST: Final = 20
_COMPARED: Final = (
    "state", "status", "end_reason", "hung_up_by", "requested", "destination", "answered_by", "started_at",
    "answered_at", "talk_started_at", "ended_at", "talk_ms", "hold_ms", "billable_ms", "duration_ms", "q850_cause",
    "sip_status",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Version:
    """What the archive took at `at` (RFC 3339) of a call that was closed, and what it changed: (field, from, to)."""

    at: str
    events: int
    changes: tuple[tuple[str, Any, Any], ...]


def versions_of(events: Sequence[Mapping[str, Any]]) -> list[Version]:
    """The corrections of a call. The first version is no correction, nor is what came before the call had ended."""
    if len(events) > _MOST_EVENTS or any(each.get("event") is None for each in events):
        return []
    decode = source("canonical")
    taken: list[bytes] = []
    before: dict[str, Any] | None = None
    found: list[Version] = []
    ordered = sorted(events, key=_arrival)
    for at, group in groupby(ordered, key=_arrival):
        fresh = [orjson.dumps(each["event"]) for each in group]
        taken += fresh
        decoded = decode(taken).events
        if not decoded:
            continue
        now = document(fold(decoded))
        if before is not None and before["state"] == "closed":
            changes = [(name, before[name], now[name]) for name in _COMPARED if before[name] != now[name]]
            found.append(Version(at, len(fresh), tuple(changes)))
        before = now
        if len(found) >= _MOST:
            break
    return found


def _arrival(event: Mapping[str, Any]) -> str:
    return str(event["archived_at"])
