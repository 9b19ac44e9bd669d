"""Real calls: SIPp calls SIPp through Kamailio; the calls that come out must be what both say happened."""

from __future__ import annotations

import pytest

from schemas.call import Call
from tests.sip import transfers
from tests.sip.exchange import SECRET, Exchange, Run
from tests.sip.scenarios import (
    callee_bye,
    in_dialog,
    invite,
    pause,
    receive,
    refuse_cancelled,
    respond,
    same_hop,
    scenario,
    wait_for,
    wait_to_be_cancelled,
    wait_to_hang_up,
)

pytestmark = pytest.mark.sip

RINGS = (receive(100, optional=True), receive(180, optional=True))
ANSWERS = (
    wait_for("INVITE", routes=True),
    respond(180, "Ringing"),
    pause(300),
    respond(200, "OK", sdp="sendrecv", retransmit=True),
    wait_for("ACK"),
)
CALLEE = scenario(*ANSWERS, wait_for("BYE"), respond(200, "OK", tag=False))


def caller(*, talk_ms: int = 1000, user: str = "1001") -> str:
    """A caller that talks for a while and hangs up."""
    return scenario(
        invite(user),
        *RINGS,
        receive(200, routes=True),
        in_dialog("ACK", 1),
        pause(talk_ms),
        in_dialog("BYE", 2),
        receive(200),
    )


def refused(status: int) -> str:
    """A caller that is refused."""
    return scenario(invite(), *RINGS, receive(status), same_hop("ACK"))


def as_accounted(run: Run, call: Call) -> None:
    """The call says what SIPp and Kamailio's accounting say."""
    assert not run.reports, run.reports
    alike(run)
    assert call.state == "closed"
    final = run.final(call)
    if final.code < 300:
        bye = run.final(call, "BYE")
        assert call.answered_at is not None and call.ended_at is not None
        assert abs(call.answered_at / 1000 - final.at) < 1.5  # the accounting tells whole seconds
        assert abs(call.ended_at / 1000 - bye.at) < 1.5
    else:
        assert (call.answered_at, call.sip_status) == (None, final.code)
        assert call.billable_ms == 0


def brief(call: Call) -> tuple[object, ...]:
    """What every account of a call must agree on."""
    return (
        call.status, call.end_reason, call.hung_up_by, call.sip_status, call.caller_number, call.requested,
        call.answered_at is not None, call.state,
    )  # fmt: skip


def alike(run: Run) -> None:
    """Kamailio's accounting, posted as its page has it, gives the calls that the capture gives: by the rows of
    acc_json, by the dialog events, and by all together."""
    captured = {call.call_id: call for call in run.calls}
    for told in (run.by_acc, run.by_dialogs, run.by_all):
        for call in told:
            if told == run.by_dialogs and not call.sip_status:
                call.sip_status = captured[call.call_id].sip_status  # no message brought the proxy's own time-out
        assert {call.call_id: brief(call) for call in told} == {id_: brief(call) for id_, call in captured.items()}
        for call in told:
            other = captured[call.call_id]
            assert _near(call.answered_at, other.answered_at) and _near(call.ended_at, other.ended_at)
    for call in run.by_all:
        other = captured[call.call_id]
        assert (call.answered_at, call.ended_at) == (other.answered_at, other.ended_at)
        assert [(log.number, log.outcome) for log in call.logs] == [(log.number, log.outcome) for log in other.logs]


def _near(one: int | None, other: int | None) -> bool:
    return one is other is None or (one is not None and other is not None and abs(one - other) < 500)


def test_answered(exchange: Exchange) -> None:
    run = exchange.run(caller(), CALLEE)
    call = run.call
    as_accounted(run, call)
    assert (call.status, call.end_reason) == ("answered", "caller_disconnected")
    assert (call.caller_number, call.caller_name, call.callee_number, call.answered_by) == (
        "1001",
        "Caller",
        "1002",
        "1002",
    )
    assert call.talk_ms > 900 and call.ring_ms is not None and call.ring_ms > 200
    assert [(log.number, log.outcome) for log in call.logs] == [("1002", "answered")]


def test_callee_hangs_up(exchange: Exchange) -> None:
    run = exchange.run(
        scenario(
            invite(),
            *RINGS,
            receive(200, routes=True),
            in_dialog("ACK", 1),
            wait_for("BYE"),
            respond(200, "OK", tag=False),
        ),
        scenario(wait_to_hang_up(), *ANSWERS[1:], pause(500), callee_bye(), receive(200)),
    )
    as_accounted(run, run.call)
    assert (run.call.end_reason, run.call.hung_up_by) == ("callee_disconnected", "callee")


@pytest.mark.parametrize(
    ("status", "reason", "word", "cause"),
    [(486, "Busy Here", "busy", 17), (603, "Decline", "failed", 21), (404, "Not Found", "failed", 1)],
)
def test_refused(exchange: Exchange, status: int, reason: str, word: str, cause: int) -> None:
    callee = scenario(wait_for("INVITE"), respond(status, reason, retransmit=True), wait_for("ACK"))
    run = exchange.run(refused(status), callee)
    as_accounted(run, run.call)
    assert (run.call.status, run.call.sip_status, run.call.q850_cause) == (word, status, cause)


def test_caller_cancels_while_it_rings(exchange: Exchange) -> None:
    run = exchange.run(
        scenario(
            invite(),
            receive(100, optional=True),
            receive(180),
            pause(700),
            same_hop("CANCEL"),
            receive(200),
            receive(487),
            same_hop("ACK"),
        ),
        scenario(
            wait_to_be_cancelled(),
            respond(180, "Ringing"),
            wait_for("CANCEL"),
            respond(200, "OK"),
            refuse_cancelled(),
            wait_for("ACK"),
        ),
    )
    as_accounted(run, run.call)
    assert (run.call.status, run.call.end_reason, run.call.q850_cause) == ("cancelled", "cancelled", 16)
    assert [log.outcome for log in run.call.logs] == ["cancelled"]


def test_no_answer_until_the_proxy_gives_up(exchange: Exchange) -> None:
    run = exchange.run(
        refused(408),
        scenario(
            wait_to_be_cancelled(),
            respond(180, "Ringing"),
            wait_for("CANCEL"),
            respond(200, "OK"),
            refuse_cancelled(),
            wait_for("ACK"),
        ),
        to="1004",
    )
    as_accounted(run, run.call)
    assert (run.call.status, run.call.sip_status, run.call.q850_cause) == ("no_answer", 408, 19)
    assert run.call.missed_by == ["1004"]


def test_auth_challenge_is_one_call(exchange: Exchange) -> None:
    run = exchange.run(
        scenario(
            invite("guarded"),
            receive(407, auth=True),
            same_hop("ACK", user="guarded"),
            invite("guarded", cseq=2, extra=f"[authentication username=guarded password={SECRET}]\n"),
            *RINGS,
            receive(200, routes=True),
            in_dialog("ACK", 2, user="guarded"),
            pause(500),
            in_dialog("BYE", 3, user="guarded"),
            receive(200),
        ),
        CALLEE,
    )
    as_accounted(run, run.call)
    assert run.call.status == "answered"
    assert len(run.call.logs) == 1


def test_wrong_password_is_a_failed_call(exchange: Exchange) -> None:
    run = exchange.run(scenario(invite("guarded"), receive(407), same_hop("ACK", user="guarded")))
    assert not run.reports, run.reports
    assert (run.call.status, run.call.sip_status, run.call.q850_cause) == ("failed", 407, 21)


def test_redirect(exchange: Exchange) -> None:
    moved = respond(
        302, "Moved Temporarily", headers=f"Contact: <sip:1003@127.0.0.1:{exchange.second}>\n", retransmit=True
    ).replace("Contact: <sip:callee@[local_ip]:[local_port]>\n", "")
    run = exchange.run(caller(), scenario(wait_for("INVITE"), moved, wait_for("ACK")), CALLEE, to="1006")
    as_accounted(run, run.call)
    assert [(r["kind"], r["from"], r["to"]) for r in run.call.reroutes] == [("redirect", "1006", "1003")]
    assert (run.call.requested, run.call.destination) == ("1006", "1003")


def test_carrier_failover(exchange: Exchange) -> None:
    away = scenario(wait_for("INVITE"), respond(503, "Service Unavailable", retransmit=True), wait_for("ACK"))
    run = exchange.run(caller(), away, CALLEE, to="1007")
    as_accounted(run, run.call)
    assert [(r["kind"], r["sip_status"]) for r in run.call.reroutes] == [("carrier_failover", 503)]
    assert [log.outcome for log in run.call.logs] == ["failed", "answered"]


def test_fork(exchange: Exchange) -> None:
    loser = scenario(
        wait_to_be_cancelled(),
        respond(180, "Ringing"),
        wait_for("CANCEL"),
        respond(200, "OK"),
        refuse_cancelled(),
        wait_for("ACK"),
    )
    run = exchange.run(caller(), CALLEE, loser, to="6000")
    as_accounted(run, run.call)
    assert {log.number: log.outcome for log in run.call.logs} == {"1002": "answered", "1003": "answered_elsewhere"}
    assert (run.call.requested, run.call.answered_by, run.call.missed_by) == ("6000", "1002", [])


def test_hold_by_reinvite(exchange: Exchange) -> None:
    again = (wait_for("INVITE"), respond(200, "OK", sdp="recvonly", retransmit=True, tag=False), wait_for("ACK"))
    run = exchange.run(
        scenario(
            invite(),
            *RINGS,
            receive(200, routes=True),
            in_dialog("ACK", 1),
            pause(300),
            in_dialog("INVITE", 2, direction="sendonly"),
            receive(100, optional=True),
            receive(200),
            in_dialog("ACK", 2),
            pause(800),
            in_dialog("INVITE", 3, direction="sendrecv"),
            receive(100, optional=True),
            receive(200),
            in_dialog("ACK", 3),
            pause(300),
            in_dialog("BYE", 4),
            receive(200),
        ),
        scenario(*ANSWERS, *again, *again, wait_for("BYE"), respond(200, "OK", tag=False)),
    )
    as_accounted(run, run.call)
    assert 700 < run.call.hold_ms < run.call.talk_ms
    assert run.call.talk_ms > 1300  # the answers to the re-INVITEs are none of the call


def test_sixty_calls_on_top_of_each_other(exchange: Exchange) -> None:
    run = exchange.run(caller(talk_ms=2000), CALLEE, calls=60, timeout=60, options=("-r", "20"))
    assert not run.reports, run.reports
    calls = run.calls
    assert len(calls) == 60
    alike(run)
    for call in calls:
        assert (call.status, call.end_reason, len(call.logs)) == ("answered", "caller_disconnected", 1)
    assert len({row.call_id for row in run.accounted}) == 60


def told_alike(run: Run) -> Call:
    """The call of a transfer: by the capture, by the rows of acc and by all together the same. Dialog events alone tell
    of no transfer."""
    assert not run.reports, run.reports
    call = run.call
    for told in (run.by_acc, run.by_all):
        (other,) = told
        assert brief(other) == brief(call)
        assert [(log.number, log.kind, log.outcome) for log in other.logs] == [
            (log.number, log.kind, log.outcome) for log in call.logs
        ]
        assert all(abs(one.talk_ms - log.talk_ms) < 500 for one, log in zip(other.logs, call.logs, strict=True))
        assert [(r["kind"], r["by"], r["to"]) for r in other.reroutes] == [
            (r["kind"], r["by"], r["to"]) for r in call.reroutes
        ]
    byes = [row for row in run.accounted if row.method == "BYE"]
    assert call.ended_at is not None and abs(call.ended_at / 1000 - byes[-1].at) < 1.5
    assert {row.call_id for row in run.accounted} == set(call.merged_call_ids)
    return call


def test_blind_transfer(exchange: Exchange) -> None:
    call = told_alike(exchange.run(*transfers.blind(exchange.address), timeout=15))
    assert [(r["kind"], r["by"], r["to"], r["result"]) for r in call.reroutes] == [
        ("blind_transfer", "1002", "1003", "answered")
    ]
    assert [(log.number, log.outcome, log.end_reason) for log in call.logs] == [
        ("1002", "answered", "blind_transfer_completed"),
        ("1003", "answered", "caller_disconnected"),
    ]
    assert (call.requested, call.destination, call.missed_by) == ("1002", "1003", [])


def test_attended_transfer(exchange: Exchange) -> None:
    call = told_alike(exchange.run(*transfers.attended(exchange.address), timeout=15))
    assert [(r["kind"], r["by"], r["to"]) for r in call.reroutes] == [("attended_transfer", "1002", "1003")]
    assert [(log.number, log.kind) for log in call.logs] == [
        ("1002", "extension"),
        ("1003", "consultation"),
        ("1003", "extension"),
    ]
    assert (call.requested, call.destination, call.end_reason) == ("1002", "1003", "caller_disconnected")
