"""What every page stands in: session, forms, policy, languages, and what is shown when something is wrong."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx
import pytest

from pipeline.query.app import create_app
from pipeline.query.ui.frame.assets import STATIC
from pipeline.query.ui.frame.figures import Figures
from pipeline.query.ui.frame.forgery import FIELD
from pipeline.query.ui.frame.language import preferred
from pipeline.query.ui.frame.period import before, period_of
from pipeline.query.ui.frame.session import COOKIE
from pipeline.settings import Settings
from tests.browser import Browser, Look
from tests.ui import looks
from tests.ui.conftest import Site

DAY = "from=2026-03-10&to=2026-03-10"


def token_in(page: str) -> str:
    found = re.search(rf'name="{FIELD}" value="([0-9a-f]+)"', page)
    assert found
    return found[1]


@pytest.mark.parametrize("folder", [STATIC / "vendor", Path(__file__).parent / "vendor"], ids=str)
def test_vendored_files_are_what_their_list_says(folder: Path) -> None:
    (package,) = tomllib.loads((folder / "VENDOR.toml").read_text())["package"]
    sums = package["sha256"]
    assert {path.name for path in folder.iterdir()} == {*sums, "VENDOR.toml"}
    for name, expected in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected
    assert set(package["licence_files"]) <= set(sums)


def test_a_link_signs_in_once(site: Site) -> None:
    link = site.link()
    with httpx.Client(follow_redirects=True) as first, httpx.Client(follow_redirects=True) as second:
        assert first.get(link).url.path == "/ui/overview"
        assert second.get(link).url.path == "/ui/sign-in"
        assert first.get(f"{site.url}/ui/calls").url.path == "/ui/calls", "the first one stays signed in"


def test_the_cookie_is_for_this_service_alone(site: Site) -> None:
    answer = httpx.get(site.link(), follow_redirects=False)
    (cookie,) = [each for each in answer.headers.get_list("set-cookie") if each.startswith(COOKIE)]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/ui" in cookie


def test_without_a_session_every_page_asks_to_sign_in(site: Site) -> None:
    for path in ("/ui", "/ui/calls?status=busy", "/ui/preferences", "/ui/nothing/at/all"):
        answer = httpx.get(f"{site.url}{path}")
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/ui/sign-in")


def test_a_form_of_another_site_does_nothing(site: Site) -> None:
    with site.signed_in() as client:
        token = token_in(client.get("/ui/preferences").text)
        for headers, given in (
            ({}, ""),
            ({}, "0" * 64),
            ({"Origin": "https://elsewhere.example"}, token),
            ({"Sec-Fetch-Site": "cross-site"}, token),
        ):
            answer = client.post("/ui/sign-out", data={FIELD: given}, headers=headers)
            assert answer.status_code == 403, headers
        assert client.get("/ui/calls").url.path == "/ui/calls", "still signed in"
        assert client.post("/ui/sign-out", data={FIELD: token}).url.path == "/ui/sign-in"
        assert client.get("/ui/calls").url.path == "/ui/sign-in"


def test_a_token_signs_in_and_a_wrong_one_does_not(site: Site) -> None:
    with httpx.Client(base_url=site.url, follow_redirects=True) as client:
        page = client.get("/ui/sign-in", params={"next": "/ui/calls?status=busy"})
        form = {FIELD: token_in(page.text), "token": "cdr_" + "x" * 43, "next": "/ui/calls?status=busy"}
        assert client.post("/ui/sign-in", data=form).status_code == 403
        signed = client.post("/ui/sign-in", data=form | {"token": site.tokens["reader"]})
        assert (signed.status_code, str(signed.url.query)) == (200, "b'status=busy'")


@pytest.mark.parametrize(
    "following", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere", "/ui/../x\n"]
)
def test_signing_in_leads_to_pages_of_ours_only(site: Site, following: str) -> None:
    with httpx.Client(base_url=site.url) as client:
        page = client.get("/ui/sign-in", params={"next": following})
        form = {FIELD: token_in(page.text), "token": site.tokens["reader"], "next": following}
        answer = client.post("/ui/sign-in", data=form)
        assert answer.status_code == 303
        assert not urlsplit(answer.headers["location"]).netloc
        assert answer.headers["location"].startswith("/ui/")


def test_pages_allow_nothing_that_is_written_into_them(site: Site) -> None:
    with site.signed_in() as client:
        for path in (f"/ui/calls?{DAY}", "/ui/preferences", "/ui/nothing", "/ui/calls?nonsense=1"):
            answer = client.get(path)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy
            assert answer.headers["cache-control"] == "no-store"
            assert not re.search(r"<script(?![^>]*src=)|\sstyle=|\son[a-z]+=|javascript:|<style", answer.text)
            assert not re.search(r"""(?:src|href)=.?(?:https?:)?//""", answer.text)


def test_what_is_wrong_is_said_on_a_page(site: Site) -> None:
    with site.signed_in() as client:
        for path, status, word in (
            ("/ui/nothing", 404, "No page has this address"),
            ("/ui/calls?nonsense=1", 400, "nonsense"),
            ("/ui/calls?range=never", 400, "last_month"),
        ):
            answer = client.get(path)
            assert (answer.status_code, word in answer.text) == (status, True)
            assert '<main id="main"' in answer.text


def test_language_by_browser_or_choice(site: Site) -> None:
    assert preferred("de-AT,de;q=0.9,en;q=0.5").tag == "de"
    assert preferred("pl, fr;q=0.3, es;q=0.7").tag == "es"
    assert preferred("*;q=x").tag == "en"
    with site.signed_in() as client:
        assert '<html lang="fr">' in client.get("/ui/calls", headers={"Accept-Language": "fr"}).text
        page = client.get("/ui/preferences").text
        form = {FIELD: token_in(page), "language": "de", "zone": "America/St_Johns", "next": "/ui/calls"}
        assert '<html lang="de">' in client.post("/ui/preferences", data=form).text
        assert "America/St_Johns" in client.get(f"/ui/calls?{DAY}").text


def test_figures_are_as_people_read_them() -> None:
    english, german = Figures("en", ZoneInfo("Europe/London")), Figures("de", ZoneInfo("Europe/Berlin"))
    assert (english.number(1234567), german.number(1234567)) == ("1,234,567", "1.234.567")
    assert (english.duration(42_900), english.duration(187_000), english.duration(3_730_000)) == (
        "0:42",
        "3:07",
        "1:02:10",
    )
    assert [english.span(ms).replace("\u202f", " ") for ms in (0, 4_200, 42_000, 187_000, 7_320_000)] == [
        *("0 s", "4.2 s", "42 s", "3 min 7 s", "2 h 2 min")
    ]
    assert (english.money("0.0125", "GBP"), german.money("1234.5", "EUR")) == ("£0.0125", "1.234,50\u00a0€")
    assert english.money("123456789012345678.123456789") == "123,456,789,012,345,678.123456789"
    # The hour that comes twice, and the day that has 23 hours.
    autumn = 1_792_891_800_000  # 2026-10-25T01:30:00Z, 02:30 by winter time in Berlin
    assert (german.time(autumn - 3_600_000), german.time(autumn)) == ("02:30:00", "02:30:00")
    assert (german.offset(autumn - 3_600_000), german.offset(autumn)) == ("UTC+02:00", "UTC+01:00")
    spring = period_of({"from": "2026-03-29", "to": "2026-03-29"}, ZoneInfo("Europe/Berlin"))
    assert spring.length_ms == 23 * 3_600_000
    assert spring.label(german) == "So. 29. März"


def test_lengths_in_sentences_have_two_units_that_follow_each_other() -> None:
    figures = Figures("en", ZoneInfo("UTC"))
    said = {
        ms: figures.span(ms).replace("\u202f", " ")
        for ms in (0, 4_200, 42_000, 187_000, 10_828_000, 7_260_000, 86_460_000)
    }
    assert list(said.values()) == ["0 s", "4.2 s", "42 s", "3 min 7 s", "3 h", "2 h 1 min", "1 d"]
    about = [
        figures.about(ms).replace("\u202f", " ") for ms in (0, 42_900, 2_982_000, 10_121_000, 79_999_000, 1_100_000_000)
    ]
    assert about == ["0 s", "42 s", "49 min", "2 h 48 min", "22 h", "12 d"]


def test_the_period_before_is_of_like_weekdays() -> None:
    zone = ZoneInfo("Europe/Berlin")
    day = period_of({"from": "2026-03-31", "to": "2026-03-31"}, zone)
    week = 7 * 86_400_000 - 3_600_000  # summer time began in between
    assert before(day, zone) == (day.first_ms - week, day.end_ms - week)
    across = period_of({"from": "2026-03-29", "to": "2026-03-29"}, zone)  # 23 hours against 24
    first, end = before(across, zone)
    assert end - first == 24 * 3_600_000


async def test_sign_in_and_problems_look_right(site: Site, chromium: Browser) -> None:
    both = (Look(360, "dark"), Look(1280, "light"))
    await looks.check(chromium, f"{site.url}/ui/sign-in", both)
    await looks.sign_in(chromium, site)
    await looks.check(chromium, f"{site.url}/ui/preferences", both)


async def test_the_first_load_is_light(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    async with chromium.visit(f"{site.url}/ui/calls?{DAY}&limit=100", Look(1280, "light")) as tab:
        assert 10_000 < tab.wire_bytes < looks.HEAVIEST


def test_a_page_speaks_one_language(site: Site) -> None:
    with site.signed_in() as client:
        client.headers["Accept-Language"] = "de"
        page = client.get(f"/ui/calls?{DAY}&status=busy").text
        assert "Ergebnis: <bdi>Besetzt</bdi>" in page and "Dienstag, 10. März 2026" in page and "Anrufe</p>" in page
        client.headers["Accept-Language"] = "es"
        assert "llamadas</p>" in client.get(f"/ui/calls?{DAY}").text
        client.headers["Accept-Language"] = "fr"
        assert "Appels manqués" in client.get(f"/ui/missed?{DAY}").text


async def test_a_warehouse_that_is_away_is_a_page_that_says_when_to_come_again() -> None:
    app = create_app(Settings(clickhouse="http://127.0.0.1:9", _env_file=None))
    header = {"Authorization": f"Bearer cdr_{'x' * 43}"}
    transport = httpx.ASGITransport(app=app)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=header) as client:
            answer = await client.get("/ui/calls")
    finally:
        app.state.gate.close()
        app.state.reader.close()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.headers["content-type"].startswith("text/html")
