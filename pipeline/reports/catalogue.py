"""Which reports there are: type → what it is called, what its filter may hold, how it is built."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.reports.definition import FilterShape, numbers, text, texts, truth, whole, word
from pipeline.reports.rendering.table import Report
from pipeline.reports.types import (
    costs,
    missed,
    money,
    normal,
    people,
    quality,
    queue_calls,
    queues,
    ring_groups,
    traffic,
)
from pipeline.reports.types.build import Question
from pipeline.reports.types.figures import DIRECTIONS


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of report."""

    type: str
    title: str
    about: str
    filter: FilterShape
    build: Callable[[Question], Awaitable[Report]]


_PARTIES: Final = (
    *("ANY", "EXTENSION_OR_EXTENSION_RANGE", "NUMBER", "NUMBERS_START_WITH", "NUMBERS_CONTAIN"),
    *("INTERNAL_EXTENSIONS", "EXTERNAL_NUMBERS"),
)
_WITH_VALUE: Final = _PARTIES[1:5]
_CALLS: Final = FilterShape(
    {
        "from": word(*_PARTIES),
        "from_value": text,
        "to": word(*_PARTIES),
        "to_value": text,
        "answer_state": word("ANY", "ANSWERED", "NOT_ANSWERED"),
        "duration": word("ANY", "RING_DURATION", "TALK_DURATION"),
        "duration_from": whole,
        "duration_to": whole,
    },
    ("from", "from_value", _WITH_VALUE),
    ("to", "to_value", _WITH_VALUE),
)
_QUEUES: Final = FilterShape(
    {
        "enable_exclude_calls_dropped_before_seconds": truth,
        "exclude_calls_dropped_before_seconds": whole,
        "call_queues": numbers,
    }
)

PORTSIP: Final[Mapping[str, Kind]] = {
    kind.type: kind
    for kind in (
        Kind("NORMAL", "Normal Report", "Every call with its targets", _CALLS, normal.normal),
        Kind(
            "EXTENSION_GROUP_CALL_COST",
            "User Group Call Cost",
            "Answered outbound calls of extension groups, with their cost",
            FilterShape(
                {"type": word("ANY", "LOCAL", "NATIONAL", "INTERNATIONAL", "MOBILE"), "groups": texts},
            ),
            costs.group_costs,
        ),
        Kind(
            "QUEUE_PERFORMANCE", "Queue Performance", "What each agent did for each queue", _QUEUES, queues.performance
        ),
        Kind(
            "QUEUE_DETAILED_STATISTICS",
            "Queue Detailed",
            "Calls, ringing and talking time of each queue",
            _QUEUES,
            queues.detailed,
        ),
        Kind(
            "QUEUE_ABANDONED_CALLS",
            "Queue Abandoned",
            "Calls that were not served, and who was polled",
            _QUEUES,
            queue_calls.abandoned,
        ),
        Kind("QUEUE_SLA_STATISTICS", "Queue SLA", "How many calls waited too long", _QUEUES, queues.sla),
        Kind(
            "QUEUE_BREACHES_SLA_STATISTICS",
            "Queue Breaches SLA",
            "Which calls waited too long",
            _QUEUES,
            queue_calls.breaches,
        ),
        Kind("QUEUE_CALLBACKS", "Queue Callbacks", "Callbacks asked for, and kept", _QUEUES, queue_calls.callbacks),
        Kind(
            "QUEUE_FAILED_CALLBACKS",
            "Queue Failed Callbacks",
            "Callbacks that reached nobody",
            FilterShape({"call_queues": numbers}),
            queue_calls.failed_callbacks,
        ),
        Kind(
            "TEAM_QUEUE_GENERAL_STATISTICS",
            "Team Queue General",
            "Members, calls and times of each queue",
            _QUEUES,
            queues.team,
        ),
        Kind(
            "RING_GROUP_STATISTICS",
            "Ring Group",
            "Calls that ring groups had, and who answered",
            FilterShape({"ring_groups": numbers}),
            ring_groups.ring_groups,
        ),
    )
}
PORTSIP_FILTERS: Final = {type_: kind.filter for type_, kind in PORTSIP.items()}

_EXTENSIONS: Final = FilterShape(
    {"extension": word("ANY", "EXTENSION_OR_EXTENSION_RANGE"), "extension_value": text,
     "type": word("ANY", "INTERNAL", "EXTERNAL")},
    ("extension", "extension_value", ("EXTENSION_OR_EXTENSION_RANGE",)),
)  # fmt: skip
OURS: Final[Mapping[str, Kind]] = {
    kind.type: kind
    for kind in (
        Kind("traffic", "Traffic", "Calls over time", FilterShape({"direction": word(*DIRECTIONS)}), traffic.traffic),
        Kind(
            "trunks",
            "Trunks",
            "ASR, ACD, NER, PDD, minutes, cost and margin of each trunk",
            FilterShape({"trunks": texts}),
            traffic.trunks,
        ),
        Kind("extensions", "Extensions", "What each extension called and took", _EXTENSIONS, people.extensions),
        Kind(
            "missed",
            "Missed calls",
            "Callers who reached nobody, and who was called back",
            FilterShape({}),
            missed.missed,
        ),
        Kind(
            "destinations",
            "Top destinations",
            "Numbers that were called most",
            FilterShape({"limit": whole}),
            traffic.destinations,
        ),
        Kind(
            "short_calls",
            "Short calls",
            "Short calls by trunk, and callers whose calls look odd",
            FilterShape({"seconds": whole}),
            money.short_calls,
        ),
        Kind(
            "statements",
            "Statements",
            "What each account owes, by class of number",
            FilterShape({"accounts": texts}),
            money.statements,
        ),
        Kind(
            "data_quality", "Data quality", "How far the figures can be trusted", FilterShape({}), quality.data_quality
        ),
    )
}
# Every report there is; ours have names in lower case.
ALL: Final[Mapping[str, Kind]] = {**PORTSIP, **OURS}
ALL_FILTERS: Final = {type_: kind.filter for type_, kind in ALL.items()}
