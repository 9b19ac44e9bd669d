"""Why a call went on to the next target: redirected, forwarded, or sent over another carrier."""

from __future__ import annotations

from typing import Any

from pipeline.calls.numbering import outside
from pipeline.calls.sip.branches import at, sip
from pipeline.calls.sip.parties import host
from pipeline.calls.sip.sides import Side, Tried
from pipeline.calls.sip.writer import Writer

_BUSY = frozenset({486, 600})
_UNANSWERED = frozenset({408, 480, 487})
# Reasons of a Diversion header (RFC 5806).
_DIVERSIONS = {
    "unconditional": "forward_unconditional",
    "user-busy": "forward_busy",
    "no-answer": "forward_no_answer",
    "unavailable": "forward_not_reachable",
    "away": "forward_away",
    "deflection": "forward_unconditional",
    "follow-me": "forward_unconditional",
    "time-of-day": "forward_night_mode",
    "do-not-disturb": "forward_busy",
    "out-of-service": "forward_not_reachable",
}


def write_reroutes(writer: Writer, read: Side) -> None:
    """A `rerouted` event for each target that was tried because an earlier one had failed."""
    used: set[str] = set()
    # Failures in order of time; those before the target at hand have been passed, as targets are in order too.
    failures = sorted(
        (tried for tried in read.tried if tried.end is not None and tried.answered is None),
        key=lambda tried: (_end_at(tried), tried.leg),
    )
    passed = 0
    for place, tried in enumerate(read.tried):
        while passed < len(failures) and _end_at(failures[passed]) <= tried.branch.started:
            passed += 1
        before = failures[passed - 1] if passed else None
        if before is tried:  # it failed in the millisecond in which it began
            before = failures[passed - 2] if passed > 1 else None
        if before is not None:
            if before.leg not in used:  # a fork that follows a failure is one reroute
                used.add(before.leg)
                _write(writer, read, before, tried)
        elif place == 0:
            _write_diversion(writer, read, tried)


def _end_at(tried: Tried) -> int:
    assert tried.end is not None
    return tried.end.at


def _write(writer: Writer, read: Side, before: Tried, after: Tried) -> None:
    assert before.end is not None
    kind = _kind(before, after)
    if not kind:
        return
    source, to = before.number, after.number
    if kind == "carrier_failover":
        source, to = _peer(before), _peer(after)
    writer.write(
        "rerouted", before.end.at, read.caller_leg, reason=kind, from_=source, to=to, sip_status=before.end.sip_status
    )


def _peer(tried: Tried) -> str:
    """Where a branch was sent: the address of the carrier."""
    message = sip(tried.branch.invite or tried.branch.first)
    return host(message.src if message.status else message.dst)


def _kind(before: Tried, after: Tried) -> str:
    assert before.end is not None
    status = before.end.sip_status
    rang = before.branch.ringing is not None
    if 300 <= status < 400:
        return "redirect"
    if _same_number(before.number, after.number):
        silent = status in _UNANSWERED and status != 480 and not rang
        return "carrier_failover" if status == 408 or 500 <= status < 600 or silent else ""
    if status in _BUSY:
        return "forward_busy"
    if status in _UNANSWERED and rang:
        return "forward_no_answer"
    return "forward_exception" if status in (403, 603) else "forward_not_reachable"


def _same_number(one: str, other: str) -> bool:
    """Equal, or equal but for a carrier's prefix."""
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    return one == other or (len(shorter.lstrip("+")) >= 6 and longer.endswith(shorter.lstrip("+")))


def write_history(writer: Writer, read: Side) -> None:
    """The forwards that the first INVITE tells of: they happened before the call came here (RFC 5806, RFC 7044)."""
    message = sip(read.session.first)
    if message.forwards:
        _write_steps(writer, read, read.session.started, message.forwards, message.ruri)


def _write_diversion(writer: Writer, read: Side, tried: Tried) -> None:
    """The forwards that only the headers of a branch tell of: set on the way, not by the caller."""
    message = sip(tried.branch.invite or tried.branch.first)
    known = sip(read.session.first).forwards or []
    steps = [step for step in message.forwards or [] if step not in known]
    _write_steps(writer, read, at(tried.branch.invite or tried.branch.first), steps, tried.number)


def _write_steps(writer: Writer, read: Side, when: int, steps: list[str], last: str) -> None:
    """One `rerouted` event for each who forwarded, to the next one."""
    numbers = [step.rpartition(";")[0] for step in steps]
    for step, source, to in zip(steps, numbers, [*numbers, last][1:], strict=True):
        if source == to or not to:
            continue
        kind = _DIVERSIONS.get(step.rpartition(";")[2], "redirect")
        elsewhere: dict[str, Any] = {"kind": "outside"} if outside(source) else {}
        writer.write("rerouted", when, read.caller_leg, reason=kind, from_=source, to=to, **elsewhere)
