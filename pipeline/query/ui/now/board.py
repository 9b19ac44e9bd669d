"""What is going on: calls in progress, queues against their targets, calls a minute of the last hour."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from pipeline.directory.model import Directory, Queue
from pipeline.instants import DAY_MS, first_of_day, instant
from pipeline.query.questions.aggregates import VISIT_TABLE, grouping_of, groups_of, rows_of
from pipeline.query.questions.fields import Presentation, document_select
from pipeline.query.questions.formats import JSON
from pipeline.query.questions.lists.tables import CALL_TABLE
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.session import Visitor
from pipeline.warehouse.query.clauses import OPEN_CALLS
from pipeline.warehouse.query.expressions import EVERYTHING
from pipeline.warehouse.query.pages.listing import Listing, page_of
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.query.whole_calls import calls_of, logs_of_calls
from schemas.call import rfc3339

_MOST: Final = 500
_MOST_OTHERS: Final = 24  # queues of today that the directory does not name
_SLA_S: Final = 20  # their target
_OLDEST_MS: Final = 2 * DAY_MS  # a call in progress that began before has lost its end
_MINUTE_MS: Final = 60_000
_FIELDS: Final = (
    *("id", "caller.number", "caller.name", "callee.number", "callee.name", "direction", "trunk", "service_number"),
    *("answered_by", "started_at", "rang_at", "answered_at", "talk_started_at"),
)
TALKING, QUEUED = N_("Talking"), N_("In the queue")
RINGING, GREETED, DIALLING = N_("Ringing"), N_("Greeted"), N_("Dialling")
TONES: Final = {TALKING: "good", QUEUED: "warn", RINGING: "live", GREETED: "calm", DIALLING: "calm"}
# The common target: so many per cent within the queue's own seconds.
_TARGET: Final = 80.0
_LOW: Final = 60.0


@dataclass(frozen=True, slots=True)
class Moment:
    """A call in progress: its state, since when (ms) it is in it, and the name of whom it is with."""

    call: Mapping[str, Any]
    state: str
    since: int
    partner: str


@dataclass(frozen=True, slots=True)
class QueueNow:
    """A queue: callers that wait, the longest of them (since when, ms), agents; and today, in calls and per cent."""

    number: str
    name: str
    sla_s: int
    waiting: int
    longest: int | None
    talking: int
    ringing: int
    offered: int
    abandoned: int
    service_level: float | None

    def wait_tone(self, now: int) -> str:
        """By the queue's own target for the wait."""
        waited = 0 if self.longest is None else now - self.longest
        return "bad" if waited > self.sla_s * 1000 else "warn" if waited > self.sla_s * 500 else "good"

    @property
    def level_tone(self) -> str:
        """By the common target of 80 per cent."""
        level = self.service_level
        return "calm" if level is None else "good" if level >= _TARGET else "warn" if level >= _LOW else "bad"


@dataclass(frozen=True, slots=True)
class Today:
    """What is asked less often: figures of each queue since midnight, and (minute, calls) of the last hour."""

    queues: Mapping[str, Mapping[str, Any]]
    minutes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Board:
    """All of it."""

    calls: tuple[Moment, ...]
    queues: tuple[QueueNow, ...]
    minutes: tuple[tuple[int, int], ...]


async def today_of(reader: Reader, visitor: Visitor, look: Presentation, directory: Directory, now: int) -> Today:
    """The figures of `/v1/aggregate` since midnight and of the last hour."""
    view, zone = visitor.caller.view, visitor.zone
    found: dict[str, Mapping[str, Any]] = {}
    midnight = rfc3339(first_of_day(visitor.figures.day_of(now), zone))
    first = (now // _MINUTE_MS - 59) * _MINUTE_MS
    members = {"measures": ["calls"], "bucket": "minute", "from": rfc3339(first), "to": rfc3339(now), "open": True}
    question = grouping_of(CALL_TABLE, members, EVERYTHING, JSON, zone)
    levels = sorted(
        {f"service_level_{sla_s}" for sla_s in (_SLA_S, *(each.sla_s for each in directory.queues.values()))}
    )
    asked = {"measures": ["visits", "abandoned", *levels], "by": ["queue"], "from": midnight, "limit": 1000}
    queues = grouping_of(VISIT_TABLE, asked, EVERYTHING, JSON, zone)
    if visitor.caller.sees_all:
        minutes, visits = await asyncio.gather(
            groups_of(reader, view, question, look), groups_of(reader, view, queues, look)
        )
        found = {str(row["queue"]): row for row in rows_of(queues, visits) if row["queue"]}
    else:
        minutes = await groups_of(reader, view, question, look)
    rows = rows_of(question, minutes)
    return Today(found, tuple((instant(str(row["bucket"])), int(row["calls"])) for row in rows))


async def board_of(
    reader: Reader, visitor: Visitor, look: Presentation, directory: Directory, today: Today, now: int
) -> Board:
    """Calls in progress as `/v1/calls/active` has them, and the queues."""
    fields = [CALL_TABLE.fields[name] for name in _FIELDS]
    listing = Listing(visitor.caller.view, OPEN_CALLS, document_select(fields, look), EVERYTHING, now - _OLDEST_MS)
    calls = [orjson.loads(line) for line in (await page_of(reader, listing, _MOST)).rows]
    moments = tuple(Moment(call, *_state(call), directory.name_of(call["answered_by"] or "")) for call in calls)
    queues: tuple[QueueNow, ...] = ()
    if visitor.caller.sees_all:
        ringing = await _ringing(reader, visitor, [call for call in calls if call["service_number"]])
        others = sorted(today.queues.keys() - directory.queues.keys())[:_MOST_OTHERS]
        queues = tuple(
            _queue(directory, number, moments, ringing, today.queues.get(number, {}))
            for number in (*directory.queues, *others)
        )
    return Board(moments, queues, today.minutes)


def _state(call: Mapping[str, Any]) -> tuple[str, int]:
    """The state, and since when."""
    if call["talk_started_at"]:
        return TALKING, instant(call["talk_started_at"])
    if call["answered_at"] and call["service_number"]:
        return QUEUED, instant(call["answered_at"])
    if call["answered_at"]:
        return GREETED, instant(call["answered_at"])
    if call["rang_at"]:
        return RINGING, instant(call["rang_at"])
    return DIALLING, instant(call["started_at"])


async def _ringing(reader: Reader, visitor: Visitor, calls: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many agents ring, by the queue."""
    if not calls:
        return {}
    rows = await calls_of(reader, visitor.caller.view, [int(call["id"]) for call in calls], OPEN_CALLS)
    logs = await logs_of_calls(reader, visitor.caller.view, rows)
    found: dict[str, int] = {}
    for row in rows:
        rings = [log for log in logs[int(row["id"])] if log["kind"] == "queue_agent" and not log["ended_at"]]
        number = str(row["service_number"])
        found[number] = found.get(number, 0) + sum(not log["answered_at"] for log in rings)
    return found


def _queue(
    directory: Directory, number: str, moments: Sequence[Moment], ringing: Mapping[str, int], today: Mapping[str, Any]
) -> QueueNow:
    queue = directory.queues.get(number) or Queue(number, sla_s=_SLA_S)
    mine = [moment for moment in moments if moment.call["service_number"] == number]
    waiting = [moment.since for moment in mine if moment.state == QUEUED]
    return QueueNow(
        number,
        queue.name or number,
        queue.sla_s,
        len(waiting),
        min(waiting, default=None),
        sum(moment.state == TALKING for moment in mine),
        ringing.get(number, 0),
        int(today.get("visits") or 0),
        int(today.get("abandoned") or 0),
        today.get(f"service_level_{queue.sla_s}"),
    )
