"""What a call costs by one tariff line: PortSIP's formula, exact, rounded once.

    (connect_fee + interval_1 · price_1 / 60 + roundup(max(0, duration − interval_1 − free_seconds), interval_n)
     · price_n / 60) · (1 + post_call_surcharge %)

Nothing when the duration is shorter than the grace period; at least `minimum` otherwise. Prices are a minute,
intervals and durations whole seconds. All sums are exact decimals over 6000; the one division is the last step, and
its rounding is the tariff's.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Final

ZERO: Final = Decimal(0)
DECIMALS: Final = 5  # as PortSIP shows costs
ROUNDINGS: Final = ("half_up", "half_even", "up", "down")

_EXACT: Final = Context(prec=200, Emin=-9999, Emax=9999)
_HUNDRED: Final = Decimal(100)
_SIXTY: Final = Decimal(60)
_PARTS: Final = Decimal(6000)  # 60 seconds a minute, 100 per cent


@dataclass(frozen=True, slots=True)
class Terms:
    """The prices of a tariff line. Lines with the same prices share one."""

    connect_fee: Decimal = ZERO
    interval_1: int = 0
    price_1: Decimal = ZERO
    interval_n: int = 1
    price_n: Decimal = ZERO
    free_seconds: int = 0
    grace_period: int = 0
    post_call_surcharge: Decimal = ZERO
    minimum: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Charge:
    """The formula, term by term, each exact; `cost` is rounded."""

    seconds: int
    in_grace: bool
    first: Decimal  # interval_1 · price_1 / 60, before the surcharge
    next_seconds: int  # after interval_1 and the free seconds, rounded up to interval_n
    following: Decimal  # next_seconds · price_n / 60
    surcharge: Decimal
    unrounded: Decimal
    at_minimum: bool
    cost: Decimal


def cost(terms: Terms, seconds: int, decimals: int = DECIMALS, rounding: str = "half_up") -> Decimal:
    """What `seconds` cost, with `decimals` digits after the point."""
    if seconds < terms.grace_period:
        return ZERO.scaleb(-decimals) if decimals else ZERO
    exact = _EXACT
    rest = seconds - terms.interval_1 - terms.free_seconds
    parts = exact.add(
        exact.multiply(terms.connect_fee, _SIXTY), exact.multiply(terms.price_1, Decimal(terms.interval_1))
    )
    if rest > 0:
        step = terms.interval_n
        parts = exact.add(parts, exact.multiply(terms.price_n, Decimal(-(-rest // step) * step)))
    parts = exact.multiply(parts, exact.add(_HUNDRED, terms.post_call_surcharge))
    if terms.minimum:
        parts = max(parts, exact.multiply(terms.minimum, _PARTS))
    return _rounded(parts, decimals, rounding)


def _rounded(parts: Decimal, decimals: int, rounding: str) -> Decimal:
    """parts / 6000 with so many decimals: the only rounding there is."""
    whole, rest = _EXACT.divmod(_EXACT.scaleb(parts, Decimal(decimals)), _PARTS)
    if rest:
        twice = _EXACT.add(rest, rest)
        if rounding == "half_up":
            up = twice >= _PARTS
        elif rounding == "half_even":
            up = twice > _PARTS or (twice == _PARTS and int(whole) % 2 == 1)
        else:
            up = rounding == "up"
        if up:
            whole = _EXACT.add(whole, Decimal(1))
    return _EXACT.scaleb(whole, Decimal(-decimals))


def explain(terms: Terms, seconds: int, decimals: int = DECIMALS, rounding: str = "half_up") -> Charge:
    """The same with every term, each to 28 digits; the cost is not made of them."""
    shown = Context(prec=28)
    in_grace = seconds < terms.grace_period
    rest = max(0, seconds - terms.interval_1 - terms.free_seconds)
    next_seconds = 0 if in_grace else -(-rest // terms.interval_n) * terms.interval_n
    first = shown.divide(terms.price_1 * terms.interval_1, _SIXTY)
    following = shown.divide(terms.price_n * next_seconds, _SIXTY)
    base = shown.add(shown.add(terms.connect_fee, first), following)
    surcharge = shown.divide(base * terms.post_call_surcharge, _HUNDRED)
    total = shown.add(base, surcharge)
    return Charge(
        seconds=seconds,
        in_grace=in_grace,
        first=ZERO if in_grace else first,
        next_seconds=next_seconds,
        following=ZERO if in_grace else following,
        surcharge=ZERO if in_grace else surcharge,
        unrounded=ZERO if in_grace else max(total, terms.minimum),
        at_minimum=not in_grace and total < terms.minimum,
        cost=cost(terms, seconds, decimals, rounding),
    )


def text(value: Decimal) -> str:
    """A decimal as plain text, without exponent and without zeros at its end."""
    plain = f"{value:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
