"""Time bands by the wall clock of a zone, right across changes of the clock."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.rating.bands import parse
from pipeline.rating.deck import Moment

BERLIN = ZoneInfo("Europe/Berlin")


def holds(band: str, at: str, zone: ZoneInfo = BERLIN) -> bool:
    parsed = parse(band)
    return parsed is None or parsed.holds(dt.datetime.fromisoformat(at).astimezone(zone))


@pytest.mark.parametrize(
    ("band", "at", "wanted"),
    [
        ("mon-fri 08:00-18:00", "2025-07-01T06:00:00Z", True),  # 08:00 in Berlin, summer time
        ("mon-fri 08:00-18:00", "2025-07-01T05:59:59Z", False),
        ("mon-fri 08:00-18:00", "2025-01-07T06:30:00Z", False),  # 07:30, winter time
        ("mon-fri 08:00-18:00", "2025-07-01T16:00:00Z", False),  # half-open
        ("mon-fri 08:00-18:00", "2025-07-05T10:00:00Z", False),  # a Saturday
        ("sat,sun", "2025-07-05T10:00:00Z", True),
        ("Sat-Mon", "2025-07-07T10:00:00Z", True),
        ("22:00-06:00", "2025-07-01T21:00:00Z", True),
        ("fri 22:00-06:00", "2025-07-05T01:00:00Z", True),  # Saturday 03:00: of Friday's night
        ("fri 22:00-06:00", "2025-07-04T01:00:00Z", False),  # Friday 03:00: of Thursday's
        ("peak", "2025-07-01T06:00:00Z", True),
        ("Off-Peak", "2025-07-01T06:00:00Z", False),
        ("offpeak", "2025-07-05T06:00:00Z", True),
        ("weekend", "2025-07-06T06:00:00Z", True),
        ("mon-fri 18-24 | sat , sun", "2025-07-06T06:00:00Z", True),
        ("", "2025-07-06T06:00:00Z", True),
        ("*", "2025-07-06T06:00:00Z", True),
        # the night of 26 October 2025 has 02:30 twice, that of 30 March has none
        ("sun 02:00-03:00", "2025-10-26T00:30:00Z", True),
        ("sun 02:00-03:00", "2025-10-26T01:30:00Z", True),
        ("sun 03:00-04:00", "2025-03-30T01:00:00Z", True),
        ("sun 02:00-03:00", "2025-03-30T00:59:59Z", False),
    ],
)
def test_by_the_wall_clock(band: str, at: str, wanted: bool) -> None:
    assert holds(band, at) is wanted


@pytest.mark.parametrize(
    "band", ["noon", "mon-fri 8:00", "mon 25:00-26:00", "08:00-08:00", "a b c", "mon-xyz", "08:60-09:00"]
)
def test_what_is_no_band_is_refused(band: str) -> None:
    with pytest.raises(ValueError, match=r"is no time band; write days and hours such as mon-fri 08:00-18:00"):
        parse(band)


def test_a_deck_names_its_own() -> None:
    band = parse("siesta", {"Siesta": "14:00-16:00"})
    assert band is not None
    assert band.holds(dt.datetime(2025, 7, 1, 15, 0))
    assert parse("peak", {"peak": "always"}) is None


@given(st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2040, 1, 1)), st.integers(0, 1439), st.integers(1, 1440))
def test_peak_and_offpeak_share_the_week(at: dt.datetime, first: int, end: int) -> None:
    peak, offpeak = parse("peak"), parse("offpeak")
    assert peak and offpeak
    assert peak.holds(at) != offpeak.holds(at)
    if first != end and first < 1440:
        text = f"{first // 60:02}:{first % 60:02}-{end // 60:02}:{end % 60:02}"
        band = parse(text)
        minute = at.hour * 60 + at.minute
        assert band
        assert band.holds(at) == (first <= minute < end if first < end else minute >= first or minute < end)


def test_a_moment_knows_both_clocks() -> None:
    moment = Moment(1_751_320_800_000, BERLIN)
    assert (moment.wall, moment.instant) == ("2025-07-01T00:00:00", "2025-06-30T22:00:00Z")
    assert not moment.before("2025-07-01T00:00:00")
    assert moment.before("2025-07-01T00:00:00Z")
