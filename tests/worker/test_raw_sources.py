"""Raw events of PBXs in, calls out: every scenario file through a real worker."""

from __future__ import annotations

import json
import random
import signal

import pytest

from pipeline import kafka
from pipeline.sources import canonical
from tests.sources import scenario
from tests.worker.commands import cdr, listed
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment, wait_for
from tests.worker.source_scenarios import scenarios

DIALECTS = ("freeswitch", "asterisk")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_scenarios_through_the_worker(deploy: Deploy, dialect: str) -> None:
    deployment = deploy(partitions=2)
    messages, events = scenarios(dialect)
    messages += random.Random(1).choices(messages, k=100)
    random.Random(2).shuffle(messages)
    deployment.worker()
    half = len(messages) // 2
    deployment.send_raw(dialect, messages[:half])
    deployment.send_raw(dialect, messages[half:])
    deployment.wait_raw_done()
    deployment.verify_joined(events)
    assert deployment.dead_letters() == []


def test_a_worker_killed_after_sending_on_does_it_again(deploy: Deploy) -> None:
    deployment = deploy(partitions=2, group_instance="only")
    messages, events = scenarios("freeswitch")
    deployment.send_raw("freeswitch", messages)
    worker = deployment.worker(ready=False, crash_after="raw_events")
    assert worker.wait() == -signal.SIGKILL
    assert deployment.committed(topic=deployment.settings.freeswitch_topic) == {}
    deployment.worker()
    deployment.wait_raw_done()
    deployment.verify_joined(events)


def test_what_is_no_event_is_a_dead_letter_and_keeps_its_tenant(deploy: Deploy) -> None:
    deployment = deploy(partitions=1)
    deployment.worker()
    good = scenario.load("freeswitch", "answered")["values"]
    broken = good[0].replace(b"Event-Date-Timestamp", b"Event-Date-Lost")
    deployment.send_raw("freeswitch", [(b"k", value, "acme") for value in [*good[1:], broken, b"no json"]])
    deployment.wait_raw_done()
    letters = listed(deployment)
    assert ["/Event-Date-Timestamp" in str(letter["reason"]) for letter in letters] == [True, False]
    assert str(letters[0]["source"]).startswith(deployment.settings.freeswitch_topic + "/0/")
    assert {key[0] for key in _calls(deployment)} == {"acme"}
    assert cdr(deployment, "dead-letters", "replay", str(letters[1]["offset"])).returncode == 0
    wait_for(lambda: len([each for each in deployment.dead_letters() if each.value]) == 3, "the letter comes back")
    again = [each for each in deployment.dead_letters() if each.value][-1]
    assert dict(again.headers)[kafka.HEADER_PREFIX + kafka.TENANT_HEADER] == b"acme"


def _calls(deployment: Deployment) -> set[tuple[str, str]]:
    return {(row["tenant"], row["call_id"]) for row in deployment.stored("call_rows", ("tenant", "call_id"))}


def test_cloud_events_on_the_events_topic(deploy: Deploy) -> None:
    """Binary and structured mode; what the event itself says wins."""
    deployment = deploy(partitions=1)
    deployment.worker()
    attributes = {"ce_specversion": "1.0", "ce_source": "/pbx/1", "content-type": "application/json"}
    binary = [
        ("1", "com.example.call.started", "2026-03-10T12:00:00Z", {"leg_id": "a", "caller": "100", "callee": "200"}),
        ("2", "answered", "2026-03-10T12:00:05Z", {"leg_id": "a"}),
        ("2", "answered", "2026-03-10T12:00:05Z", {"leg_id": "a"}),
    ]
    messages = [
        (b"ce", json.dumps(data).encode(), attributes | {"ce_id": id_, "ce_type": type_, "ce_time": at})
        for id_, type_, at, data in binary
    ]
    envelope = {
        "specversion": "1.0",
        "id": "3",
        "source": "/pbx/1",
        "type": "ended",
        "time": "2026-03-10T12:01:05Z",
        "partitionkey": "ce",
        "data": {"leg_id": "a", "call_id": "ce", "q850_cause": 16, "hung_up_by": "party"},
    }
    messages.append((b"ce", json.dumps(envelope).encode(), {"content-type": "application/cloudevents+json"}))
    deployment.send_with_headers(messages)
    deployment.wait_done()
    (row,) = deployment.stored("call_rows", ("call_id", "status", "talk_ms", "events", "caller_number"))
    assert row == {"call_id": "ce", "status": "answered", "talk_ms": 60_000, "events": 3, "caller_number": "100"}
    raw = deployment.client.query("SELECT raw FROM event_rows").result_rows
    assert not canonical.decode([bytes(value, "utf-8") for (value,) in raw]).rejected
    assert deployment.dead_letters() == []
