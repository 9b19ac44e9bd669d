"""How the price of a call came about, term by term, from the lines that the call was priced by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from pipeline.instants import instant
from pipeline.rating.carrier_legs import seconds
from pipeline.rating.rating import decoded
from pipeline.rating.trial import explained


def terms_of(held: str, call: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One dict a billed leg and kind (customer, carrier): line, terms, what each came to. `held`: the rating kept."""
    if not held:
        return []
    try:
        ratings, legs = decoded(held), orjson.loads(held).get("legs") or []
    except (ValueError, KeyError, TypeError, ArithmeticError):  # of a version of the program that kept it otherwise
        return []
    whole = 0
    if call["answered_at"]:
        answered = instant(call["answered_at"])
        whole = seconds(answered, answered + call["billable_ms"])
    found = []
    for place, rating in enumerate(ratings):
        billed = int(legs[place]["billed_s"]) if place < len(legs) else whole
        for kind, price in (("customer", rating.customer), ("carrier", rating.carrier)):
            if price is not None:
                about = {"kind": kind, "class": rating.class_, "account": rating.account, "billed_s": billed}
                found.append(about | explained(price, billed))
    return found
