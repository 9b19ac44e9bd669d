"""SIP dialogs → calls: what was on the wire, and the call it must give."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.calls.fold import fold
from pipeline.calls.sip.dialog import dialogs
from schemas.call import Call
from schemas.event import Event, Party, SipMessage
from tests.sip_wire import T0, Talk, Wire, sdp


def call_of(wire: Wire) -> Call:
    """The call that a capture tells."""
    return fold(wire.events())


def after(ms: int | None) -> float | None:
    """Seconds after the beginning of the test."""
    return None if ms is None else (ms - T0) / 1000


def moments(call: Call) -> tuple[float | None, ...]:
    """Started, rang, answered, ended."""
    return tuple(after(at) for at in (call.started_at, call.rang_at, call.answered_at, call.ended_at))


def answered(wire: Wire, talk: Talk, until: float = 65.0, *, by_callee: bool = False) -> None:
    """A call through the proxy: rings after 0.5 s, answered after 5 s."""
    wire.invite(0, talk)
    wire.response(0.005, 100, talk, [f"{talk.call_id}.1.1"])
    wire.reply(0.5, 180, talk)
    wire.reply(5, 200, talk)
    wire.ack(5.1, talk)
    wire.bye(until, talk, by_callee=by_callee)


def test_answered() -> None:
    wire = Wire()
    answered(wire, Talk("k1"))
    call = call_of(wire)
    assert moments(call) == (0.0, 0.5, 5.01, 65.0)
    assert (call.status, call.end_reason, call.hung_up_by) == ("answered", "caller_disconnected", "caller")
    assert (call.caller_number, call.callee_number, call.answered_by) == ("1001", "1002", "1002")
    assert call.talk_ms == 59_990
    assert [(log.number, log.outcome) for log in call.logs] == [("1002", "answered")]


def test_callee_hangs_up() -> None:
    wire = Wire()
    answered(wire, Talk("k1"), by_callee=True)
    call = call_of(wire)
    assert (call.end_reason, call.hung_up_by) == ("callee_disconnected", "callee")
    assert after(call.ended_at) == 65.01  # as the caller's side saw it


def test_one_hop_captured() -> None:
    wire, talk = Wire(), Talk("k1")
    wire.request(0, "INVITE", talk, ["1"], body=sdp())
    wire.response(0.4, 183, talk, ["1"])
    wire.response(0.5, 180, talk, ["1"])
    wire.response(5, 200, talk, ["1"])
    wire.request(5.1, "ACK", talk, ["2"])
    wire.request(65, "BYE", talk, ["3"], cseq=2)
    call = call_of(wire)
    assert moments(call) == (0.0, 0.5, 5.0, 65.0)
    assert after(call.progress_at) == 0.4
    assert [(log.number, log.outcome, log.talk_ms) for log in call.logs] == [("1002", "answered", 60_000)]


@pytest.mark.parametrize(
    ("status", "word", "cause"),
    [(486, "busy", 17), (603, "failed", 21), (404, "failed", 1), (480, "no_answer", 18), (503, "failed", 41)],
)
def test_refused(status: int, word: str, cause: int) -> None:
    wire, talk = Wire(), Talk("k1")
    wire.invite(0, talk)
    wire.reply(1, status, talk)
    call = call_of(wire)
    assert (call.status, call.sip_status, call.q850_cause, call.cause_from) == (word, status, cause, "mapped")
    assert moments(call) == (0.0, None, None, 1.01)


def test_reason_header_is_stronger_than_the_status() -> None:
    wire, talk = Wire(), Talk("k1")
    wire.invite(0, talk)
    wire.reply(1, 503, talk, headers='Reason: SIP;cause=503, Q.850;cause=17;text="User busy"')
    call = call_of(wire)
    assert (call.sip_status, call.q850_cause, call.cause_from) == (503, 17, "reason_header")


def test_caller_cancels_while_it_rings() -> None:
    wire, talk = Wire(), Talk("k1")
    wire.invite(0, talk)
    wire.reply(0.5, 180, talk)
    wire.cancel(8, talk)
    call = call_of(wire)
    assert (call.status, call.sip_status, call.q850_cause) == ("cancelled", 487, 16)
    assert (call.hung_up_by, call.end_reason) == ("caller", "cancelled")
    assert moments(call) == (0.0, 0.5, None, 8.0)
    assert [log.outcome for log in call.logs] == ["cancelled"]


def test_cancel_crosses_the_answer() -> None:
    wire, talk = Wire(), Talk("k1")
    wire.invite(0, talk)
    wire.reply(0.5, 180, talk)
    wire.request(5, "CANCEL", talk, ["k1.1.1"])
    wire.reply(4.99, 200, talk)
    wire.ack(5.05, talk)
    wire.bye(5.06, talk)
    call = call_of(wire)
    assert call.status == "answered"
    assert moments(call) == (0.0, 0.5, 5.0, 5.06)


def test_proxy_gives_up_a_silent_phone() -> None:
    wire, talk = Wire(), Talk("k1")
    wire.invite(0, talk)
    wire.reply(0.5, 180, talk)
    wire.cancel(30, talk, near=False)
    wire.response(30.05, 408, talk, ["k1.1.1"])
    call = call_of(wire)
    assert (call.status, call.sip_status, call.q850_cause) == ("no_answer", 408, 19)
    assert [(log.outcome, log.q850_cause) for log in call.logs] == [("no_answer", 19)]


def test_challenge_is_part_of_the_attempt() -> None:
    wire, talk = Wire(), Talk("k1")
    wire.request(0, "INVITE", talk, ["k1.1.1"], body=sdp())
    wire.response(0.01, 407, talk, ["k1.1.1"], to_tag="proxy")
    wire.request(0.02, "ACK", talk, ["k1.1.1"], tagged=True)
    wire.invite(0.1, talk, cseq=2)
    wire.reply(0.5, 180, talk, cseq=2)
    wire.reply(5, 200, talk, cseq=2)
    wire.bye(65, talk, cseq=3)
    call = call_of(wire)
    assert moments(call) == (0.0, 0.5, 5.01, 65.0)
    assert len(call.logs) == 1


def test_challenge_that_nobody_answers_is_a_failed_call() -> None:
    wire, talk = Wire(), Talk("k1")
    wire.request(0, "INVITE", talk, ["k1.1.1"], body=sdp())
    wire.response(0.01, 407, talk, ["k1.1.1"], to_tag="proxy")
    call = call_of(wire)
    assert (call.status, call.sip_status, call.q850_cause) == ("failed", 407, 21)


def test_ring_group() -> None:
    wire, talk = Wire(), Talk("k1", callee="6000")
    wire.invite(0, talk, fork="2", ruri="1002")
    wire.forward(0.01, talk, fork="3", ruri="1003", to="c")
    wire.forward(0.01, talk, fork="4", ruri="1004", to="d")
    for fork in "234":
        wire.reply(0.5, 180, talk, fork=fork, to_tag="t" + fork)
    wire.reply(5, 200, talk, fork="3", to_tag="t3")
    wire.cancel(5.02, talk, fork="2", near=False)
    wire.cancel(5.02, talk, fork="4", near=False, headers='Reason: SIP;cause=200;text="Call completed elsewhere"')
    wire.bye(65, Talk("k1", callee="6000", to_tag="t3"))
    call = call_of(wire)
    assert {log.number: log.outcome for log in call.logs} == {
        "1002": "answered_elsewhere",
        "1003": "answered",
        "1004": "answered_elsewhere",
    }
    assert (call.answered_by, call.callee_number, call.missed_by) == ("1003", "6000", [])
    assert {log.q850_cause for log in call.logs if log.outcome == "answered_elsewhere"} == {26}


def test_two_phones_answer_at_once() -> None:
    wire, talk = Wire(), Talk("k1", callee="6000")
    wire.invite(0, talk, fork="2", ruri="1002")
    wire.forward(0.01, talk, fork="3", ruri="1003", to="c")
    wire.reply(5, 200, talk, fork="2", to_tag="t2")
    wire.reply(5.005, 200, talk, fork="3", to_tag="t3")
    wire.bye(5.2, Talk("k1", callee="6000", to_tag="t3"), cseq=2)
    wire.bye(65, Talk("k1", callee="6000", to_tag="t2"), cseq=3)
    call = call_of(wire)
    assert after(call.ended_at) == 65.0
    assert {log.number: log.outcome for log in call.logs} == {"1002": "answered", "1003": "answered_elsewhere"}


def test_carrier_failover_and_redirect() -> None:
    wire, talk = Wire(), Talk("k1", callee="+33140000001")
    wire.request(0, "INVITE", talk, ["k1.1.1"], body=sdp())
    wire.response(0.02, 407, talk, ["k1.1.1"], to_tag="proxy")
    wire.invite(0.1, talk, cseq=2, fork="2")
    wire.reply(0.3, 503, talk, cseq=2, fork="2", back=False)
    wire.forward(0.31, talk, cseq=2, fork="3", to="c")
    wire.reply(0.4, 302, talk, cseq=2, fork="3", to="c", back=False, headers="Contact: <sip:+4422@example.com>")
    wire.forward(0.41, talk, cseq=2, fork="4", to="d", ruri="+4422")
    wire.reply(0.6, 180, talk, cseq=2, fork="4", to="d")
    wire.reply(7, 200, talk, cseq=2, fork="4", to="d")
    wire.bye(67, talk, cseq=3)
    call = call_of(wire)
    assert moments(call) == (0.0, 0.6, 7.01, 67.0)
    assert [(r["kind"], r["sip_status"]) for r in call.reroutes] == [("carrier_failover", 503), ("redirect", 302)]
    assert call.reroutes[1]["to"] == "+4422"
    assert call.status == "answered"


def test_phone_follows_a_redirect_itself() -> None:
    wire, talk = Wire(), Talk("k1")
    wire.request(0, "INVITE", talk, ["1"], body=sdp())
    wire.response(0.1, 302, talk, ["1"], headers="Contact: <sip:1003@example.com>")
    wire.request(0.2, "INVITE", talk, ["2"], cseq=2, ruri="1003", body=sdp())
    wire.response(5, 200, talk, ["2"], cseq=2, to_tag="tc")
    wire.request(65, "BYE", Talk("k1", to_tag="tc"), ["3"], cseq=3)
    call = call_of(wire)
    assert [(r["kind"], r["from"], r["to"]) for r in call.reroutes] == [("redirect", "1002", "1003")]
    assert [(log.number, log.outcome) for log in call.logs][-1] == ("1003", "answered")
    assert call.requested == "1002" and call.destination == "1003"


def test_forward_on_no_answer() -> None:
    wire, talk = Wire(), Talk("k1")
    wire.invite(0, talk, fork="2")
    wire.reply(0.5, 180, talk, fork="2", to_tag="t2")
    wire.cancel(20, talk, fork="2", near=False)
    wire.forward(20.1, talk, fork="3", ruri="1003", to="c")
    wire.reply(20.5, 180, talk, fork="3", to="c", to_tag="t3")
    wire.reply(25, 200, talk, fork="3", to="c", to_tag="t3")
    wire.bye(65, Talk("k1", to_tag="t3"))
    call = call_of(wire)
    assert [(r["kind"], r["from"], r["to"]) for r in call.reroutes] == [("forward_no_answer", "1002", "1003")]
    assert {log.number: log.outcome for log in call.logs} == {"1002": "no_answer", "1003": "answered"}
    assert call.missed_by == ["1002"]


def test_hold_and_refresh_do_not_move_the_answer() -> None:
    wire, talk = Wire(), Talk("k1")
    answered(wire, talk, until=907)
    for t, cseq, direction in ((7, 10, "sendonly"), (21, 11, "sendrecv"), (900, 12, "sendrecv")):
        wire.request(t, "INVITE", talk, [f"re{cseq}"], cseq=cseq, tagged=True, body=sdp(direction))
        wire.request(
            t + 0.01, "INVITE", talk, [f"re{cseq}.2", f"re{cseq}"], cseq=cseq, tagged=True, body=sdp(direction)
        )
        wire.response(t + 0.02, 200, talk, [f"re{cseq}"], cseq=cseq)
    wire.request(450, "UPDATE", talk, ["up"], cseq=4, by_callee=True, body=sdp())
    wire.response(450.1, 200, talk, ["up"], cseq=4, method="UPDATE", by_caller=True)
    call = call_of(wire)
    assert moments(call) == (0.0, 0.5, 5.01, 907.0)
    assert call.hold_ms == 14_000


def test_hold_that_only_the_answer_offers() -> None:
    """The re-INVITE of the caller bears no offer; the callee's 200 does, and holds."""
    wire, talk = Wire(), Talk("k1")
    answered(wire, talk, 100)
    for t, cseq, direction in ((10, 10, "sendonly"), (24, 11, "sendrecv")):
        wire.request(t, "INVITE", talk, [f"re{cseq}"], cseq=cseq, tagged=True)
        wire.response(t + 0.1, 200, talk, [f"re{cseq}"], cseq=cseq, body=sdp(direction))
    call = call_of(wire)
    assert (call.hold_ms, call.talk_ms) == (14_000, 94_990)


def test_a_back_to_back_user_agent_appends_to_the_call_id() -> None:
    wire = Wire()
    answered(wire, Talk("k1"), 65)
    answered(wire, Talk("k1_b2b-1", tag="tc", to_tag="td"), 65)
    assert {event.call_id for event in wire.events()} == {"k1"}
    assert not any(event.linked_ids for event in wire.events())
    assert call_of(wire).call_id == "k1"


def test_refused_hold_is_none() -> None:
    wire, talk = Wire(), Talk("k1")
    answered(wire, talk)
    wire.request(7, "INVITE", talk, ["re"], cseq=10, tagged=True, body=sdp("sendonly"))
    wire.response(7.1, 491, talk, ["re"], cseq=10)
    assert call_of(wire).hold_ms == 0


def test_lost_messages() -> None:
    """Each message of a call may be missing from the capture; what remains still tells the call."""
    whole = Wire()
    answered(whole, Talk("k1"))
    for missing in range(len(whole.packets)):
        wire = Wire(packets=[packet for place, packet in enumerate(whole.packets) if place != missing])
        call = call_of(wire)
        assert call.status == "answered", missing
        assert (call.caller_number, call.callee_number) == ("1001", "1002"), missing
        assert abs((after(call.answered_at) or 0) - 5) < 0.2, missing
        assert abs((after(call.ended_at) or 0) - 65) < 0.2, missing


def test_both_answers_lost_the_ack_tells() -> None:
    wire, talk = Wire(), Talk("k1")
    wire.invite(0, talk)
    wire.reply(0.5, 180, talk)
    wire.ack(5.1, talk)
    wire.bye(65, talk)
    assert moments(call_of(wire)) == (0.0, 0.5, 5.1, 65.0)


def test_bye_request_lost_its_answer_tells() -> None:
    wire, talk = Wire(), Talk("k1")
    wire.invite(0, talk)
    wire.reply(5, 200, talk)
    wire.response(65, 200, talk, ["bye"], method="BYE", cseq=2)
    assert moments(call_of(wire)) == (0.0, None, 5.01, 65.0)


def test_open_call() -> None:
    wire, talk = Wire(), Talk("k1")
    wire.invite(0, talk)
    wire.reply(0.5, 180, talk)
    call = call_of(wire)
    assert (call.state, call.ended_at, call.answered_at) == ("open", None, None)
    wire.reply(5, 200, talk)
    wire.ack(5.1, talk)
    call = call_of(wire)
    assert (call.state, after(call.answered_at)) == ("open", 5.01)
    assert after(fold(wire.events(), expired=True).ended_at) == 5.11  # the last evidence


def test_blind_transfer() -> None:
    wire, talk = Wire(), Talk("k1")
    answered(wire, talk, until=35.5, by_callee=True)
    wire.request(35, "REFER", talk, ["refer"], cseq=7, by_callee=True, headers="Refer-To: <sip:1003@example.com>")
    wire.response(35.05, 202, talk, ["refer"], method="REFER", cseq=7, by_caller=True)
    onward = Talk("k2", callee="1003", tag="ta2", to_tag="tc")
    wire.invite(35.2, onward, to="c", headers="X-CID: k1\nReferred-By: <sip:1002@example.com>")
    wire.reply(36, 180, onward, to="c")
    wire.reply(41, 200, onward, to="c")
    wire.bye(101, onward)
    call = call_of(wire)
    assert [(r["kind"], r["by"], r["to"], r["result"]) for r in call.reroutes] == [
        ("blind_transfer", "1002", "1003", "answered")
    ]
    assert moments(call) == (0.0, 0.5, 5.01, 101.0)
    assert {log.number: log.outcome for log in call.logs} == {"1002": "answered", "1003": "answered"}
    assert call.logs[0].end_reason == "blind_transfer_completed"
    assert call.call_id == "k1"


def test_blind_transfer_that_failed_is_no_transfer() -> None:
    wire, talk = Wire(), Talk("k1")
    answered(wire, talk, until=60, by_callee=True)
    wire.request(35, "REFER", talk, ["refer"], cseq=7, by_callee=True, headers="Refer-To: <sip:1003@example.com>")
    wire.request(
        37, "NOTIFY", talk, ["notify"], cseq=9, body="SIP/2.0 486 Busy Here", content_type="message/sipfrag;version=2.0"
    )
    call = call_of(wire)
    assert call.reroutes == []
    assert call.end_reason == "callee_disconnected"


def attended(wire: Wire, *, invite_first: bool = True) -> None:
    """1001 calls 1002, who consults 1003 and hands 1001 over: REFER with Replaces, three Call-IDs."""
    first = Talk("k1")
    consult = Talk("k2", caller="1002", callee="1003", tag="tb2", to_tag="tc2")
    last = Talk("k3", caller="1001", callee="1003", tag="ta3", to_tag="tc3")
    answered(wire, first, until=45.5, by_callee=True)
    wire.request(30, "INVITE", first, ["hold"], cseq=7, by_callee=True, tagged=True, path="bp", body=sdp("sendonly"))
    wire.invite(30.1, consult, to="c")
    wire.reply(30.5, 180, consult, to="c")
    wire.reply(35, 200, consult, to="c")
    refer_to = "Refer-To: <sip:1003@example.com?Replaces=k2%3Bto-tag%3Dtc2%3Bfrom-tag%3Dtb2>"
    wire.request(45, "REFER", first, ["refer"], cseq=8, by_callee=True, path="bp", headers=refer_to)
    wire.response(45.05, 202, first, ["refer"], method="REFER", cseq=8, by_caller=True)
    wire.invite(45.1, last, to="c", headers="Replaces: k2;to-tag=tc2;from-tag=tb2")
    wire.reply(45.2, 200, last, to="c")
    wire.bye(45.3, consult, by_callee=True)
    wire.bye(105, last)


def test_attended_transfer_over_three_call_ids() -> None:
    wire = Wire()
    attended(wire)
    call = call_of(wire)
    assert [(r["kind"], r["by"], r["to"]) for r in call.reroutes] == [("attended_transfer", "1002", "1003")]
    assert moments(call) == (0.0, 0.5, 5.01, 105.0)
    assert (call.hung_up_by, call.status, call.requested, call.destination) == ("caller", "answered", "1002", "1003")
    assert call.merged_call_ids == ["k1", "k2", "k3"]
    logs = [(log.number, log.kind, log.outcome) for log in call.logs]
    assert logs == [
        ("1002", "extension", "answered"),
        ("1003", "consultation", "answered"),
        ("1003", "extension", "answered"),
    ]
    assert call.logs[1].talk_ms == 9_990
    assert 99_000 <= call.talk_ms <= 100_000


def test_spiral_and_double_capture_are_one_call() -> None:
    wire, talk = Wire(), Talk("k1")
    hops = [["h1"], ["h2", "h1"], ["h3", "h2", "h1"]]
    for place, vias in enumerate(hops):
        wire.request(place / 100, "INVITE", talk, vias, body=sdp())
    for place, vias in enumerate(reversed(hops)):
        wire.response(0.5 + place / 100, 180, talk, vias)
        wire.response(5 + place / 100, 200, talk, vias)
    wire.bye(65, talk)
    other = Wire(node="edge2", packets=[])
    for place, vias in enumerate(hops):
        other.request(0.001 + place / 100, "INVITE", talk, vias, body=sdp())
    wire.packets += other.packets + wire.packets
    call = call_of(wire)
    assert len(call.logs) == 1
    assert moments(call) == (0.0, 0.5, 5.02, 65.0)
    assert call.talk_ms == 59_980


def b2bua(wire: Wire, *, until: float = 65.0) -> None:
    """1001 reaches a PBX, which calls 1002 and names the first Call-ID in X-CID."""
    one, two = Talk("k1"), Talk("k2", tag="pbx", to_tag="tb")
    wire.request(0, "INVITE", one, ["1"], path="ax", body=sdp())
    wire.request(0.1, "INVITE", two, ["2"], path="xb", headers="X-CID: k1", body=sdp())
    wire.response(0.5, 180, two, ["2"], path="bx")
    wire.response(0.51, 180, one, ["1"], path="xa")
    wire.response(5, 200, two, ["2"], path="bx")
    wire.response(5.01, 200, one, ["1"], path="xa")
    wire.request(until, "BYE", one, ["3"], cseq=2, path="ax")
    wire.request(until + 0.01, "BYE", two, ["4"], cseq=2, path="xb")


def test_back_to_back_user_agent() -> None:
    wire = Wire()
    b2bua(wire)
    call = call_of(wire)
    assert (call.call_id, call.status, call.end_reason) == ("k1", "answered", "caller_disconnected")
    assert moments(call) == (0.0, 0.5, 5.01, 65.0)
    assert [(log.number, log.outcome) for log in call.logs] == [("1002", "answered")]


def test_attended_transfer_that_a_pbx_bridges() -> None:
    """The PBX takes the REFER itself and joins the caller's leg to the consulted phone's: no INVITE with Replaces."""
    wire = Wire()
    one, two = Talk("k1"), Talk("k2", tag="pbx", to_tag="tb")
    three = Talk("k3", caller="1002", callee="1003", tag="tb2", to_tag="pbx2")
    four = Talk("k4", caller="1002", callee="1003", tag="pbx3", to_tag="tc")
    wire.request(0, "INVITE", one, ["1"], path="ax", body=sdp())
    wire.request(0.1, "INVITE", two, ["2"], path="xb", headers="X-CID: k1", body=sdp())
    wire.response(0.5, 180, two, ["2"], path="bx")
    wire.response(0.5, 180, one, ["1"], path="xa")
    wire.response(5, 200, two, ["2"], path="bx")
    wire.response(5, 200, one, ["1"], path="xa")
    wire.request(30, "INVITE", three, ["3"], path="bx", body=sdp())
    wire.request(30.1, "INVITE", four, ["4"], path="xc", headers="X-CID: k3", body=sdp())
    wire.response(30.5, 180, four, ["4"], path="cx")
    wire.response(35, 200, four, ["4"], path="cx")
    wire.response(35, 200, three, ["3"], path="xb")
    refer_to = "Refer-To: <sip:1003@example.com?Replaces=k3%3Bto-tag%3Dpbx2%3Bfrom-tag%3Dtb2>"
    wire.request(45, "REFER", two, ["5"], cseq=9, by_callee=True, path="bx", headers=refer_to)
    wire.request(45.05, "BYE", two, ["6"], cseq=3, path="xb")
    wire.request(45.05, "BYE", three, ["7"], cseq=3, path="bx")
    wire.request(105, "BYE", one, ["8"], cseq=2, path="ax")
    wire.request(105.1, "BYE", four, ["9"], cseq=3, path="xc")
    call = call_of(wire)
    assert [(r["kind"], r["by"], r["to"]) for r in call.reroutes] == [("attended_transfer", "1002", "1003")]
    assert [(log.number, log.kind, log.talk_ms) for log in call.logs] == [
        ("1002", "extension", 40_000),
        ("1003", "consultation", 10_000),
        ("1003", "extension", 60_000),
    ]
    assert moments(call) == (0.0, 0.5, 5.0, 105.0)
    assert (call.talk_ms, call.hung_up_by, call.merged_call_ids) == (100_000, "caller", ["k1", "k2", "k3", "k4"])


def test_ring_group_of_a_pbx() -> None:
    wire, one = Wire(), Talk("k1", callee="6000")
    wire.request(0, "INVITE", one, ["1"], path="ax", body=sdp())
    for number in (1002, 1003):
        two = Talk(f"k{number}", callee=str(number), tag="pbx", to_tag=f"t{number}")
        wire.request(0.1, "INVITE", two, [f"i{number}"], path="xb", headers="X-CID: k1", body=sdp())
        wire.response(0.5, 180, two, [f"i{number}"], path="bx")
    winner, loser = Talk("k1002", callee="1002", tag="pbx", to_tag="t1002"), Talk("k1003", callee="1003", tag="pbx")
    wire.response(5, 200, winner, ["i1002"], path="bx")
    wire.response(5.01, 200, one, ["1"], path="xa")
    wire.request(5.02, "CANCEL", loser, ["i1003"], path="xb")
    wire.response(5.03, 487, loser, ["i1003"], path="bx")
    wire.request(65, "BYE", winner, ["b1"], cseq=2, by_callee=True, path="bx")
    wire.request(65.01, "BYE", one, ["b2"], cseq=2, by_callee=True, path="xa")
    call = call_of(wire)
    assert {log.number: log.outcome for log in call.logs} == {"1002": "answered", "1003": "answered_elsewhere"}
    assert (call.hung_up_by, call.missed_by) == ("callee", [])


def test_pickup() -> None:
    wire, talk = Wire(), Talk("k1")
    wire.invite(0, talk)
    wire.reply(0.5, 180, talk)
    picker = Talk("k2", caller="1009", callee="1001", tag="tp", to_tag="ta2")
    wire.request(
        6, "INVITE", picker, ["p1"], path="ca", headers="Replaces: k1;to-tag=tb;from-tag=ta;early-only", body=sdp()
    )
    wire.response(6.1, 200, picker, ["p1"], path="ac")
    wire.cancel(6.2, talk)
    wire.request(60, "BYE", picker, ["p2"], cseq=2, path="ca")
    call = call_of(wire)
    assert [(r["kind"], r["by"]) for r in call.reroutes] == [("pickup", "1009")]
    assert (call.status, call.answered_by, call.hung_up_by) == ("answered", "1009", "callee")
    assert moments(call)[3] == 60.0


def scenarios() -> list[Wire]:
    """Captures that between them use every rule."""
    found = []
    for build in (attended, b2bua, lambda wire: answered(wire, Talk("k1"))):
        wire = Wire()
        build(wire)
        found.append(wire)
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2), st.randoms(use_true_random=False), st.data())
def test_any_order_and_any_duplicates_give_the_same_events(
    which: int, shuffle: random.Random, data: st.DataObject
) -> None:
    events = scenarios()[which].events()
    kept = data.draw(st.lists(st.booleans(), min_size=len(events), max_size=len(events)))
    events = [event for event, keep in zip(events, kept, strict=True) if keep]
    again = events + [event for event in events if shuffle.random() < 0.5]
    shuffle.shuffle(again)
    assert dialogs(events) == dialogs(again)
    if events:
        assert fold(events) == fold(again)


MESSAGES = st.builds(
    SipMessage,
    method=st.sampled_from(["INVITE", "INVITE", "INVITE", "ACK", "BYE", "CANCEL", "REFER", "UPDATE", "NOTIFY"]),
    status=st.sampled_from([0, 0, 0, 100, 180, 183, 200, 200, 302, 407, 408, 481, 486, 487, 503]),
    cseq=st.integers(1, 3),
    call_id=st.sampled_from(["k1", "k2", "k3"]),
    from_tag=st.sampled_from(["a", "b", ""]),
    to_tag=st.sampled_from(["", "a", "b", "c"]),
    branch=st.sampled_from(["", "x", "y", "z"]),
    before=st.sampled_from(["", "x", "y"]),
    via=st.integers(0, 3),
    ruri=st.sampled_from(["", "1002", "1003", "k4j2"]),
    contact=st.sampled_from(["", "1003"]),
    media=st.sampled_from(["", "sendrecv", "sendonly"]),
    replaces=st.sampled_from(["", "", "k1;a;b", "k2;a;b", "k9;a;b"]),
    refer_to=st.sampled_from(["", "1003"]),
    reason_protocol=st.sampled_from(["", "sip", "q.850"]),
    reason_cause=st.sampled_from([16, 200]),
    fragment=st.sampled_from([0, 200, 486]),
    diversion=st.sampled_from(["", "1001"]),
    diversion_reason=st.sampled_from(["", "no-answer"]),
)


@st.composite
def nonsense(draw: st.DrawFn) -> list[Event]:
    """Messages that no real call would hold together."""
    events = []
    for place, message in enumerate(draw(st.lists(MESSAGES, max_size=14))):
        events.append(
            Event(
                type="data",
                at=T0 + draw(st.integers(0, 5)) * 1000,
                call_id=draw(st.sampled_from([message.call_id, "k1", "corr"])),
                event_id=f"e{place}",
                sip=message,
                caller=draw(st.sampled_from([None, "1001", Party("1009")])),
                callee=draw(st.sampled_from([None, "1002"])),
            )
        )
    return events


@settings(max_examples=150, deadline=None)
@given(nonsense(), st.randoms(use_true_random=False))
def test_nonsense_gives_a_defined_result_in_any_order(events: list[Event], shuffle: random.Random) -> None:
    shuffled = events + events[:3]
    shuffle.shuffle(shuffled)
    result = dialogs(events)
    assert result == dialogs(shuffled)
    assert all(event.sip is None and event.leg_id and event.at for event in result)
    assert len({event.event_id for event in result}) == len(result)
    if events:
        fold(events)


def test_twenty_thousand_messages_of_one_call() -> None:
    """No rule looks at every pair of messages: this would take minutes."""
    events: list[Event] = []
    for number in range(4000):
        own = {
            "sessions": SipMessage(method="INVITE", call_id=f"s{number}", from_tag="a", branch="x", via=1, cseq=1),
            "attempts": SipMessage(
                method="INVITE", call_id="k1", from_tag="a", branch=f"b{number}", via=1, cseq=number + 1
            ),
            "branches": SipMessage(method="INVITE", call_id="k2", from_tag="a", branch=f"b{number}", via=2, cseq=1),
            "busy": SipMessage(
                method="INVITE", status=486, call_id="k2", from_tag="a", branch=f"b{number}", via=2, cseq=1, to_tag="t"
            ),
            "refer": SipMessage(
                method="REFER", call_id="k2", from_tag="a", to_tag="t", refer_to="7", cseq=number + 2, via=1
            ),
        }
        for name, message in own.items():
            events.append(Event(type="data", at=T0 + number, call_id="k1", event_id=f"{name}{number}", sip=message))
    assert len(dialogs(events)) > 8000


def test_nothing_gives_nothing() -> None:
    assert dialogs([]) == []
