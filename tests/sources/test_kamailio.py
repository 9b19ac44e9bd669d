"""Kamailio and OpenSIPS values, one thing at a time. Whole calls: the scenario files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.calls.fold import fold
from pipeline.sources.contract import Options
from pipeline.sources.kamailio.decoder import decode
from schemas.event import Party
from tests.sources import mutation, scenario

AT = 1_773_136_800
ROW = {"time": AT, "method": "INVITE", "from_tag": "f", "to_tag": "t", "callid": "c", "sip_code": "200"}


def told(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"no json", "the value is no JSON"),
        (b"[1]", "the value is no object"),
        (told(a=1), "/event: is missing, and the value is neither a transaction"),
        (told(**ROW | {"time": "tomorrow"}), "/time: 'tomorrow' is no time since 2000"),
        (told(**ROW | {"callid": ""}), "/callid: is missing; add callid=$ci to cdr_extra"),
        (told(start_time="1773136800.1", end_time="1773136810.1", duration="10"), "/callid: is missing"),
        (told(event="dialog:end", callid="c"), "/time: is missing; let the script add time=$TS"),
        (told(**ROW | {"callid": "a\nb"}), "/callid: 'a\\nb' has control characters"),
    ],
)
def test_what_is_wrong_is_said(value: bytes, reason: str) -> None:
    decoded = decode([value, told(**ROW)])
    assert decoded.rejected[0].reason.startswith(reason)
    assert decoded.origin == [1]


def test_what_is_no_part_of_a_call_tells_nothing() -> None:
    values = [told(**ROW | {"method": method}) for method in ("REGISTER", "MESSAGE", "OPTIONS", "ACK")]
    values += [told(**ROW | {"sip_code": "407"}), told(event="E_DLG_STATE_CHANGED", callid="c")]
    decoded = decode(values)
    assert (decoded.events, decoded.rejected) == ([], [])


@pytest.mark.parametrize("time", [AT, AT + 0.0, f"{AT}.000", "2026-03-10 11:00:00", "2026-03-10T10:00:00Z"])
def test_times(time: object) -> None:
    assert decode([told(**ROW | {"time": time})], Options(zone="Europe/Paris")).events[0].at == AT * 1000


def test_a_row_told_twice_is_one_fact() -> None:
    first, again = decode([told(**ROW), told(**ROW | {"time": AT + 300})]).events  # a session refresh
    assert first.event_id == again.event_id
    assert fold([again, first]).answered_at == AT * 1000


def test_parties_by_any_usual_name() -> None:
    for caller in ({"src_user": "1001"}, {"caller": "sip:1001@pbx.example"}, {"from_uri": "sip:1001@pbx.example"}):
        event = decode([told(**ROW, **caller, dst_ouser="1002", dst_domain="pbx.example")]).events[0]
        assert isinstance(event.caller, Party)
        assert event.caller.number == "1001"
        assert event.callee == Party("1002", "", "pbx.example")


def test_captured_messages_and_accounting_tell_of_one_call() -> None:
    dialog = {"callid": "c", "from_tag": "f", "caller": "1001", "callee": "1002"}
    events = decode([told(**ROW), told(event="dialog:start", time=AT, start_ts=AT - 6, **dialog)]).events
    call = fold(events)
    assert (call.call_id, call.started_at, call.answered_at) == ("c", (AT - 6) * 1000, AT * 1000)
    assert len([leg for leg in call.legs if leg["answered_at"]]) == 2


@pytest.mark.parametrize("seed", range(3))
def test_mutated_values(seed: int) -> None:
    values = [value for name in scenario.names("kamailio") for value in scenario.load("kamailio", name)["values"]]
    mutation.check(decode, values, seed)


def cdr(**fields: Any) -> bytes:
    """OpenSIPS's E_ACC_CDR: created is the INVITE, time the answer (modules/acc/acc.c)."""
    row = {"time": AT + 5, "created": AT, "setuptime": 5, "duration": 60, "ms_duration": 60_120, "method": "INVITE"}
    told_of = row | {"from_tag": "f", "to_tag": "t", "callid": "o", "sip_code": "200"} | fields
    return told(jsonrpc="2.0", method="E_ACC_CDR", params=told_of)


@pytest.mark.parametrize(
    ("fields", "started", "ended"),
    [
        ({}, AT, AT + 65.12),
        ({"created": str(AT), "setuptime": "5", "time": str(AT + 5)}, AT, AT + 65.12),
        ({"setuptime": 5_020}, AT, AT + 65.12),  # some versions tell milliseconds
        ({"created": AT - 7_200}, AT, AT + 65.12),  # another call's
        ({"created": AT - 7_200, "setuptime": "nan"}, AT - 7_200, AT + 65.12),  # nothing contradicts it
    ],
)
def test_when_a_cdr_of_opensips_began(fields: dict[str, Any], started: float, ended: float) -> None:
    call = fold(decode([cdr(**fields)]).events)
    assert (call.started_at, call.answered_at, call.ended_at) == (started * 1000, (AT + 5) * 1000, ended * 1000)


def test_a_failed_cdr_has_no_duration_of_another_call() -> None:
    call = fold(decode([cdr(sip_code="503", time=AT + 2, setuptime=2)]).events)
    assert (call.status, call.billable_ms, call.ended_at) == ("failed", 0, (AT + 2) * 1000)


def test_a_bye_alone_does_not_say_when_the_call_was_answered() -> None:
    """The INVITE's row is lost; the CDR, whose duration is no number, knows the answer."""
    bye = told(**ROW | {"method": "BYE", "time": AT + 65, "callid": "o"})
    for values in ([cdr(duration="nan", ms_duration="inf"), bye], [bye, cdr(duration="nan", ms_duration="inf")]):
        call = fold(decode(values).events)
        assert (call.setup_ms, call.talk_ms, call.hung_up_by) == (5_000, 60_000, "caller")


def test_whom_a_serial_fork_tried() -> None:
    """Rows of failed branches: `dst_user` is who was tried, `dst_ouser` who was asked for."""
    tried = [("1002", "486", 3), ("1003", "480", 20), ("1004", "200", 25)]
    rows = [
        told(
            **ROW
            | {
                "src_user": "1001",
                "dst_ouser": "1002",
                "dst_user": who,
                "sip_code": code,
                "time": AT + at,
                "to_tag": who,
            }
        )
        for who, code, at in tried
    ]
    call = fold(decode([*rows, told(**ROW | {"method": "BYE", "time": AT + 60, "to_tag": "1004"})]).events)
    assert [(log.number, log.outcome) for log in call.logs] == [
        ("1002", "busy"),
        ("1003", "no_answer"),
        ("1004", "answered"),
    ]
    assert (call.requested, call.answered_by, call.talk_ms) == ("1002", "1004", 35_000)
