"""How a call was priced: class, account, and the tariff line of each kind with its terms.

It is kept with the call as text. A call that is folded again, because an event came late or a worker started anew, is
priced by the line it has, whatever decks were loaded meanwhile; only its duration may be another. `cdr rates rerate`
is what changes lines of old calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import msgspec
import orjson

from pipeline.rating.deck import Header, Line
from pipeline.rating.formula import ROUNDINGS, Formula, Terms, text

_TERMS: Final = tuple(Terms.__dataclass_fields__)
_WHOLE: Final = frozenset(("interval_1", "interval_n", "free_seconds", "grace_period"))


class Price:
    """A tariff line found in a deck."""

    __slots__ = ("formula", "header", "line")

    def __init__(self, header: Header, line: Line, formula: Formula) -> None:
        self.header, self.line, self.formula = header, line, formula

    def cost(self, seconds: int) -> str:
        """What so many seconds cost, as text."""
        return self.formula.cost(seconds)

    @property
    def rate(self) -> str:
        """The price of a minute after the first interval, as text."""
        return text(self.line.terms.price_n)

    @property
    def json(self) -> str:
        """The line with its terms and the deck it is from."""
        line = self.line
        destination = orjson.dumps(line.destination).decode()
        return (
            f'{{"deck":{_quoted(self.header.name)},"version":{self.header.version},"prefix":"{line.prefix}",'
            f'"destination":{destination},"currency":"{line.currency}",{self.formula.json}'
        )


@lru_cache
def _quoted(name: str) -> str:
    return orjson.dumps(name).decode()


class Rating(msgspec.Struct, frozen=True, gc=False):
    """How a call is priced. `subject` is a checksum of what the line was chosen by: when it changes, the line is
    chosen anew. A price that is None is unknown, unless `free` says that nothing is to be paid."""

    class_: str
    account: str
    subject: int
    tariffs: int = 0  # version of the decks and directories it was chosen from
    customer: Price | None = None
    carrier: Price | None = None
    free: bool = False


class Charged(msgspec.Struct, frozen=True, gc=False):
    """What one leg of several was billed. `log_id`: its call log, 0 for the leg that came in; `cost`: "" unknown."""

    log_id: int
    leg_id: str
    direction: str
    billed_s: int
    cost: str
    currency: str


def encoded(rating: Rating, legs: Sequence[Charged] = (), more: Sequence[Rating] = ()) -> str:
    """The rating as it is kept. `legs`: what each was billed, where the caller's leg does not tell; `more`: how the
    others than the first were priced."""
    kept = _one(rating)
    if legs:
        kept += f',"legs":{orjson.dumps([_shown(leg) for leg in legs]).decode()}'
    if more:
        kept += f',"more":[{",".join(_one(each) + "}" for each in more)}]'
    return kept + "}"


def _shown(leg: Charged) -> dict[str, Any]:
    return {
        "log_id": str(leg.log_id) if leg.log_id else None,
        "leg_id": leg.leg_id or None,
        "direction": leg.direction,
        "billed_s": leg.billed_s,
        "cost": leg.cost or None,
        "currency": leg.currency or None,
    }


def _one(rating: Rating) -> str:
    head = _head(rating.class_, rating.account)
    kept = f'{head},"subject":{rating.subject},"tariffs":{rating.tariffs}'
    if rating.free:
        kept += ',"free":true'
    if rating.customer is not None:
        kept += f',"customer":{rating.customer.json}'
    if rating.carrier is not None:
        kept += f',"carrier":{rating.carrier.json}'
    return kept


@lru_cache(maxsize=8192)
def _head(class_: str, account: str) -> str:
    return orjson.dumps({"class": class_, "account": account}).decode()[:-1]


@lru_cache(maxsize=8192)
def decoded(kept: str) -> tuple[Rating, ...]:
    """The ratings of its text, one a billed leg. Raises ValueError when it is none."""
    held = orjson.loads(kept)
    return tuple(_rating(each) for each in (held, *held.get("more", ())))


def _rating(held: dict[str, Any]) -> Rating:
    return Rating(
        held["class"],
        held["account"],
        held["subject"],
        held["tariffs"],
        _price(held["customer"]) if "customer" in held else None,
        _price(held["carrier"]) if "carrier" in held else None,
        held.get("free", False),
    )


def _price(held: dict[str, Any]) -> Price:
    values: dict[str, Any] = {name: held[name] if name in _WHOLE else Decimal(held[name]) for name in _TERMS}
    terms = Terms(**values)
    decimals, rounding = held["decimals"], held["rounding"]
    if rounding not in ROUNDINGS:
        raise ValueError(f"rounding {rounding!r} is none of {', '.join(ROUNDINGS)}")
    header = Header(held["deck"], decimals=decimals, rounding=rounding, version=held["version"])
    line = Line(held["prefix"], held["destination"], terms, held["currency"])
    return Price(header, line, Formula(terms, decimals, rounding))
