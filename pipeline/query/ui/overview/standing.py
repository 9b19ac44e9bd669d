"""What stands out in a period: the extensions, queues, trunks and numbers with the most calls, and why calls failed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipeline.directory.model import Directory
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.measured import Asker, Span
from pipeline.query.ui.frame.words import cause

_MOST: Final = 8
_READ: Final = 200  # extensions of each kind of figure that are put together
_INWARD: Final = {"direction": ["inbound", "internal"]}
_OUTWARD: Final = {"direction": ["outbound", "inbound_outbound"]}
# Statuses of calls that somebody might ask "why?" about.
FAILED: Final = ("failed", "no_answer", "busy", "cancelled", "abandoned")
# Where the cause says no more than that the call was cleared, the result does.
_CLEARED: Final = (0, 16, 31)
_REASONS: Final = {
    "cancelled": N_("Caller hung up while it rang"),
    "abandoned": N_("Caller hung up in the queue"),
    "no_answer": N_("Rang, nobody answered"),
    "busy": N_("User busy"),
    "failed": N_("Not known"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Rows by name, as `/v1/aggregate` has them; of extensions put together from three questions."""

    extensions: list[dict[str, Any]]
    queues: list[dict[str, Any]]
    trunks: list[dict[str, Any]]
    numbers: list[dict[str, Any]]
    reasons: list[dict[str, Any]]


async def standing_of(asker: Asker, directory: Directory, span: Span) -> Standing:
    """All of it. Queues are everybody's: a visitor with own calls has none."""
    extensions, queues, trunks, numbers, reasons = await asyncio.gather(
        _extensions(asker, directory, span),
        _queues(asker, directory, span),
        _top(asker, span, ["calls", "asr", "acd_ms"], "trunk"),
        _top(asker, span, ["calls", "answered", "talk_ms"], "callee.number", _OUTWARD),
        reasons_of(asker, span, _MOST),
    )
    return Standing(extensions, queues, trunks, numbers, reasons)


async def reasons_of(
    asker: Asker, span: Span, most: int, where: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Why calls were not answered: calls by result, cause and SIP status, and `why`, a message."""
    failed = {"and": [part for part in ({"status": list(FAILED)}, where) if part]}
    rows = await asker.rows(
        span, ["calls"], ["status", "q850_cause", "sip_status"], where=failed, order="-calls", limit=most
    )
    return [row | {"why": _why(row)} for row in rows]


def _why(row: Mapping[str, Any]) -> str:
    known = row["q850_cause"] or 0
    return _REASONS[row["status"]] if known in _CLEARED else cause(known) or N_("Not known")


async def _top(
    asker: Asker, span: Span, measures: list[str], by: str, where: Mapping[str, Any] | None = None, most: int = _MOST
) -> list[dict[str, Any]]:
    there = {"and": [part for part in ({by: {"exists": True}}, where) if part]}
    return await asker.rows(span, measures, [by], where=there, order="-calls", limit=most)


async def _extensions(asker: Asker, directory: Directory, span: Span) -> list[dict[str, Any]]:
    """Calls that each made, answered and missed."""
    made, answered, missed = await asyncio.gather(
        _top(asker, span, ["calls"], "caller.extension", most=_READ),
        _top(asker, span, ["calls"], "answered_by", _INWARD, most=_READ),
        asker.rows(span, ["calls"], ["missed_by"], order="-calls", limit=_READ),
    )
    found: dict[str, dict[str, Any]] = {}
    for name, by, rows in (
        ("made", "caller.extension", made),
        ("answered", "answered_by", answered),
        ("missed", "missed_by", missed),
    ):
        for row in rows:
            empty = {"number": row[by], "name": directory.name_of(row[by]) or "", "made": 0, "answered": 0, "missed": 0}
            found.setdefault(row[by], empty)[name] = row["calls"]
    ranked = sorted(found.values(), key=lambda row: (-row["made"] - row["answered"] - row["missed"], row["number"]))
    return ranked[:_MOST]


async def _queues(asker: Asker, directory: Directory, span: Span) -> list[dict[str, Any]]:
    """Visits to each queue, and how many of them were served in time by the queue's own target."""
    if not asker.visitor.caller.sees_all:
        return []
    levels = sorted({f"service_level_{queue.sla_s}" for queue in directory.queues.values()} or {"service_level_20"})
    rows = await asker.rows(
        span,
        ["visits", "served", "abandoned", "asa_ms", *levels],
        ["queue"],
        of="queue-visits",
        order="-visits",
        limit=_MOST,
    )
    found = []
    for row in rows:
        queue = directory.queues.get(row["queue"])
        seconds = queue.sla_s if queue else 20
        level = row.get(f"service_level_{seconds}")
        name = directory.name_of(row["queue"] or "") or ""
        found.append(row | {"name": name, "level": level, "sla_s": seconds})
    return found
