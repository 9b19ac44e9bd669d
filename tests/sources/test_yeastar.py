"""Yeastar's reports, one thing at a time. Whole calls: the scenario files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.calls.fold import fold
from pipeline.sources.contract import Options
from pipeline.sources.registry import stamped
from pipeline.sources.yeastar.decoder import decode
from tests.sources import mutation, scenario

RECORD = {
    "call_id": "1773136800.362",
    "time_start": "2026-03-10 10:00:00",
    "call_from": "Kristin Hale<1001>",
    "call_to": "1002",
    "call_duration": 24,
    "talk_duration": 21,
    "status": "ANSWERED",
    "type": "Internal",
    "uid": "u1",
}


def told(kind: int, message: Any, **envelope: Any) -> bytes:
    return json.dumps({"type": kind, "sn": "S1", "msg": message, **envelope}).encode()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{}", "/type: is missing; send the whole report, with its envelope"),
        (told(30012, "{"), "/msg: is no JSON"),
        (told(30012, [1]), "/msg: is no object"),
        (told(30012, {"call_id": "c"}), "/msg/time_start: is missing"),
        (told(30011, {"call_id": "c", "members": []}), "/received_at: is missing, and the report has no time"),
        (told(30012, RECORD | {"time_start": "soon"}), "/time_start: 'soon' is no time since 2000"),
    ],
)
def test_what_is_wrong_is_said(value: bytes, reason: str) -> None:
    decoded = decode([value, told(30012, RECORD)])
    assert decoded.rejected[0].reason.startswith(reason)
    assert set(decoded.origin) == {1}


def test_other_reports_tell_nothing() -> None:
    assert decode([told(30008, {"extension": "1001"}), told(30015, {})]).events == []


def test_a_message_is_text_or_an_object() -> None:
    assert decode([told(30012, RECORD)]) == decode([told(30012, json.dumps(RECORD))])


def test_a_name_beside_the_number() -> None:
    call = fold(decode([told(30012, RECORD)]).events)
    assert (call.caller_number, call.caller_name, call.caller_extension) == ("1001", "Kristin Hale", "1001")


def test_the_zone_is_that_of_the_pbx_or_found_by_the_call_id() -> None:
    shanghai = told(30012, RECORD | {"time_start": "2026-03-10 18:00:05"})
    expected = 1_773_136_805_000
    assert fold(decode([shanghai], Options(zones={"S1": "Asia/Shanghai"})).events).started_at == expected
    assert fold(decode([shanghai]).events).started_at == expected


def test_several_records_of_one_call() -> None:
    menu = RECORD | {"call_to": "6500", "call_duration": 5, "talk_duration": 5, "uid": "u0"}
    phone = RECORD | {"time_start": "2026-03-10 10:00:05", "uid": "u1"}
    call = fold(decode([told(30012, phone), told(30012, menu)]).events)
    assert call.started_at == 1_773_136_800_000
    assert call.ended_at == 1_773_136_829_000
    assert [log.number for log in call.logs] == ["6500", "1002"]


def test_reports_without_time_get_that_of_their_receipt() -> None:
    report = told(30011, {"call_id": "c", "members": []})
    at = 1_773_136_800_123
    assert decode([stamped("yeastar", report, at)]).events[0].at == at
    assert stamped("yeastar", stamped("yeastar", report, at), at + 1) == stamped("yeastar", report, at)
    assert stamped("portsip", report, at) == report


@pytest.mark.parametrize("seed", range(3))
def test_mutated_values(seed: int) -> None:
    values = [value for name in scenario.names("yeastar") for value in scenario.load("yeastar", name)["values"]]
    mutation.check(decode, values, seed)


def leg(cdr_id: str, to: str, status: str, lasted: int, talked: int, **more: Any) -> bytes:
    """Report 30039 of one leg, as the vendor's page on "Call End Timeline Notification" has it."""
    message = {
        "uid": "20260310180000C6FF1", "cdr_id": cdr_id, "call_type": "Inbound", "call_from": "+441632960152",
        "call_to": to, "src_trunk": "carrier1", "dst_trunk": "", "status": status, "call_duration": lasted,
        "ring_duration": lasted - talked, "talk_duration": talked, "time_start": "2026/03/10 18:00:00",
        "event_list": [],
    }  # fmt: skip
    return json.dumps({"type": 30039, "sn": "S1", "msg": message | more}).encode()


@pytest.mark.parametrize(
    "shown",
    [
        "2026/03/10 18:00:00",
        "2026-03-10 18:00:00",
        "03/10/2026 18:00:00",
        "10/03/2026 18:00:00",
        "10-03-2026 18:00:00",
        "03/10/2026 06:00:00 PM",
    ],
)
def test_times_as_the_pbx_is_set_to_show_them(shown: str) -> None:
    """System > Date and Time > Display Format; the ids begin with the same second."""
    values = [
        leg("20260310180000-BC686", "1002", "ANSWERED", 46, 40, time_start=shown, event_list=[{"event_ts": shown}])
    ]
    call = fold(decode(values, Options(zone="Asia/Shanghai")).events)
    assert (call.started_at, call.talk_ms, call.flags) == (1_773_136_800_000, 40_000, ["answer_from_hangup_record"])


def test_phones_that_rang_together() -> None:
    values = [
        leg("20260310180000-A", "1001", "NO ANSWER", 6, 0),
        leg("20260310180000-B", "1002", "ANSWERED", 46, 40),
        leg("20260310180000-C", "1003", "NO ANSWER", 6, 0),
    ]
    call = fold(decode(values, Options(zone="Asia/Shanghai")).events)
    assert [log.outcome for log in call.logs] == ["answered_elsewhere", "answered", "answered_elsewhere"]
    assert (call.missed_by, call.answered_by) == ([], "1002")


def test_phones_that_rang_one_after_another() -> None:
    values = [
        leg("20260310180000-A", "1001", "NO ANSWER", 15, 0),
        leg("20260310180015-B", "1002", "ANSWERED", 41, 40, time_start="2026/03/10 18:00:15"),
    ]
    call = fold(decode(values, Options(zone="Asia/Shanghai")).events)
    assert [log.outcome for log in call.logs] == ["no_answer", "answered"]
    assert call.missed_by == ["1001"]


@pytest.mark.parametrize("name", [{"event": "NewCdr"}, {"action": "NewCdr"}])
@pytest.mark.parametrize("status", ["ANSWERED", "ANSWERD"])
@pytest.mark.parametrize("trunk", ["dsttrcunkname", "desttrunkname"])
def test_the_spellings_of_older_series(name: dict[str, str], status: str, trunk: str) -> None:
    """Vendor's pages: S-Series "NewCdr", Cloud PBX "CDR Report"."""
    record = {
        "callid": "1773136800.5", "timestart": "2026-03-10 18:00:00", "callfrom": "1001", "callto": "9283737733",
        "callduraction": "19", "talkduraction": "14", "status": status, "type": "Outbound",
        trunk: "SPS-6-36", "sn": "S1",
    }  # fmt: skip
    call = fold(decode([json.dumps(name | record).encode()], Options(zone="Asia/Shanghai")).events)
    assert (call.direction, call.trunk, call.status, call.talk_ms) == ("outbound", "SPS-6-36", "answered", 14_000)
