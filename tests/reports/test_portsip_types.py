"""PortSIP's eleven reports over a generated week: every cell against the count in plain Python."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from pipeline.reports.catalogue import PORTSIP
from pipeline.reports.definition import parse
from pipeline.reports.ranges import span_of
from pipeline.reports.rendering.render import render
from pipeline.reports.types.build import Question
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.reference.directories import Directories
from schemas.call import Call
from tests.reports import truth, week
from tests.reports.conftest import Warehouse

HEADINGS = {
    "NORMAL": "Caller,Callee,Start Time,Ring Time,Answer Time,End Time,Talking Time,Cost,CLI,DID/DDI,End Reason,"
    "Trunk Name,User Data",
    "EXTENSION_GROUP_CALL_COST": "Group Name,Caller,Callee,Call Type,Start Time,Ring Time,Answer Time,End Time,"
    "Talking Time,Prefix,Cost",
    "QUEUE_PERFORMANCE": "Queue,Received,Agent,Serviced,Unanswered,Talking Time,Average Talking Time",
    "QUEUE_DETAILED_STATISTICS": "Queue,Calls: Total,Calls: Serviced,Calls: Abandoned,Calls: % Serviced,"
    "Ringing Time: Total,Ringing Time: Average,Talking Time: Total,Talking Time: Average",
    "QUEUE_ABANDONED_CALLS": "Queue,Start Time,Waiting Time,Caller,Agent,Polling Attempts",
    "QUEUE_SLA_STATISTICS": "Queue,Total Calls Received,Calls that breached SLA Time,% Calls that breached SLA Time",
    "QUEUE_BREACHES_SLA_STATISTICS": "Start Time,Queue,Caller,Waiting Time",
    "QUEUE_CALLBACKS": "Queue,Total: Calls Received,Total: CallBacks,Total: Successful Callbacks,"
    "Total: Failed Callbacks",
    "QUEUE_FAILED_CALLBACKS": "Start Time,Queue,Callback Number,Ring Duration",
    "TEAM_QUEUE_GENERAL_STATISTICS": "Queue,Agents In Team,Total Calls,Serviced Calls,Abandoned Calls,"
    "% Abandoned Calls,Total Ringing Time,Average Ringing Time,Total Waiting Time,Total Talking Time,"
    "Average Talking Time",
    "RING_GROUP_STATISTICS": "Ring Group,Agent,Total Answered,Total Received",
}

Truth = Callable[[list[Call], list[Call]], list[list[str]]]
_DROPPED = {"enable_exclude_calls_dropped_before_seconds": True, "exclude_calls_dropped_before_seconds": 30}
_OFF = {"enable_exclude_calls_dropped_before_seconds": False, "exclude_calls_dropped_before_seconds": 30}


def _queue(count: Callable[[Sequence[truth.Stay]], list[list[str]]], least: int = 0) -> Truth:
    return lambda calls, _: count(truth.stays(calls, least=least))


CASES: list[tuple[str, Mapping[str, Any], Truth]] = [
    ("NORMAL", {}, lambda calls, _: truth.normal(calls)),
    (
        "NORMAL",
        {"answer_state": "NOT_ANSWERED", "from": "EXTERNAL_NUMBERS"},
        lambda calls, _: truth.normal(
            [call for call in calls if call.answered_at is None and call.direction == "inbound"]
        ),
    ),
    (
        "NORMAL",
        {"from": "EXTENSION_OR_EXTENSION_RANGE", "from_value": "101-103,106", "duration": "TALK_DURATION",
         "duration_from": 60, "duration_to": 300},
        lambda calls, _: truth.normal(
            [
                call
                for call in calls
                if call.caller_number in ("101", "102", "103", "106")
                and 60 <= truth.between(call.answered_at, call.ended_at) <= 300
            ]
        ),
    ),
    (
        "NORMAL",
        {"to": "NUMBERS_START_WITH", "to_value": "+44161", "duration": "RING_DURATION", "duration_from": 10},
        lambda calls, _: truth.normal(
            [
                call
                for call in calls
                if call.callee_number.startswith("+44161")
                and truth.between(call.started_at, call.answered_at or call.ended_at) >= 10
            ]
        ),
    ),
    ("EXTENSION_GROUP_CALL_COST", {}, lambda calls, _: truth.group_costs(calls)),
    (
        "EXTENSION_GROUP_CALL_COST",
        {"type": "MOBILE", "groups": ["Back"]},
        lambda calls, _: truth.group_costs(calls, ["Back"], "mobile"),
    ),
    ("QUEUE_PERFORMANCE", {}, _queue(truth.performance)),
    ("QUEUE_PERFORMANCE", _DROPPED, _queue(truth.performance, 30)),
    (
        "QUEUE_PERFORMANCE",
        {"call_queues": ["801"]},
        lambda calls, _: truth.performance(truth.stays(calls, ["801"]), ["801"]),
    ),
    ("QUEUE_DETAILED_STATISTICS", {}, _queue(truth.detailed)),
    ("QUEUE_DETAILED_STATISTICS", _OFF, _queue(truth.detailed)),
    ("QUEUE_DETAILED_STATISTICS", _DROPPED, _queue(truth.detailed, 30)),
    ("QUEUE_ABANDONED_CALLS", {}, _queue(truth.abandoned)),
    ("QUEUE_ABANDONED_CALLS", _DROPPED, _queue(truth.abandoned, 30)),
    ("QUEUE_SLA_STATISTICS", {}, _queue(truth.sla)),
    ("QUEUE_BREACHES_SLA_STATISTICS", {}, _queue(truth.breaches)),
    ("QUEUE_CALLBACKS", {}, lambda calls, all_: truth.callbacks(truth.stays(calls), all_)),
    ("QUEUE_FAILED_CALLBACKS", {}, lambda calls, all_: truth.failed_callbacks(truth.stays(calls), all_)),
    ("TEAM_QUEUE_GENERAL_STATISTICS", {}, _queue(truth.team)),
    ("RING_GROUP_STATISTICS", {}, lambda calls, _: truth.ring_groups(calls)),
    (
        "RING_GROUP_STATISTICS",
        {"ring_groups": ["601"]},
        lambda calls, _: truth.ring_groups(calls, ["601"]),
    ),
]  # fmt: skip


async def table(reader: Reader, type_: str, filter_: Mapping[str, Any]) -> list[list[str]]:
    """The report as its CSV file has it."""
    whole = {"name": "x", "type": type_, "email": "", "format": "CSV", "range": "LAST_WEEK", "filter": dict(filter_)}
    checked = parse(whole, {name: kind.filter for name, kind in PORTSIP.items()})
    directory = await Directories(reader).of(week.TENANT)
    span = span_of("LAST_WEEK", week.WEDNESDAY_AFTER, directory.tenant.zone)
    assert (span.first_ms, span.end_ms) == week.WEEK
    report = await PORTSIP[type_].build(Question(reader, directory, type_, span, checked["filter"]))
    body = b"".join([piece async for piece in render(report, "csv", made_ms=0)])
    return list(csv.reader(io.StringIO(body.decode())))


@pytest.mark.parametrize(
    ("type_", "filter_", "count"), CASES, ids=[f"{type_}-{place}" for place, (type_, _, _) in enumerate(CASES)]
)
async def test_every_cell(
    warehouse: Warehouse, reader: Reader, type_: str, filter_: Mapping[str, Any], count: Truth
) -> None:
    head, *rows = await table(reader, type_, filter_)
    assert ",".join(head) == HEADINGS[type_]
    wanted = count(truth.ended_in(warehouse.calls, *week.WEEK), warehouse.calls)
    assert len(wanted) > 1
    for place, (row, want) in enumerate(zip(rows, wanted, strict=False)):
        assert row == want, f"row {place}"
    assert len(rows) == len(wanted)


def test_every_type_has_a_case() -> None:
    assert {type_ for type_, _, _ in CASES} == set(PORTSIP) == set(HEADINGS)


async def test_the_figures_agree_with_each_other(warehouse: Warehouse, reader: Reader) -> None:
    """Received is served and unserved, in every report; one sum of talk, two divisors."""
    performance = [row for row in await table(reader, "QUEUE_PERFORMANCE", {}) if row[0] == "Total:"]
    detailed = (await table(reader, "QUEUE_DETAILED_STATISTICS", {}))[1:]
    team = (await table(reader, "TEAM_QUEUE_GENERAL_STATISTICS", {}))[1:]
    sla = (await table(reader, "QUEUE_SLA_STATISTICS", {}))[1:]
    for one, two, three, four in zip(performance, detailed, team, sla, strict=False):
        assert int(one[1]) == int(two[1]) == int(three[2]) == int(four[1])
        assert int(one[1]) == int(one[3]) + int(one[4].removesuffix(" Calls")) == int(two[2]) + int(two[3])
        assert one[5] == two[7] == three[9]
    assert detailed[0][8] != team[0][10]
