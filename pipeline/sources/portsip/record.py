"""PortSIP's `call_cdr`: the whole call, with every target that was tried."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from pipeline.calls.steps.provisional import DEFINITE
from pipeline.sources.contract import Malformed, Options
from pipeline.sources.json_record import LONGEST_TEXT, Record
from pipeline.sources.sip.fields import user_domain
from schemas.event import Event, Party
from schemas.words import Direction

NO_ANSWER: Final = 19
_MOST_TARGETS: Final = 5_000
_DIRECTIONS: Final[dict[str, Direction]] = {
    "in": "inbound",
    "inbound": "inbound",
    "inbound_call": "inbound",
    "out": "outbound",
    "outbound": "outbound",
    "outbound_call": "outbound",
    "ext": "internal",
    "internal": "internal",
    "extension_call": "internal",
    "in2out": "inbound_outbound",
    "inbound_outbound": "inbound_outbound",
    "inbound_outbound_call": "inbound_outbound",
}
_TRANSFERS: Final = {
    "blind_transfer_complete": "blind_transfer",
    "blind_transfer_completed": "blind_transfer",
    "attended_transfer_complete": "attended_transfer",
    "attended_transfer_completed": "attended_transfer",
    "consult_transfer_complete": "attended_transfer",
    "consult_transfer_completed": "attended_transfer",
}
_KINDS: Final = {
    "queue_call": "queue_agent",
    "queue_callback_call": "queue_agent",
    "ring_group_call": "ring_group_member",
}


class Session:
    """What one value says of its session."""

    __slots__ = ("id", "options", "record")

    def __init__(self, record: Record, options: Options) -> None:
        self.record = record
        self.options = options
        self.id = record.id("session_id")
        if not self.id:
            raise Malformed("/session_id: is missing; send the whole event, as PortSIP gives it")

    def time(self) -> int:
        """When the event happened."""
        at = self.record.at("time")
        if not at:
            raise Malformed("/time: is missing; send the whole event, as PortSIP gives it")
        return at

    def leg(self, destination: str) -> str:
        """The leg towards a destination."""
        return f"{self.id}-{destination}"[:256]

    def event(self, type_: str, at: int, mark: str) -> Event:
        """An event of the caller's leg."""
        linked = self.record.id("call_id") if self.options.sip_ids else ""
        return Event(
            type_,
            at,
            self.id,
            f"ps-{self.id}-{mark}-{type_}-{at}"[:256],
            self.id,
            self.options.tenant,
            self.options.node,
            linked_ids=[linked] if linked and linked != self.id else None,
        )

    def number(self, address: str) -> str:
        """The number of `5001`, `sip:5001@192.168.0.91:8916`."""
        if ":" in address:
            return user_domain(address)[0]
        return address.partition("@")[0]

    def trunk(self, record: Record) -> str:
        """The trunk of `122:<tenant>`."""
        name, colon, tenant = record.text("trunk_name", "trunk").rpartition(":")
        return name if colon and tenant == self.record.text("tenant_id") else record.text("trunk_name", "trunk")

    def parties(self, event: Event) -> Event:
        """Say on an event of the caller's leg who calls whom."""
        record = self.record
        direction = _DIRECTIONS.get(record.text("direction").lower())
        number = self.number(record.text("caller"))
        own = number if direction in ("internal", "outbound") else ""
        event.role, event.direction = "caller", direction
        event.caller = Party(number, record.text("caller_display_name"), record.text("caller_domain"), own)
        callee = self.number(record.text("callee"))
        event.callee = Party(callee, record.text("callee_display_name"), record.text("callee_domain"))
        event.did = record.text("did", "did_cid")
        event.trunk = self.trunk(record)
        event.outbound_caller_id = record.text("outbound_caller_id")
        event.user_data = record.text("user_data")
        return event


class _Target(msgspec.Struct):
    """One of `call_targets`. Times in ms, 0 for never."""

    record: Record
    leg: str
    number: str
    began: int
    rang: int
    answered: int
    ended: int
    reason: str
    kind: str = ""


def call_cdr(session: Session, items: Any) -> list[Event]:
    """The events that the record tells."""
    record = session.record
    began = record.at("start_time", "started_at")
    ended = record.at("ended_time", "end_time", "ended_at")
    if not began or not ended:
        missing = "ended_time" if began else "start_time"
        raise Malformed(f"/{missing}: is missing; send the whole event, as PortSIP gives it")
    targets = _targets(session, items)
    events = [session.parties(session.event("started", min(began, ended), "cdr"))]
    account = session.event("data", began, "cdr")
    account.reason = DEFINITE
    events.append(account)
    rang = record.at("ring_time", "rang_at")
    if rang:
        events.append(session.event("rang", rang, "cdr"))
    answered = record.at("answered_time", "answered_at")
    if answered:
        answer = session.event("answered", answered, "cdr")
        first = min((t for t in targets if t.answered), key=lambda target: target.answered, default=None)
        answer.answered_by = "pbx" if first is not None and first.kind in ("ivr", "queue") else ""
        events.append(answer)
    for place, target in enumerate(targets):
        events += _events_of(session, target, targets[place + 1 :])
    end = session.event("ended", max(began, ended), "cdr")
    _ending(end, record, record.text("end_reason", "ended_reason").lower())
    events.append(end)
    return events


def _targets(session: Session, items: Any) -> list[_Target]:
    listed = [item for item in items if isinstance(item, dict)][:_MOST_TARGETS] if isinstance(items, list) else []
    targets: list[_Target] = []
    for item in listed:
        record = Record(item, session.record.zone, session.record.latest)
        destination = record.id("destination", "callee")
        number = session.number(record.text("callee")) or session.number(destination)
        began = record.at("start_time", "started_at")
        if not began or not number:
            continue
        reason = record.text("end_reason", "ended_reason").lower()
        ended = max(record.at("ended_time", "end_time", "ended_at"), began)
        targets.append(
            _Target(
                record,
                "",
                number,
                began,
                record.at("ring_time", "rang_at"),
                record.at("answered_time", "answered_at"),
                ended,
                reason,
            )
        )
        targets[-1].leg = session.leg(f"{destination[:120]}-{began}")
        targets[-1].kind = _KINDS.get(record.text("call_type").lower(), "")
    targets.sort(key=lambda target: (target.began, target.ended, target.leg))
    for place, target in enumerate(targets):
        later = targets[place + 1 :]
        if target.answered and target.reason == "referred":  # by the PBX itself: a person's is a transfer
            target.kind = "queue" if _calls_agents(later) else "ivr"
        elif target.answered and target.kind == "" and _rings_agents(target, later):
            target.kind = "queue"
    return targets


def _calls_agents(later: list[_Target]) -> bool:
    """Whether agents come next, before the PBX refers the caller again."""
    for target in later:
        if target.kind == "queue_agent":
            return True
        if target.answered and target.reason == "referred":
            return False
    return False


def _rings_agents(target: _Target, later: list[_Target]) -> bool:
    """Whether agents were called while this target had the caller: it is the queue where he waited."""
    return any(agent.kind == "queue_agent" and agent.began < target.ended for agent in later[:1])


def _events_of(session: Session, target: _Target, later: list[_Target]) -> list[Event]:
    if target.kind == "queue":
        return _queue(session, target, later)
    record, events = target.record, []
    for type_, at in (("started", target.began), ("rang", target.rang), ("answered", target.answered)):
        if at:
            events.append(_of(session, target, type_, at))
    start = events[0]
    start.callee = Party(target.number, record.text("callee_display_name"), record.text("callee_domain"))
    start.trunk, start.outbound_caller_id = session.trunk(record), record.text("outbound_caller_id")
    if target.kind or start.trunk:
        start.kind = target.kind or "outside"  # type: ignore[assignment]
    end = _of(session, target, "ended", target.ended)
    _ending(end, record, target.reason)
    if not target.answered and not end.sip_status and record.text("status").lower() == "noanswer":
        # Who lost the race to another phone shows no reason: the fold finds who won.
        end.q850_cause = 0 if target.reason in ("", "none", "cancelled") else NO_ANSWER
    events.append(end)
    return events + _moved(session, target, later)


def _moved(session: Session, target: _Target, later: list[_Target]) -> list[Event]:
    """What sent the call on from this target to the next."""
    kind = _TRANSFERS.get(target.reason, "")
    after = [each for each in later if each.began >= target.ended - 2_000]
    if kind == "attended_transfer":  # who was consulted had been called before
        after = [each for each in later if each.ended > target.ended] or after
    to = after[0].number if after else ""
    reason = target.record.text("reroute_reason").lower()
    if kind:
        event = _of(session, target, "transferred", target.ended)
        event.reason = kind
        if kind == "attended_transfer" and after and after[0].began < target.ended:
            event.target_leg_id = after[0].leg
    elif reason and reason != "transfer":
        event = _of(session, target, "rerouted", target.ended)
        event.reason = reason
    elif target.reason == "redirected":
        event = _of(session, target, "rerouted", target.ended)
        event.reason = "redirect"
    else:
        return []
    event.peer_leg_id, event.role = "", ""
    event.from_, event.to, event.transferee_leg_id = target.number, to[:LONGEST_TEXT], session.id
    return [event]


def _queue(session: Session, target: _Target, later: list[_Target]) -> list[Event]:
    joined = session.event("queue_joined", target.answered, f"cdr-{target.number}")
    joined.queue, joined.callee = target.number, target.number
    served = next((agent for agent in later if agent.kind == "queue_agent" and agent.answered), None)
    left = session.event("queue_left", served.answered if served else target.ended, f"cdr-{target.number}")
    left.queue = target.number
    gone = "overflow" if target.reason in ("referred", "redirected") else "abandoned"
    left.reason, left.agent = ("answered", served.number) if served else (gone, "")
    return [joined, left]


def _of(session: Session, target: _Target, type_: str, at: int) -> Event:
    event = session.event(type_, max(at, target.began), target.leg)
    event.event_id = f"ps-{target.leg}-{type_}-{at}"[:256]
    event.leg_id, event.peer_leg_id, event.role = target.leg, session.id, "target"
    return event


def _ending(event: Event, record: Record, reason: str) -> None:
    status = record.whole("status_code")
    event.sip_status = status if 300 <= status < 700 else 0
    if reason.startswith("caller_disconnect"):
        event.hung_up_by = "caller"
    elif reason.startswith("callee_disconnect"):
        event.hung_up_by = "callee"
    elif reason == "cancelled":
        event.hung_up_by, event.cause = "caller", "CANCEL"
