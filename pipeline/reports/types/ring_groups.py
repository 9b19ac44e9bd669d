"""PortSIP's report RING_GROUP_STATISTICS: calls that ring groups had, and which member answered."""

from __future__ import annotations

from typing import Any

from pipeline.reports.rendering.table import Column, Line, Report, Table, label
from pipeline.reports.types import overview
from pipeline.reports.types.build import Question
from pipeline.warehouse.analytics.visits import calls_ended, group_calls, member_tries
from pipeline.warehouse.query.bindings import Bindings


async def ring_groups(question: Question) -> Report:
    """RING_GROUP_STATISTICS."""
    span, directory = question.span, question.directory
    asked = question.filter.get("ring_groups") or []
    known = {number: directory.ring_groups[number].members for number in directory.ring_groups}
    known |= {number: () for number in asked if number not in known}

    def calls(bindings: Bindings) -> str:
        return group_calls(question.view, span.first_ms, span.end_ms, known, bindings)

    bindings = Bindings()
    received = await question.rows(
        "ring_groups", f"SELECT grp, uniqExact(session) AS n FROM ({calls(bindings)}) GROUP BY grp", bindings
    )
    bindings = Bindings()
    tries = member_tries(question.view, span.first_ms, span.end_ms, known, bindings)
    members = await question.rows(
        "ring_group_members",
        f"SELECT grp, agent, any(agent_name) AS name, countIf(reached) AS answered FROM ({tries}) GROUP BY grp, agent",
        bindings,
    )
    counts = {row["grp"]: int(row["n"]) for row in received}
    answered: dict[str, dict[str, tuple[str, int]]] = {}
    for group, members_of in known.items():
        answered[group] = dict.fromkeys(members_of, ("", 0))
    for row in members:
        answered.setdefault(row["grp"], {})[row["agent"]] = (row["name"], int(row["answered"]))
    lines: list[Line] = []
    for group in asked or sorted({*counts, *directory.ring_groups}):
        total = counts.get(group, 0)
        head: list[Any] = [label(directory.name_of(group), group)]
        for number, (name, done) in sorted(answered.get(group, {}).items()):
            lines.append(
                Line(
                    (head[0], question.party(number, name), done, total if head[0] else None), "head" if head[0] else ""
                )
            )
            head = [None]
        if head[0]:
            lines.append(Line((head[0], None, None, total), "head"))
        lines.append(Line(("Total:", None, sum(done for _, done in answered.get(group, {}).values()), total), "total"))
    columns = (
        Column("Ring Group", about="Name and number of the ring group"),
        Column("Agent", about="Member of the group"),
        Column("Total Answered", "count", "Calls to the group that this member answered"),
        Column("Total Received", "count", "Calls that the group had, once for the whole group"),
    )

    def plotted(bindings: Bindings) -> str:
        only = f" WHERE grp IN {bindings.bind(asked, 'Array(String)')}" if asked else ""
        return (
            "SELECT toUnixTimestamp64Milli(started_at) AS at, status"
            f" {calls_ended(question.view, span.first_ms, span.end_ms, bindings)}"
            f" AND id IN (SELECT session FROM ({calls(bindings)}){only})"
        )

    return Report(
        question.type,
        "Ring Group",
        "Ring Group Statistics Report",
        span,
        (Table(columns, lines),),
        (("RingGroup", asked[0] if len(asked) == 1 else "Multiple"),),
        plots=await overview.call_plots(question, plotted),
    )
