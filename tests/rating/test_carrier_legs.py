"""What is billed is what the carrier's leg lasted, before and after a hand-over, in both directions.

The expected prices are worked out here: seconds of the leg's own answer and end, times the price of a minute.
"""

from __future__ import annotations

import json
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.calls.fold import fold
from pipeline.directory.model import Directory, Extension, Tenant
from pipeline.rating.calls import clear, price
from pipeline.rating.deck import Deck, Header, Scope
from pipeline.rating.deck_file import parse_csv
from pipeline.rating.tariffs import Tariffs
from pipeline.sources.canonical import decode
from schemas.call import Call

T0 = 1_772_442_000_250  # 2026-03-02T09:00:00.250Z: not at the begin of a second
X, A, B, DID = "+441632960101", "+442079460111", "+33612345678", "+441632960500"
PRICES = {A: Decimal("0.06"), B: Decimal("0.25"), DID: Decimal("0.011")}  # a minute


def deck(name: str, text: str, **scope: str) -> Deck:
    return Deck(Header(name, Scope(**scope)), parse_csv(f"prefix,price_n,currency\n{text}", name))


OUT = deck("out", "442,0.06,GBP\n33,0.25,GBP\n")
IN = deck("in", "441632960500,0.011,GBP\n", direction="inbound")


def tariffs(*decks: Deck) -> Tariffs:
    tenant = Tenant("acme", country="GB")
    known = Directory(tenant, extensions={number: Extension(number) for number in ("101", "102", "201", "202")})
    return Tariffs(decks, {"acme": known}, country="GB", version=1)


def folded(lines: list[tuple[int, str, str, dict[str, Any]]]) -> Call:
    values = [
        json.dumps(
            {"type": type_, "at": T0 + at, "call_id": "c", "tenant": "acme", "event_id": f"e{n}", "leg_id": leg} | more
        ).encode()
        for n, (at, leg, type_, more) in enumerate(lines)
    ]
    decoded = decode(values)
    assert not decoded.rejected, decoded.rejected
    return fold(decoded.events)


def cost(*legs: tuple[str, int, int]) -> Decimal:
    """The sum over legs (number, answered, ended) of their seconds' price, each rounded to five decimals."""
    total = Decimal(0)
    for number, answered, ended in legs:
        seconds = (T0 + ended) // 1000 - (T0 + answered) // 1000
        total += (seconds * PRICES[number] / 60).quantize(Decimal("0.00001"), ROUND_HALF_UP)
    return total


def priced(call: Call, *decks: Deck) -> Decimal:
    price(call, tariffs(*decks))
    assert call.currency == "GBP"
    total = Decimal(call.cost)
    # priced again from what is kept, and anew: the same
    kept = call.rating
    call.cost = ""
    price(call, tariffs(*(deck("other", "44,9,GBP\n33,9,GBP\n") for _ in decks)))
    assert (Decimal(call.cost), call.rating) == (total, kept)
    clear(call)
    price(call, tariffs(*decks))
    assert (Decimal(call.cost), call.rating) == (total, kept)
    return total


# Four moments of a call in their order, ms: at least 2.5 s apart, which leaves no doubt about who is whose successor.
MOMENTS = st.lists(st.integers(2_500, 400_000), min_size=4, max_size=4).map(
    lambda gaps: [sum(gaps[: n + 1]) for n in range(len(gaps))]
)


@given(MOMENTS)
def test_inbound_transferred_out(moments: list[int]) -> None:
    """X calls in, talks to 201, is transferred to B outside: B's leg for itself, X's leg from first to last."""
    t1, t2, t3, t4 = moments
    lines: list[tuple[int, str, str, dict[str, Any]]] = [
        (0, "x", "started", {"caller": X, "callee": "201", "direction": "inbound", "trunk": "carrier-1", "did": DID}),
        (100, "p", "started", {"callee": {"number": "201", "extension": "201"}, "peer_leg_id": "x"}),
        (t1, "p", "answered", {}),
        (t1, "x", "answered", {}),
        (t2, "p", "transferred", {"reason": "blind", "to": B, "transferee_leg_id": "x"}),
        (t2 + 50, "p", "ended", {}),
        (t2 + 200, "b", "started", {"callee": B, "kind": "outside", "trunk": "carrier-2", "peer_leg_id": "x"}),
        (t3, "b", "answered", {}),
        (t4, "b", "ended", {"hung_up_by": "party"}),
        (t4 + 120, "x", "ended", {"hung_up_by": "peer"}),
    ]
    call = folded(lines)
    assert call.direction == "inbound_outbound"
    assert priced(folded(lines), OUT) == cost((B, t3, t4))
    assert priced(folded(lines), OUT, IN) == cost((B, t3, t4), (DID, t1, t4 + 120))
    # what came in is billed for itself where nothing went out
    inward = [line for line in lines if line[1] != "b" and line[2] != "transferred"]
    assert priced(folded(inward), IN) == cost((DID, t1, t4 + 120))


@given(MOMENTS)
def test_outbound_handed_to_a_colleague(moments: list[int]) -> None:
    """101 calls A and transfers A to 202: A's leg stays up, and is billed until it ends."""
    t1, t2, t3, t4 = moments
    call = folded(
        [
            (0, "c", "started", {"caller": {"number": "101", "extension": "101"}, "callee": A}),
            (100, "a", "started", {"callee": A, "kind": "outside", "trunk": "carrier-1", "peer_leg_id": "c"}),
            (t1, "a", "answered", {}),
            (t1 + 30, "c", "answered", {}),
            (t2, "c", "transferred", {"reason": "blind", "by": "101", "to": "202", "transferee_leg_id": "a"}),
            (t2 + 50, "c", "ended", {}),
            (t2 + 200, "p", "started", {"callee": {"number": "202", "extension": "202"}, "peer_leg_id": "a"}),
            (t3, "p", "answered", {}),
            (t4, "a", "ended", {"hung_up_by": "party"}),
            (t4 + 60, "p", "ended", {}),
        ]
    )
    assert call.direction == "outbound"
    assert priced(call, OUT) == cost((A, t1, t4))
    assert (call.rate_prefix, call.rate_class) == ("442", "NATIONAL")


@given(MOMENTS)
def test_outbound_handed_to_another_line_outside(moments: list[int]) -> None:
    """101 calls A and transfers A to B outside: both legs, each for its own time."""
    t1, t2, t3, t4 = moments
    call = folded(
        [
            (0, "c", "started", {"caller": {"number": "101", "extension": "101"}, "callee": A}),
            (100, "a", "started", {"callee": A, "kind": "outside", "trunk": "carrier-1", "peer_leg_id": "c"}),
            (t1, "a", "answered", {}),
            (t1, "c", "answered", {}),
            (t2, "c", "transferred", {"reason": "blind", "by": "101", "to": B, "transferee_leg_id": "a"}),
            (t2 + 50, "c", "ended", {}),
            (t2 + 200, "b", "started", {"callee": B, "kind": "outside", "trunk": "carrier-1", "peer_leg_id": "a"}),
            (t3, "b", "answered", {}),
            (t4, "b", "ended", {"hung_up_by": "party"}),
            (t4 + 90, "a", "ended", {}),
        ]
    )
    assert priced(call, OUT) == cost((A, t1, t4 + 90), (B, t3, t4))
    legs = json.loads(call.rating)["legs"]
    assert [(leg["leg_id"], leg["direction"]) for leg in legs] == [("a", "outbound"), ("b", "outbound")]
    assert sum(Decimal(leg["cost"]) for leg in legs) == Decimal(call.cost)


@pytest.mark.parametrize("handed", [True, False])
@given(moments=MOMENTS)
def test_a_consultation_outside(handed: bool, moments: list[int]) -> None:
    """201 asks B outside while X waits, and hands X over or does not: B's leg from its answer in the consultation."""
    t1, t2, t3, t4 = moments
    end_b = t4 + 30_000 if handed else t4
    lines: list[tuple[int, str, str, dict[str, Any]]] = [
        (0, "x", "started", {"caller": X, "callee": "201", "direction": "inbound", "trunk": "carrier-1", "did": DID}),
        (100, "p", "started", {"callee": {"number": "201", "extension": "201"}, "peer_leg_id": "x"}),
        (t1, "p", "answered", {}),
        (t1, "x", "answered", {}),
        (t2, "q", "started", {"caller": {"number": "201", "extension": "201"}, "callee": B}),
        (t2 + 100, "b", "started", {"callee": B, "kind": "outside", "trunk": "carrier-2", "peer_leg_id": "q"}),
        (t3, "b", "answered", {}),
        (t3, "q", "answered", {}),
    ]
    if handed:
        how = {"reason": "attended", "second_leg_id": "q", "transferee_leg_id": "x", "target_leg_id": "b"}
        lines += [(t4, "p", "transferred", how), (t4, "p", "ended", {})]
    lines += [
        (t4, "q", "ended", {}),
        (end_b, "b", "ended", {}),
        *([] if handed else [(t4 + 9_000, "p", "ended", {})]),
        (t4 + 30_000, "x", "ended", {}),
    ]
    assert priced(folded(lines), OUT, IN) == cost((B, t3, end_b), (DID, t1, t4 + 30_000))


def outbound(*numbers: str, answered: bool = True) -> Call:
    """101 calls one number after the other; each is answered after 5 s and ends after 65 s, or fails."""
    lines: list[tuple[int, str, str, dict[str, Any]]] = [
        (0, "c", "started", {"caller": {"number": "101", "extension": "101"}, "callee": numbers[0]})
    ]
    for n, number in enumerate(numbers):
        lines.append(
            (100 + n, f"t{n}", "started", {"callee": number, "kind": "outside", "trunk": "t", "peer_leg_id": "c"})
        )
        if answered:
            lines.append((5_000, f"t{n}", "answered", {}))
        lines.append((65_000, f"t{n}", "ended", {} if answered else {"sip_status": 503}))
    lines += [(5_000, "c", "answered", {}), (65_000, "c", "ended", {})]
    return folded(lines)


def test_who_did_not_answer_is_not_billed() -> None:
    """The PBX answers, with an announcement say, and no line outside does."""
    call = outbound(A, answered=False)
    price(call, tariffs(OUT))
    assert (call.cost, call.currency, call.rating) == ("", "", "")


def test_an_unknown_leg_makes_the_call_unknown_and_a_free_one_adds_nothing() -> None:
    for numbers, told in (
        ((A,), ("0.06", "GBP")),
        ((A, "999"), ("0.06", "GBP")),
        (("999",), ("0", "")),
        ((A, "+4930123456"), ("", "")),
    ):
        call = outbound(*numbers)
        price(call, tariffs(OUT))
        assert (call.cost, call.currency) == told, numbers


def test_several_currencies_have_no_sum() -> None:
    call = outbound(A, "+4930123456")
    price(call, tariffs(OUT, deck("euro", "49,0.1,EUR\n")))
    assert (call.cost, call.currency) == ("", "")
    legs = json.loads(call.rating)["legs"]
    assert [(leg["cost"], leg["currency"]) for leg in legs] == [("0.06", "GBP"), ("0.1", "EUR")]
