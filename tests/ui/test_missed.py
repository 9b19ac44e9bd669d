"""Missed calls: who was not called back, as the report says, and only for those who may see everybody's calls."""

from __future__ import annotations

import re

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
        for name, said in (
            ("Missed Calls", "Missed calls"),
            ("Callers", "Callers"),
            ("Not Called Back", "Not called back"),
        ):
            assert re.search(rf'<dt>{said}</dt><dd(?: class="[^"]*")?>{tiles[name]}</dd>', page), name
        rows = [dict(zip((c["name"] for c in report["tables"][0]["columns"]), r["cells"], strict=True))
                for r in report["tables"][0]["rows"]]  # fmt: skip
        waiting = sorted(row["Last"] for row in rows if row["State"] == "Not called back")
        assert re.findall(r'<time datetime="([^"]+)\.\d{3}\+01:00"', page)[: len(waiting)] == [
            each.removesuffix("+01:00") for each in waiting
        ]


def test_a_user_with_own_calls_has_no_such_page(site: Site) -> None:
    with site.signed_in("user") as client:
        assert client.get(f"/ui/missed?{DAY}").status_code == 403
        assert "/ui/missed" not in client.get(f"/ui/calls?{DAY}").text


async def test_it_looks_right(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    await looks.check(chromium, f"{site.url}/ui/missed?{DAY}&all=1")
    await looks.check(chromium, f"{site.url}/ui/missed?from=2020-01-01&to=2020-01-02", (Look(360, "dark"),))
