"""Trunks and quality: the measures of the API, reasons in words, and only for those who see everybody's calls."""

from __future__ import annotations

import re
from html import unescape

from pipeline.traffic.company import TRUNKS
from tests.browser import Browser, Look
from tests.ui import looks
from tests.ui.conftest import Site
from tests.ui.test_calls import count
from tests.ui.test_frame import DAY
from tests.ui.test_overview import ENGLISH, aggregate


def test_the_measures_are_those_of_the_api(site: Site) -> None:
    names = "calls,asr,ner,acd_ms,pdd_avg_ms,pdd_p95_ms,mos_avg,quality_calls,peak_calls"
    rows = aggregate(site, measures=names, by="trunk", order="-calls", **{"trunk[exists]": "true"})
    assert {row["trunk"] for row in rows} >= set(TRUNKS)
    with site.signed_in() as client:
        page = client.get(f"/ui/trunks?{DAY}").text
    shown = re.findall(r'<tr><th scope="row"><a href="\?[^"]*trunk=(.*?)</tr>', page, re.DOTALL)
    assert len(shown) == len(rows)
    for row, told in zip(rows, shown, strict=True):
        cells = [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", told, re.DOTALL)]
        assert told.startswith(row["trunk"])
        assert cells[:4] == [
            str(row["calls"]), ENGLISH.percent(row["asr"]), ENGLISH.percent(row["ner"]), ENGLISH.duration(row["acd_ms"])
        ]  # fmt: skip
        assert cells[4:6] == [ENGLISH.number(row[name] / 1000, 1) for name in ("pdd_avg_ms", "pdd_p95_ms")]
        mos = ENGLISH.number(row["mos_avg"], 2) + (f" ({row['quality_calls']})" if row["quality_calls"] else "")
        assert cells[6] == mos and cells[7].startswith(f"{row['peak_calls']}")
        if row["trunk"] in TRUNKS:
            assert cells[7] == f"{row['peak_calls']} of 30"


def test_every_count_leads_to_its_calls(site: Site) -> None:
    with site.signed_in() as client:
        for asked in (DAY, f"{DAY}&trunk=trunk-a"):
            page = client.get(f"/ui/trunks?{asked}").text
            links = dict.fromkeys(re.findall(r'<a href="(/ui/calls\?[^"]+)">([\d,]+)</a>', page))
            assert len(links) > 10
            for link, shown in links:
                assert count(client.get(unescape(link)).text) == int(shown), (link, shown)


def test_the_grid_is_what_the_api_says(site: Site) -> None:
    rows = aggregate(site, measures="ner", by="trunk,hour_of_day", trunk="trunk-b")
    with site.signed_in() as client:
        page = client.get(f"/ui/trunks?{DAY}&show=ner&trunk=trunk-b").text
        assert client.get(f"/ui/trunks?{DAY}&show=cost").status_code == 400
    (line,) = re.findall(r'<tr><th scope="row"><bdi class="">trunk-b</bdi></th>(<td class="heat.*?)</tr>', page)
    cells = re.findall(r'<td class="heat-\d">(.*?)</td>', line)
    for row in rows:
        wanted = "–" if row["ner"] is None else ENGLISH.number(row["ner"])
        assert wanted in cells[int(row["hour_of_day"])], row


def test_whom_it_is_open_to(site: Site) -> None:
    with site.signed_in("user") as client:
        assert client.get(f"/ui/trunks?{DAY}").status_code == 403
        assert "/ui/trunks" not in client.get("/ui/overview").text
    with site.signed_in("masked") as client:
        assert client.get(f"/ui/trunks?{DAY}").status_code == 200
    with site.signed_in("other") as client:
        page = client.get(f"/ui/trunks?{DAY}").text
        assert "of 30" not in page and looks.foreign(page) == []


async def test_it_looks_right(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    await looks.check(chromium, f"{site.url}/ui/trunks?{DAY}")
    few = (Look(360, "light"), looks.PLAIN)
    await looks.check(chromium, f"{site.url}/ui/trunks?from=2026-03-02&to=2026-03-16&trunk=trunk-a&show=mos_avg", few)
    await looks.check(
        chromium, f"{site.url}/ui/trunks?from=2020-01-01&to=2020-01-02&trunk=%3Cb%3E", (Look(360, "dark"),)
    )
