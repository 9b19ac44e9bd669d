"""Nodes: what each told last, how late it comes; and eight days of events are not read again each time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pipeline.warehouse.analytics.nodes import Node, nodes_of
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.query.view import View
from tests.servers import ClickHouseServer

TENANT = "nodes"
HOUR_MS = 3_600_000


def tell(client: Any, node: str, at: int, *, late_s: float = 0, type_: str = "rang", call_id: str = "") -> None:
    """An event of a node that happened at `at` (ms) and was archived so much later."""
    client.insert(
        "event_rows",
        [[TENANT, call_id or f"{node}-{at}", f"{node}-{at}-{type_}", at, type_, node, "{}", int((at / 1000) + late_s)]],
        column_names=["tenant", "call_id", "event_id", "at", "type", "node", "raw", "archived_at"],
    )


@pytest.fixture
def asked(clickhouse_server: ClickHouseServer, client: Any) -> Any:
    """A reader of its own, and the names of its questions."""
    names: list[str] = []
    reader = Reader(clickhouse_server.url, client.database, observe=lambda name, _: names.append(name))
    yield reader, names
    reader.close()


async def found(reader: Reader, masked: bool = False) -> dict[str, Node]:
    return {node.name: node for node in await nodes_of(reader, View(TENANT, masked=masked))}


async def test_what_each_node_told(client: Any, asked: Any) -> None:
    reader, names = asked
    now = int(time.time() * 1000)
    for ago in (60_000, 120_000, 20 * HOUR_MS):
        tell(client, "well", now - ago, late_s=2 if ago < HOUR_MS else ago / 1000)  # the day was filled belatedly
    tell(client, "late", now - 3 * HOUR_MS, late_s=3 * 3600 - 30)
    for second in range(7):
        tell(client, "silent", now - 50 * HOUR_MS - second * 1000, call_id=f"+44163296012{second}")
    tell(client, "forgotten", now - 9 * 24 * HOUR_MS)
    tell(client, "well", now - 30_000, late_s=900, type_="data")  # what says when something was, not when it came
    nodes = await found(reader)
    assert sorted(nodes) == ["late", "silent", "well"]
    well = nodes["well"]
    assert well.events_hour == 4 and 1 <= (well.late_s or 0) <= 3 and 1 <= (well.usual_s or 0) <= 3
    assert [event.at for event in well.newest_events[1:]] == [now - 60_000, now - 120_000]
    assert nodes["late"].events_hour == 1 and (nodes["late"].late_s or 0) > 10_000
    silent = nodes["silent"]
    assert silent.events_hour == 0 and silent.late_s is None and silent.last_at == now - 50 * HOUR_MS
    assert [event.call_id for event in silent.newest_events] == ["+441632960120"]
    assert len(silent.slots) in (1, 2)
    assert [event.call_id for event in (await found(reader, masked=True))["silent"].newest_events] != ["+441632960120"]

    # again: the days are known, the last hour is asked
    names.clear()
    tell(client, "new", now - 1_000)
    tell(client, "silent", now - 2_000)
    nodes = await found(reader)
    assert names.count("nodes_past") == 0 and names.count("nodes") == 1
    assert nodes["new"].last_at == now - 1_000 and nodes["silent"].last_at == now - 2_000
    assert len(nodes["silent"].slots) in (2, 3) and nodes["silent"].events_hour == 1
