"""Prices of calls: what is billed, by which number, and the fields that it fills.

Billed are answered calls that go outside (outbound, inbound_outbound), by whole seconds from the network's answer to
the end of the caller's leg, both moments cut to their second first, as PortSIP shows durations.
"""

from __future__ import annotations

from pipeline.rating.rating import Rating, decoded, encoded
from pipeline.rating.tariffs import Subject, Tariffs
from schemas.call import Call


def price(call: Call, tariffs: Tariffs) -> None:
    """Fill in what a closed call costs and who pays; a call that is not billed is left as it is.

    `call.rating` may hold how it was priced before: that line stays, unless what it was chosen by has changed.
    """
    answered = call.answered_at
    if answered is None or not tariffs.bills(call.direction) or not (call.rating or tariffs.knows(call.tenant)):
        call.rating = ""
        return
    subject = subject_of(call, tariffs)
    rating = kept(call.rating, subject)
    if rating is None or rating.tariffs < tariffs.ordered(call.tenant, call.started_at):
        rating = tariffs.rate(subject)
    if rating is None:
        call.rating = ""
        return
    fill(call, rating, seconds(answered, call.billable_ms))


def clear(call: Call) -> None:
    """Take the price out of a call."""
    call.cost = call.currency = call.billed_account = call.rate = call.rate_class = call.rate_prefix = ""
    call.carrier_cost = call.carrier_currency = call.rating = ""


def seconds(answered_at: int, billable_ms: int) -> int:
    """Whole seconds that are billed, of ms."""
    return (answered_at + billable_ms) // 1000 - answered_at // 1000


def fill(call: Call, rating: Rating, billed_s: int) -> None:
    """Write the price into the call."""
    customer, carrier = rating.customer, rating.carrier
    call.rate_class, call.billed_account = rating.class_, rating.account
    if customer is None:
        call.cost, call.currency, call.rate, call.rate_prefix = "0" if rating.free else "", "", "", ""
    else:
        call.cost = customer.cost(billed_s)
        call.currency, call.rate, call.rate_prefix = customer.line.currency, customer.rate, customer.line.prefix
    if carrier is None:
        call.carrier_cost = call.carrier_currency = ""
    else:
        call.carrier_cost, call.carrier_currency = carrier.cost(billed_s), carrier.line.currency
    call.rating = encoded(rating)


def kept(text: str, subject: Subject) -> Rating | None:
    """The rating that a call has, if it is still about the same subject."""
    if not text:
        return None
    try:
        rating = decoded(text)
    except (ValueError, KeyError, TypeError, ArithmeticError):
        return None  # of a version of this program that kept it otherwise
    return rating if rating.subject == subject.checksum else None


def subject_of(call: Call, tariffs: Tariffs) -> Subject:
    """What the price of a call depends on: the outside target that answered, else the number dialled."""
    number, trunk = call.requested or call.callee_number or call.destination, call.trunk
    if call.direction == "inbound":
        number = call.did or number
    else:
        outside = [log for log in call.logs if log.kind == "outside" and log.number]
        if outside:
            log = next((log for log in outside if log.outcome == "answered"), outside[0])
            number, trunk = log.number, log.trunk or trunk
    extension = call.caller_extension or call.callee_extension
    if not extension:
        own = tariffs.directory(call.tenant).extensions
        extension = next((each for each in (call.caller_number, call.requested) if each in own), "")
    return Subject(call.tenant, number, call.started_at, call.direction, trunk, extension)
