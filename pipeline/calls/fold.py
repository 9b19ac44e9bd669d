"""The fold: the set of a call's events → the call. A pure function of the set.

Whatever the order, the duplicates and the split into batches, the same events give the same call.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zlib import crc32

from pipeline.calls import queue as queues
from pipeline.calls.dialog import dialogs
from pipeline.calls.legs import Leg, Story, distinct, read
from pipeline.calls.outcome import NORMAL_CLEARING, cancelled_by_caller, cause, outcome
from pipeline.calls.skew import straighten
from pipeline.calls.talk import SAME_INSTANT_MS, assign, hold_ms, union
from pipeline.calls.targets import FORK_SLACK_MS, Target, caller_leg, leave, of_caller, of_leg, on_caller_leg, split
from schemas.call import Call, CallLog, snowflake
from schemas.event import Event
from schemas.words import REROUTE_REASON

# Raised when a change of these rules changes calls: rows folded by newer rules replace older ones.
GENERATION = 0

_TRANSFERS = {"blind": "blind_transfer", "attended": "attended_transfer", "semi_attended": "semi_attended_transfer"}


def version_of(events: int, expired: bool) -> int:
    """Version of a call: fold generation, then distinct events folded, then whether it was closed
    for want of a hang-up. Never depends on when or how often it was written."""
    return GENERATION << 32 | events << 1 | expired


def fold(events: Iterable[Event], *, expired: bool = False) -> Call:
    """The call that these events tell (all of one tenant, at least one event).

    `expired` closes a call whose hang-up never came at its last evidence.
    """
    facts = distinct(events)
    count = len(facts)
    first = facts[0]
    call_ids = {event.call_id for event in facts}
    for event in facts:
        if event.sip is not None:
            facts = distinct([*dialogs([e for e in facts if e.sip is not None]), *(e for e in facts if e.sip is None)])
            break
    story = read(facts)
    return _Fold(story, first.tenant, call_ids, count, expired).call()


class _Fold:
    """The working state of one fold; each method settles one aspect."""

    def __init__(self, story: Story, tenant: str, call_ids: set[str], count: int, expired: bool) -> None:
        self.story = story
        self.tenant = tenant
        self.call_ids = call_ids
        self.count = count
        self.expired = expired
        self.flags: list[str] = []
        self.caller = caller_leg(story)
        self.call_id = self.caller.call_id  # of several ids that turn out to be one call, the caller's stays
        self.reroutes: list[dict[str, Any]] = []
        self.visits: list[queues.Visit] = []

    def call(self) -> Call:
        story, caller = self.story, self.caller
        legs, seconds, consulted = split(story, caller) if len(story.legs) > 1 else ([], [], [])
        if legs and straighten(caller, legs):
            self.flags.append("clock_skew")
        transfers = [event for event in story.reroutes if event.type == "transferred"]
        self._start(legs)
        self.ended = ended = self._end(legs, consulted, transfers)
        now = story.last_at if ended is None else ended
        targets = [of_leg(leg, caller) for leg in legs]
        consultations = self._consult(seconds, consulted, transfers, targets) if seconds else []
        if story.reroutes or story.voicemail or caller.conferences:
            targets += on_caller_leg(story, caller, targets, self.started, ended)
        if story.queue:
            self.visits = queues.visits(story, caller)
        if not targets and not self.visits:
            targets = [of_caller(caller, self.started, ended)]
        self._infer_answer(targets)
        answered = self._answered(targets)
        if answered is not None and ended is not None and answered > ended:
            answered, ended = ended, answered
            self.ended = now = ended
            self.flags.append("clock_skew")
        talking = assign(targets, caller, [event.at for event in transfers], ended, now)  # type: ignore[misc]
        self._outcomes(targets, talking, answered)
        if self.visits:
            targets = [*queues.serve(self.visits, targets, ended), *targets]
        self._reroutes(targets, talking)
        if consultations:
            targets += consultations
        if len(targets) > 1:
            targets.sort(key=lambda t: (t.started, t.leg.id if t.leg else "", t.kind, t.number))
        return self._assemble(targets, talking, answered, now)

    # -- moments -------------------------------------------------------------------------------

    def _start(self, legs: list[Leg]) -> None:
        caller = self.caller
        started = caller.started
        if started is None:
            started = min([caller.first_at, *(leg.first_at for leg in legs)])
            self.flags.append("start_missing")
        self.started = started

    def _end(self, legs: list[Leg], consulted: list[Leg], transfers: list[Event]) -> int | None:
        """When the call ended; None while it goes on."""
        caller = self.caller
        ended = caller.ended
        if ended is not None and any(event.leg_id == caller.id for event in transfers):
            # The caller handed the call over: it lives until the last of those that remain.
            others = [leg.ended for leg in (*legs, *consulted)]
            ended = None if None in others else max([ended, *(at for at in others if at is not None)])
        if ended is None and self.expired:
            self.flags += ["incomplete", "end_estimated"]
            return self.story.last_at
        return ended

    def _answered(self, targets: list[Target]) -> int | None:
        """When the network answered: the caller's leg says so, else the first target that did."""
        caller = self.caller
        if caller.answered is not None:
            if caller.answer_source == "hangup_record":
                self.flags.append("answer_from_hangup_record")
            return caller.answered
        return min((t.answered for t in targets if t.answered is not None), default=None)

    def _infer_answer(self, targets: list[Target]) -> None:
        """A lost answer of the only target that can have taken the call."""
        own = self.caller.answered
        if own is None or self.caller.answered_by == "pbx" or self.visits:
            return
        if any(target.answered is not None or target.leg is None for target in targets):
            return
        alive = [t for t in targets if t.started <= own and (t.ended is None or t.ended >= own)]
        if len(alive) == 1 and (alive[0].leg is None or cause(alive[0].leg)[0] in (0, NORMAL_CLEARING)):
            alive[0].answered = own

    # -- targets -------------------------------------------------------------------------------

    def _consult(
        self, seconds: list[Leg], consulted: list[Leg], transfers: list[Event], targets: list[Target]
    ) -> list[Target]:
        """Second calls that a party of the call made, as logs of their own; the party consulted
        becomes a target of the call from the moment it is handed the caller."""
        logs: list[Target] = []
        for second in seconds:
            phones = [leg for leg in consulted if leg.peer == second.id]
            handed = next(
                (e for e in transfers if second.id == e.second_leg_id or e.target_leg_id in {p.id for p in phones}),
                None,
            )
            at: int | None = handed.at if handed is not None else None  # type: ignore[assignment]
            callee = second.callee if second.callee.number else (phones[0].callee if phones else second.callee)
            rang = min((p.rang for p in (second, *phones) if p.rang is not None), default=None)
            answered = second.answered
            if answered is None:
                answered = min((p.answered for p in phones if p.answered is not None), default=None)
            if at is not None and answered is not None and answered > at:
                answered = None  # handed over while it still rang
            ends = [p.ended for p in (second, *phones) if p.ended is not None]
            ended = at if at is not None else min(ends, default=self.ended)
            log = Target(
                "consultation",
                callee.number,
                second.first_at if second.started is None else second.started,
                second,
                callee.name,
                callee.domain,
                rang,
                answered,
                ended,
            )
            if answered is not None:
                log.outcome = "answered"
                if ended is not None:
                    log.talk_ms = max(0, ended - answered)
            else:
                log.outcome = "no_answer" if ended is not None else ""
            if at is not None:
                log.end_reason = "consult_transfer_completed"
            logs.append(log)
            for phone in phones:
                if at is None or (phone.ended is not None and phone.ended < at):
                    continue
                target = of_leg(phone, self.caller)
                target.number = target.number or callee.number
                target.started = at
                target.via_transfer = True
                if target.answered is not None:
                    target.answered = max(target.answered, at)
                if target.rang is not None and target.answered is not None and target.answered <= at:
                    target.rang = None
                elif target.rang is not None:
                    target.rang = max(target.rang, at)
                targets.append(target)
        return logs

    def _outcomes(self, targets: list[Target], talking: list[Target], answered: int | None) -> None:
        """What became of each target."""
        caller = self.caller
        for target in targets:
            if target.outcome:
                continue
            if target.talk is not None or (target.answered is not None and target.kind in ("ivr", "park")):
                target.outcome = "answered"
                continue
            leg = target.leg
            if leg is None:
                leg = caller
                if caller.ended is not None or self.expired:
                    target.outcome = outcome(caller, elsewhere=False, caller_left=cancelled_by_caller(caller))
                continue
            if target.answered is not None and talking:
                target.outcome = "answered_elsewhere"
                continue
            if target.ended is None:
                if self.ended is None:
                    continue
                target.ended = self.ended
            until = target.ended + FORK_SLACK_MS
            elsewhere = any(
                other is not target
                and other.answered is not None
                and target.started <= other.answered <= until
                and (other.ended is None or other.ended > target.started)
                for other in talking
            )
            gone = caller.ended is not None and caller.ended <= target.ended + SAME_INSTANT_MS
            left = gone and (answered is not None or cancelled_by_caller(caller))
            target.outcome = outcome(leg, elsewhere=elsewhere, caller_left=left)

    # -- reroutes ------------------------------------------------------------------------------

    def _reroutes(self, targets: list[Target], talking: list[Target]) -> None:
        for event in self.story.reroutes:
            kind = event.reason
            if event.type == "transferred":
                joined = bool(event.second_leg_id or event.target_leg_id)
                kind = _TRANSFERS.get(kind, kind) or ("attended_transfer" if joined else "blind_transfer")
            at: int = event.at  # type: ignore[assignment]
            by = event.by or event.from_ or self._number_of(event.leg_id)
            source = event.from_ or by
            to = event.to
            if not to and event.target_leg_id:
                to = self._number_of(event.target_leg_id)
            if to.startswith(("vm:", "voicemail:")):
                to = "voicemail"
            result = self._result(targets, to, at)
            item: dict[str, Any] = {
                "at": at,
                "kind": kind,
                "reason": REROUTE_REASON.get(kind),
                "from": source or None,
                "to": to or None,
                "by": by or None,
                "result": result,
            }
            if event.sip_status:
                item["sip_status"] = event.sip_status
            self.reroutes.append(item)
            if kind != "carrier_failover":
                leave(targets, source, at, kind)
        for visit in self.visits:
            if visit.reason == "answered" and visit.left is not None:
                self._add(visit.left, "queue", visit.number, visit.answered_by, "answered")
        if not self.story.reroutes and not self.visits:
            self._infer_ring_group(targets, talking)
        self.reroutes.sort(key=lambda item: (item["at"], item["kind"], item["to"] or ""))

    def _infer_ring_group(self, targets: list[Target], talking: list[Target]) -> None:
        """Several phones rung at once under a number that is none of theirs are a ring group."""
        requested = self.caller.callee.number
        if len(targets) < 2 or not requested:
            return
        phones = [t for t in targets if t.leg is not None and t.kind in ("extension", "ring_group_member")]
        if len(phones) < 2 or any(t.number == requested for t in phones):
            return
        first_end = min((t.ended for t in phones if t.ended is not None), default=None)
        if first_end is not None and any(t.started > first_end for t in phones):
            return
        for phone in phones:
            phone.kind = "ring_group_member"
        if talking:
            self._add(talking[0].started, "ring_group", requested, talking[0].number, "answered")

    def _add(self, at: int, kind: str, source: str, to: str, result: str) -> None:
        self.reroutes.append(
            {
                "at": at,
                "kind": kind,
                "reason": REROUTE_REASON.get(kind),
                "from": source or None,
                "to": to or None,
                "by": None,
                "result": result,
            }
        )

    def _number_of(self, leg_id: str) -> str:
        leg = self.story.legs.get(leg_id)
        if leg is None:
            return ""
        if leg is self.caller:
            return leg.caller.number
        return leg.callee.number or leg.callee.extension

    def _result(self, targets: list[Target], to: str, at: int) -> str | None:
        for target in targets:
            if target.started >= at - FORK_SLACK_MS and target.kind != "consultation":
                same = target.number == to or (to == "voicemail" and target.kind == "voicemail")
                if same or not to:
                    return target.outcome or None
        return None

    # -- the record ----------------------------------------------------------------------------

    def _assemble(self, targets: list[Target], talking: list[Target], answered: int | None, now: int) -> Call:
        story, caller, started, ended = self.story, self.caller, self.started, self.ended
        human = [t for t in talking if t.kind != "conference"] or talking
        status = self._status(targets, talking, answered)
        hung_up_by, end_reason = self._who_hung_up(talking, answered, status)
        number, cause_from = cause(caller)
        sip_status = caller.sip_status if answered is None else 0
        if ended is not None and answered is None and not number and not sip_status:
            worst = next((t.leg for t in reversed(targets) if t.leg is not None and cause(t.leg)[0]), None)
            if worst is not None:
                number, cause_from = cause(worst)[0], cause(worst)[1]
                sip_status = worst.sip_status
        if ended is not None and not number and not self.expired and (answered is not None or status == "cancelled"):
            number, cause_from = NORMAL_CLEARING, "inferred"
        rang = [t.rang for t in targets if t.rang is not None and t.kind != "consultation"]
        if caller.rang is not None:
            rang.append(caller.rang)
        rang_at = min((at for at in rang if answered is None or at <= answered), default=None)
        early = [leg.progress for leg in story.legs.values() if leg.progress is not None]
        progress_at = min((at for at in early if answered is None or at <= answered), default=None)
        reached = [t for t in targets if t.outcome == "answered" and t.kind not in ("queue", "consultation")]
        last = max(reached, key=lambda t: (t.answered or t.started, t.started), default=None)
        requested = caller.callee.number or caller.callee.extension or (targets[0].number if targets else "")
        id_ = snowflake(started, crc32(self.call_id.encode(errors="replace"), crc32(self.tenant.encode())))
        version = version_of(self.count, self.expired)
        if len(talking) == 1:
            talk_ms = talking[0].talk_ms
        else:
            talk_ms = _union_talk(talking)
        direction = self._direction(targets)
        trunk = caller.trunk or next((t.trunk for t in targets if t.trunk), "")
        did = caller.did or next((t.leg.did for t in targets if t.leg is not None and t.leg.did), "")
        shown = caller.outbound_caller_id or next(
            (t.leg.outbound_caller_id for t in targets if t.leg is not None and t.leg.outbound_caller_id), ""
        )
        service = self._service_number()
        if talking and talk_ms == 0 and answered is not None and ended is not None:
            self.flags.append("zero_duration")
        call = Call(
            tenant=self.tenant,
            id=id_,
            call_id=self.call_id,
            version=version,
            state="open" if ended is None else "closed",
            direction=direction,
            status=status,
            end_reason=end_reason,
            hung_up_by=hung_up_by,
            caller_number=caller.caller.number,
            caller_name=caller.caller.name,
            caller_domain=caller.caller.domain,
            caller_extension=caller.caller.extension,
            callee_number=requested,
            callee_name=caller.callee.name,
            callee_domain=caller.callee.domain,
            callee_extension=caller.callee.extension,
            requested=requested,
            destination=last.number if last is not None else "",
            answered_by=human[0].number if human else "",
            started_at=started,
            progress_at=progress_at,
            rang_at=rang_at,
            answered_at=answered,
            talk_started_at=talking[0].talk[0] if talking and talking[0].talk else None,
            ended_at=ended,
            setup_ms=None if answered is None else max(0, answered - started),
            ring_ms=None if rang_at is None else max(0, (now if answered is None else answered) - rang_at),
            wait_ms=sum(max(0, (now if v.left is None else v.left) - v.joined) for v in self.visits)
            if self.visits
            else None,
            talk_ms=talk_ms,
            hold_ms=hold_ms(story.legs.values(), now) if any(leg.holds for leg in story.legs.values()) else 0,
            billable_ms=0 if answered is None else max(0, now - answered),
            duration_ms=None if ended is None else max(0, ended - started),
            sip_status=sip_status,
            q850_cause=number if ended is not None else 0,
            cause_from=cause_from if ended is not None else "",
            did=did,
            trunk=trunk,
            outbound_caller_id=shown,
            service_number=service,
            user_data=story.user_data,
            missed_by=self._missed(targets),
            merged_call_ids=sorted(self.call_ids) if len(self.call_ids) > 1 else [],
            flags=self.flags,
            events=self.count,
            last_event_at=story.last_at,
            legs=[_leg_item(leg) for leg in story.legs.values()],
            reroutes=self.reroutes,
            queue_visits=[queues.describe(visit, now) for visit in self.visits],
            recordings=[{"at": e.at, "recording": e.recording, "leg_id": e.leg_id or None} for e in story.recordings],
            quality=_quality(story),
            logs=[],
        )
        call.logs = [self._log(call, target, position) for position, target in enumerate(targets)]
        return call

    def _status(self, targets: list[Target], talking: list[Target], answered: int | None) -> str:
        if talking:
            return "answered"
        if any(t.kind == "voicemail" for t in targets):
            return "voicemail"
        if self.visits and self.visits[-1].reason == "abandoned":
            return "abandoned"
        if answered is not None:
            return "answered"
        if self.ended is None:
            return ""
        caller = self.caller
        if cancelled_by_caller(caller):
            return "cancelled"
        word = _STATUS.get(outcome(caller, elsewhere=False, caller_left=False), "failed")
        if word == "no_answer" and not caller.sip_status and not caller.q850_cause and not caller.cause:
            # The caller's leg does not say why; the last target that failed does.
            for target in reversed(targets):
                if target.leg is not None and target.outcome:
                    return _STATUS.get(target.outcome, word)
        return word

    def _who_hung_up(self, talking: list[Target], answered: int | None, status: str) -> tuple[str, str]:
        """(hung_up_by, end_reason); ("", "") when nobody can tell."""
        if self.ended is None or self.expired:
            return "", ""
        caller = self.caller
        if answered is None:
            if status == "cancelled":
                return "caller", "cancelled"
            said = caller.hung_up_by
            return ("callee" if said in ("callee", "peer") and status in ("busy", "failed") else "system"), ""
        last = talking[-1].leg if talking else None
        by = ""
        if last is not None and last.hung_up_by in ("party", "callee"):
            by = "callee"
        elif caller.hung_up_by in ("caller", "party"):
            by = "caller"
        elif caller.hung_up_by in ("callee", "system"):
            by = caller.hung_up_by
        elif last is not None and last.hung_up_by in ("caller", "peer"):
            by = "caller"
        elif caller.hung_up_by == "peer":
            by = "callee" if talking else "system"
        elif last is not None and last.ended is not None and caller.ended is not None and last.ended != caller.ended:
            by = "callee" if last.ended < caller.ended else "caller"
        reason = {"caller": "caller_disconnected", "callee": "callee_disconnected"}.get(by, "")
        return by, reason

    def _direction(self, targets: list[Target]) -> str:
        told = self.caller.direction or next((t.leg.direction for t in targets if t.leg and t.leg.direction), "")
        if told:
            return told
        inward = bool(self.caller.trunk or self.caller.did)
        outward = any(t.trunk for t in targets if t.leg is not None)
        if inward and outward:
            return "inbound_outbound"
        return "inbound" if inward else "outbound" if outward else "internal"

    def _service_number(self) -> str:
        if self.visits:
            return self.visits[0].number
        for item in self.reroutes:
            if item["kind"] == "ring_group":
                return str(item["from"])
        return ""

    def _missed(self, targets: list[Target]) -> list[str]:
        """Human targets that were tried and not reached; queue agents and losers of a race are not
        among them, nor is who talked in the end."""
        reached = {t.number for t in targets if t.talk is not None}
        missed: list[str] = []
        for target in targets:
            if target.kind not in ("extension", "ring_group_member") or target.number in reached:
                continue
            rang = target.rang is not None or (target.leg is None and self.caller.rang is not None)
            hit = target.outcome == "busy" or (target.outcome in ("no_answer", "cancelled") and rang)
            if hit and target.number and target.number not in missed:
                missed.append(target.number)
        return missed

    def _log(self, call: Call, target: Target, position: int) -> CallLog:
        leg = target.leg
        end_reason = target.end_reason
        if not end_reason and target.ended is not None and self.ended is not None:
            if target.talk is not None:
                last = target.talk[1] >= self.ended - SAME_INSTANT_MS
                end_reason = call.end_reason if last else "callee_disconnected"
            elif target.outcome == "answered":
                end_reason = call.end_reason
            elif target.outcome == "cancelled":
                end_reason = "cancelled"
        number, _ = cause(leg) if leg is not None else (0, "")
        end = target.ended if target.ended is not None else call.ended_at
        until = target.answered if target.answered is not None else end
        salt = crc32(f"{self.call_id}/{leg.id if leg is not None else ''}/{position}".encode(errors="replace"))
        return CallLog(
            tenant=call.tenant,
            id=snowflake(target.started, salt),
            session_id=call.id,
            call_id=call.call_id,
            version=call.version,
            position=position,
            kind=target.kind,
            number=target.number,
            name=target.name,
            leg_id=leg.id if leg is not None else "",
            started_at=target.started,
            rang_at=target.rang,
            answered_at=target.answered,
            ended_at=end,
            ring_ms=None
            if target.rang is None
            else max(0, (call.last_event_at if until is None else until) - target.rang),
            talk_ms=target.talk_ms,
            outcome=target.outcome,
            end_reason=end_reason,
            reroute_reason=target.reroute_reason,
            sip_status=leg.sip_status if leg is not None and target.answered is None else call.sip_status,
            q850_cause=number if leg is not None else call.q850_cause,
            trunk=target.trunk or call.trunk,
            direction=call.direction,
            caller_number=call.caller_number,
            caller_name=call.caller_name,
            caller_domain=call.caller_domain,
            callee_domain=target.domain or call.callee_domain,
            did=call.did,
            outbound_caller_id=call.outbound_caller_id,
            service_number=call.service_number,
            user_data=call.user_data,
        )


_STATUS = {
    "busy": "busy",
    "no_answer": "no_answer",
    "answered_elsewhere": "no_answer",
    "unreachable": "no_answer",
    "cancelled": "cancelled",
    "rejected": "failed",
    "failed": "failed",
    "": "no_answer",
}


def _union_talk(talking: list[Target]) -> int:
    return union(target.talk for target in talking if target.talk is not None)


def _leg_item(leg: Leg) -> dict[str, Any]:
    """A leg as an item of `legs`; times in ms."""
    return {
        "leg_id": leg.id or None,
        "call_id": leg.call_id,
        "node": leg.node or None,
        "peer_leg_id": leg.peer or None,
        "from": leg.caller.number or None,
        "to": leg.callee.number or None,
        "started_at": leg.started,
        "rang_at": leg.rang,
        "answered_at": leg.answered,
        "ended_at": leg.ended,
        "sip_status": leg.sip_status or None,
        "q850_cause": leg.q850_cause or None,
    }


def _quality(story: Story) -> dict[str, Any] | None:
    """The last word on each measure."""
    if not story.quality:
        return None
    measures: dict[str, Any] = {}
    for event in story.quality:
        measures.update(event.quality or {})
    return measures
