"""The cost formula against one that is slow and obviously right: fractions, as the documentation writes it."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.rating.formula import ROUNDINGS, Formula, Terms, cost, explain, text

PRICES = st.decimals(0, 100, places=6)
SECONDS = st.integers(0, 120)
TERMS = st.builds(
    Terms,
    connect_fee=PRICES,
    interval_1=SECONDS,
    price_1=PRICES,
    interval_n=st.integers(1, 120),
    price_n=PRICES,
    free_seconds=SECONDS,
    grace_period=st.integers(0, 20),
    post_call_surcharge=st.decimals(0, 200, places=3),
    minimum=st.one_of(st.just(Decimal(0)), st.decimals(0, 5, places=4)),
)
MODES = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "up": ROUND_UP, "down": ROUND_DOWN}


def slow(terms: Terms, seconds: int) -> Fraction:
    """PortSIP's formula, word for word."""
    if seconds < terms.grace_period:
        return Fraction(0)
    rest = max(0, seconds - terms.interval_1 - terms.free_seconds)
    rounded_up = ceil(Fraction(rest, terms.interval_n)) * terms.interval_n
    sum_ = (
        Fraction(terms.connect_fee)
        + terms.interval_1 * Fraction(terms.price_1) / 60
        + rounded_up * Fraction(terms.price_n) / 60
    )
    return max(sum_ * (1 + Fraction(terms.post_call_surcharge) / 100), Fraction(terms.minimum))


def rounded(value: Fraction, decimals: int, rounding: str) -> Decimal:
    """A fraction with so many decimals: whole units and what is left, compared with a half."""
    units, rest = divmod(value * 10**decimals, 1)
    up = {
        "half_up": rest >= Fraction(1, 2),
        "half_even": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and units % 2 == 1),
        "up": rest > 0,
        "down": False,
    }[rounding]
    return Decimal(int(units) + up).scaleb(-decimals)


@given(TERMS, st.integers(0, 100_000), st.integers(0, 8), st.sampled_from(ROUNDINGS))
def test_the_cost_is_the_formula_rounded_once(terms: Terms, seconds: int, decimals: int, rounding: str) -> None:
    wanted = rounded(slow(terms, seconds), decimals, rounding)
    assert cost(terms, seconds, decimals, rounding) == wanted
    assert Formula(terms, decimals, rounding).cost(seconds) == text(wanted)


@given(TERMS, st.integers(0, 100_000))
def test_what_is_explained_adds_up(terms: Terms, seconds: int) -> None:
    charge = explain(terms, seconds)
    assert charge.cost == cost(terms, seconds)
    assert abs(Fraction(charge.unrounded) - slow(terms, seconds)) < Fraction(1, 10**15)
    if not charge.in_grace:
        total = terms.connect_fee + charge.first + charge.following + charge.surcharge
        assert charge.at_minimum == (slow(terms, seconds) < 0 or total < terms.minimum)
        assert abs(max(total, terms.minimum) - charge.unrounded) < Decimal("1e-15")


@given(TERMS, st.integers(0, 10_000), st.integers(0, 500))
def test_longer_calls_never_cost_less(terms: Terms, seconds: int, more: int) -> None:
    assert cost(terms, seconds) <= cost(terms, seconds + more)


@pytest.mark.parametrize(
    ("terms", "seconds", "wanted"),
    [
        (Terms(price_n=Decimal(1)), 25, "0.41667"),  # as PortSIP's report shows it
        (Terms(interval_1=60, price_1=Decimal("0.06"), interval_n=60, price_n=Decimal("0.06")), 0, "0.06"),
        (Terms(interval_1=60, price_1=Decimal("0.06"), interval_n=60, price_n=Decimal("0.06")), 1, "0.06"),
        (Terms(interval_1=60, price_1=Decimal("0.06"), interval_n=60, price_n=Decimal("0.06")), 60, "0.06"),
        (Terms(interval_1=60, price_1=Decimal("0.06"), interval_n=60, price_n=Decimal("0.06")), 61, "0.12"),
        (
            Terms(interval_1=30, price_1=Decimal("0.6"), interval_n=6, price_n=Decimal("0.6"), free_seconds=30),
            60,
            "0.3",
        ),
        (
            Terms(interval_1=30, price_1=Decimal("0.6"), interval_n=6, price_n=Decimal("0.6"), free_seconds=30),
            61,
            "0.36",
        ),
        (Terms(connect_fee=Decimal("0.5"), price_n=Decimal(1), grace_period=3), 2, "0"),
        (Terms(connect_fee=Decimal("0.5"), price_n=Decimal(1), grace_period=3), 3, "0.55"),
        (Terms(connect_fee=Decimal("0.5"), post_call_surcharge=Decimal(10)), 9, "0.55"),
        (Terms(price_n=Decimal("0.01"), minimum=Decimal("0.05")), 60, "0.05"),
    ],
)
def test_by_hand(terms: Terms, seconds: int, wanted: str) -> None:
    assert text(cost(terms, seconds)) == wanted


@pytest.mark.parametrize(("rounding", "wanted"), [*zip(ROUNDINGS, ("0.13", "0.12", "0.13", "0.12"), strict=True)])
def test_a_half_is_rounded_as_the_tariff_says(rounding: str, wanted: str) -> None:
    assert text(cost(Terms(connect_fee=Decimal("0.125")), 1, 2, rounding)) == wanted
    assert MODES[rounding]  # and as Python's decimal does
    assert Decimal("0.125").quantize(Decimal("0.01"), MODES[rounding]) == Decimal(wanted)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("0", "0"), ("0.00000", "0"), ("1.50", "1.5"), ("100", "100"), ("1E+3", "1000"), ("1E-7", "0.0000001")],
)
def test_money_is_plain_text(value: str, wanted: str) -> None:
    assert text(Decimal(value)) == wanted
