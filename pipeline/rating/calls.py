"""Prices of calls: each carrier's leg by its own tariff line, and what they come to.

Legs are billed by whole seconds of their own, see `pipeline.rating.carrier_legs`. A call costs the sum of its legs. A
leg that no tariff has a price for is unknown, and with it the call; a leg that is free adds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from pipeline.rating.carrier_legs import INWARD, OUTWARD, CarrierLeg, carrier_legs, seconds
from pipeline.rating.formula import text
from pipeline.rating.rating import Charged, Rating, decoded, encoded
from pipeline.rating.tariffs import Tariffs
from schemas.call import Call

Charge = tuple[CarrierLeg, Rating]


def price(call: Call, tariffs: Tariffs) -> None:
    """Fill in what a closed call costs and who pays; a call that is not billed is left as it is.

    `call.rating` may hold how it was priced before: the lines stay, unless what they were chosen by has changed.
    """
    if not call.rating and not (tariffs.knows(call.tenant) and _may_be_billed(call, tariffs)):
        call.rating = ""
        return
    before = _kept(call.rating)
    ordered = tariffs.ordered(call.tenant, call.started_at)
    charges: list[Charge] = []
    for leg in carrier_legs(call, tariffs):
        rating = before.get(leg.subject.checksum)
        if rating is None or rating.tariffs < ordered:
            rating = tariffs.rate(leg.subject) if tariffs.bills(leg.subject.direction) else None
        if rating is not None:
            charges.append((leg, rating))
    if not charges:
        call.rating = ""
        return
    fill(call, charges)


def _may_be_billed(call: Call, tariffs: Tariffs) -> bool:
    """Whether it is worth while to look at its legs."""
    if call.direction in OUTWARD or (call.direction == INWARD and tariffs.bills(INWARD)):
        return True
    return any(log.kind in ("outside", "consultation") for log in call.logs)


def is_as_ordered(rating: str, order: int) -> bool:
    """Whether a call that is priced so needs not be priced again for an order of this version (0: there is none)."""
    if not order:
        return True
    kept = _kept(rating)
    return bool(kept) and min(each.tariffs for each in kept.values()) >= order


def clear(call: Call) -> None:
    """Take the price out of a call."""
    call.cost = call.currency = call.billed_account = call.rate = call.rate_class = call.rate_prefix = ""
    call.carrier_cost = call.carrier_currency = call.rating = ""


def fill(call: Call, charges: Sequence[Charge]) -> None:
    """Write the price into the call. Class, rate, prefix and account are those of the first leg that went outside."""
    _, rating = charges[0]
    customer = rating.customer
    call.rate_class, call.billed_account = rating.class_, rating.account
    call.rate, call.rate_prefix = ("", "") if customer is None else (customer.rate, customer.line.prefix)
    costs = [_cost(each) for each in charges]
    call.cost, call.currency = costs[0] if len(costs) == 1 else _sum(costs)
    taken = [
        (carrier.cost(billed.billed_s), carrier.line.currency)
        for billed, each in charges
        if (carrier := each.carrier) is not None
    ]
    call.carrier_cost, call.carrier_currency = (taken[0] if len(taken) == 1 else _sum(taken)) if taken else ("", "")
    if len(charges) == 1 and call.direction != "inbound_outbound" and _is_of_caller(call, charges[0][0]):
        call.rating = encoded(rating)
        return
    legs = tuple(
        Charged(billed.log_id, billed.leg_id, billed.subject.direction, billed.billed_s, cost, currency)
        for (billed, _), (cost, currency) in zip(charges, costs, strict=True)
    )
    call.rating = encoded(rating, legs, [each for _, each in charges[1:]])


def _is_of_caller(call: Call, leg: CarrierLeg) -> bool:
    """Whether the leg is billed for as long as the caller's leg lasted, which the call tells by itself."""
    answered = call.answered_at
    return answered is not None and leg.billed_s == seconds(answered, answered + call.billable_ms)


def _cost(charge: Charge) -> tuple[str, str]:
    """What a leg costs, and in which currency; ("", "") when nobody knows, ("0", "") when it is free."""
    leg, rating = charge
    if rating.customer is None:
        return ("0" if rating.free else ""), ""
    return rating.customer.cost(leg.billed_s), rating.customer.line.currency


def _sum(costs: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The sum of costs; ("", "") where one of them is unknown, or they are in several currencies."""
    currencies = {currency for _, currency in costs if currency}
    if len(currencies) > 1 or not all(cost for cost, _ in costs):
        return "", ""
    return text(sum((Decimal(cost) for cost, _ in costs), Decimal(0))), next(iter(currencies), "")


def _kept(held: str) -> dict[int, Rating]:
    """The ratings that a call has, by the checksum of their subject."""
    if not held:
        return {}
    try:
        first, *more = decoded(held)
    except (ValueError, KeyError, TypeError, ArithmeticError):
        return {}  # of a version of this program that kept it otherwise
    return {rating.subject: rating for rating in (first, *more)}
