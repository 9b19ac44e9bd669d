"""A phone that counts its calls from 1 each day: the same call id is another call, whatever the worker knows of it."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import orjson
import pytest

from pipeline.calls.fold import fold
from pipeline.calls.grouping import group, over
from pipeline.sources import canonical
from pipeline.warehouse.storage import rows
from pipeline.warehouse.storage.rows import call_row
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment, wait_for
from tests.worker.phone_calls import JsonEvent, event, now_ms

DAY = 86_400_000


def day_of_calls(day: int, at: int, *, ended: bool = True) -> list[JsonEvent]:
    """Ids 1 to 5 of one day; with the numbers of its events a day begins anew, too."""
    events: list[JsonEvent] = []
    for number in range(1, 6):
        begun = at + number * 10_000
        events += [
            event(f"{number}", "started", begun, 0, leg_id="a", caller="200", callee=f"30{day}"),
            event(f"{number}", "rang", begun + 400, 1, leg_id="a"),
            event(f"{number}", "answered", begun + 3000, 2, leg_id="a"),
        ]
        if ended or number % 2:
            events.append(event(f"{number}", "ended", begun + 9000 + day * 1000, 3, leg_id="a", hung_up_by="caller"))
    return events


def check(deployment: Deployment) -> None:
    """Every use of every id is a call of its own, right in each field but the version; nothing else is there."""
    events = canonical.decode(deployment.values).events
    together = group(events)
    calls = [fold(each, expired=ended) for each, ended in zip(together, over(together), strict=True)]
    names = [name for name in rows.CALL_COLUMNS if name not in ("version", "detail")]

    def shown(row: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in names)

    def wanted() -> list[tuple[Any, ...]]:
        found = []
        for call in calls:
            row = dict(zip(rows.CALL_COLUMNS, call_row(call), strict=True))
            times = {name: getattr(call, name) for name in rows.TIMES if name in row}
            found.append(shown(row | times))
        return sorted(found, key=repr)

    def stored() -> list[tuple[Any, ...]]:
        return sorted(map(shown, deployment.stored("call_rows", rows.CALL_COLUMNS)), key=repr)

    wait_for(lambda: stored() == wanted(), lambda: f"{stored()}\n{wanted()}", 20)
    logs = sorted((log.id, log.session_id) for call in calls for log in call.logs)
    found_logs = deployment.stored("call_log_rows", rows.LOG_COLUMNS)
    assert sorted((log["id"], log["session_id"]) for log in found_logs) == logs
    command = [sys.executable, "-m", "pipeline.cli", "verify", "--from", "2020-01-01"]
    done = subprocess.run(command, env=deployment.environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_day_has_its_own_calls_whatever_comes_first(deploy: Deploy) -> None:
    deployment = deploy(partitions=2, grace_s=0, batch_events=20)
    worker = deployment.worker()
    today = now_ms() - 100_000
    days = [day_of_calls(day, today - (3 - day) * DAY, ended=day != 1) for day in range(4)]
    # Today first, then what other days left behind, in no order; the hang-ups of one day come last.
    deployment.produce(days[3])
    deployment.wait_done()
    wait_for(lambda: worker.metric("cdr_calls_in_memory") == 0, "forgotten")
    late = [each for each in days[0] if each["type"] == "ended"]
    rest = [each for each in days[0] + days[1] + days[2] if each not in late]
    random.Random(4).shuffle(rest)
    deployment.produce(rest[:20])
    deployment.wait_done()
    deployment.produce(rest[20:])
    deployment.wait_done()
    assert worker.stop() == 0
    deployment.worker()  # which finds all of it in the archive
    deployment.produce(late)
    deployment.wait_done()
    check(deployment)


def test_a_queue_that_calls_back_after_a_while_goes_on_with_its_call(deploy: Deploy) -> None:
    """All legs had ended and the call had left memory: what begins under its id some minutes later is the same call."""
    deployment = deploy(partitions=1, grace_s=0)
    worker = deployment.worker()
    at = now_ms() - 3_600_000
    first = [
        event("q", "started", at, 0, leg_id="a", caller="200", callee="800"),
        event("q", "ended", at + 20_000, 1, leg_id="a", hung_up_by="caller"),
    ]
    deployment.produce(first)
    deployment.wait_done()
    wait_for(lambda: worker.metric("cdr_calls_in_memory") == 0, "forgotten")
    again = [
        event("q", "started", at + 1_800_000, 2, leg_id="b", caller="800", callee="200"),
        event("q", "ended", at + 1_860_000, 3, leg_id="b"),
    ]
    deployment.produce(again)
    deployment.wait_done()
    check(deployment)
    (row,) = deployment.stored("call_rows", rows.CALL_COLUMNS)
    assert row["events"] == 4 and orjson.loads(row["detail"])["legs"]


def two_nodes(second: str, leg: str) -> list[JsonEvent]:
    """A call on one node, and what another tells under the id `second`, all the while."""
    at = now_ms() - 100_000
    numbers = iter(range(20))

    def tell(node: str, call_id: str, kind: str, after: int, leg_id: str, **more: Any) -> JsonEvent:
        number = f"{node}-{next(numbers)}"  # one within the call, for both nodes
        return event(call_id, kind, at + after, 0, node=node, leg_id=leg_id, **more) | {"event_id": number}

    return [
        tell("site1", "17", "started", 0, "a", caller="200", callee="300"),
        tell(
            "site2", second, "started", 100, leg, caller="200", callee="300", peer_leg_id="a" if second == "17" else ""
        ),
        tell("site2", second, "rang", 400, leg),
        tell("site2", second, "answered", 3000, leg),
        tell("site1", "17", "answered", 3010, "a"),
        tell("site2", second, "ended", 9000, leg, hung_up_by="party"),
        tell("site1", "17", "ended", 9010, "a"),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_a_call_that_passes_two_nodes_is_one(seed: int) -> None:
    """Both tell of it under one id, at the same time, in any order."""
    events = two_nodes("17", "b")
    random.Random(seed).shuffle(events)
    (call,) = [fold(each) for each in group(canonical.decode([orjson.dumps(each) for each in events]).events)]
    assert call.events == len(events)
    assert {(leg["leg_id"], leg["node"]) for leg in call.legs} == {("a", "site1"), ("b", "site2")}
    assert (call.status, call.answered_by, call.talk_ms) == ("answered", "300", 6000)


def test_two_calls_at_once_need_two_ids() -> None:
    """The rule for nodes that count their calls by themselves: something in front of the number."""
    events = canonical.decode([orjson.dumps(each) for each in two_nodes("site2-17", "a")]).events
    calls = [fold(each) for each in group(events)]
    assert {call.call_id: call.events for call in calls} == {"17": 3, "site2-17": 4}
