"""Measures against the same reckoned in Python from the calls themselves."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from pipeline.warehouse.analytics.aggregate import Bucket, Measure, aggregate
from pipeline.warehouse.analytics.measures import CALL_MEASURES, LOG_MEASURES, VISIT_MEASURES, measure, names
from pipeline.warehouse.query.clauses import CALL_LOGS, CALLS, CLOSED_CALLS, QUEUE_VISITS
from pipeline.warehouse.query.columns import CALL, CALL_LOG, QUEUE_VISIT
from pipeline.warehouse.query.expressions import BadExpression, Compare, Literal
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.query.view import View
from pipeline.warehouse.storage.rows import call_row, retired_call
from pipeline.warehouse.storage.writer import write_calls
from schemas.call import Call
from tests.query.stored_calls import MINUTE, NOON, stored_call, write

pytestmark = pytest.mark.embedded

HOUR = 60 * MINUTE
DAY = 24 * HOUR


def calls_of(*names_: str) -> list[Measure]:
    return [measure(name, CALLS) for name in names_]


def ms(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp() * 1000)


def unanswered(status: str, sip: int, cause: int, *, rang: bool = True, **changes: Any) -> dict[str, Any]:
    """What a call has that nobody answered."""
    return {
        **{"status": status, "sip_status": sip, "q850_cause": cause, "end_reason": "", "answered_at": None},
        **{"talk_started_at": None, "answered_by": "", "talk_ms": 0, "billable_ms": 0, "setup_ms": None},
        **({} if rang else {"rang_at": None, "ring_ms": None}),
        **changes,
    }


KINDS: list[tuple[str, dict[str, Any]]] = [
    ("answered", {}),
    ("answered", {}),
    ("busy", unanswered("busy", 486, 17)),
    ("no_answer", unanswered("no_answer", 480, 19)),
    ("not registered", unanswered("failed", 480, 20, rang=False)),
    ("declined", unanswered("busy", 603, 21)),
    ("barred", unanswered("failed", 403, 21, rang=False)),
    ("cancelled", unanswered("cancelled", 487, 16)),
    ("cancelled at once", unanswered("cancelled", 487, 16, rang=False)),
    ("no circuit", unanswered("failed", 503, 34, rang=False)),
    ("timeout", unanswered("failed", 408, 102, rang=False)),
    ("no user", unanswered("failed", 408, 18, rang=False)),
    ("redirected", unanswered("failed", 302, 23, rang=False)),
    ("elsewhere", unanswered("no_answer", 487, 26)),
    ("not found", unanswered("failed", 404, 1, rang=False)),
]
# By definition, kind by kind: ITU-T E.425 and RFC 6076.
NER_BASE = {kind for kind, _ in KINDS} - {"no circuit", "redirected", "elsewhere"}
NER_OK = {"answered", "busy", "no_answer", "not registered", "declined", "cancelled"}
SEER_OK = {"answered", "busy", "no_answer", "not registered", "declined"}
ISA = {"no circuit", "timeout", "no user"}


def percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


@pytest.fixture(scope="module")
def truth(client: Any) -> list[tuple[str, Call]]:
    """600 calls of three weeks around a change of the clock, each with its kind; in several versions."""
    chance = random.Random(3)
    begin = ms("2026-03-16T00:00+00:00")
    made = []
    for number in range(600):
        kind, changes = chance.choice(KINDS)
        at = begin + chance.randrange(20 * DAY)
        length = chance.randrange(1_000, 3 * HOUR)
        if kind == "answered":
            setup = chance.randrange(1_000, 30_000)
            changes = {
                "answered_at": at + setup,
                "talk_started_at": at + setup,
                "setup_ms": setup,
                "ended_at": at + setup + length,
                "billable_ms": length,
                "talk_ms": length - 500,
                "duration_ms": setup + length,
                "cost": str(Decimal(chance.randrange(10**7)) / 10**5),
                "currency": "GBP",
            }
        made.append(
            (kind, stored_call("truth", f"t{number}", at, trunk=chance.choice(["", "a", "b"]), **(changes | {})))
        )
    write(client, [call for _, call in made])
    write(client, [msgspec.structs.replace(call, version=1, trunk="wrong", cost="1000000") for _, call in made[::3]])
    write_calls(client, [retired_call("truth", (begin, 77), "gone", 9)])
    write(client, [stored_call("neighbour", f"n{n}", begin + n, trunk="leak") for n in range(50)])
    return made


def expected(made: list[tuple[str, Call]]) -> dict[str, Any]:
    """The measures of these calls by their definitions."""
    kinds = [kind for kind, _ in made]
    answered = [call for kind, call in made if kind == "answered"]
    base = [kind for kind in kinds if kind in NER_BASE]
    sessions = [kind for kind in kinds if kind != "redirected"]
    rung = [call.started_at for kind, call in made]
    delays = sorted(
        (min(at for at in (call.rang_at, call.answered_at) if at is not None) - call.started_at)
        if call.rang_at or call.answered_at
        else call.duration_ms or 0
        for kind, call in made
        if kind != "cancelled at once"
    )
    return {
        "calls": len(made),
        "answered": len(answered),
        "busy": sum(call.status == "busy" for _, call in made),
        "asr": percent(len(answered), len(made) - kinds.count("no circuit")),
        "abr": percent(len(answered), len(made)),
        "ner": percent(sum(kind in NER_OK for kind in base), len(base)),
        "ser": percent(len(answered), len(sessions)),
        "seer": percent(sum(kind in SEER_OK for kind in sessions), len(sessions)),
        "isa": percent(sum(kind in ISA for kind in kinds), len(kinds)),
        "acd_ms": sum(call.billable_ms for call in answered) / len(answered) if answered else None,
        "talk_ms": sum(call.talk_ms for call in answered),
        "billable_ms": sum(call.billable_ms for call in answered),
        "pdd_p95_ms": delays[min(len(delays) - 1, int(len(delays) * 0.95))] if delays else None,
        "cost": str(sum((Decimal(call.cost) for call in answered), Decimal()).normalize() + 0) if answered else None,
        "first_started_at": min(rung, default=None),
    }


async def test_every_ratio_by_its_definition(reader: Reader, truth: list[tuple[str, Call]]) -> None:
    want = expected(truth)
    found = await aggregate(reader, View("truth"), CLOSED_CALLS, calls_of(*want))
    assert found.count == 1
    cost = Decimal(found.rows[0].pop("cost"))
    assert cost == Decimal(want.pop("cost"))
    assert found.rows[0] == pytest.approx(want)


async def test_groups_and_their_total(reader: Reader, truth: list[tuple[str, Call]]) -> None:
    measures = calls_of("calls", "asr", "ner", "acd_ms", "cost")
    found = await aggregate(
        reader, View("truth"), CLOSED_CALLS, measures, [CALL["trunk"], CALL["status"]], order=["-calls"], total=True
    )
    groups = {(call.trunk, call.status) for _, call in truth}
    assert found.count == len(groups)
    assert {(row["trunk"], row["status"]) for row in found.rows} == groups
    assert [row["calls"] for row in found.rows] == sorted((row["calls"] for row in found.rows), reverse=True)
    for row in found.rows:
        want = expected([pair for pair in truth if (pair[1].trunk, pair[1].status) == (row["trunk"], row["status"])])
        assert (row["cost"] and Decimal(row["cost"])) == (want["cost"] and Decimal(want["cost"]))
        assert {name: row[name] for name in ("calls", "asr", "ner", "acd_ms")} == pytest.approx(
            {name: want[name] for name in ("calls", "asr", "ner", "acd_ms")}
        )
    whole = expected(truth)
    assert found.total is not None
    assert found.total["asr"] == pytest.approx(whole["asr"])
    assert found.total["calls"] == 600
    assert sum((Decimal(row["cost"]) for row in found.rows if row["cost"]), Decimal()) == Decimal(found.total["cost"])
    for offset in (0, 2, 5, 100):
        page = await aggregate(
            reader, View("truth"), CLOSED_CALLS, measures, [CALL["trunk"], CALL["status"]], order=["-calls"],
            limit=3, offset=offset,
        )  # fmt: skip
        assert (page.count, page.rows) == (found.count, found.rows[offset : offset + 3])


@pytest.mark.parametrize("step", ["hour", "day", "week", "month"])
@pytest.mark.parametrize("zone", ["Europe/London", "America/New_York", "Asia/Kolkata"])
async def test_buckets_hold_every_call_once(
    reader: Reader, truth: list[tuple[str, Call]], step: str, zone: str
) -> None:
    first, end = ms("2026-03-15T00:00+00:00"), ms("2026-04-07T00:00+01:00")
    found = await aggregate(
        reader, View("truth"), CLOSED_CALLS, calls_of("calls", "asr", "acd_ms", "cost"), bucket=Bucket(step, zone),
        first_ms=first, end_ms=end, total=True,
    )  # fmt: skip
    assert [row["bucket"] for row in found.rows] == [stretch.first_ms for stretch in found.stretches]
    assert sum(row["calls"] for row in found.rows) == 600 == (found.total or {})["calls"]
    for row, stretch in zip(found.rows, found.stretches, strict=True):
        inside = [pair for pair in truth if stretch.first_ms <= pair[1].started_at < stretch.end_ms]
        want = expected(inside)
        assert (row["calls"], row["asr"], row["acd_ms"]) == pytest.approx((want["calls"], want["asr"], want["acd_ms"]))
    empty = [row for row in found.rows if row["calls"] == 0]
    if step == "hour":
        assert empty
    for row in empty:
        assert row == {"bucket": row["bucket"], "calls": 0, "asr": None, "acd_ms": None, "cost": None}


async def test_days_of_a_changing_clock(client: Any, reader: Reader) -> None:
    """A call each hour of UTC: the short day has 23 of them, the long one 25."""
    for tenant, text, lengths in (
        ("spring", "2026-03-28T00:00+00:00", [24, 23, 24]),
        ("autumn", "2026-10-24T00:00+01:00", [24, 25, 24]),
    ):
        first = ms(text)
        write(client, [stored_call(tenant, f"h{n}", first + n * HOUR) for n in range(sum(lengths))])
        found = await aggregate(
            reader, View(tenant), CALLS, calls_of("calls"), bucket=Bucket("day", "Europe/London"),
            first_ms=first, end_ms=first + sum(lengths) * HOUR,
        )  # fmt: skip
        assert [row["calls"] for row in found.rows] == lengths


async def test_groups_in_buckets_are_filled(reader: Reader, truth: list[tuple[str, Call]]) -> None:
    found = await aggregate(
        reader,
        View("truth"),
        CLOSED_CALLS,
        calls_of("calls"),
        [CALL["trunk"]],
        bucket=Bucket("week"),
        limit=4,
        offset=1,
    )
    everything = await aggregate(
        reader, View("truth"), CLOSED_CALLS, calls_of("calls"), [CALL["trunk"]], bucket=Bucket("week")
    )
    assert everything.count == len(everything.rows) == 3 * len(everything.stretches)
    assert sum(row["calls"] for row in everything.rows) == 600
    assert found.rows == everything.rows[1:5]
    assert [(row["bucket"], row["trunk"]) for row in everything.rows] == sorted(
        (row["bucket"], row["trunk"]) for row in everything.rows
    )


def peak(spans: list[tuple[int, int]]) -> int:
    """The most at one time: an end goes before a beginning at the same instant."""
    running = most = 0
    for _, change in sorted([(begin, 1) for begin, end in spans if end > begin] + [(end, -1) for _, end in spans]):
        running += change
        most = max(most, running)
    return most


async def test_occupancy(client: Any, reader: Reader) -> None:
    chance = random.Random(5)
    begin = ms("2026-05-01T00:00+00:00")
    made = []
    for number in range(300):
        at = begin + chance.randrange(10 * HOUR)
        length = chance.randrange(0, 3 * HOUR)
        made.append(
            stored_call(
                "busy",
                f"b{number}",
                at,
                trunk=chance.choice("ab"),
                answered_at=at + 5_000,
                ended_at=at + 5_000 + length,
                duration_ms=length + 5_000,
                billable_ms=length,
            )
        )
    write(client, made)
    first, end = begin + 2 * HOUR + 20 * MINUTE, begin + 7 * HOUR
    found = await aggregate(
        reader, View("busy"), CLOSED_CALLS,
        calls_of("calls", "erlangs", "peak_talking", "peak_calls", "erlangs_seized"),
        [CALL["trunk"]], bucket=Bucket("hour"), first_ms=first, end_ms=end, total=True,
    )  # fmt: skip
    assert len(found.rows) == 2 * 5

    def spans(low: int, high: int, trunk: str = "", *, ringing: bool = False) -> list[tuple[int, int]]:
        return [
            (max(low, begins), min(high, call.ended_at or 0))
            for call in made
            if trunk in ("", call.trunk)
            and min(high, call.ended_at or 0)
            > max(low, begins := call.started_at if ringing else call.answered_at or 0)
        ]

    for row in found.rows:
        low, high = max(first, row["bucket"]), min(end, row["bucket"] + HOUR)
        talking = spans(low, high, row["trunk"])
        assert row["peak_talking"] == peak(talking)
        assert row["peak_calls"] == peak(spans(low, high, row["trunk"], ringing=True))
        assert row["erlangs"] == pytest.approx(sum(b - a for a, b in talking) / (high - low))
    assert found.total is not None
    assert found.total["peak_talking"] == peak(spans(first, end))
    assert found.total["erlangs"] == pytest.approx(sum(b - a for a, b in spans(first, end)) / (end - first))
    assert found.total["calls"] == sum(first <= call.started_at < end for call in made)


async def test_calls_one_after_the_other_are_not_beside_each_other(client: Any, reader: Reader) -> None:
    write(client, [stored_call("chain", f"c{n}", NOON + n * 30_000, answered_at=NOON + n * 30_000,
                               ended_at=NOON + (n + 1) * 30_000) for n in range(20)])  # fmt: skip
    found = await aggregate(
        reader, View("chain"), CALLS, calls_of("peak_talking", "peak_talking_at", "erlangs", "cps_max")
    )
    assert found.rows[0]["peak_talking"] == 1
    assert found.rows[0]["cps_max"] == 1
    assert found.rows[0]["erlangs"] == pytest.approx(1.0)


async def test_a_call_in_progress_occupies_until_now(client: Any, reader: Reader) -> None:
    now = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
    call = stored_call("live", "open", now - HOUR, state="open", status="", ended_at=None, duration_ms=None)
    write(client, [call])
    found = await aggregate(
        reader,
        View("live"),
        CALLS,
        calls_of("erlangs", "open", "asr", "peak_calls"),
        first_ms=now - HOUR // 2,
        end_ms=now,
    )
    assert found.rows[0] == {"erlangs": 1.0, "open": 0, "asr": None, "peak_calls": 1}  # it began before the window


async def test_queues(client: Any, reader: Reader) -> None:
    def visit(queue: str, reason: str | None, wait_s: int) -> dict[str, Any]:
        at = NOON
        return {"queue": queue, "number": queue, "joined_at": at, "left_at": at, "wait_ms": wait_s * 1000,
                "reason": reason, "answered_by": None, "agents": []}  # fmt: skip

    gone = unanswered("abandoned", 0, 16, answered_at=NOON)
    write(
        client,
        [
            stored_call("queues", "q1", NOON, wait_ms=10_000, queue_visits=[visit("600", "answered", 10)]),
            stored_call("queues", "q2", NOON + 1, wait_ms=20_000, queue_visits=[visit("600", "answered", 20)]),
            stored_call("queues", "q3", NOON + 2, wait_ms=50_000,
                        queue_visits=[visit("600", "overflow", 20), visit("601", "answered", 30)]),
            stored_call("queues", "q4", NOON + 3, wait_ms=3_000, queue_visits=[visit("600", "abandoned", 3)], **gone),
            stored_call("queues", "q5", NOON + 4, wait_ms=90_000, queue_visits=[visit("600", "abandoned", 90)], **gone),
            stored_call("queues", "q6", NOON + 5),
        ],
    )  # fmt: skip
    wanted = ("calls", "queued", "served", "abandoned", "abandon_rate", "service_level_20", "service_level_20_patient",
              "service_level_20_answered", "asa_ms")  # fmt: skip
    found = await aggregate(reader, View("queues"), CALLS, calls_of(*wanted))
    assert list(found.rows[0].values()) == pytest.approx([6, 5, 3, 2, 40.0, 40.0, 50.0, 200 / 3, 80_000 / 3])
    of_visits = ("visits", "offered", "served", "abandoned", "short_abandoned", "left", "abandon_rate",
                 "service_level_20", "asa_ms", "wait_max_ms")  # fmt: skip
    found = await aggregate(
        reader,
        View("queues"),
        QUEUE_VISITS,
        [measure(name, QUEUE_VISITS) for name in of_visits],
        [QUEUE_VISIT["queue"]],
        total=True,
    )
    assert [list(row.values()) for row in found.rows] == [
        ["600", 5, 5, 2, 2, 1, 1, 40.0, 40.0, 15_000.0, 90_000],
        ["601", 1, 1, 1, 0, 0, 0, 0.0, 0.0, 30_000.0, 30_000],
    ]
    assert (found.total or {})["offered"] == 6


async def test_call_logs(client: Any, reader: Reader, truth: list[tuple[str, Call]]) -> None:
    found = await aggregate(
        reader, View("truth"), CALL_LOGS,
        [measure(name, CALL_LOGS) for name in ("targets", "calls", "answered", "asr")],
        [CALL_LOG["kind"]],
    )  # fmt: skip
    assert found.rows == [{"kind": "extension", "targets": 600, "calls": 600, "answered": 600, "asr": 100.0}]


async def test_money_of_two_currencies_has_no_sum(client: Any, reader: Reader) -> None:
    write(
        client,
        [stored_call("money", f"m{n}", NOON + n, cost="0.1", currency=c) for n, c in enumerate(["EUR", "EUR", "USD"])],
    )
    found = await aggregate(reader, View("money"), CALLS, calls_of("cost"), [CALL["currency"]], total=True)
    assert found.rows == [{"currency": "EUR", "cost": "0.2"}, {"currency": "USD", "cost": "0.1"}]
    assert found.total == {"cost": None}


async def test_every_measure_answers_over_nothing_and_something(reader: Reader, truth: list[tuple[str, Call]]) -> None:
    for source, known in ((CALLS, CALL_MEASURES), (CALL_LOGS, LOG_MEASURES), (QUEUE_VISITS, VISIT_MEASURES)):
        assert len(names(source)) > len(known)
        for tenant in ("truth", "nobody"):
            found = await aggregate(reader, View(tenant), source, list(known.values()), total=True)
            assert found.total == found.rows[0]
            if tenant == "nobody" or source is QUEUE_VISITS:
                for each in known.values():
                    assert found.rows[0][each.name] == each.of_nothing, each.name


async def test_filters_and_windows(reader: Reader, truth: list[tuple[str, Call]]) -> None:
    first, end = truth[10][1].started_at, truth[10][1].started_at + 3 * DAY
    where = Compare("eq", CALL["trunk"], Literal("a"))
    inside = [call for _, call in truth if call.trunk == "a" and first <= call.started_at < end]
    found = await aggregate(reader, View("truth"), CALLS, calls_of("calls"), where=where, first_ms=first, end_ms=end)
    assert found.rows == [{"calls": len(inside)}]
    later = await aggregate(reader, View("truth"), CALLS, calls_of("calls"), where=where, first_ms=end)
    assert later.rows[0]["calls"] == sum(call.trunk == "a" and call.started_at >= end for _, call in truth)


async def test_what_makes_no_sense_is_refused(reader: Reader) -> None:
    with pytest.raises(BadExpression, match="order"):
        await aggregate(reader, View("t"), CALLS, calls_of("calls"), order=["-cost"])
    for name in ("asr; DROP", "pdd_p0_ms", "service_level_", "CALLS", "nothing_p95_ms"):
        with pytest.raises(BadExpression, match="none of"):
            measure(name, CALLS)


async def test_a_replaced_row_counts_once(client: Any, reader: Reader) -> None:
    call = stored_call("once", "c", NOON)
    write(client, [call])
    write_calls(client, [call_row(msgspec.structs.replace(call, version=5, cost="2", currency="GBP"))])
    found = await aggregate(reader, View("once"), CALLS, calls_of("calls", "cost", "peak_calls"))
    assert found.rows == [{"calls": 1, "cost": "2", "peak_calls": 1}]
