"""The pictures of docs/web.md: the pages over the calls of the tests, as headless Chromium shows them.

    python -m docs.pictures

Needs Chromium and the embedded ClickHouse; takes half a minute.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from pipeline.instants import DAY_MS
from pipeline.warehouse.identity.tokens import create_token
from schemas.event import Event
from tests.browser import Look, browser
from tests.forks import Forked
from tests.query.conftest import until
from tests.query.stored_calls import write
from tests.servers import ClickHouseServer
from tests.ui import company

FOLDER = Path(__file__).parent / "pictures"
DAY = "from=2026-03-10&to=2026-03-10"
TALLEST = 900


@contextmanager
def service(folder: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The service over the company's calls: its address, a token, and the ids of calls that are shown, by what they
    are."""
    server = ClickHouseServer(folder / "clickhouse")
    database = server.migrated_database()
    client = server.client(database)
    calls = company.fill(client)
    now = int(time.time() * 1000)
    write(client, company.in_progress(now))
    company.store(client, told_by_nodes(now))
    for name, scopes in (("Wallboard", ("cdr:read",)), ("Bridge of the PBX", ("cdr:ingest",))):
        create_token(client, company.TENANT, name, scopes=scopes, expires_at=now + 90 * DAY_MS)
    token = create_token(client, company.TENANT, "Ada", scopes=("admin",))
    client.close()
    moved = [call for call in calls if any(move["kind"] == "attended_transfer" for move in call.reroutes)]
    told = {"call": str(moved[-2].id), "ladder": str(moved[-1].id)}
    log = folder / "log"
    environment = os.environ | {
        "CDR_CLICKHOUSE": server.url,
        "CDR_DATABASE": database,
        "CDR_FILES": str(folder / "files"),
    }
    with log.open("wb") as out:
        process = Forked(["api", "--port", "0"], stderr=out, env=environment)
    try:
        until(lambda: b"running on http" in log.read_bytes() or process.poll() is not None)
        found = re.search(rb"running on (http://127\.0\.0\.1:\d+)", log.read_bytes())
        assert found, log.read_text()
        yield found[1].decode(), token, told
    finally:
        process.kill()
        process.wait()
        server.stop()


def told_by_nodes(now: int) -> list[Event]:
    """Events of three PBX nodes: one is well, the clock of one is wrong, one fell silent."""
    return [
        Event(
            tenant=company.TENANT,
            call_id=f"{node}-{place}",
            event_id=f"{node}-{place}",
            type="started",
            at=now - ago - place * 1000,
            node=node,
        )
        for node, ago in (("pbx-berlin", 0), ("pbx-london", -42_000), ("pbx-paris", 3 * 3_600_000))
        for place in range(25)
    ]


async def take(url: str, link: str, told: dict[str, str], folder: Path) -> None:
    """Every picture, light; of the wall, dark."""
    pages = {
        "overview": (f"/ui/overview?{DAY}", Look(1280, "light")),
        "calls": (f"/ui/calls?{DAY}", Look(1280, "light")),
        "call": (f"/ui/calls/{told['call']}", Look(1280, "light")),
        "ladder": (f"/ui/calls/{told['ladder']}", Look(1280, "light")),
        "now": ("/ui/now?wall=1", Look(1280, "dark")),
        "missed": (f"/ui/missed?{DAY}", Look(1280, "light")),
        "trunks": (f"/ui/trunks?{DAY}", Look(1280, "light")),
        "money": (f"/ui/money?{DAY}", Look(1280, "light")),
        "price": ("/ui/money/price?number=%2B441632960123&at=2026-03-10T14:36", Look(1280, "light")),
        "reports": ("/ui/reports", Look(1280, "light")),
        "health": ("/ui/health", Look(1280, "light")),
        "settings": ("/ui/settings/tokens", Look(1280, "light")),
        "phone": (f"/ui/calls?{DAY}", Look(360, "dark")),
    }
    async with browser(folder / "profile") as chromium:
        await chromium.look(url + link, Look(1280, "light"))
        for name, (path, look) in pages.items():
            async with chromium.visit(url + path, look) as tab:
                if name == "now":
                    await tab.until("document.getElementById('liveness').textContent === 'Live'")
                part = "#ladder" if name == "ladder" else "html"
                (FOLDER / f"{name}.png").write_bytes(await tab.picture(TALLEST, part))


REPORTS = (
    ("Queues of the week", "QUEUE_PERFORMANCE", "LAST_WEEK", "0 7 * * 1", "desk@example.com"),
    ("Every morning", "traffic", "YESTERDAY", "30 6 * * 1-5", ""),
    ("Bills", "statements", "LAST_MONTH", "0 5 1 * *", "billing@example.com"),
)


def main() -> None:
    """Take all pictures anew."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        folder = Path(place)
        with service(folder) as (url, token, told):
            bearer = {"Authorization": f"Bearer {token}"}
            for values in REPORTS:
                report = dict(zip(("name", "type", "range", "cron_expr", "email"), values, strict=True))
                httpx.post(f"{url}/v1/reports/schedules", headers=bearer, json=report).raise_for_status()
            answer = httpx.post(f"{url}/ui/links", headers=bearer)
            asyncio.run(take(url, answer.json()["path"], told, folder))


if __name__ == "__main__":
    main()
