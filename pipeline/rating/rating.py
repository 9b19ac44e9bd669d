"""How a call was priced: class, account, and the tariff line of each kind with its terms.

It is kept with the call as text. A call that is folded again, because an event came late or a worker started anew, is
priced by the line it has, whatever decks were loaded meanwhile; only its duration may be another. `cdr rates rerate`
is what changes lines of old calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import orjson

from pipeline.rating.deck import Header, Line
from pipeline.rating.formula import ROUNDINGS, Terms, cost, text

_TERMS: Final = tuple(Terms.__dataclass_fields__)
_WHOLE: Final = frozenset(("interval_1", "interval_n", "free_seconds", "grace_period"))


@dataclass(frozen=True, slots=True)
class Price:
    """A tariff line found in a deck."""

    deck: str
    version: int
    prefix: str
    destination: str
    currency: str
    terms: Terms
    decimals: int
    rounding: str

    @property
    def rate(self) -> str:
        """The price of a minute after the first interval, as text."""
        return text(self.terms.price_n)

    def cost(self, seconds: int) -> str:
        """What so many seconds cost, as text."""
        return text(cost(self.terms, seconds, self.decimals, self.rounding))


@dataclass(frozen=True, slots=True)
class Rating:
    """How a call is priced. `subject` is a checksum of what the line was chosen by: when it changes, the line is
    chosen anew. A price that is None is unknown, unless `free` says that nothing is to be paid."""

    class_: str
    account: str
    subject: int
    tariffs: int = 0  # version of the decks and directories it was chosen from
    customer: Price | None = None
    carrier: Price | None = None
    free: bool = False


def price_of(header: Header, line: Line) -> Price:
    """A line with what its deck says."""
    return Price(
        header.name,
        header.version,
        line.prefix,
        line.destination,
        line.currency,
        line.terms,
        header.decimals,
        header.rounding,
    )


def encoded(rating: Rating) -> str:
    """The rating as it is kept."""
    held: dict[str, Any] = {"class": rating.class_, "account": rating.account, "subject": rating.subject}
    held["tariffs"] = rating.tariffs
    if rating.free:
        held["free"] = True
    if rating.customer is not None:
        held["customer"] = _listed(rating.customer)
    if rating.carrier is not None:
        held["carrier"] = _listed(rating.carrier)
    return orjson.dumps(held).decode()


@lru_cache(maxsize=8192)
def _listed(price: Price) -> dict[str, Any]:
    terms = {}
    for name in _TERMS:
        value = getattr(price.terms, name)
        terms[name] = value if name in _WHOLE else text(value)
    return {
        "deck": price.deck,
        "version": price.version,
        "prefix": price.prefix,
        "destination": price.destination,
        "currency": price.currency,
        "decimals": price.decimals,
        "rounding": price.rounding,
        **terms,
    }


@lru_cache(maxsize=8192)
def decoded(kept: str) -> Rating:
    """The rating of its text. Raises ValueError when it is none."""
    held = orjson.loads(kept)
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
    terms: dict[str, Any] = {name: held[name] if name in _WHOLE else Decimal(held[name]) for name in _TERMS}
    rounding = held["rounding"]
    if rounding not in ROUNDINGS:
        raise ValueError(f"rounding {rounding!r} is none of {', '.join(ROUNDINGS)}")
    return Price(
        held["deck"],
        held["version"],
        held["prefix"],
        held["destination"],
        held["currency"],
        Terms(**terms),
        held["decimals"],
        rounding,
    )
