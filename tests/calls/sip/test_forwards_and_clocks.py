"""Chains of forwards in the first INVITE, and capture nodes whose clocks disagree."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.calls.fold import fold
from pipeline.sources.sip import hep
from pipeline.sources.sip.decoder import decode
from schemas.call import Call
from tests.sip_wire import HOSTS, T0, Talk, Wire, sdp

DIVERSION = (
    "Diversion: <sip:1003@h>;reason=no-answer;counter=1\n"
    "Diversion: <sip:1002@h>;reason=user-busy\n"
    "Diversion: <sip:+442079460000@h>;reason=unconditional"
)
HISTORY = (
    "History-Info: <sip:+442079460000@h>;index=1\n"
    "History-Info: <sip:1002@h?Reason=SIP%3Bcause%3D302>;index=1.1\n"
    "History-Info: <sip:1003@h?Reason=SIP%3Bcause%3D486>;index=1.1.1\n"
    "History-Info: <sip:1004@h?Reason=SIP%3Bcause%3D408>;index=1.1.1.1"
)


def forwarded(headers: str) -> Call:
    """Somebody outside reaches 1004, to whom others had sent the call on."""
    talk, wire = Talk("f1", caller="+441632960123", callee="1004"), Wire()
    wire.invite(0, talk, headers=headers)
    wire.reply(4, 200, talk)
    wire.bye(34, talk)
    return fold(wire.events())


@pytest.mark.parametrize(
    "headers",
    [
        DIVERSION,
        HISTORY,
        f"{DIVERSION}\n{HISTORY}",
        f"Diversion: <sip:1003@h>;reason=no-answer\n{HISTORY}",  # the last hop knows one of them only
        f"{DIVERSION}\nHistory-Info: <sip:1003@h>;index=1, <sip:1004@h;cause=408>;index=1.1",
    ],
)
def test_all_steps_in_order(headers: str) -> None:
    call = forwarded(headers)
    assert [(move["kind"], move["from"], move["to"]) for move in call.reroutes] == [
        ("forward_unconditional", "+442079460000", "1002"),
        ("forward_busy", "1002", "1003"),
        ("forward_no_answer", "1003", "1004"),
    ]
    assert (call.requested, call.answered_by, call.direction) == ("+442079460000", "1004", "inbound")


def seen_by(wire: Wire, host: str, node: str, ahead_s: float) -> Call:
    """What a node of its own, with a clock that is ahead, captures of one host."""
    packets = []
    for value in wire.packets:
        packet = hep.parse(value)
        if HOSTS[host] in (packet.src, packet.dst):
            micros = packet.seconds * 1_000_000 + packet.micros + round(ahead_s * 1_000_000)
            packet = msgspec.structs.replace(packet, node=node, seconds=micros // 1_000_000, micros=micros % 1_000_000)
        packets.append(hep.encode(packet))
    decoded = decode(packets)
    assert not decoded.rejected
    return fold(decoded.events)


@pytest.mark.parametrize("ahead_s", [-40.0, -3.0, 0.8, 3.0, 40.0])
def test_the_callee_holds_by_a_clock_of_its_own(ahead_s: float) -> None:
    """A re-INVITE of the callee goes over one hop only before it is seen by the other node; it began no call."""
    talk, wire = Talk(f"s{ahead_s}"), Wire()
    wire.invite(0, talk)
    wire.reply(0.5, 180, talk)
    wire.reply(4, 200, talk)
    wire.ack(4.05, talk)
    for at, cseq, direction in ((10, 50, "sendonly"), (20, 51, "sendrecv")):
        given = {"cseq": cseq, "by_callee": True, "tagged": True, "body": sdp(direction)}
        wire.request(at, "INVITE", talk, [f"r{cseq}"], path="bp", **given)  # type: ignore[arg-type]
        wire.request(at + 0.01, "INVITE", talk, [f"r{cseq}.2", f"r{cseq}"], path="pa", **given)  # type: ignore[arg-type]
    wire.bye(34, talk, by_callee=True)
    call = seen_by(wire, "b", "edge2", ahead_s)
    assert (call.started_at, call.answered_at, call.ended_at) == (T0, T0 + 4_010, T0 + 34_010)
    assert (call.talk_ms, call.hold_ms, call.hung_up_by, call.flags) == (30_000, 10_000, "callee", ["clock_skew"])
    assert {leg.get("clock_ahead_ms") for leg in call.legs if leg["node"] == "edge2"} == {round(ahead_s * 1000)}
