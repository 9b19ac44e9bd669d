"""The plain call, folded straight: a caller, one target, both answered or both not, nobody held, moved or queued.

Nearly every call is one, and this way takes a quarter of the time. It holds no rules of
its own: whatever is not utterly plain returns None and takes the general way, and a property test
holds the two equal, field for field.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

from pipeline.calls.causes import cause_from_code, cause_from_name
from pipeline.calls.column_limits import LONG_MS
from pipeline.calls.numbering import comes_in, leads_out
from pipeline.calls.steps.ending import STATUS_OF
from pipeline.calls.steps.legs import address_of
from pipeline.calls.steps.outcome import BY_CAUSE, CANCEL_NAMES, NORMAL_CLEARING
from pipeline.calls.steps.record import SHORTEST_RING_MS
from pipeline.calls.steps.talk import SAME_INSTANT_MS
from pipeline.calls.withheld import shown as party_shown
from schemas.call import Call, CallLog, call_snowflake, snowflake
from schemas.event import Event, Party
from schemas.words import Direction

_MOST_EVENTS = 9
_MOMENTS = frozenset(("started", "progress", "rang", "answered", "ended"))
_PHONES = frozenset((None, "extension", "outside"))
# Causes that say by themselves what became of a target; another may have answered where they tell of that.
_REFUSALS = {number: word for number, word in BY_CAUSE.items() if word != "answered_elsewhere"}
_REASON = {"caller": "caller_disconnected", "callee": "callee_disconnected"}


def plain(facts: list[Event], version: int) -> Call | None:
    """The call that these distinct events, in order, tell; None when it is not plain."""
    first, last = facts[0], facts[-1]
    if (
        len(facts) > _MOST_EVENTS
        or first.kind is not None
        or first.type != "started"
        or first.caller is None
        or first.peer_leg_id
    ):
        return None
    a: dict[str, Event] = {}
    b: dict[str, Event] = {}
    call_id, leg_id, node = first.call_id, first.leg_id, first.node
    for event in facts:
        if event.type not in _MOMENTS or event.call_id != call_id or _unusual(event):
            return None
        if event.leg_id == leg_id:
            moments = a
        else:
            moments = b
            if not b:
                # The other leg begins with its start, made for the caller's.
                if event.type != "started" or event.peer_leg_id != leg_id or not leg_id or event.node != node:
                    return None
                if event.kind not in _PHONES or (
                    event.kind == "outside" and "inbound" in (first.direction, event.direction)
                ):
                    return None
                other = event.leg_id
            elif event.leg_id != other:
                return None
        if event.type in moments or (moments and _names_parties(event)):
            return None
        moments[event.type] = event
    answer, end = a.get("answered"), a.get("ended")
    if end is None:
        return None
    started = first.at
    answered: int | None = None if answer is None else answer.at
    ended = end.at
    if last.at - started > LONG_MS:
        return None
    if answered is None:
        if not b or not _is_refused(a, b):
            return None
    elif not started <= answered < ended or (b and not _hears(b, answered, ended)):
        return None
    return _record(a, b, answered, ended, last.at, len(facts), version)


def _unusual(event: Event) -> bool:
    """Whether the event says anything that the general way must weigh."""
    return bool(
        event.reason
        or event.sip is not None
        or (event.data is not None and event.data.bridge is not None)
        or event.role
        or event.answered_by
    )


def _names_parties(event: Event) -> bool:
    """Whether an event after a leg's first tells who or what the leg is."""
    return bool(
        event.kind is not None
        or event.caller is not None
        or event.callee is not None
        or event.direction is not None
        or event.peer_leg_id
        or event.trunk
        or event.did
        or event.outbound_caller_id
        or event.user_data
    )


def _hears(b: dict[str, Event], answered: int, ended: int) -> bool:
    """Whether the target answered just before the caller's leg did and stayed to its end."""
    answer, end = b.get("answered"), b.get("ended")
    if answer is None or not answered - SAME_INSTANT_MS <= answer.at <= answered:
        return False
    return end is None or (end.at >= answered and abs(ended - end.at) <= SAME_INSTANT_MS)


def _is_refused(a: dict[str, Event], b: dict[str, Event]) -> bool:
    """Whether both legs ended unanswered, each with a cause that says by itself what became of the call."""
    end = b.get("ended")
    if end is None or "answered" in b:
        return False
    if a["ended"].hung_up_by in ("caller", "party"):
        return False  # he may have given up
    for each in (a["ended"], end):
        if each.sip_status or each.cause in CANCEL_NAMES or cause_from_code(each.q850_cause) not in _REFUSALS:
            return False
    return True


def _refused_by(a: dict[str, Event], b: dict[str, Event], status: str) -> str:
    """Who hung up a call that was not answered: nobody's phone did when it rang for too long."""
    if status not in ("busy", "failed"):
        return "system"
    refused = a["ended"].hung_up_by in ("callee", "peer") or b["ended"].hung_up_by in ("party", "callee")
    return "callee" if refused else "system"


def _party(told: str | Party | None) -> Party:
    return told if isinstance(told, Party) else Party(told or "")


def _cause(end: Event | None) -> tuple[int, str]:
    """Q.850 cause and its source as a hang-up tells it; -1 where its SIP status would have to say."""
    if end is None:
        return 0, ""
    if end.q850_cause and (number := cause_from_code(end.q850_cause)):
        return number, end.cause_from or "native"
    if end.cause and (number := cause_from_name(end.cause)):
        return number, "native"
    return (-1, "") if end.sip_status >= 300 else (0, "")


def _hung_up(a: dict[str, Event], b: dict[str, Event]) -> str:
    """Who hung up; "" when nobody can tell."""
    said = a["ended"].hung_up_by
    end = b.get("ended")
    told = end.hung_up_by if end is not None else None
    if told in ("party", "callee"):
        return "callee"
    if said in ("caller", "party"):
        return "caller"
    if said in ("callee", "system"):
        return said
    if told == "peer" and said == "peer":
        return "" if a["ended"].by or (end is not None and end.by) else "system"
    if told in ("caller", "peer"):
        return "caller"
    if told == "system":
        return "system"
    if said == "peer":
        return "callee"
    if end is not None and end.at != a["ended"].at:
        return "callee" if end.at < a["ended"].at else "caller"
    return ""


def _by_numbers(caller: Party, called: Party, target: str, *, leg: bool) -> Direction:
    """The direction of a call of which only the numbers tell. `leg`: the target has one."""
    if not called.number:
        called = Party(target)
    if comes_in(caller, called) or (leg and target != called.number and comes_in(caller, Party(target))):
        return "inbound"
    return "outbound" if leads_out(caller, called) else "internal"


def _earliest(a: dict[str, Event], b: dict[str, Event], moment: str, until: int) -> int | None:
    """The first such moment of either leg, unless it came after the answer, or the end."""
    found: int | None = None
    for moments in (a, b):
        event = moments.get(moment)
        if event is not None and event.at <= until and (found is None or event.at < found):
            found = event.at
    return found


def _may_ring(moments: dict[str, Event]) -> bool:
    """Whether a phone was dialled by a PBX that tells of no ringing; see `record`."""
    end = moments.get("ended")
    if end is None or end.cause or end.sip_status or "progress" in moments:
        return False
    return end.at - moments["started"].at >= SHORTEST_RING_MS


def _leg(moments: dict[str, Event], caller: Party, callee: Party) -> dict[str, Any]:
    first = moments["started"]
    end = moments.get("ended")
    at = {moment: event.at for moment, event in moments.items()}
    status = end.sip_status if end is not None and 100 <= end.sip_status < 700 else 0
    cause = cause_from_code(end.q850_cause) if end is not None and end.q850_cause else 0
    item = {
        "leg_id": first.leg_id or None,
        "call_id": first.call_id,
        "node": first.node or None,
        "peer_leg_id": first.peer_leg_id or None,
        "from": caller.number or None,
        "to": callee.number or None,
        "started_at": first.at,
        "rang_at": at.get("rang"),
        "answered_at": at.get("answered"),
        "ended_at": at.get("ended"),
        "sip_status": status or None,
        "q850_cause": cause or None,
    }
    if address := address_of(first):
        item["address"] = address
    return item


def _record(
    a: dict[str, Event], b: dict[str, Event], answered: int | None, ended: int, last_at: int, count: int, version: int
) -> Call | None:
    first = a["started"]
    tenant, call_id = first.tenant, first.call_id
    started = first.at
    number, cause_from = _cause(a["ended"])
    its_cause = _cause(b.get("ended"))[0]
    if number < 0 or its_cause < 0:
        return None
    if not number:
        number, cause_from = NORMAL_CLEARING, "inferred"
    caller, callee = party_shown(_party(first.caller)), _party(first.callee)
    requested = callee.number or callee.extension
    direction = first.direction or ""
    trunk, did, shown = first.trunk, first.did, first.outbound_caller_id
    user_data = first.user_data
    legs = [_leg(a, caller, callee)]
    if b:
        start = b["started"]
        party = _party(start.callee)
        target = party.number or party.extension or requested
        outside = start.kind == "outside" or (
            start.kind is None
            and (
                bool(start.trunk)
                or start.direction == "outbound"
                or (
                    not (direction or first.trunk or first.did)
                    and leads_out(caller, party if party.number else Party(target))
                )
            )
        )
        direction = direction or start.direction or ""
        did = did or start.did
        shown = shown or start.outbound_caller_id
        user_data = user_data or start.user_data
        its_trunk = start.trunk
        inward = bool(first.trunk or first.did)
        trunk = trunk or its_trunk
        legs.append(_leg(b, party_shown(_party(start.caller)), party))
        if not direction:
            direction = (
                ("inbound_outbound" if outside else "inbound") if inward else "outbound" if outside else ""
            ) or ("internal" if caller.extension and party.extension else _by_numbers(caller, callee, target, leg=True))
    else:
        party, target = callee, requested
        if not direction:
            if trunk or did:
                direction = "inbound"
            else:
                direction = "internal" if caller.extension else _by_numbers(caller, callee, target, leg=False)
        outside = direction in ("outbound", "inbound_outbound")
        its_trunk = trunk if outside else ""
    if answered is None:
        outcome = _REFUSALS[its_cause]
        status = STATUS_OF[_REFUSALS[number]]
        by, end_reason, talk_ms = _refused_by(a, b, status), "", 0
    else:
        outcome = status = "answered"
        by = _hung_up(a, b)
        end_reason, talk_ms = _REASON.get(by, ""), ended - answered
    until = ended if answered is None else answered
    rang_at, progress_at = _earliest(a, b, "rang", until), _earliest(a, b, "progress", until)
    id_ = call_snowflake(tenant, call_id, started)
    requested = requested or target
    moments = b or a
    log_started = moments["started"].at
    rang, its_end = moments.get("rang"), moments.get("ended")
    log_rang: int | None = rang.at if rang is not None else None
    log_answered: int | None = None if answered is None else moments["answered"].at
    log_ended: int = its_end.at if its_end is not None else ended
    log_until = log_ended if log_answered is None else log_answered
    if log_rang is not None and log_rang > log_until:
        log_rang = log_until
    log_kind = "outside" if outside else "extension"
    missed = (
        answered is None
        and bool(target)
        and log_kind == "extension"
        and (outcome == "busy" or (outcome == "no_answer" and (log_rang is not None or _may_ring(moments))))
    )
    log_leg = moments["started"].leg_id if b else ""
    log = CallLog(
        tenant,
        snowflake(log_started, crc32(f"{call_id}\n{log_leg or target}".encode("utf-8", "replace"))),
        id_,
        call_id,
        version,
        0,
        log_kind,
        target,
        party.name,
        log_leg,
        log_started,
        log_rang,
        log_answered,
        log_ended,
        None if log_rang is None else max(0, log_until - log_rang),
        talk_ms,
        outcome,
        end_reason if its_end is not None else "",
        "",
        0,
        its_cause if b else number,
        its_trunk or trunk,
        direction,
        caller.number,
        caller.name,
        caller.domain,
        party.domain or callee.domain,
        did,
        shown,
        "",
        user_data,
    )
    return Call(
        tenant,
        id_,
        call_id,
        version,
        "closed",
        direction,
        status,
        end_reason,
        by,
        caller.number,
        caller.name,
        caller.domain,
        caller.extension,
        requested,
        callee.name,
        callee.domain,
        callee.extension,
        requested,
        "" if answered is None else target,
        "" if answered is None else target,
        started,
        progress_at,
        rang_at,
        answered,
        answered,
        ended,
        None if answered is None else answered - started,
        None if rang_at is None else until - rang_at,
        None,
        talk_ms,
        0,
        talk_ms,
        ended - started,
        0,
        number,
        cause_from,
        did,
        trunk,
        shown,
        "",
        user_data,
        [target] if missed else [],
        [],
        [] if progress_at is None else ["early_media"],
        count,
        last_at,
        legs,
        [],
        [],
        [],
        None,
        [log],
    )
