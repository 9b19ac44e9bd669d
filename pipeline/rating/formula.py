"""What a call costs by one tariff line: PortSIP's formula, exact, rounded once.

    (connect_fee + interval_1 · price_1 / 60 + roundup(max(0, duration − interval_1 − free_seconds), interval_n)
     · price_n / 60) · (1 + post_call_surcharge %)

Nothing when the duration is shorter than the grace period; at least `minimum` otherwise. Prices are a minute,
intervals and durations whole seconds. Every sum and product is exact; the one division is the last step, and its
rounding is the tariff's.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from math import gcd
from typing import Final

import orjson

ZERO: Final = Decimal(0)
DECIMALS: Final = 5  # as PortSIP shows costs
ROUNDINGS: Final = ("half_up", "half_even", "up", "down")

_SIXTY: Final = Decimal(60)
_HUNDRED: Final = Decimal(100)
# Prices have at most so many decimals; as whole numbers of that unit they are added and multiplied exactly.
_PLACES: Final = 12
_UNIT: Final = 10**_PLACES


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


_TERMS: Final = tuple(Terms.__dataclass_fields__)


class Formula:
    """The formula of one tariff line with what does not depend on the duration worked out.

    A cost is (base + price · seconds) / over, in units of its last decimal: whole numbers without a common divisor, so
    that they stay small.
    """

    __slots__ = ("_base", "_decimals", "_grace", "_least", "_over", "_price", "_rounding", "_skip", "_step", "json")

    def __init__(self, terms: Terms, decimals: int = DECIMALS, rounding: str = "half_up") -> None:
        self._grace = terms.grace_period
        self._skip = terms.interval_1 + terms.free_seconds
        self._step = terms.interval_n
        factor = (100 * _UNIT + _units(terms.post_call_surcharge)) * 10**decimals  # 100 per cent and the surcharge
        base = (_units(terms.connect_fee) * 60 + _units(terms.price_1) * terms.interval_1) * factor
        price = _units(terms.price_n) * factor
        least = _units(terms.minimum) * 6000 * _UNIT * 10**decimals
        over = 6000 * _UNIT * _UNIT  # 60 seconds a minute · 100 per cent · the units of prices and of the surcharge
        common = gcd(base, price, least, over)
        self._base, self._price, self._least, self._over = (each // common for each in (base, price, least, over))
        self._decimals = decimals
        self._rounding = rounding
        values = {name: held if isinstance(held := getattr(terms, name), int) else text(held) for name in _TERMS}
        self.json = orjson.dumps({"decimals": decimals, "rounding": rounding, **values}).decode()[1:]  # without the {

    def units(self, seconds: int) -> int:
        """What so many seconds cost, in units of the last decimal."""
        if seconds < self._grace:
            return 0
        parts = self._base
        rest = seconds - self._skip
        if rest > 0:
            step = self._step
            parts += self._price * (-(-rest // step) * step)
        if parts < self._least:
            parts = self._least
        over = self._over
        whole: int
        whole, rest = divmod(parts, over)
        if rest:
            rounding = self._rounding
            if rounding == "half_up":
                whole += 2 * rest >= over
            elif rounding == "half_even":
                whole += 2 * rest > over or (2 * rest == over and whole % 2 == 1)
            else:
                whole += rounding == "up"
        return whole

    def cost(self, seconds: int) -> str:
        """What so many seconds cost, as plain text without zeros at its end."""
        digits, decimals = str(self.units(seconds)), self._decimals
        if not decimals:
            return digits
        if len(digits) <= decimals:
            digits = digits.zfill(decimals + 1)
        shown = f"{digits[:-decimals]}.{digits[-decimals:]}"
        return shown.rstrip("0").rstrip(".") if shown[-1] == "0" else shown


def _units(value: Decimal) -> int:
    """A price as a whole number of the smallest unit. Raises ValueError for one with more decimals."""
    units = value.scaleb(_PLACES)
    if units != units.to_integral_value():
        raise ValueError(f"{value} has more than {_PLACES} decimals")
    return int(units)


def cost(terms: Terms, seconds: int, decimals: int = DECIMALS, rounding: str = "half_up") -> Decimal:
    """What `seconds` cost, with `decimals` digits after the point."""
    return Decimal(Formula(terms, decimals, rounding).units(seconds)).scaleb(-decimals)


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
