"""Every page, those of settings and health too, as people meet it: on a phone, in German, by the keyboard, with a
screen reader, without scripts. It fits, it is light, nothing jumps, nothing is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from fastapi.routing import APIRoute

from pipeline.query.ui.routes import routers
from pipeline.warehouse.identity.users import create_user
from tests.browser import Browser, Look, Tab
from tests.ui import company, looks
from tests.ui.conftest import Site

DAY = "from=2026-03-10&to=2026-03-10"
# What a page is asked with, where it shows more than without. {x}: an id of what the company keeps.
PAGES = (
    f"/ui/overview?{DAY}",
    "/ui/now",
    "/ui/now?wall=1",
    f"/ui/calls?{DAY}",
    "/ui/calls/{call}",
    f"/ui/missed?{DAY}&all=1",
    f"/ui/trunks?{DAY}",
    f"/ui/trunks?{DAY}&trunk=trunk-a&show=mos_avg",
    f"/ui/money?{DAY}",
    "/ui/money/price?number=%2B441632960123",
    "/ui/reports",
    "/ui/reports/new",
    "/ui/reports/new?type=NORMAL",
    "/ui/reports/{report}",
    "/ui/reports/{report}/edit",
    "/ui/health",
    "/ui/health/fold",
    "/ui/health/checks",
    "/ui/health/dead-letters",
    "/ui/settings/users",
    "/ui/settings/tokens",
    "/ui/settings/directory",
    "/ui/settings/directory/change",
    "/ui/settings/decks?deck=retail",
    "/ui/settings/decks/change?deck=retail",
    "/ui/settings/webhooks",
    "/ui/settings/webhooks/{webhook}",
    "/ui/settings/retention",
    "/ui/preferences",
    "/ui/exports",
    "/ui/exports/{export}",
    "/ui/sign-in",
    "/ui/nowhere",
)
# No pages: files, streams, what leads elsewhere.
OTHERS = {
    *(
        "/ui",
        "/ui/",
        "/ui/settings",
        "/ui/enter/{token}",
        "/ui/static/{name:path}",
        "/ui/now/stream",
        "/ui/{rest:path}",
    ),
    *("/ui/calls/{id}/{drawing}.svg", "/ui/exports/{id}/file", "/ui/reports/files/{id}", "/ui/settings/decks/file"),
    *("/ui/settings/directory/file", "/ui/sign-in/provider", "/ui/sign-in/provider/back"),
}
# Of the pages of Kafka, which is away here, and of an address that is none.
SAID = ("503 (Service Unavailable)", "404 (Not Found)")
HOSTILE = company.HOSTILE[1]
# Shifts that nobody's click or key made. Seen by nobody below this: the window's height times its width is 1.
STILL = 0.01
_SHIFTS = """new Promise(done => {
  let sum = 0; const seen = [];
  new PerformanceObserver(list => { for (const each of list.getEntries()) if (!each.hadRecentInput) {
    sum += each.value; seen.push(...each.sources.map(one => one.node?.nodeName + '.' + one.node?.className)); } })
    .observe({type: 'layout-shift', buffered: true});
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done([sum, seen.slice(0, 5)]), 60)));
})"""
# What can be clicked and not reached by the keyboard, in the order of the page; or has no name that can be said.
_OUT_OF_REACH = """
[...document.querySelectorAll('a, button, input:not([type=hidden]), select, textarea, summary, tr.whole')]
  .filter(each => each.checkVisibility() && (each.matches('tr') ? !each.querySelector('a[href]') :
    each.tabIndex !== 0 || (each.matches('a') && !each.hasAttribute('href'))))
  .map(each => each.outerHTML.slice(0, 120))"""
_TOLD = """(main => [main.querySelector('h1')?.textContent.trim(), main.querySelectorAll('table tr').length,
  main.querySelectorAll('dl dd').length, main.querySelectorAll('form').length,
  main.querySelectorAll('a[href]').length])(document.querySelector('main'))"""


@pytest.fixture(scope="module")
def ids(site: Site) -> dict[str, str]:
    """One of everything that the company keeps, with names that try to be markup."""
    with httpx.Client(base_url=site.url, headers=site.bearer()) as admin:
        body = {"name": HOSTILE, "type": "traffic", "range": "YESTERDAY", "cron_expr": "0 7 * * 1"}
        report = admin.post("/v1/reports/schedules", json=body).json()["id"]
        hook = admin.post("/v1/webhooks", json={"url": "https://example.com/%3Cb%3E?x='1'"}).json()["id"]
        export = admin.post("/v1/exports", json={"of": "calls", "format": "csv", "from": "2026-03-10"}).json()["id"]
    create_user(site.client, company.TENANT, HOSTILE[:60], "long enough", role="admin")
    hostile = next(call for call in site.calls if call.caller_name == HOSTILE)
    return {"call": str(hostile.id), "report": report, "webhook": hook, "export": export}


def paths(ids: dict[str, str]) -> Iterator[str]:
    """The pages, with these ids."""
    return (page.format(**ids) for page in PAGES)


def test_no_page_is_forgotten() -> None:
    known = {re.sub(r"\{\w+\}", "{id}", page.partition("?")[0]) for page in PAGES}
    mounted = {
        route.path
        for router in routers()
        for route in router.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ())
    }
    assert mounted - OTHERS - known == set()


def test_nothing_of_a_name_is_markup_anywhere(site: Site, ids: dict[str, str]) -> None:
    shown = 0
    with site.signed_in("operator") as client:
        for path in paths(ids):
            page = client.get(path)
            assert looks.foreign(page.text) == [], path
            shown += "onerror=alert(1)" in page.text
            assert '"><img' not in page.text, path
    assert shown >= 4, "the names stand on pages"


async def open_(tab: Tab, url: str) -> None:
    """The page, with nothing kept from before."""
    await tab.send("Network.clearBrowserCache")
    await tab.go(url)


async def test_a_german_with_a_phone(site: Site, chromium: Browser, ids: dict[str, str]) -> None:
    await looks.sign_in(chromium, site, "operator")
    async with chromium.visit("about:blank", Look(360, "dark")) as tab:
        await tab.send("Network.setExtraHTTPHeaders", headers={"Accept-Language": "de"})
        for path in paths(ids):
            await open_(tab, site.url + path)
            total, shifted = await tab.value(_SHIFTS)
            assert total <= STILL, f"{path} jumps by {total}: {shifted}"
            assert await tab.value("document.documentElement.lang") == "de", path
            wide = await tab.value("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{path}: {wide} px beyond the window"
            assert await looks.barriers(tab) == [], path
            assert await tab.value(_OUT_OF_REACH) == [], path
            said = [each for each in tab.complaints() if not any(known in each for known in SAID)]
            assert said == [], path
            assert tab.wire_bytes <= looks.HEAVIEST, f"{path}: {tab.wire_bytes} bytes"


async def test_a_wall_and_a_desk(site: Site, chromium: Browser, ids: dict[str, str]) -> None:
    await looks.sign_in(chromium, site, "operator")
    for look in (Look(1280, "light"), Look(3840, "dark")):
        async with chromium.visit("about:blank", look) as tab:
            for path in paths(ids):
                await open_(tab, site.url + path)
                total, shifted = await tab.value(_SHIFTS)
                assert total <= STILL, f"{path} {look} jumps by {total}: {shifted}"
                wide = await tab.value("document.documentElement.scrollWidth - innerWidth")
                assert wide <= 0, f"{path} {look}: {wide} px beyond the window"


async def test_without_scripts_nothing_is_missing(site: Site, chromium: Browser, ids: dict[str, str]) -> None:
    await looks.sign_in(chromium, site, "operator")
    async with chromium.visit("about:blank", Look(1280, "light")) as tab:
        for path in paths(ids):
            if path.startswith("/ui/now"):
                continue  # its calls come and go: test_now.py
            told = []
            for without in (True, False):
                await tab.send("Emulation.setScriptExecutionDisabled", value=without)
                await tab.go(site.url + path)
                told.append(await tab.value(_TOLD))
            assert told[0] == told[1] and told[0][0], path


async def test_the_keyboard_goes_past_the_navigation_first(site: Site, chromium: Browser, ids: dict[str, str]) -> None:
    await looks.sign_in(chromium, site, "operator")
    async with chromium.visit("about:blank", Look(1280, "light")) as tab:
        for path in paths(ids):
            if path == "/ui/sign-in":
                continue  # has no navigation
            await tab.go(site.url + path)
            await tab.press("Tab")
            assert await tab.value("document.activeElement.className") == "skip", path
            await tab.press("Enter")
            assert await tab.value("document.activeElement.id") == "main", path
            await tab.press("Tab")
            at = "document.activeElement"  # the document, where nothing in it can be reached
            assert await tab.value(f"{at} === document.body || document.querySelector('main').contains({at})"), path
            assert await tab.value(f"{at} === document.body || getComputedStyle({at}).outlineStyle !== 'none'"), path
