"""The list of calls: what it shows is what the API says, whoever looks and however it is asked."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from pipeline.query.ui.frame.forgery import FIELD
from tests.browser import Browser, Look
from tests.query.conftest import until
from tests.ui import company, looks
from tests.ui.conftest import Site
from tests.ui.test_frame import DAY, token_in

DAY_OF_API = "from=2026-03-09T23:00:00Z&to=2026-03-10T23:00:00Z"


def ids(page: str) -> list[str]:
    """The calls that a page lists."""
    return re.findall(r'<a class="open" href="/ui/calls/(\d+)">', page)


def count(page: str) -> int:
    found = re.search(r'<p class="quiet">([\d,]+) calls?</p>', page)
    assert found
    return int(found[1].replace(",", ""))


FILTERS = (
    "",
    "status=busy&status=no_answer",
    "direction=outbound&talk_ms[gte]=60000",
    "caller.number=%2B4416*&status[ne]=answered",
    "q=support",
    "q=01632 960&direction=inbound",
    "wait_ms[exists]=true&sort=-wait_ms",
    "sort=cost&cost[exists]=true",
    "callee.number[not_in]=800,600&sort=duration_ms",
)


@pytest.mark.parametrize("asked", FILTERS)
def test_pages_forth_and_back_are_the_lists_of_the_api(site: Site, asked: str) -> None:
    with site.signed_in() as client:
        api = client.get(
            f"/v1/calls?{DAY_OF_API}&count=true&limit=1000&fields=id&{asked}", headers=site.bearer()
        ).json()
        wanted = [call["id"] for call in api["data"]]
        page = client.get(f"/ui/calls?{DAY}&limit=37&{asked}")
        assert page.status_code == 200, page.text
        assert count(page.text) == api["count"] == len(wanted)
        found, pages = ids(page.text), [page]
        while following := re.search(r'rel="next"[^>]*href="([^"]+)"|href="([^"]+)"[^>]*rel="next"', pages[-1].text):
            pages.append(client.get(f"/ui/calls{unescape(following[1] or following[2])}"))
            found += ids(pages[-1].text)
        assert found == wanted
        for earlier, later in zip(reversed(pages[:-1]), reversed(pages[1:]), strict=True):
            back = re.search(r'href="([^"]+)" ?rel="prev"|rel="prev"[^>]*href="([^"]+)"', later.text) or re.search(
                r'<a class="button" rel="prev" href="([^"]+)"', later.text
            )
            assert back
            again = client.get(f"/ui/calls{unescape(next(part for part in back.groups() if part))}")
            assert ids(again.text) == ids(earlier.text)
        assert 'rel="prev"' not in pages[0].text


def test_what_others_see(site: Site) -> None:
    whole = f"/ui/calls?{DAY}&limit=500"
    with site.signed_in("user") as client:
        own = client.get(f"/v1/calls?{DAY_OF_API}&limit=1000&fields=id", headers=site.bearer("user")).json()["data"]
        assert ids(client.get(whole).text) == [call["id"] for call in own]
        assert 0 < len(own) < len(site.calls)
    mine = {str(call.id) for call in site.calls}
    with site.signed_in("other") as client:
        theirs = ids(client.get(whole).text)
        assert len(theirs) == 40 and not mine & set(theirs)
    with site.signed_in("masked") as client:
        text = client.get(whole).text
        assert "****" in text and not re.search(r"\+44163296\d{4}(?!\d)", text)


def test_names_are_never_markup(site: Site) -> None:
    with site.signed_in() as client:
        text = client.get(f"/ui/calls?{DAY}&caller.number=%2B441632960999&col=caller,callee,user_data,status").text
        assert len(ids(text)) == len(company.HOSTILE)
        assert "<script>alert" not in text and "<img" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text and "49" not in re.findall(r"\{\{ (\S+)", text)
        for value in ("<script>alert(2)</script>", '"><svg onload=alert(3)>', "{{ 7*7 }}", "‮RTL", "x" * 200):
            page = client.get("/ui/calls", params={"q": value, "from": "2026-03-10"})
            assert page.status_code == 200
            assert value not in page.text if "<" in value else value in page.text


def test_columns_stand_as_they_are_asked_for(site: Site) -> None:
    with site.signed_in() as client:
        text = client.get(f"/ui/calls?{DAY}&col=cost&col=caller,call_id").text
        assert re.findall(r'<th role="columnheader".*?>(?:<a [^>]*>)?([^<]+?)\s*<', text) == ["Cost", "From", "Call id"]


async def test_it_looks_right(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    await looks.check(chromium, f"{site.url}/ui/calls?{DAY}")
    narrow = (Look(360, "light"), Look(1280, "dark"))
    await looks.check(chromium, f"{site.url}/ui/calls?{DAY}&caller.number=%2B441632960999&q=4416", narrow)
    await looks.check(chromium, f"{site.url}/ui/calls?from=2020-01-01&to=2020-01-02&status=busy", narrow)
    for look in narrow:
        async with chromium.visit(f"{site.url}/ui/calls?{DAY}", look) as tab:
            await tab.value("document.querySelectorAll('details.pop').forEach(menu => menu.open = true)")
            assert await looks.barriers(tab) == [], look


async def test_without_scripts_everything_can_be_read_and_asked(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    (answer,) = await looks.check(
        chromium,
        f"{site.url}/ui/calls?{DAY}",
        (looks.PLAIN,),
        "[document.querySelectorAll('tr.whole').length, document.querySelectorAll('form').length]",
    )
    assert answer[0] == 50 and answer[1] >= 4


async def test_by_keyboard(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    async with chromium.visit(f"{site.url}/ui/calls?{DAY}", Look(1280, "light")) as tab:
        await tab.press("/")
        assert await tab.value("document.activeElement.name") == "q"
        for _ in range(3):
            await tab.press("ArrowDown")
        await tab.press("ArrowUp")
        row = "[...document.querySelectorAll('tr.whole')].findIndex(row => row.contains(document.activeElement))"
        assert await tab.value(row) == 1
        first = await tab.value("document.activeElement.getAttribute('href')")
        await tab.press("Enter")
        await tab.until(f"location.pathname === '{first}'")


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
def test_a_file_is_exactly_the_list(site: Site, form: str) -> None:
    asked = f"{DAY}&direction=outbound&q=4416&col=started_at,callee,cost"
    with site.signed_in() as client:
        page = client.get(f"/ui/calls?{asked}")
        token = token_in(page.text)
        shown = client.post(f"/ui/calls/export?{asked}", data={FIELD: token, "format": form})
        assert re.fullmatch(r"/ui/exports/[0-9a-f]{32}", shown.url.path)
        until(lambda: "/file" in client.get(shown.url.path).text)
        file = client.get(f"{shown.url.path}/file")
        assert file.headers["content-disposition"].endswith(f'.{form}"')
        assert file.content.startswith(b"PAR1") == (form == "parquet")
        if form == "csv":
            head, *rows = file.text.splitlines()
            assert head.replace('"', "").startswith("id,started_at,callee_number,callee_name")
            assert len(rows) == count(page.text)
        if form == "ndjson":
            assert [json.loads(line)["id"] for line in file.text.splitlines()] == ids(
                client.get(f"/ui/calls?{asked}&limit=500").text
            )
        assert client.post(f"/ui/calls/export?{asked}", data={"format": form}).status_code == 403
        with site.signed_in("other") as stranger:
            for path in (shown.url.path, f"{shown.url.path}/file"):
                assert stranger.get(path).status_code == 404
            assert shown.url.path not in stranger.get("/ui/exports").text


async def test_files_look_right(site: Site, chromium: Browser) -> None:
    with site.signed_in() as client:
        token = token_in(client.get(f"/ui/calls?{DAY}").text)
        path = client.post(f"/ui/calls/export?{DAY}", data={FIELD: token, "format": "csv"}).url.path
    await looks.sign_in(chromium, site)
    async with chromium.visit(f"{site.url}{path}", Look(1280, "light")) as tab:
        await tab.until("!!document.querySelector('a[download]')")
        assert tab.complaints() == []
    await looks.check(chromium, f"{site.url}/ui/exports", (Look(360, "dark"), Look(1280, "light")))


def test_a_view_is_kept_for_its_owner(site: Site) -> None:
    name, asked = "<b>Busy & late</b>", "range=7d&status=busy&col=caller,status"
    with site.signed_in() as client:
        token = token_in(client.get(f"/ui/calls?{DAY}").text)
        kept = client.post(f"/ui/calls/views?{asked}", data={FIELD: token, "name": name})
        assert kept.url.path == "/ui/calls" and "&lt;b&gt;Busy &amp; late&lt;/b&gt;" in kept.text
        assert f'href="/ui/calls?{asked.replace("&", "&amp;")}"' in client.get(f"/ui/calls?{DAY}").text
        assert client.post("/ui/calls/views?nonsense=1", data={FIELD: token, "name": "x"}).status_code == 400
        assert client.post(f"/ui/calls/views?{asked}", data={FIELD: token, "name": " "}).status_code == 400
        assert client.post(f"/ui/calls/views?{asked}", data={"name": "x"}).status_code == 403
        for who in ("reader", "other"):
            with site.signed_in(who) as stranger:
                assert "Busy &amp; late" not in stranger.get(f"/ui/calls?{DAY}").text
        gone = client.post(f"/ui/calls/views?{asked}", data={FIELD: token, "name": name, "delete": "1"})
        assert "Busy &amp; late" not in gone.text


@pytest.mark.parametrize(
    ("words", "of_api", "said"),
    [
        ("talked[gte]=1:30", "talk_ms[gte]=90000", "Talked ≥"),
        ("waited[gte]=20 s", "wait_ms[gte]=20000", "Waited ≥"),
        ("talked[between]=1 min,2 min", "talk_ms[between]=60000,120000", "Talked between"),
        ("waited[exists]=true", "wait_ms[exists]=true", "Waited is there:"),
        ("lasted[lt]=45", "duration_ms[lt]=45000", "Length &lt;"),
    ],
)
def test_lengths_are_asked_for_in_words(site: Site, words: str, of_api: str, said: str) -> None:
    with site.signed_in() as client:
        api = client.get(f"/v1/calls?{DAY_OF_API}&limit=1000&fields=id&{of_api}", headers=site.bearer()).json()["data"]
        page = client.get(f"/ui/calls?{DAY}&limit=500&{words}").text
        assert ids(page) == [call["id"] for call in api] and ids(page)
        assert ids(client.get(f"/ui/calls?{DAY}&limit=500&{of_api}").text) == ids(page)
        assert said in page
        assert client.get(f"/ui/calls?{DAY}&talked[gte]=soon").status_code == 400


def test_filters_are_said_in_words(site: Site) -> None:
    with site.signed_in() as client:
        page = client.get(f"/ui/calls?{DAY}&talked[gte]=1:30&q850_cause=17&talk_started_at[exists]=false").text
        chips = re.findall(r"<li><span>(.*?)</span><a", page)
        words = [re.sub(r"<[^>]+>", "", unescape(chip)).replace("\u202f", " ") for chip in chips]
        assert words == ["Talked ≥ 1 min 30 s", "Cause: User busy (17)", "Talk is there: no"]
