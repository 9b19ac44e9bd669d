"""The overview: its figures are those of the API, and each leads to just the calls that it counts."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx
import pytest

from pipeline.query.ui.frame.figures import Figures
from tests.browser import Browser, Look
from tests.ui import company, looks
from tests.ui.conftest import Site
from tests.ui.test_calls import count
from tests.ui.test_frame import DAY

WEEK = "from=2026-03-10&to=2026-03-16"  # the week before it has Monday 9 March
OF_DAY = "from=2026-03-10&to=2026-03-10&zone=Europe/Berlin"
ENGLISH = Figures("en", ZoneInfo(company.ZONE))


def tiles(page: str) -> dict[str, str]:
    """The figures by their names."""
    found = re.findall(r"<div><dt>([^<]+)</dt><dd>(?:<a [^>]*>)?([^<]+)", page)
    return {unescape(name): unescape(value) for name, value in found}


def aggregate(site: Site, who: str = "admin", **asked: str) -> list[dict[str, Any]]:
    query = "&".join(f"{name}={quote(value, safe=',-')}" for name, value in asked.items())
    answer = httpx.get(f"{site.url}/v1/aggregate?{OF_DAY}&open=true&{query}", headers=site.bearer(who))
    assert answer.status_code == 200, answer.text
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


@pytest.mark.parametrize("who", ["admin", "user", "masked", "other"])
@pytest.mark.parametrize("direction", ["", "inbound"])
def test_the_figures_are_those_of_the_api(site: Site, who: str, direction: str) -> None:
    names = "calls,talked,missed,failed,asr,acd_ms,asa_ms,abandon_rate"
    narrowed = {"direction": direction} if direction else {}
    (row,) = aggregate(site, who, measures=names, **narrowed)
    with site.signed_in(who) as client:
        page = client.get(f"/ui/overview?{DAY}&direction={direction}").text
    shown = tiles(page)
    assert (shown["Calls"], shown["Talked to somebody"]) == (str(row["calls"]), str(row["talked"]))
    assert shown["Reached nobody"] == str(row["missed"])
    assert shown["Answered (ASR)"] == ENGLISH.percent(row["asr"])
    assert shown["Average call (ACD)"] == ENGLISH.span(row["acd_ms"])
    if row["asa_ms"] is not None:
        assert shown["Wait until served"] == ENGLISH.span(row["asa_ms"])
        assert shown["Lost in the queue"] == ENGLISH.percent(row["abandon_rate"])
    assert looks.foreign(page) == []


def test_every_count_leads_to_its_calls(site: Site) -> None:
    """Whatever number stands in a link to calls is how many calls that list has, but for measures of no count."""
    with site.signed_in() as client:
        for asked in (DAY, f"{WEEK}&direction=inbound", "from=2026-03-09&to=2026-03-10"):
            page = client.get(f"/ui/overview?{asked}").text
            links = dict.fromkeys(re.findall(r'<a href="(/ui/calls\?[^"]+)">([\d,]+)</a>', page))
            assert len(links) > 30
            for link, shown in list(links)[:: 1 if asked == DAY else 3]:
                assert count(client.get(unescape(link)).text) == int(shown.replace(",", "")), (link, shown)
            for link, said in re.findall(r'<a href="(/ui/calls\?[^"]+)"><g><title>([^<]+)</title>', page)[:4]:
                total = sum(int(number) for number in re.findall(r"(\d+)(?:,|$)", said.partition(": ")[2]))
                assert count(client.get(unescape(link)).text) == total, said


def test_changes_are_against_the_same_weekdays_a_week_before(site: Site) -> None:
    with site.signed_in() as client:
        page = client.get(f"/ui/overview?{WEEK}").text
        assert "Changes are against Tue 3 Mar – Mon 9 Mar." in page
        calls = sum(call.started_at < company.TODAY for call in site.calls)
        more = sum(call.started_at >= company.TODAY for call in site.calls) - calls
        said = re.search(r"<dt>Calls</dt><dd>.*?<small><b>([^<]+)</b> <span>was (\d+)</span>", page)
        assert said and said.groups() == (f"+{ENGLISH.percent(100 * more / calls, 0)}", str(calls))


def test_what_stands_out_is_what_the_api_says(site: Site) -> None:
    with site.signed_in() as client:
        page = client.get(f"/ui/overview?{DAY}").text
    (first, *_) = aggregate(site, measures="calls", by="missed_by", order="-calls")
    assert re.search(rf'missed_by={first["missed_by"]}">{first["calls"]}</a>', page)
    (queue,) = aggregate(site, of="queue-visits", measures="visits,served,abandoned,service_level_20", by="queue")[:1]
    cells = [queue["visits"], queue["served"], queue["abandoned"]]
    assert "".join(f'<td class="n">{cell}</td>' for cell in cells) in page
    assert "Rang, nobody answered" in page and "Q.850 19" in page


def test_others_see_their_own(site: Site) -> None:
    with site.signed_in("masked") as client:
        page = client.get(f"/ui/overview?{DAY}").text
        assert "****" in page and not re.search(r"\+44163296\d{4}(?!\d)", page)
    with site.signed_in("user") as client:
        page = client.get(f"/ui/overview?{DAY}").text
        assert 'id="h-queues"' not in page and 'id="h-extensions"' in page
    with site.signed_in("other") as client:
        assert tiles(client.get(f"/ui/overview?{DAY}").text)["Calls"] == "40"


def test_what_is_no_direction_is_refused(site: Site) -> None:
    with site.signed_in() as client:
        answer = client.get(f"/ui/overview?{DAY}&direction=<b>up</b>")
        assert answer.status_code == 400 and "<b>up" not in answer.text


async def test_it_looks_right(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    await looks.check(chromium, f"{site.url}/ui/overview?{DAY}")
    await looks.check(chromium, f"{site.url}/ui/overview?{WEEK}", (Look(360, "light"), Look(1280, "dark"), looks.PLAIN))
    await looks.check(chromium, f"{site.url}/ui/overview?from=2020-01-01&to=2020-01-02", (Look(360, "dark"),))


async def test_figures_are_reached_by_keyboard(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    async with chromium.visit(f"{site.url}/ui/overview?{DAY}", Look(1280, "light")) as tab:
        await tab.press("/")
        assert await tab.value("document.activeElement.name") == "q"
        await tab.value("document.querySelector('.tiles a').focus()")
        await tab.press("Enter")
        await tab.until("location.pathname === '/ui/calls'")
