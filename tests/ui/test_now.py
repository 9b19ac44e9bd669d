"""Now: the board says what the API says, keeps itself so, and says when it does not."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.browser import Browser, Look
from tests.query.stored_calls import write
from tests.ui import company, looks
from tests.ui.conftest import Site


@pytest.fixture(scope="module", autouse=True)
def calls_in_progress(site: Site) -> Iterator[None]:
    """Calls of both tenants that have not ended."""
    now = int(time.time() * 1000)
    write(site.client, company.in_progress(now))
    write(site.client, company.in_progress(now, company.OTHER)[:2])
    yield


def figure(page: str, name: str) -> str:
    found = re.search(rf"<dt>{name}</dt><dd>(?:<span[^>]*>)?([^<]*)", page)
    assert found, name
    return found[1]


def test_the_board_is_what_the_api_says(site: Site) -> None:
    with site.signed_in() as client:
        page = client.get("/ui/now").text
        api = client.get("/v1/calls/active", headers=site.bearer()).json()["data"]
        shown = set(re.findall(r'class="tag [a-z]+" href="/ui/calls/(\d+)"', page))
        assert shown == {call["id"] for call in api} and len(shown) == 7
        assert (figure(page, "Waiting"), figure(page, "Agents talking"), figure(page, "Agents ringing")) == (
            "2",
            "1",
            "1",
        )
        assert "7 calls in progress" in page


def test_others_see_their_own(site: Site) -> None:
    with site.signed_in("other") as client:
        page = client.get("/ui/now").text
        assert "2 calls in progress" in page and "Support" not in re.sub(r"<title>.*?</title>", "", page)
    with site.signed_in("user") as client:
        assert "Waiting</dt>" not in client.get("/ui/now").text
    with site.signed_in("masked") as client:
        page = client.get("/ui/now").text
        assert "****" in page and "+4416329605" not in page


async def test_it_looks_right(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    await looks.check(chromium, f"{site.url}/ui/now")
    await looks.check(chromium, f"{site.url}/ui/now?wall=1", (Look(3840, "dark"),))


async def test_it_lives_and_says_when_it_does_not(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    async with chromium.visit(f"{site.url}/ui/now", Look(1280, "light")) as tab:
        said = "document.getElementById('liveness').textContent"
        await tab.until(f"{said} === 'Live'")
        rows = await tab.value("document.querySelectorAll('tr.whole').length")
        write(site.client, company.in_progress(int(time.time() * 1000))[:1])
        await tab.until(f"document.querySelectorAll('tr.whole').length === {rows + 1}")
        token = "document.querySelector('[name=form_token]').value"
        body = f"new URLSearchParams({{form_token: {token}}})"
        await tab.value(f"fetch('/ui/sign-out', {{method: 'POST', body: {body}}}).then(answer => answer.status)")
        await tab.until(f"{said}.startsWith('Not live. As of')")
        assert await tab.value("document.getElementById('board').classList.contains('stale')")


async def test_without_scripts_it_is_loaded_again(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    async with chromium.visit(f"{site.url}/ui/now", looks.PLAIN) as tab:
        assert await tab.value("document.querySelectorAll('tr.whole').length") >= 7
        assert (await tab.value("document.getElementById('liveness').textContent")).strip().startswith("As of")
