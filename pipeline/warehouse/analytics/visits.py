"""Calls in queues and ring groups: relations to count over, as SQL with every value bound.

A stay in a queue is an item of `queue_visits` of its call; a try of an agent is a call log of kind
queue_agent, which belongs to the stay that began last before it. Seconds are whole: the instants are
cut to their second before they are subtracted, as PortSIP does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pipeline.instants import DAY_MS
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.clauses import CLOSED_CALLS, TARGETS, between, matching, moment
from pipeline.warehouse.query.expressions import EVERYTHING
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.query.view import View, same_number

Groups = Mapping[str, Sequence[str]]  # number of a ring group → numbers of its members

# A call belongs to the time in which it ended; it may have begun so much earlier.
LONGEST_CALL_MS: Final = 7 * DAY_MS
_CUT_MS: Final = 60_000
_VISIT: Final = (
    "Array(Tuple(queue String, number String, joined_at Int64, left_at Nullable(Int64), reason String,"
    " answered_by String, agents Array(Tuple(agent String, attempts UInt32, answered UInt32))))"
)
_REROUTE: Final = "Array(Tuple(at Int64, kind String, `from` String, `to` String))"


def seconds(first: str, end: str) -> str:
    """Whole seconds between two instants, 0 when one is missing or they are the wrong way round."""
    begun, over = (f"intDiv(toUnixTimestamp64Milli({name}), 1000)" for name in (first, end))
    return f"toInt64(greatest(ifNull({over} - {begun}, 0), 0))"


# Of a call log: ringing (started to answered or ended) and talking (answered to ended).
RING_S: Final = seconds("started_at", "ifNull(answered_at, ended_at)")
TALK_S: Final = seconds("answered_at", "ended_at")


def ended_within(first_ms: int, end_ms: int, bindings: Bindings) -> str:
    """Of calls: ended at or after the first and before the end. The bound on the start is for the primary key."""
    first, end = moment(first_ms, bindings), moment(end_ms, bindings)
    earliest = moment(first_ms - LONGEST_CALL_MS, bindings)
    return f"started_at >= {earliest} AND started_at < {end} AND ended_at >= {first} AND ended_at < {end}"


def calls_ended(
    view: View, first_ms: int, end_ms: int, bindings: Bindings, window: tuple[int, int] | None = None
) -> str:
    """FROM and WHERE of finished calls that ended in the time; with a `window`, those of them that began in it."""
    which = f"{matching(view, CLOSED_CALLS, EVERYTHING, bindings)} AND {ended_within(first_ms, end_ms, bindings)}"
    return which if window is None else f"{which} AND {between(*window, bindings)}"


def visits(view: View, first_ms: int, end_ms: int, bindings: Bindings, window: tuple[int, int] | None = None) -> str:
    """SELECT of one row a stay in a queue, of calls that ended in the time: session, started_ms, at (joined) and
    left_at in ms, queue, queue_name, caller_number, caller_name, caller_digits (see `same_number`), wait_s, served,
    reason, answered_by, agents."""
    return (
        "SELECT id AS session, toUnixTimestamp64Milli(started_at) AS started_ms, caller_number, caller_name,"
        " caller_digits, visit.joined_at AS at,"
        " ifNull(visit.left_at, toUnixTimestamp64Milli(assumeNotNull(ended_at))) AS left_at,"
        " if(visit.number = '', visit.queue, visit.number) AS queue, visit.queue AS queue_name,"
        " greatest(intDiv(left_at, 1000) - intDiv(at, 1000), 0) AS wait_s,"
        " visit.reason = 'answered' AS served, visit.reason AS reason, visit.answered_by AS answered_by,"
        " visit.agents AS agents"
        f" FROM (SELECT id, started_at, ended_at, caller_number, caller_name,"
        f" {same_number(view, 'caller_number')} AS caller_digits,"
        f" arrayJoin(JSONExtract(queue_visits, '{_VISIT}')) AS visit"
        f" {calls_ended(view, first_ms, end_ms, bindings, window)} AND queue_visits != '')"
    )


async def windows(reader: Reader, view: View, first_ms: int, end_ms: int, most: int) -> list[tuple[int, int]]:
    """The time in which calls that ended in it began, cut into windows of at most about `most` calls, in order:
    so that lists are read in portions, each from its own place in the table."""
    bindings = Bindings()
    rows = await reader.rows(
        "report_windows",
        f"SELECT intDiv(toUnixTimestamp64Milli(started_at), {_CUT_MS}) AS cut, count() AS n FROM call_rows"
        f" WHERE tenant = {bindings.bind(view.tenant, 'String')}"
        f" AND {between(first_ms - LONGEST_CALL_MS, end_ms, bindings)} GROUP BY cut ORDER BY cut",
        bindings.values,
    )
    found: list[tuple[int, int]] = []
    held = 0
    for row in rows:
        begin = int(row["cut"]) * _CUT_MS
        if found and held + int(row["n"]) <= most:
            found[-1] = (found[-1][0], begin + _CUT_MS)
            held += int(row["n"])
        else:
            found.append((begin, begin + _CUT_MS))
            held = int(row["n"])
    return found


def agent_tries(view: View, first_ms: int, end_ms: int, bindings: Bindings) -> str:
    """SELECT of one row a try of a queue agent, each with the stay it belongs to (`visits`): agent, agent_name, ring_s,
    talk_s, reached, and the stay's columns."""
    return (
        "SELECT tries.agent AS agent, tries.agent_name AS agent_name, tries.ring_s AS ring_s, tries.talk_s AS talk_s,"
        " tries.reached AS reached, stays.queue AS queue, stays.served AS served, stays.wait_s AS wait_s"
        f" FROM ({_tries(view, first_ms, end_ms, ('queue_agent',), bindings)}) AS tries"
        f" ASOF INNER JOIN ({visits(view, first_ms, end_ms, bindings)}) AS stays"
        " ON tries.session = stays.session AND tries.at >= stays.at"
    )


def _tries(view: View, first_ms: int, end_ms: int, kinds: Sequence[str], bindings: Bindings) -> str:
    """Call logs of these kinds that may belong to calls that ended in the time."""
    return (
        "SELECT session_id AS session, toUnixTimestamp64Milli(started_at) AS at, kind, number AS agent,"
        f" name AS agent_name, {RING_S} AS ring_s, {TALK_S} AS talk_s, outcome = 'answered' AS reached"
        f" {matching(view, TARGETS, EVERYTHING, bindings, first_ms - LONGEST_CALL_MS, end_ms)}"
        f" AND kind IN {bindings.bind(list(kinds), 'Array(String)')}"
    )


def group_calls(view: View, first_ms: int, end_ms: int, known: Groups, bindings: Bindings) -> str:
    """SELECT of one row a ring group that a call came to, of calls that ended in the time: session, requested, grp,
    several (whether it came to more than one). `known`: members by number of the group, as the directory has them.

    A group is told by a reroute to its member, by a target of its kind, or as a known group that was asked for or that
    the call was sent on to, by an IVR for example. Members that rang in vain without any of these are the smallest
    known group that has them all; of no known group, they count for where the call was sent on to last, else for what
    was asked for.
    """
    ordered = sorted(known, key=lambda number: (len(known[number]), number))
    listed = bindings.bind(ordered, "Array(String)")
    members = bindings.bind([list(known[number]) for number in ordered], "Array(Array(String))")
    rang = (
        "SELECT session, groupUniqArrayIf(agent, kind = 'ring_group_member') AS members,"
        " groupUniqArrayIf(agent, kind = 'ring_group') AS named"
        f" FROM ({_tries(view, first_ms, end_ms, ('ring_group_member', 'ring_group'), bindings)}) GROUP BY session"
    )
    moves = f"if(length(reroutes) < 3, [], JSONExtract(reroutes, '{_REROUTE}'))"
    by_move = (
        "arrayMap(item -> item.`from`, arrayFilter(item -> item.kind = 'ring_group' AND item.`from` != '', moves))"
    )
    sent = "arrayFilter(number -> number != '', arrayMap(item -> item.`to`, moves))"
    sure = (
        f"arrayConcat({by_move}, named, arrayFilter(number -> has({listed}, number), arrayConcat([requested], {sent})))"
    )
    likely = f"arrayFirst((number, own) -> hasAll(own, members), {listed}, {members})"
    last = f"arrayElement(arrayConcat([requested], {sent}), -1)"
    guess = f"if(empty(members), [], [if({likely} != '', {likely}, {last})])"
    return (
        "SELECT session, requested, arrayJoin(groups) AS grp, length(groups) > 1 AS several FROM (SELECT id AS session,"
        f" requested, arrayDistinct({sure}) AS sure, if(notEmpty(sure), sure, {guess}) AS groups FROM (SELECT id,"
        f" requested, {moves} AS moves {calls_ended(view, first_ms, end_ms, bindings)}) AS calls"
        f" LEFT JOIN ({rang}) AS rang ON calls.id = rang.session) WHERE grp != ''"
    )


def member_tries(view: View, first_ms: int, end_ms: int, known: Groups, bindings: Bindings) -> str:
    """SELECT of one row a try of a member of a ring group: grp, agent, agent_name, reached."""
    pairs = bindings.bind([f"{number}/{agent}" for number in known for agent in known[number]], "Array(String)")
    is_member = f"has({pairs}, concat(calls.grp, '/', tries.agent))"
    return (
        "SELECT calls.grp AS grp, tries.agent AS agent, tries.agent_name AS agent_name, tries.reached AS reached"
        f" FROM ({_tries(view, first_ms, end_ms, ('ring_group_member', 'extension'), bindings)}) AS tries"
        f" INNER JOIN ({group_calls(view, first_ms, end_ms, known, bindings)}) AS calls"
        f" ON tries.session = calls.session WHERE {is_member} OR (tries.kind = 'ring_group_member' AND NOT"
        " calls.several) OR (tries.kind = 'extension' AND calls.requested = calls.grp)"
    )
