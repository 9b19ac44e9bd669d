"""Missed calls: who was not called back, as the report says, and only for those who may see everybody's calls."""

from __future__ import annotations

import html
import re
import urllib.parse

from tests.browser import Browser, Look
from tests.ui import looks
from tests.ui.conftest import Site
from tests.ui.test_frame import DAY


def test_it_says_what_the_report_says(site: Site) -> None:
    with site.signed_in() as client:
        asked = "from=2026-03-09T23:00:00Z&to=2026-03-10T23:00:00Z&format=json"
        report = client.get(f"/v1/reports/missed?{asked}", headers=site.bearer()).json()
        tiles = {figure["name"]: figure["value"] for figure in report["figures"]}
        page = client.get(f"/ui/missed?{DAY}").text
        for name, said in (("Callers", "Callers"), ("Not Called Back", "Not called back")):
            assert re.search(rf'<dt>{said}</dt><dd(?: class="[^"]*")?>{tiles[name]}</dd>', page), name
        whole = re.search(r'<dt>Missed calls</dt><dd><a href="/ui/calls\?([^"]+)">(\d+)</a>', page)
        assert whole and int(whole[2]) >= tiles["Missed Calls"]  # those without a number, too
        assert f"{int(whole[2])} calls" in client.get(f"/ui/calls?{html.unescape(whole[1])}").text
        if int(whole[2]) > tiles["Missed Calls"]:
            assert f"<small>{int(whole[2]) - tiles['Missed Calls']} without a number</small>" in page
        rows = [dict(zip((c["name"] for c in report["tables"][0]["columns"]), r["cells"], strict=True))
                for r in report["tables"][0]["rows"]]  # fmt: skip
        waiting = sorted(row["Last"] for row in rows if row["State"] == "Not called back")
        assert re.findall(r'<time datetime="([^"]+)\.\d{3}\+01:00"', page)[: len(waiting)] == [
            each.removesuffix("+01:00") for each in waiting
        ]


def test_who_missed_them_is_what_the_api_counts(site: Site) -> None:
    asked = "from=2026-03-09T23:00:00Z&to=2026-03-10T23:00:00Z&zone=Europe/Berlin&limit=10000"
    filter_ = "direction=inbound&state=closed&talk_started_at[exists]=false&callee.number[exists]=true"
    with site.signed_in() as client:
        answer = client.get(
            f"/v1/aggregate?{asked}&{filter_}&measures=calls&by=callee.number,hour_of_day", headers=site.bearer()
        ).json()
        wanted: dict[str, list[int]] = {}
        for row in answer["data"]:
            wanted.setdefault(row["callee.number"], [0] * 24)[row["hour_of_day"]] += row["calls"]
        page = client.get(f"/ui/missed?{DAY}").text
    shown = {}
    for row in page.partition('class="heat named summed')[2].partition("</table>")[0].split("<tr>")[2:]:
        number = re.findall(r"callee.number=([^&\"]+)", html.unescape(row))[0]
        cells = re.findall(r'<td class="heat-\d">(\d*)</td>', row)
        shown[urllib.parse.unquote(number)] = [int(cell or 0) for cell in cells]
    hours = [int(hour) for hour in re.findall(r'<th scope="col">(\d+)</th>', page)]  # those in which a call was missed
    assert shown and set(shown) <= set(wanted)
    assert shown == {number: wanted[number][hours[0] : hours[-1] + 1] for number in shown}
    assert all(sum(shown[number]) == sum(wanted[number]) for number in shown)
    assert len(shown) == min(12, len(wanted))


def test_many_callers_come_in_pages(site: Site) -> None:
    with site.signed_in() as client:
        everybody = client.get(f"/ui/missed?{DAY}&all=1").text
        callers = int(re.findall(r"<dt>Callers</dt><dd>(\d+)</dd>", everybody)[0])
        assert everybody.count('<tr class="whole">') == min(callers, 100)
        assert client.get(f"/ui/missed?{DAY}&all=1&page=9").text.count('<tr class="whole">') == 0
        for wrong in ("0", "x", "-1", "99999999999"):
            assert client.get(f"/ui/missed?{DAY}&page={wrong}").status_code == 400


def test_a_user_with_own_calls_has_no_such_page(site: Site) -> None:
    with site.signed_in("user") as client:
        assert client.get(f"/ui/missed?{DAY}").status_code == 403
        assert "/ui/missed" not in client.get(f"/ui/calls?{DAY}").text


async def test_it_looks_right(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    await looks.check(chromium, f"{site.url}/ui/missed?{DAY}&all=1")
    await looks.check(chromium, f"{site.url}/ui/missed?from=2020-01-01&to=2020-01-02", (Look(360, "dark"),))
