"""The plots that go with lists and counts of calls: over time, weekday by hour, what became of them."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.reports.ranges import Span
from pipeline.reports.rendering.plots import Bar, Bars, HeatMap, Plot, Series, Trend
from pipeline.reports.types.build import Question, Sql
from pipeline.warehouse.query.bindings import Bindings

# What became of a call → (what people read, its colour); in the order of plots. "Answered" and "Abandoned" are words of
# the tables, where the network's answer and the queue's loss are meant.
OUTCOMES: Final[Mapping[str, tuple[str, str]]] = {
    "answered": ("Talked", "good"),
    "voicemail": ("Voicemail", "calm"),
    "no_answer": ("No answer", "warn"),
    "busy": ("Busy", "late"),
    "cancelled": ("Cancelled", "dull"),
    "abandoned": ("Left a queue", "bad"),
    "failed": ("Failed", "dark"),
}
STAYS: Final[Mapping[str, tuple[str, str]]] = {
    "answered": ("Serviced", "good"),
    "abandoned": ("Abandoned", "bad"),
    "overflow": ("Overflow", "warn"),
    "exit": ("Exit key", "dull"),
    "callback": ("Callback", "calm"),
}
_OTHER: Final = ("Other", "dark")
_HOURLY_UP_TO_DAYS: Final = 2


async def call_plots(question: Question, calls: Sql) -> tuple[Plot, ...]:
    """Of calls: `calls` selects `at` (ms) and `status`."""
    return await _plots(question, "plots", calls, OUTCOMES, "Calls", "calls")


async def queue_plots(question: Question, stays: Sql) -> tuple[Plot, ...]:
    """Of stays in queues, as `visits` has them."""

    def select(bindings: Bindings) -> str:
        return f"SELECT at, if(served, 'answered', reason) AS status FROM ({stays(bindings)})"

    return await _plots(question, "queue_plots", select, STAYS, "Calls in queues", "calls")


async def _plots(
    question: Question, what: str, select: Sql, words: Mapping[str, tuple[str, str]], noun: str, unit: str
) -> tuple[Plot, ...]:
    bindings = Bindings()
    zone = bindings.bind(question.span.zone, "String")
    rows = await question.rows(
        what,
        f"SELECT toString(toDate(local)) AS day, toHour(local) AS hour, status, count() AS n"
        f" FROM (SELECT toTimeZone(fromUnixTimestamp64Milli(toInt64(at)), {zone}) AS local, status"
        f" FROM ({select(bindings)})) GROUP BY day, hour, status",
        bindings,
    )
    if not rows:
        return ()
    outcomes: Counter[str] = Counter()
    heat = [[0.0] * 24 for _ in range(7)]
    times: dict[str, Counter[str]] = {}
    hourly = question.span.days <= _HOURLY_UP_TO_DAYS
    for row in rows:
        number, status = int(row["n"]), row["status"]
        outcomes[status] += number
        day = dt.date.fromisoformat(row["day"])
        heat[day.weekday()][int(row["hour"])] += number
        bucket = f"{row['day']} {int(row['hour']):02d}:00" if hourly else row["day"]
        times.setdefault(bucket, Counter())[status] += number
    buckets = _buckets(question.span, times, hourly=hourly)
    present = [status for status in (*words, *sorted(set(outcomes) - set(words))) if outcomes[status]]
    named = {
        status: words.get(status, (status.replace("_", " ").capitalize() or _OTHER[0], _OTHER[1])) for status in present
    }
    total = sum(outcomes.values())
    trend = Trend(
        f"{noun} per {'hour' if hourly else 'day'}",
        f"{noun} that began in each {'hour' if hourly else 'day'} ({question.span.zone}), by what became of them.",
        buckets,
        [
            Series(named[status][0], [times.get(bucket, Counter())[status] for bucket in buckets], named[status][1])
            for status in present
        ],
    )
    bars = Bars(
        "What became of them",
        f"Share of all {total} {unit}.",
        [
            Bar(
                named[status][0],
                [(named[status][1], outcomes[status])],
                f"{outcomes[status]} · {outcomes[status] / total:.1%}",
            )
            for status in present
        ],
        whole=total,
    )
    map_ = HeatMap(
        "When they come", f"{noun} that began in each hour of each weekday ({question.span.zone}).", heat, unit
    )
    return (trend, bars, map_)


def _buckets(span: Span, times: Mapping[str, Counter[str]], *, hourly: bool) -> Sequence[str]:
    """Every bucket of the span, empty ones too; and those before it in which its calls began."""
    form = "%Y-%m-%d %H:00" if hourly else "%Y-%m-%d"
    step = dt.timedelta(hours=1) if hourly else dt.timedelta(days=1)
    zone = ZoneInfo(span.zone)
    first, last = (
        dt.datetime.fromtimestamp(ms / 1000, zone).replace(tzinfo=None) for ms in (span.first_ms, span.end_ms - 1)
    )
    at = min(first, dt.datetime.fromisoformat(min(times)))
    found = []
    while at <= last:
        found.append(at.strftime(form))
        at += step
    return sorted({*found, *times})
