"""`cdr doctor` on the nodes: clocks, silence, events that come twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.doctor import nodes
from pipeline.doctor.events import Sample
from pipeline.doctor.nodes import DAY_S, SLOT_S, WEEK_S, unusual
from pipeline.kafka import partition_of
from tests.servers import ClickHouseServer

INSERT = """
    INSERT INTO event_rows (tenant, call_id, event_id, at, type, node, archived_at)
    SELECT 't', 'c', concat({node:String}, toString(number)), now64(3) - toIntervalSecond({age:Int32}), 'started',
           {node:String}, now() - toIntervalSecond({archived:Int32})
    FROM numbers({events:UInt32})
"""


def _archive(client: Any, node: str, events: int, age: int, archived: int = 0) -> None:
    """Events that happened `age` and were archived `archived` seconds ago."""
    client.command(INSERT, parameters={"node": node, "events": events, "age": age, "archived": archived})


def test_wrong_clocks_and_silent_nodes_are_named(clickhouse_endpoint: ClickHouseServer, database: str) -> None:
    client = clickhouse_endpoint.client(database)
    try:
        assert nodes.checks(client, "nowhere") == []
        assert [check.state for check in nodes.checks(client, database)] == ["ok", "ok"]
        _archive(client, "good", 100, 1)
        _archive(client, "seldom", 1, 90)
        _archive(client, "fast", 100, -30)
        _archive(client, "slow", 100, 120)
        _archive(client, "", 100, -60)
        _archive(client, "quiet", 100, 7200, 7200)
        clocks, silent = nodes.checks(client, database)
    finally:
        client.close()
    assert (clocks.state, silent.state) == ("warn", "warn")
    told = clocks.found.split(", ")
    assert [each.rpartition(" is ")[0] for each in told] == ["a node without a name", "fast", "slow"]
    assert told[1].endswith(" s ahead") and told[2].endswith(" s behind") and "NTP" in clocks.hint
    assert silent.found.startswith("quiet since ") and silent.found.endswith("(120 min)")


@pytest.mark.parametrize(
    ("silence_s", "spoke_ago_s", "is_unusual"),
    [
        (3 * 3600, [], True),  # only today: no habits yet
        (3 * 3600, [DAY_S + 3600], True),  # yesterday at this time it spoke
        (3 * 3600, [DAY_S + 12 * 3600], False),  # yesterday it was silent, too
        (3 * 3600, [WEEK_S + 3600, WEEK_S + 5 * 3600], True),  # Tuesday: it spoke a week ago
        (3 * 3600, [DAY_S + 3600, WEEK_S + 5 * 3600], False),  # Saturday: silent a week ago, whatever Friday was
        (30 * 3600, [], True),  # longer than a day
    ],
)
def test_silence_is_measured_by_the_habits_of_the_node(
    silence_s: int, spoke_ago_s: list[int], is_unusual: bool
) -> None:
    now = 1_773_144_000
    last = now - silence_s
    slots = [(now - ago) // SLOT_S * SLOT_S for ago in (*spoke_ago_s, silence_s)]
    assert unusual(slots, last, now) is is_unusual


def test_the_rate_of_copies_of_each_node() -> None:
    sample = Sample(4)

    def look(node: str, call_id: str, event_id: str) -> None:
        value = {"type": "rang", "call_id": call_id, "node": node, **({"event_id": event_id} if event_id else {})}
        key = call_id.encode()
        sample.look(partition_of(key, 4), key, json.dumps(value).encode())

    for number in range(40):
        look("twice", f"c-{number}", "e")
        look("twice", f"c-{number}", "e")
        look("once", f"d-{number}", "")
    look("few", "f", "")
    look("few", "f", "")
    sample.look(0, b"x", b"no event")
    keys, duplicates = sample.checks()
    assert (keys.state, keys.found) == ("ok", "122 events looked at")
    assert (duplicates.state, duplicates.found) == ("warn", "of the newest events: twice 50%")
    assert [check.found for check in Sample(1).checks()] == ["0 events looked at", "0 of the 0 newest events"]
