"""Money: sums are those of the API, to the digit; the calculator prices as calls are priced."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from html import unescape

import httpx
import pytest

from pipeline.query.ui.calls.lengths import seconds_of
from pipeline.rating.carrier_legs import seconds
from schemas.call import rfc3339
from tests.browser import Browser, Look
from tests.ui import company, looks
from tests.ui.conftest import Site
from tests.ui.test_calls import count
from tests.ui.test_frame import DAY
from tests.ui.test_overview import ENGLISH, aggregate

PRICED = {"cost[exists]": "true"}


def test_sums_are_those_of_the_api(site: Site) -> None:
    (row,) = aggregate(site, measures="calls,cost,carrier_cost,margin,billable_ms", **PRICED, currency="EUR")
    assert Decimal(row["cost"]) - Decimal(row["carrier_cost"]) == Decimal(row["margin"])
    with site.signed_in() as client:
        page = client.get(f"/ui/money?{DAY}").text
    for value in (row["cost"], row["carrier_cost"], row["margin"]):
        assert page.count(ENGLISH.money(value, "EUR")) >= 2, value
    (trunk, *_) = aggregate(site, measures="calls,cost,margin", by="trunk", **PRICED, currency="EUR", order="trunk")
    assert ENGLISH.money(trunk["cost"], "EUR") in page and ENGLISH.money(trunk["margin"], "EUR") in page
    assert "United Kingdom" in page
    own = sum(Decimal(call.cost) for call in site.calls if call.cost and call.started_at >= company.TODAY)
    assert own == Decimal(row["cost"])


def test_every_count_leads_to_its_calls(site: Site) -> None:
    with site.signed_in() as client:
        page = client.get(f"/ui/money?{DAY}").text
        links = dict.fromkeys(re.findall(r'<a href="(/ui/calls\?[^"]+)">([\d,]+)</a>', page))
        assert len(links) >= 4
        for link, shown in links:
            assert count(client.get(unescape(link)).text) == int(shown.replace(",", "")), link


@pytest.mark.parametrize("length", [2, 45, 187, 3600])
def test_the_calculator_prices_as_the_api_does(site: Site, length: int) -> None:
    asked = {"number": "+441632960123", "duration": str(length), "at": "2026-03-10T13:36:00Z", "trunk": "trunk-a"}
    api = httpx.get(f"{site.url}/v1/price", params=asked, headers=site.bearer()).json()
    asked = {"number": "+441632960123", "length": str(length), "at": "2026-03-10T14:36", "trunk": "trunk-a"}
    with site.signed_in() as client:
        page = client.get("/ui/money/price", params=asked).text
    for kind in ("customer", "carrier"):
        assert ENGLISH.money(api[kind]["cost"], "EUR") in page
        assert unescape(page).count(api[kind]["formula"]) == 1
    assert Decimal(api["customer"]["cost"]) - Decimal(api["carrier"]["cost"]) == Decimal(api["margin"])
    assert api["customer"]["at"] == "2026-03-10T13:36:00.000Z"


def test_a_call_costs_what_was_calculated(site: Site) -> None:
    """The trial of calls that were priced comes to their prices."""
    priced = [call for call in site.calls if call.cost and call.direction == "outbound"]
    priced = [call for call in priced if "legs" not in json.loads(call.rating)][:20]  # billed for the caller's leg
    assert len(priced) > 10
    for call in priced:
        assert call.answered_at is not None
        billed = seconds(call.answered_at, call.answered_at + call.billable_ms)
        asked = {
            "number": call.callee_number, "duration": str(billed), "trunk": call.trunk,
            "at": str(rfc3339(call.started_at)), "extension": call.caller_extension,
        }  # fmt: skip
        api = httpx.get(f"{site.url}/v1/price", params=asked, headers=site.bearer()).json()
        assert (api["customer"]["cost"], api["carrier"]["cost"]) == (call.cost, call.carrier_cost), asked


def test_what_nobody_can_price_is_said_so(site: Site) -> None:
    with site.signed_in() as client:
        assert "nobody knows the price" in client.get("/ui/money/price?number=%2B33142685300").text
        assert "are free" in client.get("/ui/money/price?number=999").text
        for wrong in ("length=soon", "length=-3", "at=yesterday", "at=2026-13-01T00:00"):
            assert client.get(f"/ui/money/price?number=1&{wrong}").status_code == 400, wrong
        for name in ("number", "account", "trunk"):
            page = client.get("/ui/money/price", params={"number": "1", name: "<script>alert(1)</script>"}).text
            assert looks.foreign(page) == []
    for wrong in (
        "",
        "number=1",
        "number=1&duration=-1",
        "number=1&duration=1&at=x",
        "number=1&duration=1&direction=up",
    ):
        answer = httpx.get(f"{site.url}/v1/price?{wrong}", headers=site.bearer())
        assert answer.status_code == 400, wrong


def test_whom_it_is_open_to(site: Site) -> None:
    with site.signed_in("user") as client:
        for path in ("/ui/money", "/ui/money/price?number=112"):
            assert client.get(path).status_code == 403
        assert "/ui/money" not in client.get("/ui/overview").text
    assert httpx.get(f"{site.url}/v1/price?number=1&duration=1", headers=site.bearer("user")).status_code == 403
    with site.signed_in("other") as client:
        assert "No call of this time has a price." in client.get(f"/ui/money?{DAY}").text
    with site.signed_in("masked") as client:
        assert client.get(f"/ui/money?{DAY}").status_code == 200


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("42", 42), ("42 s", 42), ("3:07", 187), ("1:02:10", 3730), ("2 min", 120), ("1 h 5 min", 3900), ("90:00", 5400),
     ("", None), ("soon", None), ("3:7x", None), ("-3", None), ("1 2", None), ("3 min 5", None)],
)  # fmt: skip
def test_lengths_are_read_as_people_write_them(text: str, wanted: int | None) -> None:
    assert seconds_of(text) == wanted


async def test_it_looks_right(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    await looks.check(chromium, f"{site.url}/ui/money?{DAY}")
    few = (Look(360, "light"), Look(1280, "dark"), looks.PLAIN)
    await looks.check(chromium, f"{site.url}/ui/money/price?number=%2B441632960123&length=3:07", few)
    await looks.check(chromium, f"{site.url}/ui/money?from=2020-01-01&to=2020-01-02", (Look(360, "dark"),))
