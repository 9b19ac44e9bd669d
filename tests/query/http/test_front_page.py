"""`/` for a browser and for a program."""

from __future__ import annotations

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
async def test_a_browser_is_led_to_the_pages(client: httpx.AsyncClient, accept: str) -> None:
    answer = await client.get("/", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/")
    assert "Accept" in answer.headers["vary"].split(", ")


@pytest.mark.parametrize("accept", PROGRAMS)
async def test_a_program_gets_an_index_whose_paths_exist(client: httpx.AsyncClient, accept: str) -> None:
    answer = await client.get("/", headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/json"
    index = answer.json()
    assert index["version"] == __version__
    for link in index["links"]:
        answer = await client.get(link["path"])
        # The vendors' surfaces refuse in their own words, some with status 200; /ingest takes POST only.
        assert answer.status_code in ((200, 401, 405) if link["token"] else (200, 303, 503)), link
