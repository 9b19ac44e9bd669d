"""Late, out of order, never ended, taken over: the call is right in the end."""

from __future__ import annotations

import random
import time

import orjson
import pytest

from pipeline.calls.fold import version_of
from pipeline.warehouse.storage import rows
from pipeline.worker.core.batch_loop import REFRESH_EVERY_S
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment, wait_for
from tests.worker.phone_calls import JsonEvent, event, in_time, now_ms, phone_calls


def states(deployment: Deployment) -> dict[str, tuple[str, int]]:
    """call_id → (state, version)."""
    found = deployment.stored("call_rows", rows.CALL_COLUMNS)
    return {row["call_id"]: (row["state"], row["version"]) for row in found}


def answered(call_id: str, at: int) -> list[JsonEvent]:
    return [
        event(call_id, "started", at, 0, leg_id="a", caller="200", callee="300"),
        event(call_id, "rang", at + 500, 1, leg_id="a"),
        event(call_id, "answered", at + 2000, 2, leg_id="a"),
        event(call_id, "ended", at + 9000, 3, leg_id="a", hung_up_by="caller"),
    ]


def test_late_events_correct_calls_that_have_left_memory(deploy: Deploy) -> None:
    deployment = deploy(grace_s=0)
    worker = deployment.worker()
    at = now_ms() - 60_000
    events = answered("late", at)
    deployment.produce(events[1:])
    deployment.wait_done()
    wait_for(lambda: worker.metric("cdr_calls_in_memory") == 0, "forgotten")
    # The start comes at last: the key of the row changes with it.
    deployment.produce(events[:1])
    deployment.wait_done()
    wait_for(lambda: worker.metric("cdr_calls_in_memory") == 0, "forgotten")
    deployment.produce([events[0], event("late", "started", at - 3000, 9, leg_id="a", caller="200", callee="300")])
    deployment.wait_done()
    wait_for(lambda: worker.metric("cdr_calls_in_memory") == 0, "forgotten")
    deployment.produce([events[0], events[3]])
    deployment.wait_done()
    wait_for(lambda: worker.metric("cdr_calls_in_memory") == 0, "a duplicate forgotten, too")
    deployment.verify()
    assert worker.metric("cdr_events_late_total") > 0


def test_call_never_ended_is_closed_and_corrected_when_its_hang_up_comes(deploy: Deploy) -> None:
    deployment = deploy(open_limit_s=3)
    deployment.worker()
    events = answered("silent", now_ms() - 10_000)
    deployment.produce(events[:3])
    wait_for(lambda: states(deployment).get("silent", ("", 0))[0] == "closed", "closed as incomplete")
    calls = deployment.verify(expired=frozenset((("acme", "silent"),)))
    assert "incomplete" in calls["acme", "silent"].flags
    deployment.produce(events[3:])
    deployment.wait_done()
    assert deployment.verify()["acme", "silent"].flags == []


def test_open_calls_go_on_after_a_restart(deploy: Deploy) -> None:
    deployment = deploy()
    calls = phone_calls(200)
    first = deployment.worker()
    deployment.produce(in_time([call[: len(call) // 2] for call in calls]))
    deployment.wait_done()
    assert first.stop() == 0
    second = deployment.worker()
    deployment.produce(in_time([call[len(call) // 2 :] for call in calls]))
    deployment.wait_done()
    deployment.verify()
    assert second.metric("cdr_calls_reloaded_total") > 0


@pytest.mark.slow
def test_replay_of_the_whole_topic_changes_nothing(deploy: Deploy) -> None:
    deployment = deploy(batch_events=300)
    events = in_time(phone_calls(500))
    random.Random(2).shuffle(events)
    deployment.produce(events)
    first = deployment.worker()
    deployment.wait_done()
    deployment.verify()
    assert first.stop() == 0
    deployment.worker(group=f"{deployment.settings.group}-again", batch_events=700)
    deployment.wait_done(group=f"{deployment.settings.group}-again")
    deployment.verify()


def test_change_feed_tells_every_version_in_order(deploy: Deploy) -> None:
    deployment = deploy(batch_wait_s=0.01)
    deployment.worker()
    events = answered("watched", now_ms() - 20_000)
    for each in events:
        deployment.produce([each])
        deployment.wait_done()
        time.sleep(REFRESH_EVERY_S + 0.3)  # what goes on is shown so often
    told = [orjson.loads(record.value) for record in deployment.feed()]
    assert [shown["version"] for shown in told] == [version_of(events, False) for events in (1, 2, 3, 4)]
    assert [shown["state"] for shown in told] == ["open", "open", "open", "closed"]
    assert {record.partition for record in deployment.feed()} == set(deployment.ends)
    deployment.verify()


def test_metrics_are_there(deploy: Deploy) -> None:
    deployment = deploy()
    worker = deployment.worker()
    deployment.produce(in_time(phone_calls(20)))
    deployment.send([(b"k", b"poison")])
    deployment.wait_done()
    assert worker.metric("cdr_events_total") == len(deployment.values)
    assert worker.metric("cdr_dead_letters_total") == 1
    assert worker.metric('cdr_calls_closed_total{reason="hangup"}') == 20
    assert worker.metric("cdr_batch_step_seconds_count") > 3
    wait_for(lambda: worker.metric("cdr_consumer_lag") == 0 and "cdr_consumer_lag{" in worker.get("/metrics")[1], "lag")
    assert worker.metric("cdr_durable_offset") == sum(deployment.ends.values())
    assert worker.get("/livez")[0] == 200 and worker.get("/other")[0] == 404
