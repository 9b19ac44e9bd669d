"""One call: its story, its timeline, its SIP messages, its price; for those who may see it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.browser import Browser, Look
from tests.ui import company, looks
from tests.ui.conftest import Site


def id_of(site: Site, call_id: str) -> str:
    """The id of the first call whose call_id begins like this."""
    return next(str(call.id) for call in site.calls if call.call_id.startswith(call_id))


def moved(site: Site, kind: str) -> str:
    """The id of a simulated call of today that was moved in this way."""
    found = (call for call in site.calls if call.started_at >= company.TODAY and call.call_id.startswith("sim"))
    return next(str(call.id) for call in found if any(move["kind"] == kind for move in call.reroutes))


def said(page: str) -> str:
    """The story on the page, without the marks that keep directions of writing apart."""
    found = re.search(r'<p class="story">(.*?)</p>', page, re.DOTALL)
    assert found
    return re.sub("[\u2066-\u2069]", "", unescape(found[1])).replace("\u202f", " ")


def test_the_story_can_be_read_out(site: Site) -> None:
    with site.signed_in() as client:
        text = said(client.get(f"/ui/calls/{id_of(site, 'attended_transfer')}").text)
        assert text == (
            "+441632960108 called 1001, talked to 1001 for 40 s, was transferred to 1002 at 10:00, talked to 1002 for"
            " 59 s. The caller hung up at 10:01."
        )
        busy = client.get(f"/ui/calls/{id_of(site, 'busy')}").text
        assert said(busy).endswith("and it was busy.") or "and it was busy. " in said(busy)
        assert "User busy (Q.850 17)" in busy and "SIP 486" in busy


def test_figures_are_those_of_the_api(site: Site) -> None:
    with site.signed_in() as client:
        priced = next(call for call in site.calls if call.cost and call.started_at >= company.TODAY)
        call: dict[str, Any] = client.get(f"/v1/calls/{priced.id}", headers=site.bearer()).json()
        page = client.get(f"/ui/calls/{priced.id}").text
        seconds = call["talk_ms"] // 1000
        assert f"<dt>Talked</dt><dd>{seconds // 60}:{seconds % 60:02}</dd>" in page
        assert f"€{call['cost']}" in page and f"= {call['cost']}</code>" in page
        assert page.count('<tr><th scope="row"><bdi') == len(call["logs"])


def test_the_ladder_tells_times_in_three_ways(site: Site) -> None:
    with site.signed_in() as client:
        path = f"/ui/calls/{id_of(site, 'retransmissions')}"
        assert "10:07:00.000" in client.get(path).text
        assert "+0.000 s" in client.get(f"{path}?times=start").text
        assert "(again)" in client.get(f"{path}?times=previous").text
        for drawing in ("ladder", "timeline"):
            answer = client.get(f"{path}/{drawing}.svg")
            assert answer.headers["content-type"] == "image/svg+xml"
            assert "sandbox" in answer.headers["content-security-policy"]
            ElementTree.fromstring(answer.text)
        assert client.get(f"{path}/passwords.svg").status_code == 404


@pytest.mark.parametrize("place", range(len(company.HOSTILE)))
def test_names_are_never_markup(site: Site, place: int) -> None:
    with site.signed_in() as client:
        call = id_of(site, f"hostile-{place}")
        page = client.get(f"/ui/calls/{call}").text
        assert looks.foreign(page) == []
        ElementTree.fromstring(client.get(f"/ui/calls/{call}/timeline.svg").text)


def test_nobody_sees_what_is_not_theirs(site: Site) -> None:
    call, own = (
        moved(site, "blind_transfer"),
        next(
            str(call.id) for call in site.calls if call.caller_extension == "101" and call.started_at >= company.TODAY
        ),
    )
    for path in (f"/ui/calls/{call}", f"/ui/calls/{call}/timeline.svg"):
        with site.signed_in("other") as client:
            assert client.get(path).status_code == 404
    with site.signed_in("user") as client:
        seen = [client.get(f"/ui/calls/{each.id}").status_code for each in site.calls[-30:]]
        api = [client.get(f"/v1/calls/{each.id}", headers=site.bearer("user")).status_code for each in site.calls[-30:]]
        assert seen == api and client.get(f"/ui/calls/{own}").status_code == 200
    with site.signed_in("masked") as client:
        page = client.get(f"/ui/calls/{call}").text
        assert "****" in page and "you may not see" in page and not re.search(r"\+44163296\d{4}(?!\d)", page)


async def test_it_looks_right(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    await looks.check(chromium, f"{site.url}/ui/calls/{moved(site, 'attended_transfer')}")
    narrow = (Look(360, "light"), Look(1280, "dark"))
    await looks.check(chromium, f"{site.url}/ui/calls/{id_of(site, 'carrier_failover')}", narrow)
    for place in (4, 5):
        await looks.check(chromium, f"{site.url}/ui/calls/{id_of(site, f'hostile-{place}')}", narrow)


async def test_a_message_opens_its_headers(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    url = f"{site.url}/ui/calls/{id_of(site, 'attended_transfer')}#message-3"
    async with chromium.visit(url, Look(1280, "light")) as tab:
        await tab.until("document.querySelector('details.list-of').open")
