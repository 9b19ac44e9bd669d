"""One number, one duration: what it would cost, term by term."""

from __future__ import annotations

from typing import Any

from pipeline.rating.formula import Charge, explain, text
from pipeline.rating.rating import Price, Rating
from pipeline.rating.tariffs import Subject, Tariffs
from schemas.call import rfc3339


def tried(tariffs: Tariffs, subject: Subject, seconds: int, kind: str = "customer") -> dict[str, Any]:
    """The price of a call, with every term of the formula; `cost` is null when nobody knows it."""
    rating = tariffs.rate(subject) or Rating("", "", 0)
    price = rating.customer if kind == "customer" else rating.carrier
    row: dict[str, Any] = {
        "number": subject.number,
        "class": rating.class_ or None,
        "at": rfc3339(subject.started_at),
        "duration": seconds,
        "account": rating.account or None,
    }
    if price is None:
        free = "0" if rating.free and kind == "customer" else None
        why = f"{rating.class_} numbers are free" if free else "no line of a deck holds for this number and time"
        return row | {"deck": None, "prefix": None, "destination": None, "currency": None, "cost": free, "why": why}
    return row | explained(price, seconds)


def explained(price: Price, seconds: int) -> dict[str, Any]:
    """What so many seconds cost by a line of a deck, with every term of the formula."""
    charge = explain(price.line.terms, seconds, price.header.decimals, price.header.rounding)
    return _line(price) | _terms(price, charge) | {"cost": text(charge.cost), "formula": _formula(price, charge)}


def _line(price: Price) -> dict[str, Any]:
    return {
        "deck": price.header.name,
        "prefix": price.line.prefix,
        "destination": price.line.destination or None,
        "currency": price.line.currency or None,
    }


def _terms(price: Price, charge: Charge) -> dict[str, Any]:
    terms = price.line.terms
    return {
        "grace_period": terms.grace_period,
        "in_grace_period": charge.in_grace,
        "connect_fee": text(terms.connect_fee),
        "interval_1": terms.interval_1,
        "price_1": text(terms.price_1),
        "interval_1_cost": text(charge.first),
        "free_seconds": terms.free_seconds,
        "interval_n": terms.interval_n,
        "price_n": text(terms.price_n),
        "interval_n_seconds": charge.next_seconds,
        "interval_n_cost": text(charge.following),
        "post_call_surcharge": text(terms.post_call_surcharge),
        "surcharge_cost": text(charge.surcharge),
        "minimum": text(terms.minimum),
        "minimum_applied": charge.at_minimum,
        "unrounded": text(charge.unrounded),
        "decimals": price.header.decimals,
        "rounding": price.header.rounding,
    }


def _formula(price: Price, charge: Charge) -> str:
    """The formula with its numbers, for people."""
    terms = price.line.terms
    if charge.in_grace:
        return f"0, as {charge.seconds} s < grace period of {terms.grace_period} s"
    formula = (
        f"({text(terms.connect_fee)} + {terms.interval_1} * {text(terms.price_1)} / 60"
        f" + {charge.next_seconds} * {text(terms.price_n)} / 60) * (1 + {text(terms.post_call_surcharge)} %)"
    )
    if charge.at_minimum:
        formula = f"max({text(terms.minimum)}, {formula})"
    return f"{formula} = {text(charge.cost)}"
