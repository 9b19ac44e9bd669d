"""Decks: the line of the longest prefix that holds, against a search of every line; and what is refused in a file."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Problem
from pipeline.rating.bands import parse
from pipeline.rating.changes import difference
from pipeline.rating.deck import Deck, Header, Line, Moment, Scope
from pipeline.rating.deck_file import COLUMNS, parse_csv
from pipeline.rating.formula import Terms

BERLIN = ZoneInfo("Europe/Berlin")
NOON = Moment(1_751_364_000_000, BERLIN)
DIGITS = st.text("01", min_size=1, max_size=8)
TIMES = ("", "2025-01-01T00:00:00", "2025-07-01T12:00:00", "2025-07-01T10:00:00Z", "2025-12-01T00:00:00")
BANDS = ("", "peak", "offpeak", "sun")


@st.composite
def lines(draw: st.DrawFn) -> list[Line]:
    made: dict[tuple[str, str, str], Line] = {}
    for number in range(draw(st.integers(1, 30))):
        prefix, first, band = draw(DIGITS), draw(st.sampled_from(TIMES)), draw(st.sampled_from(BANDS))
        last = draw(st.sampled_from(TIMES))
        made[prefix, first, band] = Line(prefix, "", Terms(connect_fee=Decimal(number)), "", first, last, band, number)
    return list(made.values())


def slow(deck: list[Line], number: str, moment: Moment) -> set[Line]:
    """Of all lines that hold, those with the longest prefix; of these those with a band, if any."""

    def holds(line: Line) -> bool:
        begun = not line.first or (moment.instant if line.first.endswith("Z") else moment.wall) >= line.first
        over = line.last and (moment.instant if line.last.endswith("Z") else moment.wall) >= line.last
        band = parse(line.band)
        return bool(begun and not over and (band is None or band.holds(moment.local)))

    found = [line for line in deck if number.startswith(line.prefix) and holds(line)]
    longest = max((len(line.prefix) for line in found), default=0)
    found = [line for line in found if len(line.prefix) == longest]
    if any(line.band for line in found):
        found = [line for line in found if line.band]
    latest = max((line.first for line in found), default="")
    return {line for line in found if line.first == latest}


@given(lines(), st.text("01", max_size=10), st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2026, 1, 1)))
def test_the_longest_prefix_that_holds(deck: list[Line], number: str, start: dt.datetime) -> None:
    moment = Moment(int(start.replace(tzinfo=dt.UTC).timestamp() * 1000), BERLIN)
    found = Deck(Header("d"), deck).find(number, moment)
    wanted = slow(deck, number, moment)
    assert found in wanted if wanted else found is None
    assert set(Deck(Header("d"), deck).lines()) == set(deck)


def made(text: str, **options: str) -> list[Line]:
    return parse_csv(text, "d.csv", **options)  # type: ignore[arg-type]


def test_every_column() -> None:
    (line,) = made(
        ",".join(COLUMNS)
        + '\n+44 (20),"London, UK",0.01,30,0.05,6,0.04,10,3,12.5%,0.02,2025-01-01,2025-12-31,gbp,mon-fri 08:00-18:00\n'
    )
    terms = Terms(
        Decimal("0.01"), 30, Decimal("0.05"), 6, Decimal("0.04"), 10, 3, Decimal("12.5"), Decimal("0.02")
    )  # fmt: skip
    first, last = "2025-01-01T00:00:00", "2026-01-01T00:00:00"  # the last day counts
    assert line == Line("4420", "London, UK", terms, "GBP", first, last, "mon-fri 08:00-18:00", 2)


def test_what_may_be_left_out() -> None:
    lines = made('price_1,prefix\n0.05,44\n\n# old\n.06,"43,431"\n0.1,*\n', currency="eur")
    assert [(line.prefix, line.terms.price_n, line.currency) for line in lines] == [
        ("44", Decimal("0.05"), "EUR"),
        ("43", Decimal("0.06"), "EUR"),
        ("431", Decimal("0.06"), "EUR"),
        ("", Decimal("0.1"), "EUR"),
    ]
    assert lines[0].terms == Terms(price_1=Decimal("0.05"), price_n=Decimal("0.05"))
    assert lines[1].terms is lines[2].terms  # shared
    (line,) = made("prefix;price_n\r\n44;1\r\n")
    assert (line.terms.price_1, line.terms.interval_1) == (Decimal(1), 0)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("44,abc,,,,,,,,", "line 2, price_1 'abc' is no price; write digits and a point, such as 0.05"),
        ('44,"0,05",,,,,,,,', "line 2, price_1 '0,05' is no price; write 0.05"),
        ("44,-1,,,,,,,,", "line 2, price_1 '-1' is no price"),
        ("44,1e3,,,,,,,,", "line 2, price_1 '1e3' is no price"),
        ("44,NaN,,,,,,,,", "line 2, price_1 'NaN' is no price"),
        ("44,,,,,,,,,", "line 2, price_1 '' and price_n are missing; write the price of a minute"),
        (",1,,,,,,,,", "line 2, prefix '' is missing; write country code and digits such as 4420, or * for all"),
        ("4x,1,,,,,,,,", "line 2, prefix '4x' is no prefix"),
        ("44,1,0,,,,,,,", "line 2, interval_n '0' is no whole number of seconds from 1 to 86400"),
        ("44,1,6.5,,,,,,,", "line 2, interval_n '6.5' is no whole number"),
        ("44,1,,-1,,,,,,", "line 2, grace_period '-1' is no whole number of seconds from 0"),
        ("44,1,,,ten,,,,,", "line 2, post_call_surcharge 'ten' is no percentage"),
        ("44,1,,,,2025-13-01,,,,", "line 2, effective_from '2025-13-01' is no time; write a date such as 2025-07-01"),
        (
            "44,1,,,,2025-02-01,2025-01-01,,,",
            "line 2, effective_to '2025-01-01' is not after effective_from '2025-02-01'",
        ),
        ("44,1,,,,,,EURO,,", "line 2, currency 'EURO' is no ISO 4217 code; write three letters such as EUR"),
        ("44,1,,,,,,,noon,", "line 2, time_band 'noon' is no time band; write days and hours"),
        ("44,1,,,,,,,,\n44,2,,,,,,,,", "line 3, prefix '44' stands in line 2 for the same time; keep one"),
        ("44,1,,,,,,,,,9", "line 2, value '9' is one value more than the header has columns (10)"),
    ],
)
def test_what_is_refused(row: str, said: str) -> None:
    header = (
        "prefix,price_1,interval_n,grace_period,post_call_surcharge,effective_from,effective_to,currency,time_band,"
    )
    with pytest.raises(Problem) as refused:
        made(f"{header}destination\n{row}\n")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prefix,price\n44,1\n", "line 1, column 'price' is not known. Write price_"),
        ("prefix,rate_per_minute\n", "column 'rate_per_minute' is not known"),
        ("prefix,price_1,price_1\n44,1,1\n", "column 'price_1' stands twice"),
        ("destination,price_1\nUK,1\n", "column prefix is missing. The header is prefix,destination,connect_fee"),
        ("prefix,destination\n44,UK\n", "column price_1 (or price_n) is missing"),
        ("prefix,price_1\n", "has no lines"),
        ("", "is missing"),
    ],
)
def test_a_header_that_is_refused(text: str, said: str) -> None:
    with pytest.raises(Problem) as refused:
        made(text)
    assert said in str(refused.value)


def test_many_faults_are_counted() -> None:
    with pytest.raises(Problem, match=r"100 of its values are wrong(.|\n)*and 80 more"):
        made("prefix,price_1\n" + "".join(f"{prefix},x\n" for prefix in range(100)))


def test_dates_hold_by_the_start_of_the_call_in_the_tenants_zone() -> None:
    text = "prefix,price_1,effective_from,effective_to\n49,1,,2025-06-30\n49,2,2025-07-01,\n"
    deck = Deck(Header("d"), made(text))

    def price(at: str) -> Decimal:
        line = deck.find("4930", Moment(int(dt.datetime.fromisoformat(at).timestamp() * 1000), BERLIN))
        assert line
        return line.terms.price_1

    assert price("2025-06-30T21:59:59+00:00") == 1
    assert price("2025-06-30T22:00:00+00:00") == 2  # midnight in Berlin
    assert deck.find("48", NOON) is None


def test_which_calls_a_deck_is_for() -> None:
    assert Scope().fits("customer", "acme", "t", "A", "outbound")
    assert not Scope().fits("carrier", "acme", "t", "A", "outbound")
    assert not Scope().fits("customer", "acme", "t", "A", "inbound")  # only a deck that says so
    assert Scope(direction="inbound").fits("customer", "acme", "t", "A", "inbound")
    assert not Scope(account="B").fits("customer", "acme", "t", "A", "outbound")
    weights = [
        Scope(account="A"),
        Scope(trunk="t", tenant="acme"),
        Scope(direction="outbound"),
        Scope(tenant="a"),
        Scope(),
    ]
    assert sorted(weights, key=lambda scope: scope.weight, reverse=True) == weights


def test_the_difference_of_two_decks() -> None:
    before = made("prefix,destination,price_1\n44,UK,0.05\n49,DE,0.02\n33,FR,1\n")
    after = made("prefix,destination,price_1\n44,UK,0.06\n33,FR,1.0\n1,US,0.01\n")
    assert [(row["change"], row["prefix"], row["fields"], row["percent"]) for row in difference(before, after)] == [
        ("new", "1", "price_1: 0.01; price_n: 0.01", None),
        ("changed", "44", "price_1: 0.05 -> 0.06; price_n: 0.05 -> 0.06", "+20.0 %"),
        ("removed", "49", "price_1: 0.02; price_n: 0.02", None),
    ]
    assert difference(after, after) == []
