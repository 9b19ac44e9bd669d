"""Somebody who never saw the product has a link, and finds answers on the screen by clicking on what can be seen."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.browser import Browser, Look, Tab
from tests.ui.conftest import Site

DAY = "from=2026-03-10&to=2026-03-10"


@pytest.fixture
async def screen(site: Site, chromium: Browser) -> AsyncIterator[Tab]:
    """The overview of the day, entered by the link."""
    await chromium.look(site.link(), Look(1280, "light"))
    async with chromium.visit(f"{site.url}/ui/overview?{DAY}", Look(1280, "light")) as tab:
        yield tab


async def click(tab: Tab, what: str) -> None:
    """Click on what an expression finds; the page that follows is loaded."""
    tab.heard.clear()
    click_ = "new MouseEvent('click', {bubbles: true, cancelable: true, view: window})"  # a plot has links of SVG
    assert await tab.value(f"(found => {{ found?.dispatchEvent({click_}); return !!found; }})({what})"), what
    await tab.loaded()


def link(text: str, within: str = "body") -> str:
    """The link with this text."""
    return f"[...document.querySelectorAll('{within} a')].find(each => each.innerText.trim() === '{text}')"


def asked(site: Site, question: str) -> list[dict[str, object]]:
    """What the API answers for the day."""
    found: list[dict[str, object]] = httpx.get(
        f"{site.url}/v1/{question}&from=2026-03-09T23:00:00Z&to=2026-03-10T23:00:00Z", headers=site.bearer()
    ).json()["data"]
    return found


async def test_how_many_calls_were_missed_and_by_whom(site: Site, screen: Tab) -> None:
    await click(screen, link("Missed calls", "nav"))
    told = await screen.value("document.querySelector('main').innerText")
    missed = "direction=inbound&state=closed&talk_started_at[exists]=false&callee.number[exists]=true"
    rows = asked(site, f"aggregate?measures=calls&by=callee.number&order=-calls&{missed}")
    (whole,) = asked(site, f"aggregate?measures=calls&{missed.rpartition('&')[0]}")
    assert re.search(rf"Missed calls\s+{whole['calls']}\b", told), told[:500]
    for row in rows[:5]:
        assert re.search(rf"\b{row['callee.number']}\s+{row['calls']}\b", told), row


async def test_why_a_call_failed(site: Site, screen: Tab) -> None:
    await click(screen, "[...document.querySelectorAll('dt')].find(each => each.innerText === 'Failed')"
                        ".nextElementSibling.querySelector('a')")  # fmt: skip
    await click(screen, "document.querySelector('tr.whole a')")
    told = await screen.value("document.querySelector('main').innerText")
    assert re.search(r"Why it failed: [A-Z][a-z ]+", told), told[:500]


async def test_what_a_call_cost(site: Site, screen: Tab) -> None:
    calls = asked(site, "calls?cost[exists]=true&sort=started_at&limit=50")
    call = next(each for each in calls if float(str(each["cost"])) > 0)
    at = await screen.value(
        f"new Date('{call['started_at']}').toLocaleTimeString('en-GB', {{timeZone: 'Europe/Berlin'}})"
    )
    hour = f"{at[:2]}:00"
    column = f"[...document.querySelectorAll('.plot title')].find(each => each.textContent.startsWith('{hour}'))"
    await click(screen, f"{column}.closest('a')")
    row = f"[...document.querySelectorAll('tr.whole')].find(each => each.innerText.includes('{at}'))"
    assert str(call["cost"]) in await screen.value(f"{row}.innerText")
    await click(screen, f"{row}.querySelector('a')")
    told = await screen.value("document.querySelector('main').innerText")
    assert re.search(rf"Cost\s+€{re.escape(str(call['cost']))}", told), told[:800]
    assert "How the price came about" in told
