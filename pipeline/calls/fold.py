"""The fold: the set of a call's events → the call. A pure function of the set.

Whatever the order, the duplicates and the split into batches, the same events give the same call.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from pipeline.calls.channels.told_of_legs import told_of_legs
from pipeline.calls.column_limits import LONG_MS, fit
from pipeline.calls.event_set import distinct
from pipeline.calls.fast_path import plain
from pipeline.calls.sip.dialog import beside, dialogs
from pipeline.calls.steps.call_logs import name
from pipeline.calls.steps.call_state import Course
from pipeline.calls.steps.caller_leg_targets import is_on_caller_leg, on_caller_leg
from pipeline.calls.steps.clock_skew import straighten
from pipeline.calls.steps.legs import Story, read
from pipeline.calls.steps.moments import find_answer, find_answerer, find_end, find_start
from pipeline.calls.steps.moves import instants, moves, sent, without_three_ways
from pipeline.calls.steps.outcome import settle
from pipeline.calls.steps.provisional import definite, has_definite
from pipeline.calls.steps.queue_visits import inferred, is_queue, offered, serve, visits
from pipeline.calls.steps.record import record
from pipeline.calls.steps.roles import caller_leg, roles
from pipeline.calls.steps.talk import assign, bridges
from pipeline.calls.steps.targets import of_caller, of_leg, order
from pipeline.calls.transfers.consultation import consult, handovers
from pipeline.calls.transfers.forwards import complete
from pipeline.calls.transfers.reroutes import reroutes
from pipeline.calls.transfers.same_leg import consult_on_same_leg
from schemas.call import Call
from schemas.event import Event
from schemas.version import Version

__all__ = ["GENERATION", "distinct", "fold", "version_beside", "version_of"]

# Raised when a change of these rules changes calls: rows folded by newer rules replace older ones.
GENERATION = 2


@lru_cache(maxsize=4096)
def _version(generation: int, events: int, expired: bool) -> int:
    return Version(generation, events, expired).number


def version_of(events: int, expired: bool) -> int:
    """The version of a call folded by these rules from so many distinct events; `expired` when it was closed for want
    of a hang-up. Later events, and newer rules, give a higher one."""
    return _version(GENERATION, events, expired)


def version_beside(version: int, events: int, expired: bool) -> int:
    """The version of such a fold where a row of that version is stored: newer rules may have folded it, as another
    worker does while an upgrade goes on. What these rules fold of more events replaces it, all the same."""
    return _version(max(GENERATION, Version.of(version).generation), events, expired)


def fold(events: Iterable[Event], *, expired: bool = False) -> Call:
    """The call that these events tell (all of one tenant, at least one event).

    `expired` closes a call whose hang-up never came at its last evidence; it changes no other call.
    """
    facts = distinct(events)
    count, tenant = len(facts), facts[0].tenant
    lasted = facts[-1].at - facts[0].at
    straight = plain(facts, version_of(count, False))
    if straight is not None:
        return straight
    call_ids = {event.call_id for event in facts}
    for event in facts:
        if event.sip is not None:
            messages = [e for e in facts if e.sip is not None]
            told = dialogs(messages)
            others = [e for e in facts if e.sip is None]
            facts = distinct(beside(others, messages, told) if others else told)
            break
    if has_definite(facts):
        facts = definite(facts)
    facts = told_of_legs(facts, distinct)
    course = _course(_story(facts), expired)
    _understand(course)
    rerouted = reroutes(course)
    if course.consultations:
        course.targets += course.consultations
        course.targets.sort(key=order)
    estimated = expired and "end_estimated" in course.flags
    call = record(course, tenant, call_ids, count, version_of(count, estimated), rerouted)
    name(call.logs)
    if lasted > LONG_MS:
        fit(call)
    return call


def _story(facts: list[Event]) -> Story:
    """The story; what names no leg is told of the caller's."""
    story = read(facts)
    if "" in story.legs and len(story.legs) > 1:
        caller = caller_leg({leg_id: leg for leg_id, leg in story.legs.items() if leg_id})
        if caller.role != "target":  # else only targets have names, and the caller's leg has none
            story = read(facts, caller.id)
    return story


def _course(story: Story, expired: bool) -> Course:
    legs = story.legs
    caller = caller_leg(legs)
    course = Course(story, roles(story, caller), caller, expired, [], moves(story, caller) if story.moves else [])
    if course.moves and story.bridged:
        course.moves, course.joins = without_three_ways(course.moves, story)
    if (course.roles.targets and straighten(caller, course.roles.targets)) or story.skews:
        course.flags.append("clock_skew")
    if story.implausible:
        course.flags.append("implausible_values")
    find_start(course)
    find_end(course)
    return course


def _understand(course: Course) -> None:
    """Whom the call tried, whom it reached, and what became of each."""
    story, caller = course.story, course.caller
    course.targets = targets = [of_leg(leg, course.roles) for leg in course.roles.targets]
    handed = handovers(course) if course.roles.seconds else {}
    if story.queue:
        since = {leg_id: None if move is None else move.at for leg_id, move in handed.items()}
        course.visits = visits(story, caller, course.started, since, sent(course.moves))
        targets[:] = [target for target in targets if not is_queue(target, course.visits)]
        targets += offered(story, course.visits, targets)
    elif len(targets) > 1 or (targets and targets[0].kind == "queue_agent"):
        course.visits = inferred(caller, targets)
    if course.moves:
        complete(course)
    if handed:
        course.consultations = []
        consult(course, handed)
    if len(targets) > 1:
        consult_on_same_leg(course)
    if is_on_caller_leg(course):
        targets += on_caller_leg(course)
    find_answerer(course)
    if not targets and not course.visits:
        targets.append(of_caller(caller, course.started, course.ended))
    find_answer(course)
    heard = bridges(caller, story.legs.values()) if story.bridged else {}
    if course.answered is not None:
        handovers_at = instants(course.moves) if course.moves else []
        course.talking = assign(targets, caller, heard, handovers_at, course.answered, course.ended, course.now)
    if any(target.lost_race for target in targets):
        course.flags.append("fork_double_answer")
    settle(course)
    if course.visits:
        targets += serve(course.visits, targets, course.ended, caller.hung_up_by)
    if len(targets) > 1:
        targets.sort(key=order)
