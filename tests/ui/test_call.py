"""One call: its story, its timeline, its SIP messages, its price; for those who may see it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from xml.etree import ElementTree

import pytest

from pipeline.query.ui.call.zoom import zoom_of
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


def test_the_timeline_shows_a_part_as_large_as_the_whole(site: Site) -> None:
    with site.signed_in() as client:
        path = f"/ui/calls/{moved(site, 'attended_transfer')}"
        page = client.get(path).text
        assert 'aria-hidden="true">−</span>' in page, "nothing is farther than the whole call"
        closer = re.search(r'href="(\?zoom=(\d+)-(\d+))#timeline" title="Closer"', page)
        assert closer
        first, end = int(closer[2]), int(closer[3])
        part = client.get(path + closer[1]).text
        assert f'data-zoom="{first}-{end}"' in part and ">Whole call</a>" in part
        for way in ("Closer", "Farther", "Earlier", "Later"):
            assert f'title="{way}"' in part
        drawing = client.get(f"{path}/timeline.svg?zoom={first}-{end}").text
        assert drawing != client.get(f"{path}/timeline.svg").text
        for box in ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}rect"):
            assert 210 <= float(box.attrib["x"]) <= float(box.attrib["x"]) + float(box.attrib["width"]) <= 940
        for wrong in ("5", "9-3", "a-b", "1-99999999999"):
            assert client.get(f"{path}?zoom={wrong}").status_code == 400, wrong


@pytest.mark.parametrize(
    ("text", "part"),
    [("", (0, 60_000)), ("10000-20000", (10_000, 20_000)), ("0-999999", (0, 60_000)), ("59900-60000", (59_500, 60_000)),
     ("70000-80000", (59_500, 60_000)), ("0-100", (0, 500))],
)  # fmt: skip
def test_a_part_lies_within_the_call(text: str, part: tuple[int, int]) -> None:
    zoom = zoom_of(text, 60_000)
    assert (zoom.first, zoom.end) == part
    for *_, step in zoom.steps():
        if step:
            again = zoom_of(step, 60_000)
            assert 0 <= again.first < again.end <= 60_000 and again.query == step


async def test_drawing_over_the_timeline_shows_that_part(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    url = f"{site.url}/ui/calls/{moved(site, 'attended_transfer')}"
    async with chromium.visit(url, Look(1280, "light")) as tab:
        x, y, width = await tab.value(
            "(box => [box.x, box.y + 60, box.width])(document.querySelector('[data-zoom] svg').getBoundingClientRect())"
        )
        pointer = {"y": y, "button": "left", "clickCount": 1}
        await tab.send("Input.dispatchMouseEvent", type="mousePressed", x=x + width * 0.4, **pointer)
        await tab.send("Input.dispatchMouseEvent", type="mouseMoved", x=x + width * 0.5, **pointer, buttons=1)
        assert await tab.value("!document.querySelector('.marked').hidden")
        await tab.send("Input.dispatchMouseEvent", type="mouseReleased", x=x + width * 0.6, **pointer)
        await tab.until("location.search.startsWith('?zoom=') && document.readyState === 'complete'")
        assert tab.complaints() == []


async def test_drawings_leave_as_pictures(site: Site, chromium: Browser) -> None:
    """The button PNG paints the file of the drawing: a PNG of twice its size, which is not blank."""
    await looks.sign_in(chromium, site)
    url = f"{site.url}/ui/calls/{id_of(site, 'attended_transfer')}"
    async with chromium.visit(url, Look(1280, "light")) as tab:
        await tab.value(
            "window.left = []; window.made = null; const real = URL.createObjectURL.bind(URL);"
            "URL.createObjectURL = blob => { window.made = blob; return real(blob); };"
            "HTMLAnchorElement.prototype.click = function () { left.push([this.download, window.made]); }; 1"
        )
        for name in ("ladder", "timeline"):
            await tab.value(f"document.querySelector('button[data-png*=\"{name}.svg\"]').click()")
            await tab.until(f"window.left.some(([file]) => file.endsWith('{name}.png'))")
            size, colours, drawn = await tab.value(
                f"""(async () => {{
                  const [, bytes] = window.left.find(([file]) => file.endsWith('{name}.png'));
                  const picture = await createImageBitmap(bytes);
                  const canvas = new OffscreenCanvas(picture.width, picture.height);
                  const brush = canvas.getContext('2d');
                  brush.drawImage(picture, 0, 0);
                  const dots = new Uint32Array(brush.getImageData(0, 0, picture.width, picture.height).data.buffer);
                  return [[bytes.type, picture.width, picture.height], new Set(dots).size,
                          document.querySelector('#{name} svg').getAttribute('height') * 2];
                }})()"""
            )
            assert size[0] == "image/png" and size[2] == drawn and colours > 10, (name, size, drawn, colours)
        assert tab.complaints() == []


async def test_a_call_fills_the_screen(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    url = f"{site.url}/ui/calls/{id_of(site, 'attended_transfer')}?wall=1&times=start"
    await looks.check(chromium, url, (Look(1280, "dark"), Look(3840, "light")))
    async with chromium.visit(url, Look(1280, "light")) as tab:
        assert await tab.value("getComputedStyle(document.querySelector('.side')).display") == "none"
        assert await tab.value("document.querySelector('a.button').getAttribute('href')") == "?times=start"
