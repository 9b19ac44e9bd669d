"""Queues of FreeSWITCH (mod_callcenter): its events, and what the caller's leg remembers of them.

https://developer.signalwire.com/freeswitch/, mod_callcenter, events. The times in the fields `CC-…-Time` and in the
variables `cc_…_epoch` are whole seconds, so the events' own times are used where there are any.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pipeline.sources.freeswitch.headers import Headers
from pipeline.sources.freeswitch.values import agent, clean
from schemas.event import EARLIEST_MS, Event


def queue_event(headers: Headers) -> list[Event]:
    """The events of one `callcenter::info` event; none where it tells nothing of a caller."""
    handler = _QUEUE_ACTIONS.get(headers.text("CC-Action"))
    if handler is None or not headers.text("CC-Member-Session-UUID"):
        return []
    headers.leg = headers.id_of("CC-Member-Session-UUID")
    return handler(headers)


def _of_member(headers: Headers, type_: str) -> Event:
    """An event of the caller in the queue, whichever leg's variables came with it."""
    event = headers.event(type_, linked=True)
    own = headers.text("Unique-ID") in ("", headers.leg)
    if not own:
        event.call_id, event.linked_ids = headers.leg, None
    event.queue, number = queue_names(headers.text("CC-Queue"))
    if number:
        event.callee = number
    return event


def queue_names(queue: str) -> tuple[str, str]:
    """Name and number of a queue `8001@pbx.example`; no number where it is named otherwise."""
    number = agent(queue)
    return clean(queue), number


def _joined(headers: Headers) -> list[Event]:
    return [_of_member(headers, "queue_joined")]


def _agent_number(headers: Headers) -> str:
    return agent(headers.text("CC-Agent"))


def _offered(headers: Headers) -> list[Event]:
    number = _agent_number(headers)
    if not number:
        return []  # the agent's leg has its number
    event = _of_member(headers, "queue_agent_rang")
    event.agent = number
    return [event]


def _served(headers: Headers) -> list[Event]:
    event = _of_member(headers, "queue_left")
    event.reason = "answered"
    event.agent = _agent_number(headers) or headers.number("Caller-Callee-ID-Number", "Caller-Destination-Number")
    return [event]


def _left(headers: Headers) -> list[Event]:
    """`Terminated` comes when the talk with the agent is over, long after the caller left the queue."""
    event = _of_member(headers, "queue_left")
    if headers.text("CC-Cause") == "Terminated":
        event.reason, event.agent = "answered", _agent_number(headers)
        return [event]
    gone = headers.text("Answer-State") == "hangup"
    event.reason = cancelled(headers.text("CC-Cancel-Reason"), key=headers.text("variable_cc_exit_key"), gone=gone)
    return [event]


def cancelled(reason: str, *, key: str, gone: bool) -> str:
    """Why a caller left a queue unserved. BREAK_OUT is both a hang-up and a way out by a key."""
    if reason in ("TIMEOUT", "NO_AGENT_TIMEOUT"):
        return "overflow"
    if reason == "EXIT_WITH_KEY" or (key and not gone):
        return "exit"
    return "abandoned"


def queue_record(headers: Headers) -> list[Event]:
    """What the end of a caller's leg remembers of its last queue, where the queue's own events were not sent.

    Whole seconds: the end of the second is taken, so that it never comes before what was seen.
    """
    queue, number = queue_names(headers.variable("cc_queue"))
    joined = _second(headers, "cc_queue_joined_epoch")
    if not queue or not joined:
        return []
    entry = headers.remembered("queue_joined", joined)
    events = [entry]
    answered = _second(headers, "cc_queue_answered_epoch")
    left = answered or _second(headers, "cc_queue_canceled_epoch") or _second(headers, "cc_queue_terminated_epoch")
    if left:
        exit_ = headers.remembered("queue_left", max(left, joined))
        key = headers.variable("cc_exit_key")
        exit_.reason = (
            "answered" if answered else cancelled(headers.variable("cc_cancel_reason"), key=key, gone=not key)
        )
        exit_.agent = agent(headers.variable("cc_agent")) if answered else ""
        events.append(exit_)
    for event in events:
        event.queue = queue
        if number:
            event.callee = number
    return events


def _second(headers: Headers, variable: str) -> int:
    seconds = headers.variable(variable)
    at = int(seconds) * 1000 + 999 if seconds.isascii() and seconds.isdigit() and len(seconds) < 12 else 0
    return min(at, headers.at) if EARLIEST_MS <= at <= headers.latest else 0


_QUEUE_ACTIONS: Final[dict[str, Callable[[Headers], list[Event]]]] = {
    "member-queue-start": _joined,
    "member-queue-end": _left,
    "agent-offering": _offered,
    "bridge-agent-start": _served,
}
