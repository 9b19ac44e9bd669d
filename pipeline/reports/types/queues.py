"""PortSIP's reports that count calls in queues: performance, detailed statistics, SLA, callbacks, team.

Columns, divisors and totals are those of the vendor's own reports, quirks included: the average talking time
is a share of all calls in "Detailed", but of the serviced calls in "Team".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pipeline.directory.model import Queue
from pipeline.reports.rendering.table import Column, Line, Lines, Report, Table, average, label
from pipeline.reports.types import overview
from pipeline.reports.types.build import Question
from pipeline.warehouse.analytics.visits import agent_tries, visits
from pipeline.warehouse.query.bindings import Bindings

_RECEIVED: Final = "Calls that entered the queue"
_SERVICED: Final = "Calls that an agent of the queue answered"
_UNSERVED: Final = "Calls that left the queue without an agent: given up, overflown, exited, called back"
_TALK: Final = "Time that agents talked to callers of the queue, answer to end"
_RING: Final = "Time that agents' phones rang for the queue, tried to answered or given up"
_WAIT: Final = "Time that callers spent in the queue, joined to left"


@dataclass(slots=True)
class Agent:
    """What one agent did for one queue."""

    number: str
    name: str = ""
    serviced: int = 0
    polls: int = 0  # tries that this agent did not answer
    ring_s: int = 0
    talk_s: int = 0


@dataclass(slots=True)
class QueueCount:
    """What one queue had."""

    number: str
    name: str = ""
    received: int = 0
    serviced: int = 0
    wait_s: int = 0
    breached: int = 0
    callbacks: int = 0
    agents: dict[str, Agent] = field(default_factory=dict)

    @property
    def unserved(self) -> int:
        return self.received - self.serviced

    @property
    def ring_s(self) -> int:
        return sum(agent.ring_s for agent in self.agents.values())

    @property
    def talk_s(self) -> int:
        return sum(agent.talk_s for agent in self.agents.values())


def chosen(question: Question, bindings: Bindings) -> str:
    """The condition on stays that the filter makes; `queue`, `served` and `wait_s` are its columns."""
    parts = ["1"]
    if question.filter.get("call_queues"):
        parts.append(f"queue IN {bindings.bind(question.filter['call_queues'], 'Array(String)')}")
    if question.filter.get("enable_exclude_calls_dropped_before_seconds"):
        least = question.filter.get("exclude_calls_dropped_before_seconds", 0)
        # a call that was answered at once was not dropped
        parts.append(f"(served OR wait_s >= {bindings.bind(least, 'Int64')})")
    return " AND ".join(parts)


def stays(question: Question, bindings: Bindings) -> str:
    """SELECT of the stays that the report is about."""
    span = question.span
    return (
        f"SELECT * FROM ({visits(question.view, span.first_ms, span.end_ms, bindings, question.window)})"
        f" WHERE {chosen(question, bindings)}"
    )


def queue_facts(question: Question) -> tuple[tuple[str, str], ...]:
    """The line that says which queues."""
    asked = question.filter.get("call_queues") or []
    return (("Queue", asked[0] if len(asked) == 1 else "Multiple"),)


def sla_s(queues: Sequence[Queue]) -> tuple[list[str], list[int], int]:
    """Numbers and their SLA times; and that of queues that the directory does not tell of."""
    return [queue.number for queue in queues], [queue.sla_s for queue in queues], Queue("").sla_s


def breach(question: Question, bindings: Bindings) -> str:
    """The condition that a stay was longer than its queue's SLA time."""
    numbers, limits, otherwise = sla_s(list(question.directory.queues.values()))
    if not numbers:
        return f"wait_s > {otherwise}"
    known = f"{bindings.bind(numbers, 'Array(String)')}, {bindings.bind(limits, 'Array(Int64)')}"
    return f"wait_s > transform(queue, {known}, toInt64({otherwise}))"


async def count(question: Question, *, agents: bool = True) -> list[QueueCount]:
    """Each queue that was asked for or had calls, by number, with its agents."""
    bindings = Bindings()
    rows = await question.rows(
        "queues",
        "SELECT queue, any(queue_name) AS name, count() AS received, countIf(served) AS serviced,"
        f" sum(wait_s) AS wait, countIf({breach(question, bindings)}) AS breached,"
        f" countIf(reason = 'callback') AS callbacks FROM ({stays(question, bindings)}) GROUP BY queue",
        bindings,
    )
    asked = question.filter.get("call_queues") or list(question.directory.queues)
    found = {number: QueueCount(number) for number in asked}
    for row in rows:
        found[row["queue"]] = QueueCount(
            row["queue"],
            row["name"],
            int(row["received"]),
            int(row["serviced"]),
            int(row["wait"]),
            int(row["breached"]),
            int(row["callbacks"]),
        )
    if agents:
        await _add_agents(question, found)
    named = [replace(queue, name=question.directory.name_of(queue.number) or queue.name) for queue in found.values()]
    return sorted(named, key=lambda queue: queue.number)


async def _add_agents(question: Question, found: dict[str, QueueCount]) -> None:
    bindings = Bindings()
    polled = await question.rows(
        "queue_agents",
        "SELECT queue, agent.agent AS agent, sum(served AND answered_by = agent) AS serviced,"
        f" sum(agent.attempts) - serviced AS polls FROM ({stays(question, bindings)}) ARRAY JOIN agents AS agent"
        " GROUP BY queue, agent",
        bindings,
    )
    bindings = Bindings()
    span = question.span
    talked = await question.rows(
        "queue_agent_times",
        "SELECT queue, agent, any(agent_name) AS name, sum(ring_s) AS ring, sum(talk_s) AS talk"
        f" FROM ({agent_tries(question.view, span.first_ms, span.end_ms, bindings)})"
        f" WHERE {chosen(question, bindings)} GROUP BY queue, agent",
        bindings,
    )
    for row in polled:
        agent = _agent(found[row["queue"]], row["agent"])
        agent.serviced, agent.polls = int(row["serviced"]), max(0, int(row["polls"]))
    for row in talked:
        agent = _agent(found[row["queue"]], row["agent"])
        agent.name, agent.ring_s, agent.talk_s = row["name"], int(row["ring"]), int(row["talk"])
    for queue in found.values():
        queue.agents = dict(sorted(queue.agents.items()))


def _agent(queue: QueueCount, number: str) -> Agent:
    return queue.agents.setdefault(number, Agent(number))


async def report_of(
    question: Question, title: str, long_name: str, columns: tuple[Column, ...], lines: Lines
) -> Report:
    """A report of one table about queues, with what stands above it and its plots."""
    return Report(
        question.type,
        title,
        long_name,
        question.span,
        (Table(columns, lines),),
        queue_facts(question),
        plots=await overview.queue_plots(question, lambda bindings: stays(question, bindings)),
    )


async def performance(question: Question) -> Report:
    """QUEUE_PERFORMANCE: each agent of each queue."""
    lines: list[Line] = []
    for queue in await count(question):
        named: list[Any] = [label(queue.name, queue.number), queue.received]
        for agent in queue.agents.values() or [None]:
            done: tuple[Any, ...] = (None, None, None, None, None)
            if agent is not None:
                mean = average(agent.talk_s, agent.serviced) or 0
                who = question.party(agent.number, agent.name)
                done = (who, agent.serviced, f"{agent.polls} Polls", agent.talk_s, mean)
            lines.append(Line((*named, *done), "" if named[0] is None else "head"))
            named = [None, None]
        lines.append(
            Line(
                ("Total:", queue.received, None, queue.serviced, f"{queue.unserved} Calls", queue.talk_s, None),
                "total",
            )
        )
    columns = (
        Column("Queue", about="Name and number of the queue"),
        Column("Received", "count", _RECEIVED),
        Column("Agent", about="Agent whose phone rang for the queue"),
        Column("Serviced", "count", "Calls of the queue that this agent answered"),
        Column("Unanswered", "quantity", "Agents: tries that this agent did not answer. Total: received less serviced"),
        Column("Talking Time", "duration", _TALK),
        Column("Average Talking Time", "duration", "Talking time by calls serviced"),
    )
    return await report_of(question, "Queue Performance", "Queue Performance Report", columns, lines)


async def detailed(question: Question) -> Report:
    """QUEUE_DETAILED_STATISTICS. Averages are shares of all calls."""
    lines: list[Line] = []
    queues = await count(question)
    for queue in queues:
        total = queue.received
        lines.append(
            Line(
                (
                    label(queue.name, queue.number),
                    total,
                    queue.serviced,
                    queue.unserved,
                    queue.serviced / total if total else 0.0,
                    queue.ring_s,
                    average(queue.ring_s, total) or 0,
                    queue.talk_s,
                    average(queue.talk_s, total) or 0,
                )
            )
        )
    sums = [sum(line.cells[place] for line in lines) for place in (1, 2, 3, 5, 7)]
    lines.append(Line(("Total:", sums[0], sums[1], sums[2], None, sums[3], None, sums[4], None), "total"))
    columns = (
        Column("Queue", about="Name and number of the queue"),
        Column("Total", "count", _RECEIVED, "Calls"),
        Column("Serviced", "count", _SERVICED, "Calls"),
        Column("Abandoned", "count", _UNSERVED, "Calls"),
        Column("% Serviced", "percent", "Serviced by total", "Calls"),
        Column("Total", "duration", _RING, "Ringing Time"),
        Column("Average", "duration", "Ringing time by total calls", "Ringing Time"),
        Column("Total", "duration", _TALK, "Talking Time"),
        Column("Average", "duration", "Talking time by total calls, serviced or not", "Talking Time"),
    )
    return await report_of(question, "Queue Detailed", "Detailed Queue Statistics", columns, lines)


async def team(question: Question) -> Report:
    """TEAM_QUEUE_GENERAL_STATISTICS. The average talking time is a share of the serviced calls."""
    lines: list[Line] = []
    for queue in await count(question):
        known = question.directory.queues.get(queue.number)
        members = len(known.members) if known and known.members else len(queue.agents)
        total = queue.received
        lines.append(
            Line(
                (
                    label(queue.name, queue.number),
                    members,
                    total,
                    queue.serviced,
                    queue.unserved,
                    queue.unserved / total if total else 0.0,
                    queue.ring_s,
                    average(queue.ring_s, total) or 0,
                    queue.wait_s,
                    queue.talk_s,
                    average(queue.talk_s, queue.serviced) or 0,
                )
            )
        )
    sums = {place: sum(line.cells[place] for line in lines) for place in (1, 2, 3, 4, 6, 8, 9)}
    lines.append(Line(("Total:", *(sums.get(place) for place in range(1, 11))), "total"))
    columns = (
        Column("Queue", about="Name and number of the queue"),
        Column("Agents In Team", "count", "Members of the queue; where the directory names none, agents that rang"),
        Column("Total Calls", "count", _RECEIVED),
        Column("Serviced Calls", "count", _SERVICED),
        Column("Abandoned Calls", "count", _UNSERVED),
        Column("% Abandoned Calls", "percent", "Abandoned by total"),
        Column("Total Ringing Time", "duration", _RING),
        Column("Average Ringing Time", "duration", "Ringing time by total calls"),
        Column("Total Waiting Time", "duration", _WAIT),
        Column("Total Talking Time", "duration", _TALK),
        Column("Average Talking Time", "duration", "Talking time by serviced calls"),
    )
    return await report_of(question, "Team Queue General", "Team Queue General Statistics Report", columns, lines)


async def sla(question: Question) -> Report:
    """QUEUE_SLA_STATISTICS: calls that waited longer than their queue's SLA time."""
    lines = [
        Line(
            (
                label(queue.name, queue.number),
                queue.received,
                queue.breached,
                queue.breached / queue.received if queue.received else 0.0,
            )
        )
        for queue in await count(question, agents=False)
    ]
    columns = (
        Column("Queue", about="Name and number of the queue"),
        Column("Total Calls Received", "count", _RECEIVED),
        Column("Calls that breached SLA Time", "count", "Calls that waited longer than the SLA time of the queue"),
        Column("% Calls that breached SLA Time", "percent", "Breached by received"),
    )
    return await report_of(question, "Queue SLA", "Statistic SLA", columns, lines)
