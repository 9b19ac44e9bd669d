"""Calls that people reported of FreeSWITCH and that no story tells: each link says what happened."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pbx.folded import documents
from tests.pbx.freeswitch.channel import Channel
from tests.pbx.freeswitch.switch import Switch


def told(switch: Switch, mode: str) -> dict[str, Any]:
    values = {"esl": switch.events, "json_cdr": switch.documents}.get(mode, [*switch.events, *switch.documents])
    (call,) = documents("freeswitch", values)
    return call


def connected(switch: Switch) -> tuple[Channel, Channel]:
    """1001 calls 1002, who answers after 5 s."""
    switch.at(0)
    caller = switch.channel(outward=False, number="1001", dialled="1002", user="1001")
    switch.executes(caller, "bridge", "user/1002")
    callee = switch.channel(outward=True, number="1001", dialled="1002", user="1002", originator=caller)
    switch.at(5)
    switch.answers(callee)
    switch.answers(caller, "bridge")
    switch.bridges(caller, callee)
    return caller, callee


@pytest.mark.parametrize("mode", ["esl", "json_cdr", "both"])
def test_a_customer_is_rung_parked_and_bridged_with_an_agent(mode: str) -> None:
    """https://github.com/signalwire/freeswitch/issues/2117: the record has the number that was shown as the callee."""
    switch = Switch()
    switch.at(0)
    customer = switch.channel(outward=True, number="4420794600", dialled="07700900123", gateway="carrier-a")
    switch.at(6)
    switch.answers(customer)
    switch.executes(customer, "park")
    switch.at(7)
    agent = switch.channel(outward=True, number="07700900123", dialled="1001", user="1001")
    switch.at(10)
    switch.answers(agent)
    switch.bridges(customer, agent)
    switch.at(40)
    switch.parts(customer)
    switch.ends(customer, "NORMAL_CLEARING", "recv_bye")
    switch.ends(agent, "NORMAL_CLEARING", "send_bye")
    call = told(switch, mode)
    assert (call["direction"], call["caller"]["number"], call["requested"]) == ("outbound", "1001", "07700900123")
    assert (call["answered_by"], call["trunk"], call["talk_ms"]) == ("07700900123", "carrier-a", 30_000)
    assert call["started_at"].startswith("2026-03-10T12:00:00.0")
    assert [(log["kind"], log["number"]) for log in call["logs"]] == [("outside", "07700900123")]


@pytest.mark.parametrize("mode", ["esl", "json_cdr", "both"])
def test_the_callee_hears_something_after_the_caller_has_left(mode: str) -> None:
    """https://github.com/signalwire/freeswitch/issues/2194 (`transfer_after_bridge`): who left first ended the call."""
    switch = Switch()
    caller, callee = connected(switch)
    switch.at(30)
    switch.parts(caller)
    switch.ends(caller, "NORMAL_CLEARING", "recv_bye")
    switch.executes(callee, "playback", "survey.wav")
    switch.at(45)
    switch.ends(callee, "NORMAL_CLEARING", "recv_bye")
    call = told(switch, mode)
    assert (call["hung_up_by"], call["talk_ms"], call["duration_ms"]) == ("caller", 25_000, 29_999)


@pytest.mark.parametrize("lost", [0, 1])
def test_one_of_the_two_records_is_lost(lost: int) -> None:
    """https://github.com/signalwire/freeswitch/issues/1057: either leg alone tells whom, how long, and who ended it."""
    switch = Switch()
    caller, callee = connected(switch)
    switch.at(30)
    switch.parts(caller)
    switch.ends(caller, "NORMAL_CLEARING", "recv_bye")
    switch.ends(callee, "NORMAL_CLEARING", "send_bye")
    del switch.documents[lost]
    call = told(switch, "json_cdr")
    assert (call["caller"]["number"], call["requested"], call["answered_by"]) == ("1001", "1002", "1002")
    assert (call["hung_up_by"], call["talk_ms"]) == ("caller", 25_000)


def test_a_cause_in_an_event_of_a_living_leg_ends_nothing() -> None:
    """https://github.com/2600hz/kazoo/pull/5823: RECORD_STOP bears the cause of the leg that was bridged before."""
    switch = Switch()
    caller, callee = connected(switch)
    switch.at(20)
    switch.tell(caller, "RECORD_STOP", Record_File_Path="/r.wav", Hangup_Cause="NO_ANSWER")
    switch.at(30)
    switch.parts(caller)
    switch.ends(callee, "NORMAL_CLEARING", "recv_bye")
    switch.ends(caller, "NORMAL_CLEARING", "send_bye")
    call = told(switch, "esl")
    assert (call["status"], call["hung_up_by"], call["talk_ms"]) == ("answered", "callee", 25_000)


@pytest.mark.parametrize("mode", ["esl", "json_cdr", "both"])
@pytest.mark.parametrize(("cause", "status"), [("GATEWAY_DOWN", "failed"), ("USER_NOT_REGISTERED", "no_answer")])
def test_a_bridge_that_makes_no_leg(mode: str, cause: str, status: str) -> None:
    """A gateway that is down and a user who is not registered get no channel (switch_ivr_originate.c)."""
    switch = Switch()
    switch.at(0)
    caller = switch.channel(outward=False, number="1001", dialled="1002", user="1001")
    switch.executes(caller, "bridge", "user/1002")
    caller.variables["originate_disposition"] = cause
    switch.at(0.2)
    switch.ends(caller, cause, "send_refuse")
    call = told(switch, mode)
    assert (call["requested"], call["status"], call["hung_up_by"], call["talk_ms"]) == ("1002", status, "system", 0)
