"""Reports: a form for each type, a schedule in words, runs and their files; two people who change one report."""

from __future__ import annotations

import asyncio
import re
from html import unescape
from pathlib import Path

import httpx
import pytest

from pipeline.files import files_of
from pipeline.query.ui.frame.language import LANGUAGES
from pipeline.query.ui.reports.labels import GROUPS, TYPES
from pipeline.query.ui.reports.schedules import Choice, choice_of, in_words
from pipeline.reports.catalogue import ALL
from pipeline.reports.jobs import report_reader
from pipeline.reports.runs import Runner
from pipeline.reports.store import ReportStore
from tests.browser import Browser, Look
from tests.ui import company, looks
from tests.ui.conftest import Site, service

DAYS = {"range": "CUSTOM", "started_at": "2026-03-09", "ended_at": "2026-03-10"}


def token(page: str) -> str:
    """The token of the forms on a page."""
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', page)
    assert found, page[:2000]
    return found[1]


def fields(page: str) -> dict[str, list[str]]:
    """What the form of a report would send as it stands."""
    form = page[page.index('class="report"') :]
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input [^>]*>", form[: form.index("</form>")]):
        given = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if given.get("type") not in ("checkbox", "radio") or " checked" in tag:
            found.setdefault(given["name"], []).append(unescape(given.get("value", "")))
    for name, options in re.findall(r'<select name="(\w+)"[^>]*>(.*?)</select>', form, re.S):
        found[name] = re.findall(r'value="([^"]*)" selected', options) or re.findall(r'value="([^"]*)"', options)[:1]
    return found


def make(client: httpx.Client, type_: str = "QUEUE_PERFORMANCE", **changes: str | list[str]) -> str:
    """A report made with the form; the path of its page."""
    sent: dict[str, str | list[str]] = {
        **fields(client.get(f"/ui/reports/new?type={type_}").text),
        "name": "Of two days",
        **DAYS,
    }
    answer = client.post("/ui/reports/new", data={**sent, **changes, "do": "save"})
    assert answer.status_code == 200, answer.text
    return answer.url.path


async def work(site: Site) -> None:
    """Do what workers would be told to do now."""
    reader = report_reader(site.settings)
    try:
        store, runner = ReportStore(reader), Runner(site.settings, reader, files_of(site.settings))
        jobs = [(run.tenant, run.report_id, run.due_at) for run in await store.asked()]
        for tenant, report, due in jobs:
            await runner.perform(tenant, report, due, lambda: True)
    finally:
        reader.close()


def test_every_type_has_its_place() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(ALL) == sorted(TYPES)


@pytest.mark.parametrize(
    ("cron", "words", "how"),
    [
        ("0 7 * * 1", "Every Monday at 07:00 (Berlin)", "weekly"),
        ("30 6 * * mon-fri", "Monday to Friday at 06:30 (Berlin)", "weekdays"),
        ("0 7 * * 0,3,7", "Every Wednesday and Sunday at 07:00 (Berlin)", "weekly"),
        ("5 0 * * *", "Every day at 00:05 (Berlin)", "daily"),
        ("0 12 1 * *", "On day 1 of every month at 12:00 (Berlin)", "monthly"),
        ("@monthly", "On day 1 of every month at 00:00 (Berlin)", "monthly"),
        ("", "Once", "once"),
        ("*/20 8-18 * * 1-5", "", "cron"),
        ("0 7 1 * 1", "", "cron"),
        ("0 7 * 2 1", "", "cron"),
        ("0 7 * * 1#2", "", "cron"),
    ],
)
def test_a_schedule_in_words(cron: str, words: str, how: str) -> None:
    assert in_words(cron, LANGUAGES["en"], "Europe/Berlin") == words
    choice = choice_of(cron)
    assert choice.how == how
    assert choice_of(choice.expression) == choice


def test_words_are_those_of_the_language() -> None:
    cron = Choice("weekly", "07:00", (1, 5)).expression
    said = {tag: in_words(cron, language, "America/New_York") for tag, language in LANGUAGES.items()}
    assert said["de"] == "Jeden Montag und Freitag um 07:00 (New York)"
    assert said["fr"].startswith("Chaque lundi et vendredi à 07:00")
    assert said["es"] == "Cada lunes y viernes a las 07:00 (Nueva York)"


@pytest.mark.parametrize("type_", list(ALL))
def test_a_form_has_the_filters_of_its_type_and_no_other(site: Site, type_: str) -> None:
    with site.signed_in() as client:
        page = client.get(f"/ui/reports/new?type={type_}").text
        assert {name[2:] for name in re.findall(r'name="(f_\w+)"', page)} <= set(ALL[type_].filter.fields)
        for name in ALL[type_].filter.fields:
            offered = re.search(rf'name="f_{name}"', page)
            assert offered or name == "groups", name  # of which the company has none: see below
        shown = client.post("/ui/reports/new", data={**fields(page), **DAYS, "name": "Try", "do": "preview"})
        assert shown.status_code == 200 and 'id="preview"' in shown.text, shown.text[:2000]


async def test_a_report_is_made_run_and_fetched(site: Site) -> None:
    with site.signed_in() as client:
        path = make(client, f_call_queues=["800"], email="boss@example.com", how="weekly", weekday=["1"])
        page = client.get(path).text
        assert "Every Monday at 07:00 (Berlin)" in page and '<code class="numbers">0 7 * * 1</code>' in page
        assert "Support (800)" in page
        schedules = client.get("/v1/reports/schedules", headers=site.bearer()).json()["data"]
        told = next(each for each in schedules if each["id"] == path.rpartition("/")[2])
        assert (told["cron_expr"], told["email"], told["format"]) == ("0 7 * * 1", "boss@example.com", "HTML")
        again = client.post(f"{path}/run", data={"form_token": token(page)})
        assert again.text.count("Waits for a worker") == 1
        again = client.post(f"{path}/run", data={"form_token": token(page)})
        assert again.text.count("Waits for a worker") == 1  # two clicks are one run
        await work(site)
        page = client.get(path).text
        assert ">Ready<" in page and "Waits for a worker" not in page
        (file,) = re.findall(r'href="(/ui/reports/files/\d+)"', page)
        opened = client.get(file)
        assert opened.headers["content-security-policy"].endswith("sandbox") and "Support" in opened.text
        assert client.get(f"{file}?download=1").headers["content-disposition"].startswith("attachment")
        assert file in client.get("/ui/reports").text
        api = client.get("/v1/reports/QUEUE_PERFORMANCE?from=2026-03-09&to=2026-03-10&call_queues=800&format=html",
                         headers=site.bearer()).text  # fmt: skip
        rows = [re.findall(r"<tbody>.*</tbody>", text, re.S) for text in (opened.text, api)]
        assert rows[0] == rows[1] != []
        client.post(f"{file}/delete", data={"form_token": token(page)})
        assert client.get(file).status_code == 404
        client.post(f"{path}/delete", data={"form_token": token(page)})
        assert client.get(path).status_code == 404


async def test_of_two_people_who_change_a_report_the_second_is_told(site: Site) -> None:
    with site.signed_in() as ada, site.signed_in() as bob:
        path = make(ada, how="daily")
        hers, his = fields(ada.get(f"{path}/edit").text), fields(bob.get(f"{path}/edit").text)
        first = ada.post(f"{path}/edit", data={**hers, "name": "Hers", "time": "06:00", "do": "save"})
        assert first.url.path == path and "Hers" in first.text
        second = bob.post(f"{path}/edit", data={**his, "name": "His", "email": "bob@example.com", "do": "save"})
        assert second.status_code == 409
        assert "Somebody else changed this report meanwhile" in second.text
        for said in ("Hers", "His", "0 6 * * *", "0 7 * * *", "bob@example.com"):
            assert said in second.text, said
        assert "Hers" in ada.get(path).text and "bob@example.com" not in ada.get(path).text  # nothing was replaced
        kept = fields(second.text)
        assert kept["name"] == ["His"] and kept["time"] == ["07:00"] and kept["read_at"] != his["read_at"]
        third = bob.post(f"{path}/edit", data={**kept, "do": "save"})
        assert third.url.path == path and "His" in third.text
        ada.post(f"{path}/delete", data={"form_token": token(ada.get(path).text)})
        assert bob.post(f"{path}/edit", data={**kept, "do": "save"}).status_code == 404


async def test_two_who_save_in_the_same_moment(site: Site) -> None:
    with site.signed_in() as client:
        path = make(client, how="daily")
        sent = fields(client.get(f"{path}/edit").text)
        cookies = dict(client.cookies)
    async with httpx.AsyncClient(base_url=site.url, cookies=cookies) as both:
        answers = await asyncio.gather(
            *(both.post(f"{path}/edit", data={**sent, "name": name, "do": "save"}) for name in ("One", "Two", "Three"))
        )
    assert sorted(answer.status_code for answer in answers) == [303, 409, 409]


async def test_two_who_save_in_the_same_moment_by_two_services(site: Site, tmp_path: Path) -> None:
    with service(tmp_path, site.environment) as other, site.signed_in() as client:
        path = make(client, how="daily")
        cookies = dict(client.cookies)
        async with httpx.AsyncClient(cookies=cookies, timeout=30) as both:
            for turn in range(5):
                sent = fields(client.get(f"{path}/edit").text)
                answers = await asyncio.gather(
                    *(
                        both.post(f"{url}{path}/edit", data={**sent, "name": f"{name} {turn}", "do": "save"})
                        for url, name in ((site.url, "One"), (other, "Two"), (site.url, "Three"), (other, "Four"))
                    )
                )
                assert sorted(answer.status_code for answer in answers) == [303, 409, 409, 409]
                (name,) = [n for n, a in zip(("One", "Two", "Three", "Four"), answers, strict=True) if a.is_redirect]
                assert fields(client.get(f"{path}/edit").text)["name"] == [f"{name} {turn}"]


def test_what_is_wrong_is_said_and_nothing_typed_is_lost(site: Site) -> None:
    with site.signed_in() as client:
        sent = fields(client.get("/ui/reports/new?type=NORMAL").text)
        for changes, said in (
            ({"f_from": ["NUMBER"], "f_from_value": [""]}, "filter.from_value"),
            ({"how": ["cron"], "cron": ["61 * * * *"]}, "cron_expr"),
            ({"how": ["monthly"], "day": ["32"]}, "day"),
            ({"how": ["weekly"], "weekday": []}, "weekday"),
            ({"how": ["daily"], "time": ["25:00"]}, "time"),
            ({"email": ["nobody"]}, "email"),
            ({"range": ["CUSTOM"]}, "started_at"),
            ({"f_duration_from": ["x"], "f_duration": ["RING_DURATION"]}, "filter.duration_from"),
        ):
            answer = client.post("/ui/reports/new", data={**sent, "name": "Kept <b>", **changes, "do": "save"})
            assert answer.status_code == 400 and 'value="Kept &lt;b&gt;"' in answer.text, said
            assert re.search(rf'role="alert" id="problem">{re.escape(said)}\b', answer.text), said
            assert 'aria-invalid="true"' in answer.text, said


def test_who_may_not(site: Site) -> None:
    with site.signed_in() as client:
        path = make(client, "NORMAL", f_from="NUMBER", f_from_value="+441632960999", how="daily")
    with site.signed_in("user") as client:
        assert "/ui/reports" not in client.get("/ui/calls").text
        assert client.get("/ui/reports").status_code == client.get(path).status_code == 403
    with site.signed_in("reader") as client:
        page = client.get(path).text
        assert "Run now" not in page and client.get("/ui/reports/new").status_code == 403
        for what in ("run", "delete", "edit"):
            sent = {"form_token": token(page), "name": "x", "do": "save"}
            assert client.post(f"{path}/{what}", data=sent).status_code == 403
    with site.signed_in("masked") as client:
        assert "960999" not in client.get(path).text.replace("+4416", "")
        assert client.get(f"{path}/edit").status_code == 403
    with site.signed_in("other") as client:
        page = client.get("/ui/reports").text
        assert path not in page and client.get(path).status_code == client.get(f"{path}/edit").status_code == 404
        assert client.post(f"{path}/delete", data={"form_token": token(page)}).status_code == 404


def test_forms_of_other_sites_are_refused(site: Site) -> None:
    with site.signed_in() as client:
        path = make(client, how="daily")
        for what in ("new", f"{path.rpartition('/')[2]}/edit", f"{path.rpartition('/')[2]}/run"):
            assert client.post(f"/ui/reports/{what}", data={"type": "NORMAL", "name": "x"}).status_code == 403


async def test_it_looks_right(site: Site, chromium: Browser) -> None:
    with site.signed_in() as client:
        path = make(client, how="daily", name=company.HOSTILE[0] + company.HOSTILE[2])
        client.post(f"{path}/run", data={"form_token": token(client.get(path).text)})
        make(client, "NORMAL", how="cron", cron="*/20 8-18 * * 1-5", name="nobreak" * 30)
        assert looks.foreign(client.get("/ui/reports").text) == []
    await work(site)
    await looks.sign_in(chromium, site)
    await looks.check(chromium, f"{site.url}/ui/reports")
    two = (Look(360, "dark"), Look(1280, "light"))
    for page in (path, f"{path}/edit", "/ui/reports/new", "/ui/reports/new?type=NORMAL"):
        await looks.check(chromium, f"{site.url}{page}", two)


async def test_it_can_be_made_by_keyboard_alone(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    async with chromium.visit(f"{site.url}/ui/reports/new?type=traffic", Look(1280, "light")) as tab:
        shown = "getComputedStyle(document.querySelector('.custom')).display"
        assert await tab.value(shown) == "none"
        await tab.value("document.querySelector('[name=range]').value = 'CUSTOM'")
        assert await tab.value(shown) != "none"
        await tab.value("document.querySelector('[name=name]').focus()")
        await tab.value("document.querySelector('[name=name]').value = 'By keys'")
        order = (
            "[...document.querySelectorAll('.report :is(input, select, button, a)')].every(each => each.tabIndex === 0)"
        )
        assert await tab.value(order)


def test_times_are_those_of_the_company(site: Site) -> None:
    """Dates alone are whole days of the company's zone, shown in the viewer's."""
    with site.signed_in() as client:
        path = make(client, "traffic", how="daily")
        page = client.get("/ui/preferences").text
        client.post("/ui/preferences", data={"form_token": token(page), "zone": "America/New_York"})
        page = client.get(path).text
        assert "8 Mar 2026 19:00:00" in page and "America/New_York" in page
