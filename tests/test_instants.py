from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.instants import instant
from schemas.call import rfc3339


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31 22:30:00.5-01:30", 500),
        ("1970-01-01t00:00:00.1239z", 123),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),  # a leap second is the next day's first
        ("1970-01-01T00:01Z", 60_000),
    ],
)
def test_what_rfc_3339_allows(text: str, ms: int) -> None:
    assert instant(text) == ms


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no RFC 3339 time"),
        ("yesterday", "is no RFC 3339 time"),
        ("2024-08-20T12:00:00", "with Z or an offset"),
        ("2024-08-20T12:00:00 02:00", "write \\+ as %2B"),
        ("2024-02-30", "is no time of the calendar"),
        ("2024-08-20T25:00:00Z", "is no time of the calendar"),
        ("2024-08-20T00:00:61Z", "is no time of the calendar"),
        ("0001-01-01T00:00:00+23:59", "is no time of the calendar"),
        ("1492-10-12", "outside the years"),
        ("9999-12-31", "outside the years"),
        ("٢٠٢٤-08-20", "is no RFC 3339 time"),
    ],
)
def test_what_it_does_not(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        instant(text)


@given(st.integers(-2_000_000_000_000, 10_000_000_000_000))
def test_it_undoes_what_the_contract_writes(ms: int) -> None:
    text = rfc3339(ms)
    assert text is not None
    assert instant(text) == ms


@given(st.datetimes(dt.datetime(1901, 1, 1), dt.datetime(2298, 1, 1), timezones=st.timezones()))
def test_any_zone(moment: dt.datetime) -> None:
    if moment.utcoffset() is None or moment.utcoffset() % dt.timedelta(minutes=1):  # type: ignore[operator]
        return
    expected = (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
    assert instant(moment.isoformat(timespec="milliseconds")) == expected


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    try:
        instant(text)
    except ValueError as error:
        assert str(error)
