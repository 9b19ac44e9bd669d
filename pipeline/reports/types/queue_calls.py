"""PortSIP's reports that list calls in queues: abandoned ones, those that breached the SLA, callbacks.

A callback is asked for by leaving the queue for it. It succeeded when, within a day, the caller's number
was rung back and answered: by a later leg of the same call or by another call of the tenant. Numbers
are the same when their last nine digits are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from pipeline.instants import DAY_MS
from pipeline.reports.rendering.table import Column, Line, Report, label
from pipeline.reports.types.build import Question, in_order
from pipeline.reports.types.queues import breach, count, report_of, stays
from pipeline.warehouse.analytics.visits import RING_S
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.clauses import TARGETS, matching
from pipeline.warehouse.query.expressions import EVERYTHING
from pipeline.warehouse.query.view import same_number

_CALLBACK_MS: Final = DAY_MS
_KEYS: Final = ("started_ms", "session", "at")


async def abandoned(question: Question) -> Report:
    """QUEUE_ABANDONED_CALLS: who was polled for each call that was not served."""

    async def lines() -> AsyncIterator[Line]:
        for queue in queues:
            named: str | None = label(queue.name, queue.number)

            def unserved(part: Question, bindings: Bindings, number: str = queue.number) -> str:
                which = f"queue = {bindings.bind(number, 'String')}"
                return f"SELECT * FROM ({stays(part, bindings)}) WHERE NOT served AND {which}"

            async for row in in_order(question, "abandoned", unserved, _KEYS):
                caller = question.party(row["caller_number"], row["caller_name"])
                head: tuple[object, ...] = (named, int(row["at"]), int(row["wait_s"]), caller)
                for polled in row["agents"] or [{"agent": "", "attempts": 0}]:
                    who = question.party(polled["agent"])
                    yield Line((*head, who, int(polled["attempts"])), "head" if named else "")
                    head, named = (None, None, None, None), None

    queues = [queue for queue in await count(question, agents=False) if queue.unserved]
    columns = (
        Column("Queue", about="Name and number of the queue"),
        Column("Start Time", "time", "When the caller entered the queue"),
        Column("Waiting Time", "seconds", "How long the caller waited, seconds"),
        Column("Caller", about="Who waited"),
        Column("Agent", about="Agent whose phone rang for the call; empty when nobody's did"),
        Column("Polling Attempts", "count", "How often that phone rang"),
    )
    return await report_of(question, "Queue Abandoned", "Abandoned Queue Calls Report", columns, lines())


async def breaches(question: Question) -> Report:
    """QUEUE_BREACHES_SLA_STATISTICS: each call that waited longer than the SLA time."""
    names = {queue.number: queue.name for queue in await count(question, agents=False)}

    def late(part: Question, bindings: Bindings) -> str:
        return f"SELECT * FROM ({stays(part, bindings)}) WHERE {breach(question, bindings)}"

    async def lines() -> AsyncIterator[Line]:
        async for row in in_order(question, "breaches", late, _KEYS):
            number = row["queue"]
            caller = question.party(row["caller_number"], row["caller_name"])
            yield Line((int(row["at"]), label(names.get(number, ""), number), caller, int(row["wait_s"])))

    columns = (
        Column("Start Time", "time", "When the caller entered the queue"),
        Column("Queue", about="Name and number of the queue"),
        Column("Caller", about="Who waited"),
        Column("Waiting Time", "duration", "How long the caller waited: more than the SLA time of the queue"),
    )
    return await report_of(question, "Queue Breaches SLA", "Breaches SLA", columns, lines())


def callback_results(question: Question, bindings: Bindings) -> str:
    """SELECT of one row a callback asked for: at, session, queue, caller_number, caller_name, reached, ring_s."""
    asked = f"SELECT *, caller_digits AS digits FROM ({stays(question, bindings)})"
    asked += " WHERE reason = 'callback'"
    span = question.span
    which = matching(question.view, TARGETS, EVERYTHING, bindings, span.first_ms, span.end_ms + _CALLBACK_MS)
    tries = (
        f"SELECT toUnixTimestamp64Milli(started_at) AS tried_at, {same_number(question.view, 'number')} AS digits,"
        f" {RING_S} AS ring_s, outcome = 'answered' AS reached {which} AND kind IN ('outside', 'extension')"
        f" AND digits != '' AND digits IN (SELECT digits FROM ({asked}))"
    )
    in_time = f"tried_at >= asked.left_at AND tried_at < asked.left_at + {_CALLBACK_MS} AND tries.digits != ''"
    return (
        "SELECT asked.at AS at, asked.session AS session, asked.queue AS queue, any(asked.started_ms) AS started_ms,"
        " any(asked.caller_number) AS caller_number, any(asked.caller_name) AS caller_name,"
        f" maxIf(tries.reached, {in_time}) AS reached, sumIf(tries.ring_s, {in_time}) AS ring_s"
        f" FROM ({asked}) AS asked LEFT JOIN ({tries}) AS tries ON asked.digits = tries.digits"
        " GROUP BY at, session, queue"
    )


async def callbacks(question: Question) -> Report:
    """QUEUE_CALLBACKS."""
    bindings = Bindings()
    rows = await question.rows(
        "callbacks",
        "SELECT queue, countIf(reached) AS successful, count() AS callbacks"
        f" FROM ({callback_results(question, bindings)}) GROUP BY queue",
        bindings,
    )
    found = {row["queue"]: (int(row["callbacks"]), int(row["successful"])) for row in rows}
    lines = []
    for queue in await count(question, agents=False):
        asked, successful = found.get(queue.number, (0, 0))
        lines.append(Line((label(queue.name, queue.number), queue.received, asked, successful, asked - successful)))
    columns = (
        Column("Queue", about="Name and number of the queue"),
        Column("Calls Received", "count", "Calls that entered the queue", "Total"),
        Column("CallBacks", "count", "Calls that left the queue to be called back", "Total"),
        Column("Successful Callbacks", "count", "Called back and answered within a day", "Total"),
        Column("Failed Callbacks", "count", "Not called back, or not answered, within a day", "Total"),
    )
    return await report_of(question, "Queue Callbacks", "Queue Callbacks", columns, lines)


async def failed_callbacks(question: Question) -> Report:
    """QUEUE_FAILED_CALLBACKS. The vendor shows no columns of it; these are those of 3CX's report of that name."""
    names = {queue.number: queue.name for queue in await count(question, agents=False)}

    bindings = Bindings()
    failed = await question.rows(
        "failed_callbacks",
        f"SELECT * FROM ({callback_results(question, bindings)}) WHERE NOT reached ORDER BY started_ms, session, at",
        bindings,
    )

    lines = []
    for row in failed:
        number = row["queue"]
        caller = question.party(row["caller_number"], row["caller_name"])
        lines.append(Line((int(row["at"]), label(names.get(number, ""), number), caller, int(row["ring_s"]))))
    columns = (
        Column("Start Time", "time", "When the caller entered the queue"),
        Column("Queue", about="Name and number of the queue"),
        Column("Callback Number", about="Who was to be called back"),
        Column("Ring Duration", "duration", "How long it rang when the number was called back, all tries together"),
    )
    return await report_of(question, "Queue Failed Callbacks", "Queue Failed Callbacks", columns, lines)
