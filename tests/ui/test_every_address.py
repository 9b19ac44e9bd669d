"""Every address of the pages, tried by an ordinary user of the company and by the administrator of another one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from pipeline.files import files_of
from pipeline.query.ui.routes import routers
from pipeline.reports.jobs import report_reader
from pipeline.reports.runs import Runner
from pipeline.reports.store import run_id
from pipeline.warehouse.identity.users import create_user
from tests.query.conftest import until
from tests.ui import company
from tests.ui.conftest import Site

# What stands in no page of the others.
MARKS = ("Zeta report", "zeta.example", "zeta-user", "Zeta node")
_ENDLESS = {"/ui/now/stream"}
_LEAVES = {"/ui/sign-out"}  # the session, which the walk needs


@pytest.fixture(scope="module")
def ids(site: Site) -> dict[str, str]:
    """One of everything that the company keeps: beginning of a path → an id."""
    with httpx.Client(base_url=site.url, headers=site.bearer()) as admin:
        body = {"name": "Zeta report", "type": "traffic", "range": "CUSTOM", "started_at": "2026-03-10",
                "ended_at": "2026-03-10"}  # fmt: skip
        report = admin.post("/v1/reports/schedules", json=body).json()["id"]
        hook = admin.post("/v1/webhooks", json={"url": "https://zeta.example/hook"}).json()["id"]
        export = admin.post("/v1/exports", json={"of": "calls", "format": "csv", "from": "2026-03-10"}).json()["id"]
        until(lambda: admin.get(f"/v1/exports/{export}").status_code != 202)
    run = asyncio.run(made(site, int(report)))
    create_user(site.client, company.TENANT, "zeta-user", "long enough", role="admin")
    own = {"101"}
    call = next(
        call
        for call in site.calls
        if not own & {call.caller_extension, call.callee_extension, *(log.number for log in call.logs)} and call.logs
    )
    return {
        "/ui/calls/": str(call.id), "/ui/exports/": export, "/ui/reports/files/": run, "/ui/reports/": report,
        "/ui/settings/webhooks/": hook,
    }  # fmt: skip


async def made(site: Site, report: int) -> str:
    """The id of the run of a report that is due."""
    reader = report_reader(site.settings)
    try:
        runner = Runner(site.settings, reader, files_of(site.settings))
        found = await runner.store.definition(company.TENANT, report)
        assert found is not None
        await runner.perform(company.TENANT, report, found[0].requested_at, lambda: True)
        return str(run_id(report, found[0].requested_at))
    finally:
        reader.close()


def addresses(ids: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(method, path) of every page, about things of the company."""
    for router in routers():
        for route in router.routes:
            assert isinstance(route, APIRoute)
            if route.path in _ENDLESS | _LEAVES:
                continue
            id_ = next((value for start, value in ids.items() if route.path.startswith(f"{start}{{id}}")), "1")
            path = route.path.replace("{id}", id_).replace("{drawing}", "timeline").replace("{token}", "x")
            for what in ("disable", "delete", "test", "replay") if "{what}" in path or "{change}" in path else ("",):
                full = re.sub(r"\{(what|change)\}", what, path)
                full = re.sub(r"\{[^}]*\}", "x", full)
                for method in route.methods or ():
                    yield method, full


def state(site: Site) -> list[Any]:
    """What the company keeps, as its administrator sees it."""
    with site.signed_in() as client:
        paths = ("/ui/reports", "/ui/settings/users", "/ui/settings/webhooks", "/ui/settings/tokens",
                 "/ui/settings/directory", "/ui/settings/retention")  # fmt: skip
        found = [re.sub(r'name="form_token" value="\w+"', "", client.get(path).text) for path in paths]
        return [re.findall(r"<t[dh][^>]*>.*?</t[dh]>", page, re.S) for page in found]


@pytest.mark.parametrize("who", ["user", "other", "reader"])
def test_nothing_is_shown_and_nothing_is_changed(site: Site, ids: dict[str, str], who: str) -> None:
    before = state(site)
    tried = 0
    with site.signed_in(who) as client:
        token = re.findall(r'name="form_token" value="([0-9a-f]+)"', client.get("/ui/preferences").text)[0]
        for method, path in addresses(ids):
            sent = {
                "form_token": token, "name": "zeta-user", "do": "save", "type": "traffic", "range": "YESTERDAY",
                "format": "HTML", "how": "once", "days": "1", "kind": "calls", "sure": "1", "text": "extensions: []",
                "url": "https://x.example/", "message": "x", "scope": "admin", "role": "admin", "everything": "1",
            }  # fmt: skip
            sent["name"] = "Zeta of others" if who == "other" and path.endswith(("users", "tokens")) else sent["name"]
            answer = client.request(method, path, follow_redirects=False, data=sent if method == "POST" else None)
            tried += 1
            assert answer.status_code < 500 or answer.status_code == 503, f"{method} {path}: {answer.text[:1000]}"
            seen = [mark for mark in MARKS if mark in answer.text.replace(sent["name"], "")]
            if who != "reader":  # who may read the company's reports
                assert not seen, f"{method} {path} shows {seen}"
            if ids["/ui/calls/"] in path:
                assert answer.status_code in ((404,) if who != "reader" else (200,)), f"{method} {path}"
    assert tried > 60
    assert state(site) == before
