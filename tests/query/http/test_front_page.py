"""`/` for a browser and for a program."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from pipeline import __version__
from pipeline.query.app import create_app
from pipeline.settings import Settings

# What Firefox 128 and Chromium 120 send for a page, and what curl and Python programs send.
BROWSERS = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
)
PROGRAMS = ("*/*", "application/json", "")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(clickhouse="http://127.0.0.1:1", database="cdr"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://service") as client:
        yield client


@pytest.mark.parametrize("accept", BROWSERS)
async def test_a_browser_gets_a_page_without_script_or_other_hosts(client: httpx.AsyncClient, accept: str) -> None:
    page = await client.get("/", headers={"Accept": accept})
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["vary"].split(", ") == ["Accept", "Accept-Encoding"]
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src" not in policy and "unsafe-inline" not in policy
    assert "<script" not in page.text and " style=" not in page.text
    assert not re.search(r"(?:src|href)=.?(?:https?:)?//", page.text)
    for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        if not path.startswith("data:"):
            assert (await client.get("/" + path)).status_code in (200, 503), path  # 503: no ClickHouse here


@pytest.mark.parametrize("accept", PROGRAMS)
async def test_a_program_gets_an_index_whose_paths_exist(client: httpx.AsyncClient, accept: str) -> None:
    answer = await client.get("/", headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/json"
    index = answer.json()
    assert index["version"] == __version__
    for link in index["links"]:
        answer = await client.get(link["path"])
        # The vendors' surfaces refuse in their own words, some with status 200; /ingest takes POST only.
        assert answer.status_code in ((200, 401, 405) if link["token"] else (200, 503)), link
