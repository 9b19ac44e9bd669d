from __future__ import annotations

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.warehouse.analytics.calendar import (
    STEPS,
    Bucket,
    local_text,
    offsets,
    runs,
    stretches_of,
    zone_of,
)
from pipeline.warehouse.query.expressions import BadExpression

ZONES = ("UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Cairo")
HOUR = 3_600_000


def ms(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("step", "zone", "first", "end", "hours"),
    [
        ("day", "Europe/London", "2026-03-28T00:00+00:00", "2026-03-31T00:00+01:00", [24, 23, 24]),
        ("day", "Europe/London", "2026-10-24T00:00+01:00", "2026-10-27T00:00+00:00", [24, 25, 24]),
        ("hour", "Europe/London", "2026-10-25T00:00+01:00", "2026-10-25T03:00+00:00", [1, 1, 1, 1]),
        ("hour", "America/New_York", "2026-03-08T00:00-05:00", "2026-03-08T04:00-04:00", [1, 1, 1]),
        ("hour", "Australia/Lord_Howe", "2026-04-05T00:00+11:00", "2026-04-05T03:00+10:30", [1, 1, 0.5, 1]),
        ("hour", "Australia/Lord_Howe", "2026-10-04T00:00+10:30", "2026-10-04T04:00+11:00", [1, 1, 0.5, 1]),
        ("day", "Africa/Cairo", "2026-04-23T00:00+02:00", "2026-04-26T00:00+03:00", [24, 23, 24]),
        ("day", "Pacific/Apia", "2011-12-29T00:00-10:00", "2012-01-01T00:00+14:00", [24, 24]),
        ("week", "Europe/London", "2026-03-23T00:00+00:00", "2026-03-30T00:00+01:00", [167]),
        ("month", "Europe/London", "2026-03-01T00:00+00:00", "2026-05-01T00:00+01:00", [743, 720]),
        ("quarter", "UTC", "2026-02-01T00:00+00:00", "2026-02-02T00:00+00:00", [2160]),
        ("year", "UTC", "2024-06-01T00:00+00:00", "2024-06-02T00:00+00:00", [8784]),
        ("15_minutes", "Asia/Kathmandu", "2026-01-01T00:01+05:45", "2026-01-01T00:20+05:45", [0.25, 0.25]),
    ],
)
def test_lengths(step: str, zone: str, first: str, end: str, hours: list[float]) -> None:
    found = stretches_of(Bucket(step, zone), ms(first), ms(end))
    assert [(each.end_ms - each.first_ms) / HOUR for each in found] == hours


def test_a_repeated_hour_has_two_names() -> None:
    found = stretches_of(Bucket("hour", "Europe/London"), ms("2026-10-25T01:00+01:00"), ms("2026-10-25T02:00+00:00"))
    zone = zone_of("Europe/London")
    assert [local_text(each.first_ms, zone) for each in found] == [
        "2026-10-25T01:00:00+01:00",
        "2026-10-25T01:00:00+00:00",
    ]


@given(
    st.sampled_from(STEPS),
    st.sampled_from(ZONES),
    st.integers(ms("1995-01-01T00:00+00:00"), ms("2037-01-01T00:00+00:00")),
    st.integers(1, 40 * 24 * HOUR),
    st.integers(0, 10**12),
)
def test_stretches_cover_the_window_and_begin_on_the_calendar(
    step: str, zone: str, first: int, width: int, inside: int
) -> None:
    width = min(width, 9_000 * 60_000) if step == "minute" else width
    width = min(width, 9_000 * 300_000) if step == "5_minutes" else width
    found = stretches_of(Bucket(step, zone), first, first + width)
    assert found[0].first_ms <= first < found[0].end_ms
    assert found[-1].first_ms < first + width <= found[-1].end_ms
    assert all(each.end_ms == after.first_ms for each, after in itertools.pairwise(found))
    assert all(each.first_ms < each.end_ms for each in found)
    at = first + inside % width
    held = next(each for each in found if at < each.end_ms)
    assert held.first_ms <= at < held.end_ms
    # the same clock-reading, cut to the step, at both ends of what a stretch holds
    assert _label(step, zone, at) == _label(step, zone, held.end_ms - 1) == _label(step, zone, held.first_ms)
    borders = [each.first_ms for each in found]
    assert [one for a, gap, n in runs(borders) for one in range(a, a + gap * n, gap)] == borders


def _label(step: str, zone: str, at: int) -> tuple[object, ...]:
    local = dt.datetime.fromtimestamp(at / 1000, dt.UTC).astimezone(zone_of(zone))
    minutes = {"minute": 1, "5_minutes": 5, "15_minutes": 15, "30_minutes": 30, "hour": 60}.get(step)
    if minutes:
        return (local.date(), (local.hour * 60 + local.minute) // minutes)
    return {
        "day": (local.date(),),
        "week": tuple(local.isocalendar())[:2],
        "month": (local.year, local.month),
        "quarter": (local.year, (local.month - 1) // 3),
        "year": (local.year,),
    }[step]


def test_offsets_change_when_the_clock_does() -> None:
    zone = zone_of("Europe/London")
    first, end = ms("2026-01-01T00:00+00:00"), ms("2027-01-01T00:00+00:00")
    assert offsets(zone, first, end) == [
        (first, 0),
        (ms("2026-03-29T01:00+00:00"), HOUR),
        (ms("2026-10-25T01:00+00:00"), 0),
    ]


@pytest.mark.parametrize("zone", ["", "Nowhere/City", "../etc/passwd", "UTC'", "Europe/London\0", "x" * 100, "/", "é"])
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(BadExpression, match="IANA"):
        zone_of(zone)


def test_too_many_stretches_are_refused() -> None:
    with pytest.raises(BadExpression, match="10000"):
        stretches_of(Bucket("minute"), 0, 365 * 24 * HOUR)
    with pytest.raises(BadExpression, match="none of"):
        stretches_of(Bucket("fortnight"), 0, 1)
    assert stretches_of(Bucket("day"), 5, 5) == []
