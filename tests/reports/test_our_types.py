"""Our own reports over the generated week, against counts in plain Python."""

from __future__ import annotations

import io
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from pipeline.reports.catalogue import ALL, OURS
from pipeline.reports.ranges import span_of
from pipeline.reports.rendering.render import render
from pipeline.reports.types.build import Question
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.reference.directories import Directories
from schemas.call import Call
from tests.reports import week
from tests.reports.conftest import Warehouse
from tests.reports.truth import hms, who

DAY_MS = week.DAY_MS


async def made(reader: Reader, type_: str, filter_: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The report as JSON."""
    directory = await Directories(reader).of(week.TENANT)
    span = span_of("LAST_WEEK", week.WEDNESDAY_AFTER, directory.tenant.zone)
    checked = ALL[type_].filter(filter_ or {})
    report = await ALL[type_].build(Question(reader, directory, type_, span, checked))
    out = io.BytesIO()
    async for piece in render(report, "json", made_ms=0):
        out.write(piece)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def rows(report: Mapping[str, Any], table: int = 0) -> list[dict[str, Any]]:
    """The rows of a table by the names of its columns."""
    found = report["tables"][table]
    names = [column["name"] for column in found["columns"]]
    return [dict(zip(names, row["cells"], strict=True)) for row in found["rows"]]


@pytest.fixture
def began(warehouse: Warehouse) -> list[Call]:
    first, end = week.WEEK
    return [call for call in warehouse.calls if first <= call.started_at < end]


def share(part: int, whole: int) -> Any:
    return pytest.approx(part / whole)


async def test_traffic(reader: Reader, began: list[Call]) -> None:
    *days, total = rows(await made(reader, "traffic"))
    assert len(days) == 7
    for place, row in enumerate(days):
        first = week.MONDAY + place * DAY_MS
        mine = [call for call in began if first <= call.started_at < first + DAY_MS]
        answered = [call for call in mine if call.answered_at is not None]
        assert row["Day"] == f"2024-08-{19 + place}T00:00:00+08:00"
        assert row["Calls"] == len(mine)
        assert row["Answered"] == len(answered)
        assert row["Talked"] == sum(call.talk_started_at is not None for call in mine)
        assert row["ASR"] == share(len(answered), len(mine))
        assert row["ACD"] == round(sum(call.billable_ms for call in answered) / len(answered) / 1000)
        assert row["Talking Time"] == round(sum(call.talk_ms for call in mine) / 1000)
    assert total["Calls"] == len(began)
    inbound = rows(await made(reader, "traffic", {"direction": "inbound"}))
    assert inbound[-1]["Calls"] == sum(call.direction == "inbound" for call in began)


async def test_trunks(reader: Reader, began: list[Call]) -> None:
    *found, total = rows(await made(reader, "trunks"))
    by_trunk: dict[str, list[Call]] = defaultdict(list)
    for call in began:
        if call.trunk:
            by_trunk[call.trunk].append(call)
    assert {row["Trunk"]: row["Calls"] for row in found} == {trunk: len(mine) for trunk, mine in by_trunk.items()}
    for row in found:
        mine = by_trunk[row["Trunk"]]
        answered = [call for call in mine if call.answered_at is not None]
        assert row["Answered"] == len(answered)
        assert row["ASR"] == share(len(answered), len(mine))
        assert row["Billable Time"] == round(sum(call.billable_ms for call in answered) / 1000)
        assert Decimal(row["Cost"] or 0) == sum((Decimal(call.cost) for call in mine if call.cost), Decimal(0))
    assert total["Calls"] == sum(map(len, by_trunk.values()))
    only = rows(await made(reader, "trunks", {"trunks": ["carrier-b"]}))
    assert [row["Trunk"] for row in only] == ["carrier-b", "Total"]


async def test_extensions_and_the_vendors_unlisted_filter(
    reader: Reader, began: list[Call], warehouse: Warehouse
) -> None:
    for filter_, kept in (
        ({}, lambda call: True),
        ({"type": "INTERNAL"}, lambda call: call.direction == "internal"),
        ({"type": "EXTERNAL"}, lambda call: call.direction != "internal"),
    ):
        made_ = Counter(call.caller_extension for call in began if call.caller_extension and kept(call))
        tries = [
            log
            for call in warehouse.calls
            if kept(call)
            for log in call.logs
            if log.kind in ("extension", "queue_agent", "ring_group_member")
            and week.WEEK[0] <= log.started_at < week.WEEK[1]
        ]
        came = Counter(log.number for log in tries)
        answered = Counter(log.number for log in tries if log.outcome == "answered")
        missed = Counter(log.number for log in tries if log.outcome in ("no_answer", "busy"))
        *found, total = rows(await made(reader, "extensions", filter_))
        for row in found:
            number = row["Extension"][-4:-1]
            assert row["Extension"] == who(number)
            assert row["Outgoing: Made"] == made_[number]
            assert row["Incoming: Received"] == came[number]
            assert row["Incoming: Answered"] == answered[number]
            assert row["Incoming: Missed"] == missed[number]
        assert total["Outgoing: Made"] == sum(made_.values())
    ranged = {"extension": "EXTENSION_OR_EXTENSION_RANGE", "extension_value": "102-103"}
    only = rows(await made(reader, "extensions", ranged))
    assert [row["Extension"] for row in only] == [who("102"), who("103"), "Total"]


async def test_missed_and_unreturned_calls(reader: Reader, began: list[Call], warehouse: Warehouse) -> None:
    callers: dict[str, list[Call]] = defaultdict(list)
    for call in began:
        if call.direction == "inbound" and call.talk_started_at is None:
            callers[call.caller_number[-9:]].append(call)
    report = await made(reader, "missed")
    found = rows(report)
    assert {row["Caller"][-9:]: row["Missed Calls"] for row in found} == {
        digits: len(mine) for digits, mine in callers.items()
    }
    for row in found:
        last = max(call.started_at for call in callers[row["Caller"][-9:]])
        later = [call for call in warehouse.calls if call.started_at > last]
        digits = row["Caller"][-9:]
        back = [call for call in later if call.direction == "outbound" and call.callee_number[-9:] == digits]
        again = [call for call in later if call.direction == "inbound" and call.caller_number[-9:] == digits]
        reached = any(call.talk_started_at is not None for call in back + again)
        assert row["State"] == ("Reached" if reached else "Tried in vain" if back else "Not called back")
    assert {figure["name"]: figure["value"] for figure in report["figures"]}["Callers"] == len(callers)
    assert {"Reached", "Not called back"} <= {row["State"] for row in found}


async def test_top_destinations(reader: Reader, began: list[Call]) -> None:
    out = [call for call in began if call.direction == "outbound"]
    numbers = Counter(call.callee_number for call in out)
    *found, total = rows(await made(reader, "destinations", {"limit": 7}))
    assert len(found) == 7
    assert [row["Calls"] for row in found] == sorted(numbers.values(), reverse=True)[:7]
    assert all(row["Country"] in ("GB", "") for row in found)
    assert total["Calls"] == len(out)


async def test_statements(reader: Reader, began: list[Call]) -> None:
    billed = [call for call in began if call.direction == "outbound" and call.answered_at is not None]
    report = await made(reader, "statements")
    totals = [row for row in rows(report) if row["Account"] == "Total"]
    priced = [call for call in billed if call.cost]
    assert [(row["Calls"], row["Currency"]) for row in totals] == [
        (len(billed) - len(priced), ""),
        (len(priced), "GBP"),
    ]
    assert Decimal(totals[1]["Cost"]) == sum(Decimal(call.cost) for call in priced)
    assert totals[0]["Unrated"] == len(billed) - len(priced)
    classes = {row["Class"]: row["Calls"] for row in rows(report) if row["Class"]}
    assert classes["MOBILE"] == sum(call.rate.startswith("mobile") for call in priced)


async def test_short_calls(reader: Reader, began: list[Call]) -> None:
    out = [call for call in began if call.direction == "outbound" and call.answered_at is not None]
    short = Counter(call.caller_number for call in out if call.billable_ms < 60_000)
    report = await made(reader, "short_calls", {"seconds": 60})
    found = {row["Caller"]: row["Short"] for row in rows(report)}
    assert {who(number): count for number, count in short.items()} == {name: n for name, n in found.items() if n}


async def test_data_quality(reader: Reader, began: list[Call]) -> None:
    report = await made(reader, "data_quality")
    figures = {figure["name"]: figure["value"] for figure in report["figures"]}
    assert figures["Calls"] == len(began)
    assert figures["Unrated"] == sum(
        call.direction == "outbound" and call.answered_at is not None and not call.cost for call in began
    )


async def test_every_one_of_ours_is_made_in_every_form(reader: Reader) -> None:
    directory = await Directories(reader).of(week.TENANT)
    for name in ("LAST_WEEK", "TODAY"):  # with calls, and without any
        span = span_of(name, week.WEDNESDAY_AFTER, directory.tenant.zone)
        for type_, kind in (ALL if name == "TODAY" else OURS).items():
            for form in ("csv", "html", "json") if name == "TODAY" else ("html",):
                report = await kind.build(Question(reader, directory, type_, span))
                assert b"".join([piece async for piece in render(report, form, made_ms=0)]), f"{type_} {form}"


def test_there_are_eight_of_ours() -> None:
    assert len(OURS) == 8
    assert hms(3600) == "01:00:00"
