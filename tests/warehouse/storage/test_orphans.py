"""Rows that a late write left are retired; everything that somebody stands for stays."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.calls.fold import fold
from pipeline.sources import canonical
from pipeline.warehouse.storage import rows, writer
from pipeline.warehouse.storage.archive import Row
from pipeline.warehouse.storage.orphans import Absorbed, retire_orphans
from schemas.call import Call
from schemas.version import fold_of
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
    assert fold_of(priced.version) == fold_of(calls[2][0].logs[0].version)
    watched = {(whole.tenant, whole.call_id): (AT, AT + 90_000) for whole, _ in calls}
    orphans = sum(1 + len(early.logs) for whole, early in calls if whole.call_id in ("c1", "c4"))
    same = sum(1 for n in (1, 4) for log in calls[n][1].logs if (log.started_at, log.id) in rows.log_keys(calls[n][0]))
    assert retire_orphans(client, watched, "first").rows == orphans - same
    assert live(client, "call_rows") == sorted((whole.call_id, whole.id, whole.version) for whole, _ in calls)
    wanted = sorted((log.call_id, log.id) for whole, _ in calls for log in whole.logs)
    assert [row[:2] for row in live(client, "call_log_rows")] == wanted
    assert retire_orphans(client, watched, "second").rows == 0


def expected(call: Call) -> tuple[str, Row]:
    """The row of a call that somebody was about to write."""
    key, logs = rows.call_key(call), rows.log_keys(call)
    return call.tenant, Row(key, call.call_id, logs, call.version, merged=call.merged_call_ids)


def test_what_somebody_was_about_to_write_is_retired_before_it_comes(client: Any) -> None:
    whole, early = made("c", 1)
    written(client, whole)
    retire_orphans(client, {}, "first", [expected(early)])
    written(client, early)  # the write that was under way
    assert live(client, "call_rows") == [("c", whole.id, whole.version)]
    assert [row[1] for row in live(client, "call_log_rows")] == sorted(log.id for log in whole.logs)
    assert retire_orphans(client, {}, "second", [expected(whole), expected(early)]).rows == 0
    assert live(client, "call_rows") == [("c", whole.id, whole.version)]


def test_what_is_newer_than_everything_there_may_come(client: Any) -> None:
    whole, early = made("c", 1)
    written(client, early)
    assert retire_orphans(client, {}, "t", [expected(whole)]).rows == 0
    written(client, whole)
    assert ("c", whole.id, whole.version) in live(client, "call_rows")


def test_an_id_that_another_call_has_meanwhile_is_told_of(client: Any) -> None:
    """Somebody thought the joined calls to be "two" while the caller's leg, in "one", was not known yet."""
    one, two = phone_call("one", AT, random.Random(1)), phone_call("two", AT + 3000, random.Random(2))
    two[-1]["linked_ids"] = ["one"]
    joint = fold(canonical.decode([value for _, value in encoded([*one, *two])]).events)
    early = fold(canonical.decode([value for _, value in encoded([*one[2:3], *two])]).events)
    assert (joint.call_id, early.call_id) == ("one", "two")
    written(client, joint)
    done = retire_orphans(client, {}, "t", [expected(early), expected(joint)])
    assert done.absorbed == [Absorbed("acme", "two", joint.id, "one", joint.version)]
    written(client, early)
    assert live(client, "call_rows") == [("one", joint.id, joint.version)]


def test_rows_of_a_call_that_was_taken_in_are_retired(client: Any) -> None:
    one = phone_call("one", AT, random.Random(1))
    two = phone_call("two", AT + 3000, random.Random(2))
    two[-1]["linked_ids"] = ["one"]
    (alone,) = truth(value for _, value in encoded(two)).values()
    joint = fold(canonical.decode([value for _, value in encoded([*one, *two])]).events)
    written(client, joint)
    written(client, alone)
    watched = {("acme", call_id): (AT, AT + 200_000) for call_id in ("one", "two")}
    assert retire_orphans(client, watched, "t").rows == 1 + len(alone.logs)
    assert live(client, "call_rows") == [(joint.call_id, joint.id, joint.version)]
    assert {row[0] for row in live(client, "call_log_rows")} == {joint.call_id}
