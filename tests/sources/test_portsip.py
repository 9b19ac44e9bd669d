"""PortSIP's live events, one thing at a time. Whole calls: the scenario files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.calls.fold import fold
from pipeline.sources.contract import Options
from pipeline.sources.portsip.decoder import decode
from tests.sources import mutation, scenario

TIME = "1773136800"


def told(kind: str, **fields: Any) -> bytes:
    return json.dumps({"event_type": kind, "time": TIME, "session_id": "9", **fields}).encode()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{}", "/event_type: is missing; send the events of the topic cdr_events"),
        (told("call_start", session_id=""), "/session_id: is missing"),
        (told("call_start", time="0"), "/time: is missing"),
        (told("call_cdr"), "/start_time: is missing"),
        (told("call_cdr", start_time=TIME, ended_time="7"), "/ended_time: '7' is no time since 2000"),
    ],
)
def test_what_is_wrong_is_said(value: bytes, reason: str) -> None:
    decoded = decode([value, told("call_start")])
    assert decoded.rejected[0].reason.startswith(reason)
    assert decoded.origin == [1]


def test_events_of_other_topics_tell_nothing() -> None:
    assert decode([told("extension_registered"), told("queue_agent_status")]).events == []


def test_an_event_with_its_topic_around_it() -> None:
    inner = json.loads(told("call_start"))
    assert decode([json.dumps({"topic": "cdr_events", "data": inner}).encode()]).events[0].call_id == "9"


def test_the_record_takes_the_place_of_live_targets() -> None:
    live = [told("cdr_target_add", destination=f"sip:1002@192.0.2.{place}") for place in (1, 2)]
    target = {"callee": "1002", "destination": "sip:1002@192.0.2.1", "start_time": TIME, "ended_time": "1773136810"}
    record = told("call_cdr", start_time=TIME, ended_time="1773136810", callee="1002", call_targets=[target])
    assert len(fold(decode([told("call_start"), *live]).events).logs) == 2
    assert len(fold(decode([told("call_start"), *live, record]).events).logs) == 1


def test_tenant_and_sip_call_id() -> None:
    event = decode([told("call_start", call_id="k@phone")], Options(tenant="acme", sip_ids=True)).events[0]
    assert (event.tenant, event.linked_ids) == ("acme", ["k@phone"])


@pytest.mark.parametrize("seed", range(3))
def test_mutated_values(seed: int) -> None:
    values = [value for name in scenario.names("portsip") for value in scenario.load("portsip", name)["values"]]
    mutation.check(decode, values, seed)
