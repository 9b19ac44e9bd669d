"""Rows that a late write left are retired; everything that somebody stands for stays."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.calls.fold import fold
from pipeline.warehouse.storage import rows, writer
from pipeline.warehouse.storage.orphans import retire_orphans
from schemas.call import RERATED_BITS, Call
from tests.servers import ClickHouseServer
from tests.worker.phone_calls import encoded, phone_call, truth

AT = 1_750_000_000_000


@pytest.fixture
def client(clickhouse_endpoint: ClickHouseServer, database: str) -> Iterator[Any]:
    client = clickhouse_endpoint.client(database)
    yield client
    client.close()


def written(client: Any, call: Call) -> None:
    writer.write_call_logs(client, rows.log_rows(call))
    writer.write_calls(client, [rows.call_row(call)])


def live(client: Any, table: str) -> list[tuple[Any, ...]]:
    found = client.query(f"SELECT call_id, id, version FROM {table} FINAL WHERE retired = 0 ORDER BY call_id, id")
    return [tuple(row) for row in found.result_rows]


def made(call_id: str, seed: int) -> tuple[Call, Call]:
    """A call, and what somebody knew of it before its start came: under other keys."""
    events = [value for _, value in encoded(phone_call(call_id, AT, random.Random(seed)))]
    (whole,) = truth(events).values()
    (early,) = truth(events[2:]).values()
    assert rows.call_key(whole) != rows.call_key(early)
    return whole, early


def test_what_a_late_write_left_is_retired_and_nothing_else(client: Any) -> None:
    calls = [made(f"c{number}", number) for number in range(6)]
    for whole, early in calls:
        written(client, whole)
        if whole.call_id in ("c1", "c4"):
            written(client, early)  # it arrives after the newer one, whose writer never knew of it
    priced = calls[2][0]
    priced.version |= 3  # priced again: its logs keep their version
    writer.write_calls(client, [rows.call_row(priced)])
    assert priced.version >> RERATED_BITS == calls[2][0].logs[0].version >> RERATED_BITS
    watched = {(whole.tenant, whole.call_id): (AT, AT + 90_000) for whole, _ in calls}
    orphans = sum(1 + len(early.logs) for whole, early in calls if whole.call_id in ("c1", "c4"))
    same = sum(1 for n in (1, 4) for log in calls[n][1].logs if (log.started_at, log.id) in rows.log_keys(calls[n][0]))
    assert retire_orphans(client, watched, "first") == orphans - same
    assert live(client, "call_rows") == sorted((whole.call_id, whole.id, whole.version) for whole, _ in calls)
    wanted = sorted((log.call_id, log.id) for whole, _ in calls for log in whole.logs)
    assert [row[:2] for row in live(client, "call_log_rows")] == wanted
    assert retire_orphans(client, watched, "second") == 0


def test_rows_of_a_call_that_was_taken_in_are_retired(client: Any) -> None:
    one = phone_call("one", AT, random.Random(1))
    two = phone_call("two", AT + 3000, random.Random(2))
    two[-1]["linked_ids"] = ["one"]
    (alone,) = truth(value for _, value in encoded(two)).values()
    from pipeline.sources import canonical

    joint = fold(canonical.decode([value for _, value in encoded([*one, *two])]).events)
    written(client, joint)
    written(client, alone)
    watched = {("acme", call_id): (AT, AT + 200_000) for call_id in ("one", "two")}
    assert retire_orphans(client, watched, "t") == 1 + len(alone.logs)
    assert live(client, "call_rows") == [(joint.call_id, joint.id, joint.version)]
    assert {row[0] for row in live(client, "call_log_rows")} == {joint.call_id}
