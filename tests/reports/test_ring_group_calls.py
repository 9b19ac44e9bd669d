"""Which ring group a call counts for: asked for, sent there by an IVR, one after the other, nobody answered."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.directory.model import RingGroup, Tenant
from pipeline.reports.catalogue import ALL
from pipeline.reports.ranges import span_of
from pipeline.reports.types.build import Question
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.reference.directories import Directories, save
from tests.query.stored_calls import NOON, stored_call, write
from tests.servers import ClickHouseServer

GROUPS = {"601": ("201", "202"), "602": ("202", "203", "204")}


def move(kind: str, source: str | None, to: str, at: int = NOON) -> dict[str, Any]:
    names = {"reason": None, "by": None, "result": None}
    return {"at": at, "kind": kind, "from": source, "to": to, **names}


def rang(number: str, reached: bool = False, kind: str = "ring_group_member") -> dict[str, Any]:
    log: dict[str, Any] = {"kind": kind, "number": number, "name": ""}
    return log if reached else log | {"answered_at": None, "talk_ms": 0, "outcome": "no_answer"}


IVR: dict[str, Any] = {"kind": "ivr", "number": "500", "name": "Menu"}
# (requested, reroutes, logs, groups that had the call, who answered for which)
CASES: dict[str, tuple[str, list[dict[str, Any]], list[dict[str, Any]], set[str], set[tuple[str, str]]]] = {
    "asked for, answered": (
        "601", [move("ring_group", "601", "201")], [rang("201", True), rang("202")], {"601"}, {("601", "201")},
    ),
    "asked for, in vain": ("601", [], [rang("201"), rang("202")], {"601"}, set()),
    "through an IVR, answered": (
        "500", [move("redirect", "500", "602"), move("ring_group", "602", "203")],
        [IVR, rang("202"), rang("203", True), rang("204")], {"602"}, {("602", "203")},
    ),
    "through an IVR, in vain": (
        "500", [move("redirect", "500", "602")], [IVR, rang("202"), rang("203")], {"602"}, set(),
    ),
    "through an IVR that told nothing, in vain": ("500", [], [IVR, rang("203"), rang("204")], {"602"}, set()),
    "through an IVR that told nothing, smallest group": ("500", [], [IVR, rang("202")], {"601"}, set()),
    "through an IVR, phones that nobody called members": (
        "500", [move("redirect", "500", "602")], [IVR, rang("202", True, "extension"), rang("203", kind="extension")],
        {"602"}, {("602", "202")},
    ),
    "one group after the other": (
        "601", [move("forward_no_answer", "601", "602"), move("ring_group", "602", "204")],
        [rang("201"), rang("204", True)], {"601", "602"}, {("602", "204")},
    ),
    "a group that the directory does not know": (
        "699", [move("ring_group", "699", "201")], [rang("201", True), rang("209")], {"699"}, {("699", "201")},
    ),
    "no group at all": ("500", [], [IVR, rang("201", True, "extension")], set(), set()),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
async def test_attribution(clickhouse_endpoint: ClickHouseServer, database: str, name: str) -> None:
    requested, moves, logs, groups, answered = CASES[name]
    with clickhouse_endpoint.client(database) as client:
        entries: dict[tuple[str, str], Any] = {("tenant", "acme"): Tenant("acme", zone="UTC")}
        entries |= {("ring_group", number): RingGroup(number, f"Group {number}", of) for number, of in GROUPS.items()}
        save(client, "acme", entries, "tests")
        write(client, [stored_call("acme", "c1", NOON, requested=requested, reroutes=moves, logs=logs)])
    reader = Reader(clickhouse_endpoint.url, database)
    try:
        span = span_of("TODAY", NOON + 3_600_000, "UTC", None)
        directory = await Directories(reader).of("acme")
        kind = ALL["RING_GROUP_STATISTICS"]
        report = await kind.build(Question(reader, directory, kind.type, span, kind.filter({})))
        lines = [line.cells for line in report.tables[0].lines]  # type: ignore[union-attr]
    finally:
        reader.close()
    received, reached, group = set(), set(), ""
    for head, agent, done, number in lines:
        if head == "Total:":
            if number:
                received.add(group)
            continue
        group = str(head).split(" ")[-1].strip("[]()") if head else group
        if done:
            reached.add((group, str(agent).split(" ")[-1].strip("[]()")))
    assert received == groups
    assert reached == answered
